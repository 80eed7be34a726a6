// Keys, and packed weights whose bytes say what they should be.

#ifndef ONEPACK_TESTS_WEIGHT_CACHE_CACHE_HELPERS_H_
#define ONEPACK_TESTS_WEIGHT_CACHE_CACHE_HELPERS_H_

#include <gtest/gtest.h>
#include <string.h>

#include <algorithm>
#include <memory>

#include "weight_cache/pack_transaction.h"
#include "weight_cache/packed_weight_cache.h"

namespace onepack {

// A digest for each number.
inline Digest DigestOf(int number) { return DigestBuilder("test").Add(number).Finish(); }

// A key for each number; all parts that a weight has are different.
inline PackKey KeyOf(int number) {
  PackKey key;
  key.weight.kernel = DigestOf(number);
  key.weight.bias = DigestOf(number + 1'000'000);
  key.weight.quantization = DigestOf(number + 2'000'000);
  key.weight.consumer = DigestOf(number + 3'000'000);
  key.layout = DigestOf(-1);
  return key;
}

constexpr size_t kSmall = 256;
constexpr LayoutTag kTag = 7;

// What packing comes to: reserves, and fills with `value`.
inline void ReserveFilled(PackTransaction& transaction, uint8_t value, size_t size = kSmall) {
  uint8_t* space = transaction.Reserve(size);
  ASSERT_NE(space, nullptr);
  memset(space, value, size);
}

// Finds the weight, or packs it.
inline PackedWeight FindOrPack(const std::shared_ptr<PackedWeightCache>& cache, const PackKey& key,
                               uint8_t value, size_t size = kSmall, LayoutTag tag = kTag) {
  PackTransaction transaction(cache);
  PackedWeight found = transaction.LookUp(key);
  if (found) return found;
  ReserveFilled(transaction, value, size);
  return transaction.Commit(tag);
}

inline PackedWeight PackPrivately(const std::shared_ptr<PackedWeightCache>& cache, size_t size) {
  PackTransaction transaction(cache);
  ReserveFilled(transaction, 9, size);
  return transaction.CommitPrivate();
}

inline bool IsFilledWith(Bytes bytes, uint8_t value) {
  return std::all_of(bytes.begin(), bytes.end(), [value](uint8_t byte) { return byte == value; });
}

// Nothing is left of any weight; what was counted stays counted.
inline void ExpectEmpty(const PackedWeightCache& cache) {
  const WeightCacheStats stats = cache.Stats();
  EXPECT_EQ(stats.entries, 0u);
  EXPECT_EQ(stats.bytes, 0u);
  EXPECT_EQ(stats.private_bytes, 0u);
  EXPECT_EQ(stats.retained_bytes, 0u);
  EXPECT_EQ(stats.pins, 0u);
  EXPECT_EQ(stats.heap_bytes, 0u);
}

}  // namespace onepack

#endif  // ONEPACK_TESTS_WEIGHT_CACHE_CACHE_HELPERS_H_
