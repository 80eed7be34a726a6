// What the last unpin leaves: nothing, or what the application asked to retain.

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "tests/weight_cache/cache_helpers.h"
#include "weight_cache/packed_weight_cache.h"

namespace onepack {
namespace {

bool IsThere(const std::shared_ptr<PackedWeightCache>& cache, const PackKey& key) {
  return static_cast<bool>(cache->Find(key));
}

// The last unpin.

TEST(UnpinTest, TheLastUnpinFrees) {
  const auto cache = PackedWeightCache::Create();
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
  const auto cache = PackedWeightCache::Create();
  FindOrPack(cache, KeyOf(1), 1);
  const PackedWeight again = FindOrPack(cache, KeyOf(1), 2);
  EXPECT_TRUE(IsFilledWith(again.bytes(), 2));
  EXPECT_EQ(cache->Stats().misses.absent, 2u);
}

TEST(UnpinTest, LargeAndEmptyWeightsAreFreedToo) {
  const auto cache = PackedWeightCache::Create();
  FindOrPack(cache, KeyOf(1), 1, 3 * HeapStore::kLargeBlock);
  ExpectEmpty(*cache);
  FindOrPack(cache, KeyOf(2), 1, 0);
  ExpectEmpty(*cache);
}

TEST(UnpinTest, PinsOutliveTheHandleOfTheCache) {
  auto cache = PackedWeightCache::Create();
  const std::weak_ptr<PackedWeightCache> weak = cache;
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
  auto cache = PackedWeightCache::Create(options);
  const std::weak_ptr<PackedWeightCache> weak = cache;
  FindOrPack(cache, KeyOf(1), 1);
  EXPECT_EQ(cache->Stats().retained_bytes, kSmall);
  cache.reset();
  EXPECT_TRUE(weak.expired());
}

// Retention of up to three small entries.

class RetentionTest : public testing::Test {
 protected:
  static std::shared_ptr<PackedWeightCache> CreateRetaining(size_t bytes) {
    WeightCacheOptions options;
    options.retained_bytes = bytes;
    return PackedWeightCache::Create(options);
  }

  void Use(int number) { FindOrPack(cache_, KeyOf(number), static_cast<uint8_t>(number)); }

  const std::shared_ptr<PackedWeightCache> cache_ = CreateRetaining(3 * kSmall);
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

TEST_F(RetentionTest, AnEntryLargerThanTheLimitIsFreedAtOnceAndEvictsNothing) {
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

TEST_F(RetentionTest, PruneEvictsWhatHasNoPins) {
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

TEST_F(RetentionTest, PruneGivesAllMemoryBackWhenThereAreNoPins) {
  for (const int number : {1, 2, 3}) Use(number);
  FindOrPack(cache_, KeyOf(4), 4, 0);
  cache_->Prune();
  ExpectEmpty(*cache_);
}

TEST_F(RetentionTest, FindingARetainedEntryMakesItRecent) {
  for (const int number : {1, 2, 3}) Use(number);
  EXPECT_TRUE(IsThere(cache_, KeyOf(1)));  // pinned and unpinned: the most recent now
  Use(4);
  EXPECT_FALSE(IsThere(cache_, KeyOf(2)));
}

TEST_F(RetentionTest, ARetainedEntryKeepsItsTag) {
  FindOrPack(cache_, KeyOf(1), 1, kSmall, /*tag=*/17);
  EXPECT_EQ(cache_->Find(KeyOf(1)).tag(), 17u);
}

TEST_F(RetentionTest, ARetainedEntryKeepsItsContents) {
  auto content = std::make_shared<Content>();
  const std::weak_ptr<Content> weak = content;
  PackTransaction transaction(cache_);
  EXPECT_FALSE(transaction.LookUp(KeyOf(1)));
  ReserveFilled(transaction, 1);
  transaction.Commit(kTag, {std::move(content)});
  EXPECT_FALSE(weak.expired());
  cache_->Prune();
  EXPECT_TRUE(weak.expired());
}

// A pin that is shared is a pin: the entry is retained after the last one of both.
TEST_F(RetentionTest, ASharedPinKeepsAnEntryFromBeingRetained) {
  PackedWeight first = FindOrPack(cache_, KeyOf(1), 1);
  PackedWeight second = first.Share();
  first = PackedWeight();
  EXPECT_EQ(cache_->Stats().retained_bytes, 0u);
  cache_->Prune();
  EXPECT_TRUE(IsFilledWith(second.bytes(), 1));
  second = PackedWeight();
  EXPECT_EQ(cache_->Stats().retained_bytes, kSmall);
}

}  // namespace
}  // namespace onepack
