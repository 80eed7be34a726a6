// The cache in a process that was forked off.

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>

#include "tests/support/child_process.h"
#include "tests/support/sanitizers.h"
#include "tests/support/threads.h"
#include "tests/weight_cache/cache_helpers.h"
#include "weight_cache/packed_weight_cache.h"

namespace onepack {
namespace {

constexpr int kForks = 100;

class ForkedCacheTest : public testing::Test {
 protected:
  std::shared_ptr<PackedWeightCache> cache_ = PackedWeightCache::Create();
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

TEST_F(ForkedCacheTest, AChildDropsItsPinsWhileThreadsOfItsParentPackAndDrop) {
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
