// Many threads load, run and close programs over one cache, at random: every answer right, and
// nothing left at the end.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/case_loader.h"
#include "tests/support/files.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

struct StressProgram {
  std::string folder;
  std::string name;
};

// Six programs over data files with partly equal names: two foundations, of which the second
// differs in one weight, and the adapters of both.
std::vector<StressProgram> MakePrograms(const TempFolder& original, const TempFolder& changed) {
  for (const TempFolder* folder : {&original, &changed}) {
    std::filesystem::copy(TestData("cases/lora_8da4w"), folder->path());
  }
  return {{original.path(), "base"}, {original.path(), "lora0"}, {original.path(), "lora1"},
          {changed.path(), "base"},  {changed.path(), "lora0"},  {changed.path(), "lora1"}};
}

// Changes the last weight in the file; the recorded answers of its programs no longer hold.
void ChangeOneWeight(const TempFolder& folder) {
  std::vector<uint8_t> bytes = ReadFile(folder.File("foundation.ptd"));
  for (size_t i = bytes.size() - 64; i < bytes.size(); ++i) bytes[i] ^= 0x01;
  WriteFile(folder.File("foundation.ptd"), bytes);
}

void LoadRunAndClose(const CaseLoader& loader, const std::vector<StressProgram>& programs,
                     const std::string& changed, uint32_t seed,
                     std::chrono::steady_clock::time_point end, std::atomic<int>* rounds) {
  std::mt19937 random(seed);
  std::vector<Ref<Method>> open(programs.size());
  while (std::chrono::steady_clock::now() < end) {
    const size_t i = random() % programs.size();
    if (open[i] && random() % 2 == 0) {
      open[i] = nullptr;
      continue;
    }
    if (!open[i]) {
      auto method = loader.Load(programs[i].folder, programs[i].name);
      ASSERT_TRUE(IsOk(method));
      open[i] = std::move(method).value();
    }
    const std::string outcome = CaseLoader::Check(open[i], programs[i].folder, programs[i].name);
    if (programs[i].folder == changed) {
      ASSERT_EQ(outcome.rfind("differs: ", 0), 0u) << "served another file's weight";
    } else {
      ASSERT_EQ(outcome, "");
    }
    ++*rounds;
  }
}

TEST(StressTest, EightThreadsLoadRunAndCloseSixProgramsOverThreeDataFiles) {
  const TempFolder original;
  const TempFolder changed;
  const std::vector<StressProgram> programs = MakePrograms(original, changed);
  ChangeOneWeight(changed);
  const std::shared_ptr<WeightCache> cache = WeightCache::Create();
  const CaseLoader loader(cache);
  std::atomic<int> rounds{0};
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(ONEPACK_STRESS_SECONDS);
  std::vector<std::thread> threads;
  for (uint32_t seed = 0; seed < 8; ++seed) {
    threads.emplace_back(
        [&, seed] { LoadRunAndClose(loader, programs, changed.path(), seed, end, &rounds); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(rounds, 8);
  const WeightCacheStats stats = cache->Stats();
  EXPECT_EQ(stats.entries, 0u);
  EXPECT_EQ(stats.bytes, 0u);
  EXPECT_EQ(stats.pins, 0u);
  EXPECT_EQ(stats.heap_bytes, 0u);
  EXPECT_GT(stats.hits, stats.misses.total());
}

}  // namespace
}  // namespace onepack
