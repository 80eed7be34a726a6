#include "base/fork_safe_mutex.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "tests/support/child_process.h"
#include "tests/support/threads.h"

namespace onepack {
namespace {

constexpr int kForks = 100;

TEST(ForkSafeMutexTest, AChildFindsWhatItGuardsWholeWhateverThreadHeldIt) {
  ForkSafeMutex mutex;
  int a = 0;
  int b = 0;  // both are always equal outside the lock
  const Busy busy([&] {
    const std::lock_guard<ForkSafeMutex> lock(mutex);
    ++a;
    for (int i = 0; i < 1000; ++i) std::atomic_signal_fence(std::memory_order_seq_cst);
    ++b;
  });
  for (int i = 0; i < kForks; ++i) {
    ASSERT_EQ(ExitStatusOfChild([&] {
                const std::lock_guard<ForkSafeMutex> lock(mutex);
                return a == b;
              }),
              0);
  }
}

TEST(ForkSafeMutexTest, OnesThatComeAndGoMeanwhileAreNoTrouble) {
  const Busy busy([] {
    ForkSafeMutex few[3];
    for (ForkSafeMutex& mutex : few) {
      const std::lock_guard<ForkSafeMutex> lock(mutex);
    }
  });
  ForkSafeMutex mutex;
  for (int i = 0; i < kForks; ++i) {
    ASSERT_EQ(ExitStatusOfChild([&] {
                ForkSafeMutex another;
                const std::lock_guard<ForkSafeMutex> lock(mutex);
                return true;
              }),
              0);
  }
}

TEST(ForkSafeMutexTest, AChildMayNotifyWaitAndDestroyWhereOthersWaited) {
  auto mutex = std::make_unique<ForkSafeMutex>();
  bool is_over = false;
  std::atomic<int> waiting{0};
  std::thread waiter([&] {
    std::unique_lock<ForkSafeMutex> lock(*mutex);
    ++waiting;
    while (!is_over) mutex->Wait(lock);
  });
  WaitUntil([&] { return waiting == 1; });
  EXPECT_EQ(ExitStatusOfChild([&] {
              {
                const std::lock_guard<ForkSafeMutex> lock(*mutex);
              }
              mutex->NotifyAll();
              mutex.reset();
              return true;
            }),
            0);
  {
    const std::lock_guard<ForkSafeMutex> lock(*mutex);
    is_over = true;
  }
  mutex->NotifyAll();
  waiter.join();
}

TEST(ForkSafeMutexTest, ChildrenKnowThatTheyAreChildren) {
  const ForkSafeMutex mutex;  // forks are counted from the first one on
  const uint32_t here = ForkSafeMutex::forks();
  EXPECT_EQ(ExitStatusOfChild([&] {
              return ForkSafeMutex::forks() == here + 1 &&
                     ExitStatusOfChild([&] { return ForkSafeMutex::forks() == here + 2; }) == 0;
            }),
            0);
  EXPECT_EQ(ForkSafeMutex::forks(), here);
}

}  // namespace
}  // namespace onepack
