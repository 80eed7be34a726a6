// What the weight cache costs: see README.md for the questions.
//
// Every benchmark looks once at what it is about to repeat, and says so with SkipWithError when
// that is not what its name promises.

#include <benchmark/benchmark.h>
#include <string.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "delegate/xnn/layout_tag.h"
#include "delegate/xnn/weight_table.h"
#include "weight_cache/content_registry.h"
#include "weight_cache/heap_store.h"
#include "weight_cache/pack_transaction.h"
#include "weight_cache/packed_weight_cache.h"

namespace onepack {
namespace {

constexpr int kEntries = 100'000;
constexpr size_t kSmall = 256;

PackKey KeyOf(int number) {
  PackKey key;
  key.weight.kernel = DigestBuilder("kernel").Add(number).Finish();
  key.weight.bias = DigestBuilder("bias").Add(number).Finish();
  key.weight.quantization = DigestBuilder("quantization").Finish();
  key.weight.consumer = DigestBuilder("consumer").Finish();
  key.layout = DigestBuilder("layout").Finish();
  return key;
}

// REQUIRES: `transaction` has claimed a key.
PackedWeight Pack(PackTransaction& transaction, LayoutTag tag = 0) {
  uint8_t* space = transaction.Reserve(kSmall);
  if (space == nullptr) return PackedWeight();
  memset(space, 1, kSmall);
  return transaction.Commit(tag);
}

// A cache of kEntries weights, all pinned, as after loading many programs.
struct FullCache {
  FullCache() {
    PackTransaction transaction(cache);
    for (int i = 0; i < kEntries; ++i) {
      keys.push_back(KeyOf(i));
      if (!transaction.LookUp(keys.back())) pins.push_back(Pack(transaction));
    }
  }

  std::shared_ptr<PackedWeightCache> cache = PackedWeightCache::Create();
  std::vector<PackKey> keys;
  std::vector<PackedWeight> pins;
};

FullCache& SharedFullCache() {
  static FullCache full;
  return full;
}

// Walks over all keys in a scattered order, so that the hash table and not the processor's cache
// answers. The keys themselves are fetched ahead: a key has just been made when it is looked up.
class KeyWalk {
 public:
  explicit KeyWalk(int thread) : position_(static_cast<size_t>(thread) * 12'347) {}
  size_t Next() { return position_ = After(position_); }

  const PackKey& NextOf(const std::vector<PackKey>& keys) {
    const char* ahead = reinterpret_cast<const char*>(&keys[After(After(Next()))]);
    for (size_t i = 0; i < sizeof(PackKey); i += 64) __builtin_prefetch(ahead + i);
    return keys[position_];
  }

 private:
  static size_t After(size_t position) { return (position + 40'503) % kEntries; }

  size_t position_;
};

void FindAndUnpinOfAHitAmong100000(benchmark::State& state) {
  FullCache& full = SharedFullCache();
  PackedWeightCache& cache = *full.cache;
  if (cache.Stats().entries != kEntries ||
      cache.Find(full.keys[1]).bytes().data() != full.pins[1].bytes().data()) {
    state.SkipWithError("not a hit");
    return;
  }
  KeyWalk walk(state.thread_index());
  for (auto _ : state) {
    benchmark::DoNotOptimize(cache.Find(walk.NextOf(full.keys)).bytes().data());
  }
}
BENCHMARK(FindAndUnpinOfAHitAmong100000)->Threads(1)->Threads(8)->UseRealTime();

void FindOfAHitAmong100000KeepingThePin(benchmark::State& state) {
  FullCache& full = SharedFullCache();
  PackedWeightCache& cache = *full.cache;
  std::vector<PackedWeight> pins(1 << 12);
  pins[0] = cache.Find(full.keys[1]);
  if (pins[0].bytes().data() != full.pins[1].bytes().data()) {
    state.SkipWithError("not a hit");
    return;
  }
  // The pins are dropped outside the timing.
  KeyWalk walk(state.thread_index());
  size_t used = 1;
  for (auto _ : state) {
    if (used == pins.size()) {
      state.PauseTiming();
      for (PackedWeight& pin : pins) pin = PackedWeight();
      used = 0;
      state.ResumeTiming();
    }
    pins[used++] = cache.Find(walk.NextOf(full.keys));
  }
}
BENCHMARK(FindOfAHitAmong100000KeepingThePin)->Threads(1)->Threads(8)->UseRealTime();

// The packing itself is a memset of 256 bytes.
void MissClaimCommitAndUnpinOfASmallEntry(benchmark::State& state) {
  const auto cache = PackedWeightCache::Create();
  PackTransaction transaction(cache);
  const PackKey key = KeyOf(1);
  // A chunk that stays: otherwise every round would map and unmap one.
  PackedWeight keeps_the_chunk = transaction.LookUp(KeyOf(2));
  if (!keeps_the_chunk) keeps_the_chunk = Pack(transaction);
  const auto pack_once = [&] {
    return transaction.LookUp(key) ? PackedWeight() : Pack(transaction);
  };
  const bool was_packed = static_cast<bool>(pack_once());
  if (!was_packed || cache->Stats().entries != 1) {
    state.SkipWithError("not a miss, or not freed");
    return;
  }
  for (auto _ : state) benchmark::DoNotOptimize(pack_once().bytes().data());
}
BENCHMARK(MissClaimCommitAndUnpinOfASmallEntry);

// A table as XNNPACK sees it, of a thousand weights that are all pinned.
class FullTable {
 public:
  static constexpr size_t kWeights = 1000;

  FullTable() {
    PackTransaction transaction(cache);
    for (size_t i = 0; i < kWeights; ++i) {
      xnn_weights_cache_look_up_key& key = keys.emplace_back();
      key.seed = static_cast<uint32_t>(i);
      key.kernel = &places_[i];
      rows_.push_back({keys[i].kernel, /*is_readable=*/false});
      if (transaction.LookUp(KeyOf(static_cast<int>(i)))) continue;
      pins.push_back(Pack(transaction, TagOf(keys[i])));
    }
    if (pins.size() == kWeights) table.Begin(rows_, pins);
  }

  // Each weight is found under its number, and nothing else is.
  bool IsRight() {
    if (pins.size() != kWeights) return false;
    for (size_t i = 0; i < kWeights; ++i) {
      if (LookUp(i) != i) return false;
    }
    xnn_weights_cache_look_up_key of_another_layout = keys[0];
    of_another_layout.seed = 1;
    return calls.look_up(calls.context, &of_another_layout) == SIZE_MAX;
  }

  size_t LookUp(size_t number) { return calls.look_up(calls.context, &keys[number]); }

  const std::shared_ptr<PackedWeightCache> cache = PackedWeightCache::Create();
  WeightTable table{cache};
  const xnn_weights_cache_provider& calls = *table.handle();
  std::vector<xnn_weights_cache_look_up_key> keys;
  std::vector<PackedWeight> pins;

 private:
  char places_[kWeights] = {};  // the addresses of kernels
  std::vector<WeightTable::Row> rows_;
};

// Calls `call` with the numbers of all weights, round and round, which takes no lock of the cache.
template <typename Call>
void CallForEachWeight(benchmark::State& state, const FullTable& full, const Call& call) {
  const uint64_t locks = full.cache->Stats().lock_count;
  size_t number = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(call(number));
    number = number + 1 == FullTable::kWeights ? 0 : number + 1;
  }
  if (full.cache->Stats().lock_count != locks + 1) {
    state.SkipWithError("the cache's lock was taken");
  }
}

void TableLookUpOfAPinnedWeight(benchmark::State& state) {
  FullTable full;
  if (!full.IsRight()) {
    state.SkipWithError("not the weight that is pinned");
    return;
  }
  CallForEachWeight(state, full, [&](size_t number) { return full.LookUp(number); });
}
BENCHMARK(TableLookUpOfAPinnedWeight);

void TableOffsetToAddress(benchmark::State& state) {
  FullTable full;
  const xnn_weights_cache_provider& calls = full.calls;
  bool is_right = full.IsRight() && full.table.End().ok();
  for (size_t i = 0; is_right && i < FullTable::kWeights; ++i) {
    is_right = calls.offset_to_addr(calls.context, i) == full.pins[i].bytes().data();
  }
  if (!is_right) {
    state.SkipWithError("not the address that is pinned");
    return;
  }
  CallForEachWeight(state, full,
                    [&](size_t number) { return calls.offset_to_addr(calls.context, number); });
}
BENCHMARK(TableOffsetToAddress);

// Bytes that may not be read.
class UnreadBytes final : public RawBytes {
 public:
  Status Read(const std::function<void(Bytes)>&) const override {
    return Status::Error(StatusCode::kInternal, "read");
  }
};

void RegisterAKnownRangeAmong100000(benchmark::State& state) {
  ContentRegistry registry;
  const auto raw = std::make_shared<UnreadBytes>();
  const DataIdentity file = DataIdentity::Unique();
  std::vector<DataRange> ranges;
  std::vector<std::shared_ptr<Content>> contents;
  for (int i = 0; i < kEntries; ++i) {
    ranges.emplace_back(file, kSmall * static_cast<uint64_t>(i), kSmall);
    auto content = registry.Register(std::to_string(i), ranges.back(), raw);
    if (content.ok()) contents.push_back(std::move(content).value());
  }
  KeyWalk walk(0);
  // As by a program that is loaded and closed: its witness lives for one round.
  const auto register_once = [&](size_t number) {
    return registry.Register("weight", ranges[number], std::make_shared<UnreadBytes>());
  };
  auto again = register_once(1);
  if (contents.size() != kEntries || !again.ok() || *again != contents[1]) {
    state.SkipWithError("not the same content");
    return;
  }
  for (auto _ : state) benchmark::DoNotOptimize(register_once(walk.Next()).ok());
}
BENCHMARK(RegisterAKnownRangeAmong100000);

// `range(0)` is the size of a block. Its bytes are not touched.
void HeapStoreAllocateAndFree(benchmark::State& state) {
  const auto size = static_cast<size_t>(state.range(0));
  const auto store = HeapStore::Create(/*huge_pages=*/false);
  auto keeps_the_chunk = store->Allocate(1);
  const size_t mapped = store->mapped_bytes();
  bool is_right = keeps_the_chunk.ok();
  {
    auto block = store->Allocate(size);
    is_right = is_right && block.ok() && block->size() == size;
  }
  if (!is_right || store->mapped_bytes() != mapped) {
    state.SkipWithError("not allocated, or not freed");
    return;
  }
  for (auto _ : state) benchmark::DoNotOptimize(store->Allocate(size).ok());
}
BENCHMARK(HeapStoreAllocateAndFree)->Arg(300)->Arg(1 << 16)->Arg(1 << 23);

}  // namespace
}  // namespace onepack
