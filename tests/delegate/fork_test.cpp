// A process that is forked off while other threads load closes what it has, and goes on.

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/case_loader.h"
#include "tests/support/child_process.h"
#include "tests/support/files.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

constexpr int kForks = 40;

class ForkTest : public testing::Test {
 protected:
  // Loads and closes adapters until the test is over, which takes every lock that there is.
  void SetUp() override {
    ONEPACK_ASSERT_OK_AND_ASSIGN(base_, loader_.Load(folder_, "base"));
    ONEPACK_ASSERT_OK_AND_ASSIGN(lora_, loader_.Load(folder_, "lora0"));
    for (const char* name : {"lora0", "lora1"}) {
      threads_.emplace_back([this, name] {
        while (!is_over_) EXPECT_TRUE(IsOk(loader_.Load(folder_, name)));
      });
    }
  }
  void TearDown() override {
    is_over_ = true;
    for (std::thread& thread : threads_) thread.join();
    if (!base_) return;
    EXPECT_EQ(CaseLoader::Check(base_, folder_, "base"), "");
  }

  const std::string folder_ = TestData("cases/lora_fp32");
  const CaseLoader loader_{WeightCache::Create()};
  Ref<Method> base_;
  Ref<Method> lora_;
  std::atomic<bool> is_over_{false};
  std::vector<std::thread> threads_;
};

TEST_F(ForkTest, AChildClosesMethodsWhateverOthersWereLoading) {
  for (int i = 0; i < kForks; ++i) {
    ASSERT_EQ(ExitStatusOfChild([&] {
                lora_ = nullptr;
                base_ = nullptr;
                return true;
              }),
              0);
  }
}

TEST_F(ForkTest, AChildRunsLoadsAndCloses) {
  for (int i = 0; i < kForks; ++i) {
    ASSERT_EQ(ExitStatusOfChild([&] {
                if (!CaseLoader::Check(lora_, folder_, "lora0").empty()) return false;
                lora_ = nullptr;
                auto loaded = loader_.Load(folder_, "lora1");
                return loaded.ok() && CaseLoader::Check(*loaded, folder_, "lora1").empty() &&
                       CaseLoader::Check(base_, folder_, "base").empty();
              }),
              0);
  }
}

}  // namespace
}  // namespace onepack
