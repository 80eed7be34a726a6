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

#include "delegate/xnn/xnn_provider.h"
#include "weight_cache/content_registry.h"
#include "weight_cache/heap_store.h"
#include "weight_cache/pack_transaction.h"
#include "weight_cache/weight_cache.h"

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

PackedWeight Pack(PackTransaction& transaction, const PackKey& key) {
  uint8_t* space = transaction.Reserve(kSmall);
  if (space == nullptr) return PackedWeight();
  memset(space, 1, kSmall);
  return transaction.Commit(key);
}

// A cache of kEntries weights, all pinned, as after loading many programs.
struct FullCache {
  FullCache() {
    PackTransaction transaction(cache);
    for (int i = 0; i < kEntries; ++i) {
      keys.push_back(KeyOf(i));
      if (!transaction.LookUp(keys.back())) pins.push_back(Pack(transaction, keys.back()));
    }
  }

  std::shared_ptr<WeightCache> cache = WeightCache::Create();
  std::vector<PackKey> keys;
  std::vector<PackedWeight> pins;
};

FullCache& SharedFullCache() {
  static FullCache full;
  return full;
}

// Walks over all keys in a scattered order, so that the hash table and not the processor's cache
// answers. The keys themselves are fetched ahead: whoever looks up a key has just made it.
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

void LookUpAndUnpinOfAHitAmong100000(benchmark::State& state) {
  FullCache& full = SharedFullCache();
  PackTransaction transaction(full.cache);
  if (full.cache->Stats().entries != kEntries ||
      transaction.LookUp(full.keys[1]).bytes().data() != full.pins[1].bytes().data()) {
    state.SkipWithError("not a hit");
    return;
  }
  KeyWalk walk(state.thread_index());
  for (auto _ : state) {
    benchmark::DoNotOptimize(transaction.LookUp(walk.NextOf(full.keys)).bytes().data());
  }
}
BENCHMARK(LookUpAndUnpinOfAHitAmong100000)->Threads(1)->Threads(8)->UseRealTime();

void LookUpOfAHitAmong100000KeepingThePin(benchmark::State& state) {
  FullCache& full = SharedFullCache();
  PackTransaction transaction(full.cache);
  std::vector<PackedWeight> pins(1 << 12);
  pins[0] = transaction.LookUp(full.keys[1]);
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
    pins[used++] = transaction.LookUp(walk.NextOf(full.keys));
  }
}
BENCHMARK(LookUpOfAHitAmong100000KeepingThePin)->Threads(1)->Threads(8)->UseRealTime();

// The packing itself is a memset of 256 bytes.
void MissClaimCommitAndUnpinOfASmallEntry(benchmark::State& state) {
  const auto cache = WeightCache::Create();
  PackTransaction transaction(cache);
  const PackKey key = KeyOf(1);
  // A chunk that stays: otherwise every round would map and unmap one.
  const PackedWeight keeps_the_chunk = Pack(transaction, KeyOf(2));
  const auto pack_once = [&] {
    return transaction.LookUp(key) ? PackedWeight() : Pack(transaction, key);
  };
  const bool was_packed = static_cast<bool>(pack_once());
  if (!was_packed || cache->Stats().entries != 1) {
    state.SkipWithError("not a miss, or not freed");
    return;
  }
  for (auto _ : state) benchmark::DoNotOptimize(pack_once().bytes().data());
}
BENCHMARK(MissClaimCommitAndUnpinOfASmallEntry);

// A provider as XNNPACK sees it, with a thousand weights in its table.
void ProviderOffsetToAddress(benchmark::State& state) {
  class NoObserver final : public PackingObserver {
    Status BeforePacking(const void*, const void*) override { return Status::Ok(); }
    Status AfterServing(const void*, const void*) override { return Status::Ok(); }
  } observer;
  constexpr size_t kWeights = 1000;
  const auto cache = WeightCache::Create();
  XnnProvider provider(cache);
  WeightTable table;
  const xnn_weights_cache_provider& calls = *table.handle();
  std::vector<std::pair<size_t, void*>> inserted;
  provider.BeginBuild(&observer, table);
  for (uint32_t i = 0; i < kWeights; ++i) {
    const xnn_weights_cache_look_up_key key = {i, &observer, nullptr};
    void* space = calls.reserve_space(calls.context, kSmall);
    inserted.emplace_back(calls.look_up_or_insert(calls.context, &key, space, kSmall), space);
  }
  bool is_right = provider.EndBuild().ok();
  for (const auto& [offset, space] : inserted) {
    is_right = is_right && space != nullptr && calls.offset_to_addr(calls.context, offset) == space;
  }
  if (!is_right) {
    state.SkipWithError("not the address that was inserted");
    return;
  }
  const uint64_t locks = cache->Stats().lock_count;
  size_t offset = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(calls.offset_to_addr(calls.context, offset));
    offset = offset + 1 == kWeights ? 0 : offset + 1;
  }
  if (cache->Stats().lock_count != locks + 1) state.SkipWithError("the cache's lock was taken");
}
BENCHMARK(ProviderOffsetToAddress);

// Bytes that nobody may read.
class UnreadBytes final : public RawBytes {
 public:
  Status Read(const std::function<void(Bytes)>&) const override {
    return Status::Error(StatusCode::kInternal, "read");
  }
};

void RegisterAKnownRangeAmong100000(benchmark::State& state) {
  ContentRegistry registry;
  const auto raw = std::make_shared<UnreadBytes>();
  std::vector<Digest> ranges;
  std::vector<std::shared_ptr<Content>> contents;
  for (int i = 0; i < kEntries; ++i) {
    ranges.push_back(DigestBuilder("range").Add(i).Finish());
    auto content = registry.Register(std::to_string(i), ranges.back(), kSmall, raw);
    if (content.ok()) contents.push_back(std::move(content).value());
  }
  KeyWalk walk(0);
  // As by a program that is loaded and closed: its witness lives for one round.
  const auto register_once = [&](size_t number) {
    return registry.Register("weight", ranges[number], kSmall, std::make_shared<UnreadBytes>());
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
