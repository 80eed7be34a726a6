#include "weight_cache/fork_safe_mutex.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "tests/support/child_process.h"
#include "tests/weight_cache/cache_helpers.h"
#include "tests/weight_cache/threads.h"
#include "weight_cache/weight_cache.h"

namespace onepack {
namespace {

constexpr int kForks = 100;

// Runs `work` again and again in another thread while it lives.
class Busy {
 public:
  explicit Busy(std::function<void()> work)
      : thread_([this, work = std::move(work)] {
          while (!is_over_) work();
        }) {}
  ~Busy() {
    is_over_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> is_over_{false};
  std::thread thread_;
};

TEST(ForkSafeMutexTest, AChildFindsWhatItGuardsWholeWhoeverHeldIt) {
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
              { const std::lock_guard<ForkSafeMutex> lock(*mutex); }
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

class ForkedCacheTest : public testing::Test {
 protected:
  std::shared_ptr<WeightCache> cache_ = WeightCache::Create();
};

TEST_F(ForkedCacheTest, AChildPacksWhatAnotherThreadWasJustPacking) {
  Barrier claimed(2);
  Barrier forked(2);
  PackedWeight packed;
  std::thread packer([&] {
    PackTransaction transaction(cache_);
    EXPECT_FALSE(transaction.LookUp(KeyOf(1)));
    claimed.Wait();
    forked.Wait();
    ReserveFilled(transaction, 0x11);
    packed = transaction.Commit(kTag);
  });
  claimed.Wait();
  std::thread waiter([&] {
    PackTransaction transaction(cache_);
    EXPECT_TRUE(transaction.LookUp(KeyOf(1)));
  });
  WaitUntil([&] { return cache_->Stats().waits == 1; });
  EXPECT_EQ(ExitStatusOfChild([&] {
              {
                if (cache_->Find(KeyOf(1))) return false;
                const PackedWeight own = FindOrPack(cache_, KeyOf(1), 0x22);
                if (!IsFilledWith(own.bytes(), 0x22) || own.is_private()) return false;
                if (!IsFilledWith(FindOrPack(cache_, KeyOf(1), 0x33).bytes(), 0x22)) return false;
              }
              return cache_->Stats().pins == 0 && cache_->Stats().bytes == 0;
            }),
            0);
  forked.Wait();
  packer.join();
  waiter.join();
  EXPECT_EQ(cache_->Stats().waits, 1u);
}

TEST_F(ForkedCacheTest, AChildLetsGoOfItsPinsWhileThreadsOfItsParentPackAndLetGo) {
  if (!kChildMayAllocate) GTEST_SKIP() << "the sanitizer's allocator may be locked in a child";
  std::optional<PackedWeight> mine = FindOrPack(cache_, KeyOf(0), 0xaa);
  std::atomic<int> next{1};
  const auto work = [&] {
    const int number = next++ % 16 + 1;
    FindOrPack(cache_, KeyOf(number), static_cast<uint8_t>(number));
  };
  const Busy one(work);
  const Busy other(work);
  for (int i = 0; i < kForks; ++i) {
    ASSERT_EQ(ExitStatusOfChild([&] {
                if (!IsFilledWith(mine->bytes(), 0xaa)) return false;
                mine.reset();
                const PackedWeight again = FindOrPack(cache_, KeyOf(0), 0xbb);
                const PackedWeight another = FindOrPack(cache_, KeyOf(1), 1);
                return IsFilledWith(again.bytes(), 0xbb) && IsFilledWith(another.bytes(), 1);
              }),
              0);
  }
}

}  // namespace
}  // namespace onepack
