// Many threads, few keys and bad luck.

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "tests/support/sanitizers.h"
#include "tests/support/threads.h"
#include "tests/weight_cache/cache_helpers.h"
#include "weight_cache/pack_transaction.h"

namespace onepack {
namespace {

constexpr int kThreads = 8;
constexpr int kKeys = 50;
// A sanitizer makes each step slower; what is tested is the same.
constexpr int kSteps = kSanitized ? 2'500 : 15'000;

// From a few bytes to a large block; the same for all who pack the key.
size_t SizeOf(int number) {
  return number % 10 == 0 ? HeapStore::kLargeBlock + static_cast<size_t>(number)
                          : static_cast<size_t>(number) * 37;
}

uint8_t ValueOf(int number) { return static_cast<uint8_t>(number + 1); }

LayoutTag TagOf(int number) { return static_cast<LayoutTag>(number) << 32 | 1; }

struct Held {
  int number;
  PackedWeight weight;
};

// What one program does, again and again, in random order.
class Worker {
 public:
  Worker(std::shared_ptr<PackedWeightCache> cache, int seed)
      : cache_(std::move(cache)), random_(static_cast<unsigned>(seed)) {}

  void Run() {
    for (int step = 0; step < kSteps; ++step) {
      Step();
      if (held_.size() > 20) DropOne();
    }
    while (!held_.empty()) DropOne();
  }

 private:
  int Random(int count) { return static_cast<int>(random_() % static_cast<unsigned>(count)); }

  void Step() {
    const int number = Random(kKeys);
    switch (Random(16)) {
      case 0:
        return FindOnly(number);
      case 1:
        return PackPrivately(number);
      case 2:
        return ShareOne();
      case 3:
        return cache_->Prune();
      case 4:
      case 5:
        if (!held_.empty()) DropOne();
        return;
      default:
        return FindOrPackOrGiveUp(number);
    }
  }

  void FindOrPackOrGiveUp(int number) {
    PackTransaction transaction(cache_);
    PackedWeight weight = transaction.LookUp(KeyOf(number));
    if (!weight) {
      if (Random(4) == 0) return;  // before reserving
      ReserveFilled(transaction, ValueOf(number), SizeOf(number));
      if (Random(4) == 0) return;  // and after
      weight = transaction.Commit(TagOf(number));
    }
    Hold(number, std::move(weight));
  }

  void FindOnly(int number) {
    PackedWeight weight = cache_->Find(KeyOf(number));
    if (weight) Hold(number, std::move(weight));
  }

  void PackPrivately(int number) {
    PackTransaction transaction(cache_);
    ReserveFilled(transaction, ValueOf(number), SizeOf(number));
    Hold(number, transaction.CommitPrivate());
  }

  void ShareOne() {
    if (held_.empty()) return;
    const Held& chosen = held_[random_() % held_.size()];
    if (!chosen.weight.is_private()) Hold(chosen.number, chosen.weight.Share());
  }

  void Hold(int number, PackedWeight weight) {
    EXPECT_EQ(weight.bytes().size(), SizeOf(number));
    EXPECT_TRUE(weight.is_private() || weight.tag() == TagOf(number));
    held_.push_back({number, std::move(weight)});
  }

  // The bytes must be what they were packed as, however long ago that was.
  void DropOne() {
    const size_t chosen = random_() % held_.size();
    EXPECT_TRUE(IsFilledWith(held_[chosen].weight.bytes(), ValueOf(held_[chosen].number)));
    std::swap(held_[chosen], held_.back());
    held_.pop_back();
  }

  const std::shared_ptr<PackedWeightCache> cache_;
  std::mt19937 random_;
  std::vector<Held> held_;
};

void Stress(size_t retained_bytes) {
  WeightCacheOptions options;
  options.retained_bytes = retained_bytes;
  const auto cache = PackedWeightCache::Create(options);
  RunInThreads(kThreads, [&](int thread) { Worker(cache, thread).Run(); });
  const WeightCacheStats stats = cache->Stats();
  EXPECT_EQ(stats.pins, 0u);
  EXPECT_LE(stats.retained_bytes, retained_bytes);
  EXPECT_EQ(stats.bytes, stats.retained_bytes);
  EXPECT_GT(stats.hits, 0u);
  cache->Prune();
  ExpectEmpty(*cache);
}

TEST(WeightCacheStressTest, ThreadsThatPackAbandonShareAndLetGoSeeOnlyWhatTheyAskedFor) {
  Stress(/*retained_bytes=*/0);
}

TEST(WeightCacheStressTest, RetainedEntriesChangeNothingButWhoPacks) {
  Stress(/*retained_bytes=*/600'000);
}

}  // namespace
}  // namespace onepack
