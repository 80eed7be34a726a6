#include "onepack/adapter_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <stdexcept>
#include <thread>

#include "tests/llm/sum_model.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

using Tokens = std::vector<int64_t>;

GenerateOptions New(size_t tokens) {
  GenerateOptions options;
  options.max_new_tokens = tokens;
  return options;
}

Tokens TokensOf(Result<GenerateResult> result) {
  EXPECT_TRUE(IsOk(result));
  return result.ok() ? result->tokens : Tokens();
}

std::vector<std::string> NamesOf(const AdapterPool& pool) {
  auto names = pool.Names();
  EXPECT_TRUE(IsOk(names));
  return names.ok() ? *names : std::vector<std::string>();
}

// A request that waits in its callback until told to go on.
class Gate {
 public:
  bool WaitInside() {
    std::unique_lock<std::mutex> lock(mutex_);
    is_inside_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return is_open_; });
    return true;
  }
  void WaitUntilInside() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return is_inside_; });
  }
  void Open() {
    const std::lock_guard<std::mutex> lock(mutex_);
    is_open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_inside_ = false;
  bool is_open_ = false;
};

TEST(AdapterPoolTest, EachRequestStartsWithAnEmptyContext) {
  AdapterPool pool(SumModel::LoadOptions());
  ASSERT_TRUE(IsOk(pool.Add("a", SumModel().program(), nullptr)));
  EXPECT_EQ(TokensOf(pool.Generate("a", Tokens{1}, New(3))), (Tokens{1, 2, 4}));
  EXPECT_EQ(TokensOf(pool.Generate("a", Tokens{1}, New(3))), (Tokens{1, 2, 4}));
}

TEST(AdapterPoolTest, ANameIsClaimedOnceAndReleasedByDrop) {
  AdapterPool pool(SumModel::LoadOptions());
  ASSERT_TRUE(IsOk(pool.Add("b", SumModel().program(), nullptr)));
  ASSERT_TRUE(IsOk(pool.Add("a", SumModel().program(), nullptr)));
  EXPECT_EQ(NamesOf(pool), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(IsError(pool.Add("a", SumModel().program(), nullptr), StatusCode::kInvalidArgument,
                      {"'a'", "already"}));
  ASSERT_TRUE(IsOk(pool.Drop("a")));
  EXPECT_TRUE(IsError(pool.Drop("a"), StatusCode::kNotFound, {"'a'"}));
  EXPECT_TRUE(IsError(pool.Generate("a", Tokens{1}, {}), StatusCode::kNotFound, {"'a'"}));
  EXPECT_TRUE(IsOk(pool.Add("a", SumModel().program(), nullptr)));
}

TEST(AdapterPoolTest, WhatCannotBeLoadedIsNotThere) {
  AdapterPool pool(MethodOptions{});
  EXPECT_TRUE(IsError(pool.Add("a", SumModel().program(), nullptr), StatusCode::kNotFound,
                      {"sum.pte", "test::sum.out"}));
  EXPECT_TRUE(NamesOf(pool).empty());
}

TEST(AdapterPoolTest, OthersAnswerAreAddedAndDroppedWhileOneRuns) {
  AdapterPool pool(SumModel::LoadOptions());
  ASSERT_TRUE(IsOk(pool.Add("slow", SumModel().program(), nullptr)));
  ASSERT_TRUE(IsOk(pool.Add("other", SumModel().program(), nullptr)));
  Gate gate;
  Tokens slow;
  std::thread runner([&] {
    GenerateOptions options = New(2);
    options.on_token = [&](int64_t) { return gate.WaitInside(); };
    slow = TokensOf(pool.Generate("slow", Tokens{3}, options));
  });
  gate.WaitUntilInside();
  EXPECT_EQ(TokensOf(pool.Generate("other", Tokens{1}, New(2))), (Tokens{1, 2}));
  EXPECT_TRUE(IsOk(pool.Add("new", SumModel().program(), nullptr)));
  EXPECT_TRUE(IsOk(pool.Drop("other")));
  EXPECT_TRUE(IsOk(pool.Drop("slow")));
  EXPECT_EQ(NamesOf(pool), std::vector<std::string>{"new"});
  gate.Open();
  runner.join();
  EXPECT_EQ(slow, (Tokens{3, 6}));
}

TEST(AdapterPoolTest, ACallbackAsksOtherAdaptersAndIsRefusedByItsOwn) {
  AdapterPool pool(SumModel::LoadOptions());
  ASSERT_TRUE(IsOk(pool.Add("a", SumModel().program(), nullptr)));
  ASSERT_TRUE(IsOk(pool.Add("b", SumModel().program(), nullptr)));
  size_t calls = 0;
  GenerateOptions options = New(2);
  options.on_token = [&](int64_t) {
    ++calls;
    EXPECT_TRUE(IsError(pool.Generate("a", Tokens{1}, New(2)), StatusCode::kFailedPrecondition,
                        {"'a'", "callback"}));
    EXPECT_EQ(TokensOf(pool.Generate("b", Tokens{1}, New(2))), (Tokens{1, 2}));
    return true;
  };
  EXPECT_EQ(TokensOf(pool.Generate("a", Tokens{3}, options)), (Tokens{3, 6}));
  EXPECT_EQ(calls, 2u);
  EXPECT_EQ(TokensOf(pool.Generate("a", Tokens{1}, New(2))), (Tokens{1, 2}));
}

TEST(AdapterPoolTest, ACallbackAddsDropsAndLists) {
  AdapterPool pool(SumModel::LoadOptions());
  ASSERT_TRUE(IsOk(pool.Add("a", SumModel().program(), nullptr)));
  GenerateOptions options = New(2);
  options.on_token = [&](int64_t) {
    if (!pool.Drop("a").ok()) return true;
    EXPECT_TRUE(IsOk(pool.Add("a", SumModel().program(), nullptr)));
    EXPECT_TRUE(IsOk(pool.Add("b", SumModel().program(), nullptr)));
    EXPECT_EQ(NamesOf(pool).size(), 2u);
    // The new one is another.
    EXPECT_EQ(TokensOf(pool.Generate("a", Tokens{1}, New(2))), (Tokens{1, 2}));
    return true;
  };
  options.max_new_tokens = 1;
  EXPECT_EQ(TokensOf(pool.Generate("a", Tokens{3}, options)), Tokens{3});
}

// Each thread's callback asks for the adapter that the other thread has.
TEST(AdapterPoolTest, CallbacksThatAskForEachOthersAdaptersDoNotWait) {
  AdapterPool pool(SumModel::LoadOptions());
  ASSERT_TRUE(IsOk(pool.Add("a", SumModel().program(), nullptr)));
  ASSERT_TRUE(IsOk(pool.Add("b", SumModel().program(), nullptr)));
  Gate gate;
  std::thread other([&] {
    GenerateOptions options = New(1);
    options.on_token = [&](int64_t) { return gate.WaitInside(); };
    EXPECT_EQ(TokensOf(pool.Generate("b", Tokens{1}, options)), Tokens{1});
  });
  gate.WaitUntilInside();  // "b" is answering
  GenerateOptions options = New(1);
  options.on_token = [&](int64_t) {
    EXPECT_TRUE(IsError(pool.Generate("b", Tokens{1}, New(1)), StatusCode::kFailedPrecondition));
    gate.Open();
    return true;
  };
  EXPECT_EQ(TokensOf(pool.Generate("a", Tokens{1}, options)), Tokens{1});
  other.join();
}

TEST(AdapterPoolTest, ACallbackThatThrowsLeavesTheAdapterFree) {
  AdapterPool pool(SumModel::LoadOptions());
  ASSERT_TRUE(IsOk(pool.Add("a", SumModel().program(), nullptr)));
  GenerateOptions options = New(2);
  options.on_token = [](int64_t) -> bool { throw std::runtime_error("no paper"); };
  EXPECT_TRUE(IsError(pool.Generate("a", Tokens{3}, options), StatusCode::kInternal, {"no paper"}));
  EXPECT_EQ(TokensOf(pool.Generate("a", Tokens{1}, New(2))), (Tokens{1, 2}));
}

TEST(AdapterPoolTest, AfterARequestThatFailedTheNextOneStartsAnew) {
  AdapterPool pool(SumModel::LoadOptions());
  ASSERT_TRUE(IsOk(pool.Add("a", SumModel().program(), nullptr)));
  EXPECT_TRUE(IsError(pool.Generate("a", Tokens{3, 99}, New(2)), StatusCode::kInvalidArgument));
  EXPECT_TRUE(IsError(pool.Generate("a", Tokens(17, 1), New(2)), StatusCode::kInvalidArgument));
  EXPECT_EQ(TokensOf(pool.Generate("a", Tokens{1}, New(2))), (Tokens{1, 2}));
}

TEST(AdapterPoolTest, AMethodOfOneProgramMayBeAnAdapter) {
  SumModelOptions lora;
  lora.method = "lora_forward";
  AdapterPool pool(SumModel::LoadOptions());
  ASSERT_TRUE(IsOk(pool.Add("lora", SumModel(lora).program(), nullptr, "lora_forward")));
  EXPECT_EQ(TokensOf(pool.Generate("lora", Tokens{1}, New(2))), (Tokens{1, 2}));
}

// "Added" means that this program answers. Threads that add and drop one name meet in every way.
TEST(AdapterPoolTest, EveryAddThatSucceededIsDroppedOnce) {
  AdapterPool pool(SumModel::LoadOptions());
  const SumModel sum;
  std::atomic<int> added{0};
  std::atomic<int> dropped{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 200; ++round) {
        if (pool.Add("a", sum.program(), nullptr).ok()) ++added;
        if (pool.Drop("a").ok()) ++dropped;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (pool.Drop("a").ok()) ++dropped;
  EXPECT_EQ(added, dropped);
}

TEST(AdapterPoolTest, RequestsToOneAdapterRunOneAtATime) {
  AdapterPool pool(SumModel::LoadOptions());
  ASSERT_TRUE(IsOk(pool.Add("a", SumModel().program(), nullptr)));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20; ++round) {
        EXPECT_EQ(TokensOf(pool.Generate("a", Tokens{1}, New(4))), (Tokens{1, 2, 4, 8}));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace onepack
