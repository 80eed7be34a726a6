// The state table of pack_transaction.h, one test or more for each row, then its argument about
// progress.

#include "weight_cache/pack_transaction.h"

#include <gtest/gtest.h>
#include <stdint.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/threads.h"
#include "tests/weight_cache/cache_helpers.h"

namespace onepack {
namespace {

class PackTransactionTest : public testing::Test {
 protected:
  bool IsThere(const PackKey& key) const { return static_cast<bool>(cache_->Find(key)); }

  // True when nobody has claimed `key`: a look-up by somebody else does not wait.
  bool IsUnclaimed(const PackKey& key) const {
    const uint64_t waits = cache_->Stats().waits;
    PackTransaction somebody(cache_);
    return !somebody.LookUp(key) && cache_->Stats().waits == waits;
  }

  // Waits until `count` look-ups have had to wait.
  void WaitForWaits(uint64_t count) const {
    WaitUntil([&] { return cache_->Stats().waits >= count; });
  }

  const std::shared_ptr<PackedWeightCache> cache_ = PackedWeightCache::Create();
};

// any, LookUp(key), hit -> Idle; a pin

TEST_F(PackTransactionTest, LookUpThatHitsGivesAPin) {
  const PackedWeight packed = FindOrPack(cache_, KeyOf(1), 1);
  PackTransaction transaction(cache_);
  const PackedWeight found = transaction.LookUp(KeyOf(1));
  ASSERT_TRUE(found);
  EXPECT_EQ(found.bytes().data(), packed.bytes().data());
  EXPECT_FALSE(found.is_private());
}

TEST_F(PackTransactionTest, LookUpThatHitsAbandonsAnEarlierClaim) {
  const PackedWeight packed = FindOrPack(cache_, KeyOf(1), 1);
  PackTransaction transaction(cache_);
  EXPECT_FALSE(transaction.LookUp(KeyOf(2)));
  EXPECT_TRUE(transaction.LookUp(KeyOf(1)));
  EXPECT_TRUE(IsUnclaimed(KeyOf(2)));
}

// any, LookUp(key), miss -> Claimed(key); an empty pin

TEST_F(PackTransactionTest, LookUpThatMissesClaims) {
  PackTransaction transaction(cache_);
  EXPECT_FALSE(transaction.LookUp(KeyOf(1)));
  EXPECT_FALSE(IsThere(KeyOf(1)));
  std::atomic<bool> waited{false};
  std::thread other([&] {
    FindOrPack(cache_, KeyOf(1), 2);
    waited = true;
  });
  WaitForWaits(1);
  EXPECT_FALSE(waited);
  transaction.DropClaim();
  other.join();
}

TEST_F(PackTransactionTest, LookUpThatMissesAbandonsAnEarlierClaim) {
  PackTransaction transaction(cache_);
  EXPECT_FALSE(transaction.LookUp(KeyOf(1)));
  EXPECT_FALSE(transaction.LookUp(KeyOf(2)));
  EXPECT_TRUE(IsUnclaimed(KeyOf(1)));
}

TEST_F(PackTransactionTest, LookUpOfTheKeyThatIsClaimedAlreadyDoesNotWaitForItself) {
  PackTransaction transaction(cache_);
  EXPECT_FALSE(transaction.LookUp(KeyOf(1)));
  EXPECT_FALSE(transaction.LookUp(KeyOf(1)));
  EXPECT_EQ(cache_->Stats().waits, 0u);
}

TEST_F(PackTransactionTest, LookUpWaitsWhileAnotherTransactionPacksTheKey) {
  PackTransaction packer(cache_);
  EXPECT_FALSE(packer.LookUp(KeyOf(1)));
  PackedWeight shared;
  std::thread other([&] { shared = FindOrPack(cache_, KeyOf(1), 2); });
  WaitForWaits(1);
  ReserveFilled(packer, 1);
  const PackedWeight packed = packer.Commit(kTag);
  other.join();
  EXPECT_EQ(shared.bytes().data(), packed.bytes().data());
  EXPECT_TRUE(IsFilledWith(shared.bytes(), 1));
  const WeightCacheStats stats = cache_->Stats();
  EXPECT_EQ(stats.waits, 1u);
  EXPECT_GT(stats.wait_ns, 0u);
  EXPECT_EQ(stats.misses.total(), 1u);
  EXPECT_EQ(stats.hits, 1u);
}

TEST_F(PackTransactionTest, LookUpKeepsAnEarlierReservation) {
  const PackedWeight packed = FindOrPack(cache_, KeyOf(1), 1);
  PackTransaction transaction(cache_);
  ReserveFilled(transaction, 2);
  const uint8_t* reserved = transaction.reserved();
  EXPECT_TRUE(transaction.LookUp(KeyOf(1)));
  EXPECT_EQ(transaction.reserved(), reserved);
}

// any, Reserve(n) -> + Reserved(n)

TEST_F(PackTransactionTest, ReserveGivesAlignedMemoryWithoutATraceInTheCache) {
  PackTransaction transaction(cache_);
  EXPECT_EQ(transaction.reserved(), nullptr);
  uint8_t* space = transaction.Reserve(1000);
  ASSERT_NE(space, nullptr);
  EXPECT_EQ(transaction.reserved(), space);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(space) % HeapStore::kAlignment, 0u);
  EXPECT_EQ(cache_->Stats().entries, 0u);
  EXPECT_EQ(cache_->Stats().bytes, 0u);
}

TEST_F(PackTransactionTest, ReserveWithoutMemoryIsNullAndNoReservation) {
  PackTransaction transaction(cache_);
  EXPECT_FALSE(transaction.LookUp(KeyOf(1)));
  EXPECT_EQ(transaction.Reserve(SIZE_MAX / 2), nullptr);
  EXPECT_EQ(transaction.reserved(), nullptr);
  EXPECT_EQ(cache_->Stats().heap_bytes, 0u);
  // The claim is still there, and a smaller reservation may follow.
  ReserveFilled(transaction, 1);
  EXPECT_TRUE(transaction.Commit(kTag));
}

TEST_F(PackTransactionTest, ReserveKeepsTheClaim) {
  PackTransaction transaction(cache_);
  EXPECT_FALSE(transaction.LookUp(KeyOf(1)));
  ReserveFilled(transaction, 1);
  ReserveFilled(transaction, 2, 2 * kSmall);
  const PackedWeight weight = transaction.Commit(kTag);
  EXPECT_EQ(weight.bytes().size(), 2 * kSmall);
  EXPECT_EQ(cache_->Find(KeyOf(1)).bytes().data(), weight.bytes().data());
}

TEST_F(PackTransactionTest, PagesThatAreAskedForAtOnceMakeNoOtherReservation) {
  PackTransaction transaction(cache_);
  uint8_t* space = transaction.Reserve(HeapStore::kLargeBlock, PackTransaction::Pages::kAtOnce);
  ASSERT_NE(space, nullptr);
  EXPECT_EQ(transaction.reserved(), space);
  EXPECT_EQ(transaction.reserved_size(), HeapStore::kLargeBlock);
  EXPECT_EQ(cache_->Stats().heap_bytes, HeapStore::kLargeBlock);
}

TEST_F(PackTransactionTest, ReserveDropsAnEarlierReservation) {
  PackTransaction transaction(cache_);
  ASSERT_NE(transaction.Reserve(HeapStore::kLargeBlock), nullptr);
  ASSERT_NE(transaction.Reserve(2 * HeapStore::kLargeBlock), nullptr);
  EXPECT_EQ(cache_->Stats().heap_bytes, 2 * HeapStore::kLargeBlock);
  EXPECT_EQ(transaction.Reserve(SIZE_MAX / 2), nullptr);
  EXPECT_EQ(cache_->Stats().heap_bytes, 0u);
}

// Claimed(key) + Reserved, Commit(tag) -> Idle; a pin, visible to all

TEST_F(PackTransactionTest, CommitMakesTheWeightVisibleUnderTheClaimedKey) {
  PackTransaction transaction(cache_);
  EXPECT_FALSE(transaction.LookUp(KeyOf(1)));
  ReserveFilled(transaction, 1);
  const uint8_t* reserved = transaction.reserved();
  const PackedWeight weight = transaction.Commit(kTag);
  EXPECT_EQ(weight.bytes().data(), reserved);
  EXPECT_EQ(weight.bytes().size(), kSmall);
  EXPECT_FALSE(weight.is_private());
  EXPECT_TRUE(IsThere(KeyOf(1)));
  EXPECT_EQ(transaction.reserved(), nullptr);
  EXPECT_EQ(transaction.reserved_size(), 0u);
}

TEST_F(PackTransactionTest, TheTagOfACommitIsTheWeights) {
  PackTransaction transaction(cache_);
  EXPECT_FALSE(transaction.LookUp(KeyOf(1)));
  ReserveFilled(transaction, 1);
  constexpr LayoutTag kOfBothHalves = 0x0123'4567'89ab'cdef;
  const PackedWeight weight = transaction.Commit(kOfBothHalves);
  EXPECT_EQ(weight.tag(), kOfBothHalves);
}

TEST_F(PackTransactionTest, CommitIsOfTheLastKeyThatWasLookedUp) {
  PackTransaction transaction(cache_);
  EXPECT_FALSE(transaction.LookUp(KeyOf(1)));
  EXPECT_FALSE(transaction.LookUp(KeyOf(2)));
  ReserveFilled(transaction, 2);
  const PackedWeight weight = transaction.Commit(kTag);
  EXPECT_TRUE(IsThere(KeyOf(2)));
  EXPECT_TRUE(IsUnclaimed(KeyOf(1)));
}

TEST_F(PackTransactionTest, CommitKeepsTheContentsThatTheKeyWasMadeFrom) {
  auto content = std::make_shared<Content>();
  const std::weak_ptr<Content> weak = content;
  {
    PackTransaction transaction(cache_);
    EXPECT_FALSE(transaction.LookUp(KeyOf(1)));
    ReserveFilled(transaction, 1);
    const PackedWeight weight = transaction.Commit(kTag, {std::move(content)});
    EXPECT_FALSE(weak.expired());
  }
  EXPECT_TRUE(weak.expired());
}

// After a commit the transaction has no claim left that it could abandon.
TEST_F(PackTransactionTest, WhatIsCommittedOutlivesItsTransaction) {
  PackedWeight weight;
  {
    PackTransaction transaction(cache_);
    EXPECT_FALSE(transaction.LookUp(KeyOf(1)));
    ReserveFilled(transaction, 1);
    weight = transaction.Commit(kTag);
    transaction.DropClaim();
  }
  EXPECT_TRUE(IsFilledWith(weight.bytes(), 1));
  EXPECT_EQ(cache_->Find(KeyOf(1)).bytes().data(), weight.bytes().data());
}

TEST_F(PackTransactionTest, ATransactionGoesOnAfterACommit) {
  PackTransaction transaction(cache_);
  std::vector<PackedWeight> weights;
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(transaction.LookUp(KeyOf(i)));
    ReserveFilled(transaction, static_cast<uint8_t>(i));
    weights.push_back(transaction.Commit(kTag));
  }
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(IsFilledWith(weights[static_cast<size_t>(i)].bytes(), static_cast<uint8_t>(i)));
  }
  EXPECT_EQ(cache_->Stats().packed_bytes, 10 * kSmall);
}

// Reserved, CommitPrivate() -> Idle; a pin that is in no program's reach but its own

TEST_F(PackTransactionTest, WhatIsCommittedPrivatelyIsNeverFound) {
  PackTransaction transaction(cache_);
  EXPECT_FALSE(transaction.LookUp(KeyOf(1)));
  ReserveFilled(transaction, 1);
  const uint8_t* reserved = transaction.reserved();
  const PackedWeight weight = transaction.CommitPrivate();
  EXPECT_TRUE(weight.is_private());
  EXPECT_EQ(weight.bytes().data(), reserved);
  EXPECT_EQ(transaction.reserved(), nullptr);
  EXPECT_FALSE(IsThere(KeyOf(1)));
  EXPECT_EQ(cache_->Stats().entries, 0u);
}

TEST_F(PackTransactionTest, CommitPrivateAbandonsAnEarlierClaim) {
  PackTransaction transaction(cache_);
  EXPECT_FALSE(transaction.LookUp(KeyOf(1)));
  ReserveFilled(transaction, 1);
  const PackedWeight weight = transaction.CommitPrivate();
  EXPECT_TRUE(IsUnclaimed(KeyOf(1)));
}

TEST_F(PackTransactionTest, CommitPrivateNeedsNoClaim) {
  PackTransaction transaction(cache_);
  ReserveFilled(transaction, 1);
  EXPECT_TRUE(transaction.CommitPrivate().is_private());
  EXPECT_EQ(cache_->Stats().misses.total(), 0u);
}

TEST_F(PackTransactionTest, APrivateWeightOutlivesItsTransaction) {
  PackedWeight weight;
  {
    PackTransaction transaction(cache_);
    ReserveFilled(transaction, 1);
    weight = transaction.CommitPrivate();
  }
  EXPECT_TRUE(IsFilledWith(weight.bytes(), 1));
}

// any, destructor -> gone: claim abandoned, reservation dropped

TEST_F(PackTransactionTest, TheDestructorAbandonsTheClaim) {
  {
    PackTransaction transaction(cache_);
    EXPECT_FALSE(transaction.LookUp(KeyOf(1)));
  }
  EXPECT_TRUE(IsUnclaimed(KeyOf(1)));
  ExpectEmpty(*cache_);
}

TEST_F(PackTransactionTest, TheDestructorDropsTheReservation) {
  {
    PackTransaction transaction(cache_);
    EXPECT_FALSE(transaction.LookUp(KeyOf(1)));
    ReserveFilled(transaction, 1);
    EXPECT_GT(cache_->Stats().heap_bytes, 0u);
  }
  ExpectEmpty(*cache_);
}

TEST_F(PackTransactionTest, ATransactionKeepsItsCache) {
  auto cache = PackedWeightCache::Create();
  const std::weak_ptr<PackedWeightCache> weak = cache;
  {
    PackTransaction transaction(cache);
    EXPECT_FALSE(transaction.LookUp(KeyOf(1)));
    cache.reset();
    EXPECT_FALSE(weak.expired());
  }
  EXPECT_TRUE(weak.expired());
}

// Progress.

constexpr int kThreads = 8;

class PackingProgressTest : public PackTransactionTest {};

TEST_F(PackingProgressTest, TransactionsThatWantTheSameKeysInOppositeOrderBothEnd) {
  constexpr int kRounds = 500;
  for (int round = 0; round < kRounds; ++round) {
    const PackKey keys[] = {KeyOf(2 * round), KeyOf(2 * round + 1)};
    Barrier start(2);
    Barrier end(2);  // nobody lets go before both are through, so that each key is packed once
    RunInThreads(2, [&](int thread) {
      PackTransaction transaction(cache_);
      std::vector<PackedWeight> weights;
      start.Wait();
      for (const int step : {0, 1}) {
        const PackKey& key = keys[step ^ thread];
        PackedWeight weight = transaction.LookUp(key);
        if (!weight) {
          ReserveFilled(transaction, 1);
          weight = transaction.Commit(kTag);
        }
        weights.push_back(std::move(weight));
      }
      end.Wait();
    });
  }
  EXPECT_EQ(cache_->Stats().packed_bytes, size_t{2} * kRounds * kSmall);
  ExpectEmpty(*cache_);
}

// The second look-up comes while the first claim was never committed: it must not be held while
// waiting.
TEST_F(PackingProgressTest, ClaimsThatAreNeverCommittedDoNotMakeACycle) {
  for (int round = 0; round < 500; ++round) {
    Barrier start(2);
    RunInThreads(2, [&](int thread) {
      PackTransaction transaction(cache_);
      start.Wait();
      EXPECT_FALSE(transaction.LookUp(KeyOf(thread)));
      EXPECT_FALSE(transaction.LookUp(KeyOf(1 - thread)));
    });
  }
  ExpectEmpty(*cache_);
}

TEST_F(PackingProgressTest, OneOfManyThreadsPacksAndTheOthersShare) {
  for (int round = 0; round < 50; ++round) {
    const uint64_t packed_before = cache_->Stats().packed_bytes;
    Barrier start(kThreads);
    Barrier end(kThreads);
    std::atomic<int> packers{0};
    std::vector<const uint8_t*> addresses(kThreads);
    RunInThreads(kThreads, [&](int thread) {
      PackTransaction transaction(cache_);
      start.Wait();
      PackedWeight weight = transaction.LookUp(KeyOf(1));
      if (!weight) {
        ++packers;
        ReserveFilled(transaction, 1);
        weight = transaction.Commit(kTag);
      }
      addresses[static_cast<size_t>(thread)] = weight.bytes().data();
      end.Wait();
    });
    EXPECT_EQ(packers, 1);
    for (const uint8_t* address : addresses) EXPECT_EQ(address, addresses[0]);
    EXPECT_EQ(cache_->Stats().packed_bytes, packed_before + kSmall);
  }
  EXPECT_EQ(cache_->Stats().misses.total(), 50u);
  EXPECT_EQ(cache_->Stats().hits, 50u * (kThreads - 1u));
  ExpectEmpty(*cache_);
}

// Without parallel packing the barrier between reserving and committing would never open.
TEST_F(PackingProgressTest, DifferentKeysArePackedInParallel) {
  Barrier all_have_reserved(kThreads);
  RunInThreads(kThreads, [&](int thread) {
    PackTransaction transaction(cache_);
    EXPECT_FALSE(transaction.LookUp(KeyOf(thread)));
    ReserveFilled(transaction, static_cast<uint8_t>(thread));
    all_have_reserved.Wait();
    const PackedWeight weight = transaction.Commit(kTag);
    EXPECT_TRUE(IsFilledWith(weight.bytes(), static_cast<uint8_t>(thread)));
  });
  EXPECT_EQ(cache_->Stats().waits, 0u);
  ExpectEmpty(*cache_);
}

TEST_F(PackingProgressTest, AHitDoesNotWaitForThePackingOfAnotherKey) {
  const PackedWeight ready = FindOrPack(cache_, KeyOf(1), 1);
  PackTransaction packing(cache_);
  EXPECT_FALSE(packing.LookUp(KeyOf(2)));
  ReserveFilled(packing, 2);
  std::thread other([&] { EXPECT_TRUE(FindOrPack(cache_, KeyOf(1), 3)); });
  other.join();
  EXPECT_EQ(cache_->Stats().waits, 0u);
}

TEST_F(PackingProgressTest, WhenThePackerGivesUpOneOfThoseWhoWaitTakesOver) {
  std::optional<PackTransaction> packer(cache_);
  EXPECT_FALSE(packer->LookUp(KeyOf(1)));
  ReserveFilled(*packer, 99);
  std::atomic<int> packers{0};
  Barrier end(kThreads - 1);
  std::thread waiters([&] {
    RunInThreads(kThreads - 1, [&](int) {
      PackTransaction transaction(cache_);
      PackedWeight weight = transaction.LookUp(KeyOf(1));
      if (!weight) {
        ++packers;
        ReserveFilled(transaction, 1);
        weight = transaction.Commit(kTag);
      }
      EXPECT_TRUE(IsFilledWith(weight.bytes(), 1));
      end.Wait();
    });
  });
  WaitForWaits(kThreads - 1);
  packer.reset();
  waiters.join();
  EXPECT_EQ(packers, 1);
  EXPECT_EQ(cache_->Stats().packed_bytes, kSmall);
  EXPECT_EQ(cache_->Stats().waits, uint64_t{kThreads - 1});
  ExpectEmpty(*cache_);
}

TEST_F(PackingProgressTest, WhenEveryPackerGivesUpEachOfThoseWhoWaitGetsItsTurn) {
  std::atomic<int> turns{0};
  Barrier start(kThreads);
  RunInThreads(kThreads, [&](int) {
    PackTransaction transaction(cache_);
    start.Wait();
    EXPECT_FALSE(transaction.LookUp(KeyOf(1)));
    ++turns;
  });
  EXPECT_EQ(turns, kThreads);
  ExpectEmpty(*cache_);
}

TEST_F(PackingProgressTest, TransactionsThatReserveBeforeTheyLookUpDoNotBlockEachOther) {
  for (int round = 0; round < 200; ++round) {
    Barrier all_have_reserved(2);
    Barrier end(2);
    RunInThreads(2, [&](int thread) {
      PackTransaction transaction(cache_);
      ReserveFilled(transaction, 1);
      all_have_reserved.Wait();
      std::vector<PackedWeight> weights;
      for (const int step : {0, 1}) {
        const PackKey key = KeyOf(2 * round + (step ^ thread));
        PackedWeight weight = transaction.LookUp(key);
        if (!weight) {
          if (transaction.reserved() == nullptr) ReserveFilled(transaction, 1);
          weight = transaction.Commit(kTag);
        }
        weights.push_back(std::move(weight));
      }
      end.Wait();
    });
  }
  ExpectEmpty(*cache_);
}

}  // namespace
}  // namespace onepack
