// Threads that load, run and destroy programs at the same time.

#include <executorch/extension/threadpool/threadpool_guard.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "integrations/executorch/tests/backend_stats.h"
#include "integrations/executorch/tests/module_case.h"
#include "tests/support/sanitizers.h"
#include "tests/support/threads.h"

namespace onepack {
namespace {

constexpr int kThreads = 8;

// Each thread has up to three programs at a time. All of `paths` are loaded and dropped many times.
void LoadRunAndDestroy(const std::vector<std::string>& paths, int thread,
                       const std::function<bool()>& is_over, std::atomic<int>& runs) {
  // The sanitizer does not see how ExecuTorch's pool waits for its threads.
  std::optional<::executorch::extension::threadpool::NoThreadPoolGuard> no_pool;
  if (kThreadSanitized) no_pool.emplace();
  constexpr Module::LoadMode kModes[] = {Module::LoadMode::Mmap, Module::LoadMode::File};
  std::minstd_rand random(static_cast<unsigned>(thread));
  std::vector<std::unique_ptr<ModuleCase>> loaded(3);
  while (!is_over()) {
    auto& one = loaded[random() % loaded.size()];
    if (one == nullptr || random() % 4 == 0) {
      one = std::make_unique<ModuleCase>(paths[random() % paths.size()], kModes[random() % 2]);
    }
    const std::string trouble = one->Run();
    if (!trouble.empty()) ADD_FAILURE() << one->recorded().name << ": " << trouble;
    ++runs;
  }
}

TEST(StressTest, ManyThreadsLoadRunAndDestroy) {
  std::vector<std::string> paths;
  for (const char* family : {"lora_fp32", "lora_8da4w", "lora_8da8w", "scale_8da4w"}) {
    const std::vector<std::string> more = RecordingsIn(family);
    paths.insert(paths.end(), more.begin(), more.end());
  }
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(ONEPACK_STRESS_SECONDS);
  std::atomic<int> runs{0};
  RunInThreads(kThreads, [&](int thread) {
    LoadRunAndDestroy(paths, thread, [&] { return std::chrono::steady_clock::now() > end; }, runs);
  });
  EXPECT_GT(runs, kThreads);
  printf("%d runs\n", runs.load());
  EXPECT_EQ(BackendStats()["pins"], 0u);
  EXPECT_EQ(BackendStats()["bytes"], BackendStats()["retained_bytes"]);
}

}  // namespace
}  // namespace onepack
