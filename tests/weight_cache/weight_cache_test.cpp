#include "weight_cache/weight_cache.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "tests/weight_cache/cache_helpers.h"

namespace onepack {
namespace {

// A look-up that finds nothing; the claim is given up.
void Miss(const std::shared_ptr<WeightCache>& cache, const PackKey& key,
          bool has_namesake = false) {
  PackTransaction transaction(cache);
  EXPECT_FALSE(transaction.LookUp(key, has_namesake));
}

bool IsThere(const std::shared_ptr<WeightCache>& cache, const PackKey& key) {
  return !cache->PinAll(key.weight, key.layout).empty();
}

PackedWeight PackPrivately(const std::shared_ptr<WeightCache>& cache, size_t size) {
  PackTransaction transaction(cache);
  ReserveFilled(transaction, 9, size);
  return transaction.CommitPrivate();
}

TEST(WeightCacheTest, ANewCacheIsEmpty) {
  const auto cache = WeightCache::Create();
  ExpectEmpty(*cache);
  const WeightCacheStats stats = cache->Stats();
  EXPECT_EQ(stats.hits + stats.misses.total() + stats.packed_bytes + stats.waits, 0u);
}

TEST(WeightCacheTest, APackedWeightIsCounted) {
  const auto cache = WeightCache::Create();
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
  const auto cache = WeightCache::Create();
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

TEST(WeightCacheTest, APrivateWeightIsCountedAndFoundByNobody) {
  const auto cache = WeightCache::Create();
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
  const auto cache = WeightCache::Create();
  PackedWeight first = FindOrPack(cache, KeyOf(1), 1);
  PackedWeight second = std::move(first);
  EXPECT_EQ(cache->Stats().pins, 1u);
  second = PackedWeight();
  ExpectEmpty(*cache);
}

// Why a look-up missed.

class MissReasonTest : public testing::Test {
 protected:
  const std::shared_ptr<WeightCache> cache_ = WeightCache::Create();
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

TEST_F(MissReasonTest, OtherLayoutForAnotherConsumerLayoutOrSeed) {
  PackKey key = KeyOf(1);
  key.weight.consumer = DigestOf(-2);
  Miss(cache_, key);
  EXPECT_EQ(cache_->Stats().misses.other_layout, 1u);
  key = KeyOf(1);
  key.layout = DigestOf(-2);
  Miss(cache_, key);
  EXPECT_EQ(cache_->Stats().misses.other_layout, 2u);
  key = KeyOf(1);
  ++key.seed;
  Miss(cache_, key);
  EXPECT_EQ(cache_->Stats().misses.other_layout, 3u);
  EXPECT_EQ(cache_->Stats().misses.total(), before_.total() + 3);
}

TEST_F(MissReasonTest, TheNearestReasonWinsWhateverTheNameSays) {
  PackKey key = KeyOf(1);
  ++key.seed;
  Miss(cache_, key, /*has_namesake=*/true);
  EXPECT_EQ(cache_->Stats().misses.other_layout, 1u);
}

TEST_F(MissReasonTest, AWeightThatIsOnlyBeingPackedIsAbsent) {
  PackTransaction packing(cache_);
  EXPECT_FALSE(packing.LookUp(KeyOf(2)));
  PackKey key = KeyOf(2);
  ++key.seed;
  Miss(cache_, key);
  EXPECT_EQ(cache_->Stats().misses.absent, before_.absent + 2);
}

// The last unpin.

TEST(UnpinTest, TheLastUnpinFrees) {
  const auto cache = WeightCache::Create();
  {
    const PackedWeight first = FindOrPack(cache, KeyOf(1), 1);
    {
      const PackedWeight second = FindOrPack(cache, KeyOf(1), 1);
      EXPECT_EQ(cache->Stats().pins, 2u);
    }
    EXPECT_EQ(cache->Stats().entries, 1u);
    EXPECT_TRUE(IsFilledWith(first.bytes(), 1));
  }
  ExpectEmpty(*cache);
  EXPECT_EQ(cache->Stats().evictions, 0u);
}

TEST(UnpinTest, WhatWasFreedIsAbsent) {
  const auto cache = WeightCache::Create();
  FindOrPack(cache, KeyOf(1), 1);
  const PackedWeight again = FindOrPack(cache, KeyOf(1), 2);
  EXPECT_TRUE(IsFilledWith(again.bytes(), 2));
  EXPECT_EQ(cache->Stats().misses.absent, 2u);
}

TEST(UnpinTest, LargeAndEmptyWeightsAreFreedToo) {
  const auto cache = WeightCache::Create();
  FindOrPack(cache, KeyOf(1), 1, 3 * HeapStore::kLargeBlock);
  ExpectEmpty(*cache);
  FindOrPack(cache, KeyOf(2), 1, 0);
  ExpectEmpty(*cache);
}

TEST(UnpinTest, PinsOutliveTheHandleOfTheCache) {
  auto cache = WeightCache::Create();
  const std::weak_ptr<WeightCache> weak = cache;
  {
    const PackedWeight shared = FindOrPack(cache, KeyOf(1), 1);
    const PackedWeight alone = PackPrivately(cache, 1000);
    cache.reset();
    EXPECT_FALSE(weak.expired());
    EXPECT_TRUE(IsFilledWith(shared.bytes(), 1));
    EXPECT_TRUE(IsFilledWith(alone.bytes(), 9));
  }
  EXPECT_TRUE(weak.expired());
}

TEST(UnpinTest, ACacheMayGoWithRetainedEntries) {
  WeightCacheOptions options;
  options.retained_bytes = 1 << 20;
  auto cache = WeightCache::Create(options);
  const std::weak_ptr<WeightCache> weak = cache;
  FindOrPack(cache, KeyOf(1), 1);
  EXPECT_EQ(cache->Stats().retained_bytes, kSmall);
  cache.reset();
  EXPECT_TRUE(weak.expired());
}

// Retention of up to three small entries.

class RetentionTest : public testing::Test {
 protected:
  static std::shared_ptr<WeightCache> CreateRetaining(size_t bytes) {
    WeightCacheOptions options;
    options.retained_bytes = bytes;
    return WeightCache::Create(options);
  }

  void Use(int number) { FindOrPack(cache_, KeyOf(number), static_cast<uint8_t>(number)); }

  const std::shared_ptr<WeightCache> cache_ = CreateRetaining(3 * kSmall);
};

TEST_F(RetentionTest, AnUnpinnedEntryIsKeptAndFoundAgain) {
  Use(1);
  WeightCacheStats stats = cache_->Stats();
  EXPECT_EQ(stats.entries, 1u);
  EXPECT_EQ(stats.retained_bytes, kSmall);
  EXPECT_EQ(stats.pins, 0u);
  const PackedWeight found = FindOrPack(cache_, KeyOf(1), 99);
  EXPECT_TRUE(IsFilledWith(found.bytes(), 1));
  stats = cache_->Stats();
  EXPECT_EQ(stats.hits, 1u);
  EXPECT_EQ(stats.retained_bytes, 0u);
  EXPECT_EQ(stats.packed_bytes, kSmall);
}

TEST_F(RetentionTest, TheLeastRecentlyUsedGoesFirst) {
  for (const int number : {1, 2, 3, 4}) Use(number);
  EXPECT_EQ(cache_->Stats().evictions, 1u);
  EXPECT_EQ(cache_->Stats().retained_bytes, 3 * kSmall);
  EXPECT_EQ(cache_->Stats().entries, 3u);
  EXPECT_FALSE(IsThere(cache_, KeyOf(1)));
  for (const int number : {2, 3, 4}) EXPECT_TRUE(IsThere(cache_, KeyOf(number))) << number;
}

TEST_F(RetentionTest, UsingAnEntryMakesItRecent) {
  for (const int number : {1, 2, 3, 1, 4}) Use(number);
  EXPECT_FALSE(IsThere(cache_, KeyOf(2)));
  for (const int number : {1, 3, 4}) EXPECT_TRUE(IsThere(cache_, KeyOf(number))) << number;
}

TEST_F(RetentionTest, AnEntryThatIsPinnedAgainIsNotEvicted) {
  for (const int number : {1, 2, 3}) Use(number);
  const PackedWeight pinned = FindOrPack(cache_, KeyOf(1), 99);
  for (const int number : {4, 5, 6}) Use(number);
  EXPECT_TRUE(IsFilledWith(pinned.bytes(), 1));
  EXPECT_TRUE(IsThere(cache_, KeyOf(1)));
  // The limit is for what nobody pins: three beside the pinned one.
  EXPECT_EQ(cache_->Stats().entries, 4u);
  EXPECT_EQ(cache_->Stats().evictions, 2u);
}

TEST_F(RetentionTest, PinnedEntriesAreBeyondTheLimit) {
  std::vector<PackedWeight> pins;
  for (int i = 0; i < 10; ++i) pins.push_back(FindOrPack(cache_, KeyOf(i), 1));
  EXPECT_EQ(cache_->Stats().entries, 10u);
  EXPECT_EQ(cache_->Stats().evictions, 0u);
  pins.clear();
  EXPECT_EQ(cache_->Stats().entries, 3u);
  EXPECT_EQ(cache_->Stats().evictions, 7u);
}

TEST_F(RetentionTest, AnEntryLargerThanTheLimitIsFreedAtOnceAndDrivesNobodyOut) {
  Use(1);
  FindOrPack(cache_, KeyOf(2), 2, 3 * kSmall + 1);
  EXPECT_FALSE(IsThere(cache_, KeyOf(2)));
  EXPECT_TRUE(IsThere(cache_, KeyOf(1)));
  EXPECT_EQ(cache_->Stats().evictions, 0u);
  EXPECT_EQ(cache_->Stats().retained_bytes, kSmall);
}

TEST_F(RetentionTest, AnEntryAsLargeAsTheLimitDrivesAllOthersOut) {
  for (const int number : {1, 2}) Use(number);
  FindOrPack(cache_, KeyOf(3), 3, 3 * kSmall);
  EXPECT_TRUE(IsThere(cache_, KeyOf(3)));
  EXPECT_EQ(cache_->Stats().entries, 1u);
  EXPECT_EQ(cache_->Stats().evictions, 2u);
}

TEST_F(RetentionTest, PrivateWeightsAreNotRetained) {
  PackPrivately(cache_, kSmall);
  ExpectEmpty(*cache_);
}

TEST_F(RetentionTest, PruneDropsWhatNobodyPins) {
  for (const int number : {1, 2}) Use(number);
  const PackedWeight pinned = FindOrPack(cache_, KeyOf(3), 3);
  cache_->Prune();
  const WeightCacheStats stats = cache_->Stats();
  EXPECT_EQ(stats.entries, 1u);
  EXPECT_EQ(stats.bytes, kSmall);
  EXPECT_EQ(stats.retained_bytes, 0u);
  EXPECT_EQ(stats.evictions, 2u);
  EXPECT_TRUE(IsFilledWith(pinned.bytes(), 3));
}

TEST_F(RetentionTest, PruneGivesAllMemoryBackWhenNobodyPins) {
  for (const int number : {1, 2, 3}) Use(number);
  FindOrPack(cache_, KeyOf(4), 4, 0);
  cache_->Prune();
  ExpectEmpty(*cache_);
}

TEST_F(RetentionTest, ARetainedEntryIsEvictedThroughPinAllToo) {
  for (const int number : {1, 2, 3}) Use(number);
  EXPECT_TRUE(IsThere(cache_, KeyOf(1)));  // pinned and unpinned: the most recent now
  Use(4);
  EXPECT_FALSE(IsThere(cache_, KeyOf(2)));
}

// What keeps contents recognisable.

TEST(ContentLifetimeTest, AnEntryKeepsTheContentsItWasMadeFrom) {
  const auto cache = WeightCache::Create();
  auto content = std::make_shared<Content>();
  const std::weak_ptr<Content> weak = content;
  {
    PackTransaction transaction(cache);
    EXPECT_FALSE(transaction.LookUp(KeyOf(1)));
    ReserveFilled(transaction, 1);
    const PackedWeight weight = transaction.Commit(KeyOf(1), {std::move(content)});
    EXPECT_FALSE(weak.expired());
  }
  EXPECT_TRUE(weak.expired());
}

// PinAll.

TEST(PinAllTest, FindsEverySeedOfAWeightAndNothingElse) {
  const auto cache = WeightCache::Create();
  const PackKey key = KeyOf(1);
  PackKey other_seed = key;
  ++other_seed.seed;
  PackKey other_layout = key;
  other_layout.layout = DigestOf(-2);
  PackKey other_consumer = key;
  other_consumer.weight.consumer = DigestOf(-2);
  PackKey other_bias = key;
  other_bias.weight.bias = DigestOf(-2);
  std::vector<PackedWeight> pins;
  for (const PackKey& one : {key, other_seed, other_layout, other_consumer, other_bias, KeyOf(2)}) {
    pins.push_back(FindOrPack(cache, one, static_cast<uint8_t>(pins.size() + 1)));
  }
  const std::vector<PackedWeight> found = cache->PinAll(key.weight, key.layout);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_TRUE(IsFilledWith(found[0].bytes(), 1) || IsFilledWith(found[0].bytes(), 2));
  EXPECT_TRUE(IsFilledWith(found[1].bytes(), 1) || IsFilledWith(found[1].bytes(), 2));
  EXPECT_NE(found[0].bytes().data(), found[1].bytes().data());
}

TEST(PinAllTest, CountsNeitherHitsNorMisses) {
  const auto cache = WeightCache::Create();
  const PackedWeight weight = FindOrPack(cache, KeyOf(1), 1);
  const WeightCacheStats before = cache->Stats();
  EXPECT_EQ(cache->PinAll(KeyOf(1).weight, KeyOf(1).layout).size(), 1u);
  EXPECT_TRUE(cache->PinAll(KeyOf(2).weight, KeyOf(2).layout).empty());
  EXPECT_EQ(cache->Stats().hits, before.hits);
  EXPECT_EQ(cache->Stats().misses.total(), before.misses.total());
}

TEST(PinAllTest, ThePinsKeepTheEntries) {
  const auto cache = WeightCache::Create();
  PackedWeight weight = FindOrPack(cache, KeyOf(1), 1);
  {
    const std::vector<PackedWeight> pins = cache->PinAll(KeyOf(1).weight, KeyOf(1).layout);
    weight = PackedWeight();
    ASSERT_EQ(pins.size(), 1u);
    EXPECT_TRUE(IsFilledWith(pins[0].bytes(), 1));
    EXPECT_EQ(cache->Stats().pins, 1u);
  }
  ExpectEmpty(*cache);
}

TEST(PinAllTest, DoesNotWaitForWhatIsBeingPacked) {
  const auto cache = WeightCache::Create();
  PackTransaction packing(cache);
  EXPECT_FALSE(packing.LookUp(KeyOf(1)));
  EXPECT_TRUE(cache->PinAll(KeyOf(1).weight, KeyOf(1).layout).empty());
}

}  // namespace
}  // namespace onepack
