#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/threads.h"
#include "tests/weight_cache/cache_helpers.h"
#include "weight_cache/packed_weight_cache.h"

namespace onepack {
namespace {

// A look-up that finds nothing; the claim is given up.
void Miss(const std::shared_ptr<PackedWeightCache>& cache, const PackKey& key,
          bool has_namesake = false) {
  PackTransaction transaction(cache);
  EXPECT_FALSE(transaction.LookUp(key, has_namesake));
}

TEST(WeightCacheTest, ANewCacheIsEmpty) {
  const auto cache = PackedWeightCache::Create();
  ExpectEmpty(*cache);
  const WeightCacheStats stats = cache->Stats();
  EXPECT_EQ(stats.hits + stats.misses.total() + stats.packed_bytes + stats.waits, 0u);
}

TEST(WeightCacheTest, APackedWeightIsCounted) {
  const auto cache = PackedWeightCache::Create();
  const PackedWeight weight = FindOrPack(cache, KeyOf(1), 1);
  const WeightCacheStats stats = cache->Stats();
  EXPECT_EQ(stats.entries, 1u);
  EXPECT_EQ(stats.bytes, kSmall);
  EXPECT_EQ(stats.packed_bytes, kSmall);
  EXPECT_EQ(stats.private_bytes, 0u);
  EXPECT_EQ(stats.pins, 1u);
  EXPECT_EQ(stats.heap_bytes, HeapStore::kChunkSize);
  EXPECT_EQ(stats.misses.absent, 1u);
  EXPECT_EQ(stats.hits, 0u);
  EXPECT_FALSE(weight.is_private());
}

TEST(WeightCacheTest, AHitServesTheSameBytesAndPacksNothing) {
  const auto cache = PackedWeightCache::Create();
  const PackedWeight packed = FindOrPack(cache, KeyOf(1), 1);
  const PackedWeight found = FindOrPack(cache, KeyOf(1), 2);
  EXPECT_EQ(found.bytes().data(), packed.bytes().data());
  EXPECT_TRUE(IsFilledWith(found.bytes(), 1));
  const WeightCacheStats stats = cache->Stats();
  EXPECT_EQ(stats.hits, 1u);
  EXPECT_EQ(stats.hit_bytes, kSmall);
  EXPECT_EQ(stats.packed_bytes, kSmall);
  EXPECT_EQ(stats.entries, 1u);
  EXPECT_EQ(stats.bytes, kSmall);
  EXPECT_EQ(stats.pins, 2u);
}

TEST(WeightCacheTest, APrivateWeightIsCountedAndNeverFound) {
  const auto cache = PackedWeightCache::Create();
  {
    const PackedWeight weight = PackPrivately(cache, 1000);
    EXPECT_TRUE(weight.is_private());
    const WeightCacheStats stats = cache->Stats();
    EXPECT_EQ(stats.entries, 0u);
    EXPECT_EQ(stats.bytes, 1000u);
    EXPECT_EQ(stats.private_bytes, 1000u);
    EXPECT_EQ(stats.packed_bytes, 1000u);
    EXPECT_EQ(stats.pins, 1u);
  }
  ExpectEmpty(*cache);
}

TEST(WeightCacheTest, AnEmptyPinIsNothing) {
  const PackedWeight none;
  EXPECT_FALSE(none);
  EXPECT_FALSE(none.is_private());
  EXPECT_TRUE(none.bytes().empty());
}

TEST(WeightCacheTest, AMovedPinIsOnePin) {
  const auto cache = PackedWeightCache::Create();
  PackedWeight first = FindOrPack(cache, KeyOf(1), 1);
  PackedWeight second = std::move(first);
  EXPECT_EQ(cache->Stats().pins, 1u);
  second = PackedWeight();
  ExpectEmpty(*cache);
}

// Why a look-up missed.

class MissReasonTest : public testing::Test {
 protected:
  const std::shared_ptr<PackedWeightCache> cache_ = PackedWeightCache::Create();
  const PackedWeight there_ = FindOrPack(cache_, KeyOf(1), 1);
  const WeightCacheMisses before_ = cache_->Stats().misses;
};

TEST_F(MissReasonTest, AbsentWhenNoSuchWeightIsHere) {
  Miss(cache_, KeyOf(2));
  EXPECT_EQ(cache_->Stats().misses.absent, before_.absent + 1);
  EXPECT_EQ(cache_->Stats().misses.total(), before_.total() + 1);
}

TEST_F(MissReasonTest, OtherContentWhenTheNameIsKnownWithOtherBytes) {
  Miss(cache_, KeyOf(2), /*has_namesake=*/true);
  EXPECT_EQ(cache_->Stats().misses.other_content, 1u);
  EXPECT_EQ(cache_->Stats().misses.total(), before_.total() + 1);
}

TEST_F(MissReasonTest, OtherQuantizationWhenOnlyTheBytesAreThere) {
  PackKey key = KeyOf(1);
  key.weight.quantization = DigestOf(-2);
  Miss(cache_, key);
  EXPECT_EQ(cache_->Stats().misses.other_quantization, 1u);
  EXPECT_EQ(cache_->Stats().misses.total(), before_.total() + 1);
}

TEST_F(MissReasonTest, OtherLayoutForAnotherConsumerOrLayout) {
  PackKey key = KeyOf(1);
  key.weight.consumer = DigestOf(-2);
  Miss(cache_, key);
  EXPECT_EQ(cache_->Stats().misses.other_layout, 1u);
  key = KeyOf(1);
  key.layout = DigestOf(-2);
  Miss(cache_, key);
  EXPECT_EQ(cache_->Stats().misses.other_layout, 2u);
  EXPECT_EQ(cache_->Stats().misses.total(), before_.total() + 2);
}

TEST_F(MissReasonTest, TheNearestReasonWinsWhateverTheNameSays) {
  PackKey key = KeyOf(1);
  key.layout = DigestOf(-2);
  Miss(cache_, key, /*has_namesake=*/true);
  EXPECT_EQ(cache_->Stats().misses.other_layout, 1u);
}

TEST_F(MissReasonTest, AWeightThatIsOnlyBeingPackedIsAbsent) {
  PackTransaction packing(cache_);
  EXPECT_FALSE(packing.LookUp(KeyOf(2)));
  PackKey key = KeyOf(2);
  key.layout = DigestOf(-2);
  Miss(cache_, key);
  EXPECT_EQ(cache_->Stats().misses.absent, before_.absent + 2);
}

// The tag.

TEST(LayoutTagTest, IsThatOfItsPacker) {
  const auto cache = PackedWeightCache::Create();
  const PackedWeight packed = FindOrPack(cache, KeyOf(1), 1, kSmall, /*tag=*/17);
  EXPECT_EQ(packed.tag(), 17u);
  EXPECT_EQ(FindOrPack(cache, KeyOf(1), 2, kSmall, /*tag=*/18).tag(), 17u);
  EXPECT_EQ(cache->Find(KeyOf(1)).tag(), 17u);
  EXPECT_EQ(packed.Share().tag(), 17u);
}

TEST(LayoutTagTest, EachWeightHasItsOwn) {
  const auto cache = PackedWeightCache::Create();
  const PackedWeight first = FindOrPack(cache, KeyOf(1), 1, kSmall, /*tag=*/17);
  const PackedWeight second = FindOrPack(cache, KeyOf(2), 2, kSmall, /*tag=*/18);
  EXPECT_EQ(first.tag(), 17u);
  EXPECT_EQ(second.tag(), 18u);
}

TEST(LayoutTagTest, GoesWithTheWeight) {
  const auto cache = PackedWeightCache::Create();
  FindOrPack(cache, KeyOf(1), 1, kSmall, /*tag=*/17);
  EXPECT_EQ(FindOrPack(cache, KeyOf(1), 1, kSmall, /*tag=*/18).tag(), 18u);
}

// Find.

TEST(FindTest, AWeightThatIsThereIsPinnedAndAHit) {
  const auto cache = PackedWeightCache::Create();
  const PackedWeight packed = FindOrPack(cache, KeyOf(1), 1);
  const PackedWeight found = cache->Find(KeyOf(1));
  ASSERT_TRUE(found);
  EXPECT_FALSE(found.is_private());
  EXPECT_EQ(found.bytes().data(), packed.bytes().data());
  const WeightCacheStats stats = cache->Stats();
  EXPECT_EQ(stats.pins, 2u);
  EXPECT_EQ(stats.hits, 1u);
  EXPECT_EQ(stats.hit_bytes, kSmall);
  EXPECT_EQ(stats.misses.total(), 1u);
}

TEST(FindTest, AWeightThatIsNotThereCountsAndClaimsNothing) {
  const auto cache = PackedWeightCache::Create();
  EXPECT_FALSE(cache->Find(KeyOf(1)));
  ExpectEmpty(*cache);
  const WeightCacheStats stats = cache->Stats();
  EXPECT_EQ(stats.hits, 0u);
  EXPECT_EQ(stats.hit_bytes, 0u);
  EXPECT_EQ(stats.misses.total(), 0u);
  EXPECT_TRUE(FindOrPack(cache, KeyOf(1), 1)) << "a claim would have this wait for ever";
  EXPECT_EQ(cache->Stats().waits, 0u);
}

TEST(FindTest, DoesNotWaitForWhatIsBeingPacked) {
  const auto cache = PackedWeightCache::Create();
  PackTransaction packing(cache);
  EXPECT_FALSE(packing.LookUp(KeyOf(1)));
  EXPECT_FALSE(cache->Find(KeyOf(1)));
  ReserveFilled(packing, 1);
  EXPECT_FALSE(cache->Find(KeyOf(1)));
  EXPECT_EQ(cache->Stats().hits + cache->Stats().waits, 0u);
  const PackedWeight packed = packing.Commit(kTag);
  EXPECT_EQ(cache->Find(KeyOf(1)).bytes().data(), packed.bytes().data());
}

TEST(FindTest, TakesNoOtherWeightThanItIsAskedFor) {
  const auto cache = PackedWeightCache::Create();
  const PackedWeight weight = FindOrPack(cache, KeyOf(1), 1);
  PackKey other_layout = KeyOf(1);
  other_layout.layout = DigestOf(-2);
  PackKey other_consumer = KeyOf(1);
  other_consumer.weight.consumer = DigestOf(-2);
  PackKey other_bias = KeyOf(1);
  other_bias.weight.bias = DigestOf(-2);
  for (const PackKey& other : {other_layout, other_consumer, other_bias, KeyOf(2)}) {
    EXPECT_FALSE(cache->Find(other));
  }
  EXPECT_EQ(cache->Stats().hits, 0u);
}

TEST(FindTest, FindsNoPrivateWeight) {
  const auto cache = PackedWeightCache::Create();
  PackTransaction transaction(cache);
  EXPECT_FALSE(transaction.LookUp(KeyOf(1)));
  ReserveFilled(transaction, 1);
  const PackedWeight weight = transaction.CommitPrivate();
  EXPECT_FALSE(cache->Find(KeyOf(1)));
}

TEST(FindTest, ThePinKeepsTheEntry) {
  const auto cache = PackedWeightCache::Create();
  PackedWeight packed = FindOrPack(cache, KeyOf(1), 1);
  {
    const PackedWeight found = cache->Find(KeyOf(1));
    packed = PackedWeight();
    EXPECT_TRUE(IsFilledWith(found.bytes(), 1));
    EXPECT_EQ(cache->Stats().pins, 1u);
  }
  ExpectEmpty(*cache);
}

// Share.

TEST(ShareTest, IsOnePinMoreOfTheSameWeight) {
  const auto cache = PackedWeightCache::Create();
  const PackedWeight first = FindOrPack(cache, KeyOf(1), 1);
  const PackedWeight second = first.Share();
  EXPECT_EQ(second.bytes().data(), first.bytes().data());
  EXPECT_EQ(second.bytes().size(), first.bytes().size());
  EXPECT_FALSE(second.is_private());
  EXPECT_EQ(cache->Stats().pins, 2u);
  EXPECT_EQ(cache->Stats().entries, 1u);
  EXPECT_EQ(cache->Stats().bytes, kSmall);
}

TEST(ShareTest, IsNeitherAHitNorAMiss) {
  const auto cache = PackedWeightCache::Create();
  const PackedWeight weight = FindOrPack(cache, KeyOf(1), 1);
  const WeightCacheStats before = cache->Stats();
  weight.Share();
  const WeightCacheStats after = cache->Stats();
  EXPECT_EQ(after.hits, before.hits);
  EXPECT_EQ(after.hit_bytes, before.hit_bytes);
  EXPECT_EQ(after.misses.total(), before.misses.total());
  EXPECT_EQ(after.packed_bytes, before.packed_bytes);
}

TEST(ShareTest, EitherPinKeepsTheEntryAlone) {
  const auto cache = PackedWeightCache::Create();
  PackedWeight first = FindOrPack(cache, KeyOf(1), 1);
  PackedWeight second = first.Share();
  first = PackedWeight();
  EXPECT_TRUE(IsFilledWith(second.bytes(), 1));
  first = second.Share();
  second = PackedWeight();
  EXPECT_TRUE(IsFilledWith(first.bytes(), 1));
  first = PackedWeight();
  ExpectEmpty(*cache);
}

TEST(ShareTest, ASharedPinKeepsTheCache) {
  auto cache = PackedWeightCache::Create();
  const std::weak_ptr<PackedWeightCache> weak = cache;
  PackedWeight first = FindOrPack(cache, KeyOf(1), 1);
  PackedWeight second = first.Share();
  cache.reset();
  first = PackedWeight();
  EXPECT_FALSE(weak.expired());
  second = PackedWeight();
  EXPECT_TRUE(weak.expired());
}

// A load finds what is there, looks up and packs what is not, and shares a pin with everything that
// uses the weight: each weight is counted once, whatever becomes of it.

class LoadCountTest : public testing::Test {
 protected:
  // One load of one weight that two delegates use.
  std::vector<PackedWeight> Load() const {
    PackedWeight weight = cache_->Find(KeyOf(1));
    if (!weight) weight = FindOrPack(cache_, KeyOf(1), 1);
    std::vector<PackedWeight> pins;
    pins.push_back(weight.Share());
    pins.push_back(weight.Share());
    return pins;
  }

  void ExpectCounts(uint64_t misses, uint64_t hits) const {
    const WeightCacheStats stats = cache_->Stats();
    EXPECT_EQ(stats.misses.total(), misses);
    EXPECT_EQ(stats.hits, hits);
    EXPECT_EQ(stats.hit_bytes, hits * kSmall);
  }

  const std::shared_ptr<PackedWeightCache> cache_ = PackedWeightCache::Create();
};

TEST_F(LoadCountTest, AWeightThatIsPackedIsOneMiss) {
  const auto pins = Load();
  ExpectCounts(1, 0);
  EXPECT_EQ(cache_->Stats().pins, 2u);
}

TEST_F(LoadCountTest, AWeightThatIsThereIsOneHit) {
  const auto first = Load();
  const auto second = Load();
  ExpectCounts(1, 1);
  EXPECT_EQ(cache_->Stats().pins, 4u);
}

TEST_F(LoadCountTest, AWeightThatIsWaitedForIsOneHitAndOneWait) {
  PackTransaction packer(cache_);
  EXPECT_FALSE(packer.LookUp(KeyOf(1)));
  std::thread other([&] { EXPECT_EQ(Load().size(), 2u); });
  WaitUntil([&] { return cache_->Stats().waits == 1; });
  ReserveFilled(packer, 1);
  const PackedWeight packed = packer.Commit(kTag);
  other.join();
  ExpectCounts(1, 1);
  EXPECT_EQ(cache_->Stats().waits, 1u);
}

TEST_F(LoadCountTest, AWeightThatIsTakenOverFromALoadThatFailedIsAMissOfEach) {
  std::optional<PackTransaction> failing(cache_);
  EXPECT_FALSE(failing->LookUp(KeyOf(1)));
  std::thread other([&] { EXPECT_EQ(Load().size(), 2u); });
  WaitUntil([&] { return cache_->Stats().waits == 1; });
  failing.reset();
  other.join();
  ExpectCounts(2, 0);
}

}  // namespace
}  // namespace onepack
