// How fast weights are packed, and what a delegate costs whose weight is packed already: see
// README.md.
//
// Every benchmark looks once at what it is about to repeat, and says so with SkipWithError when
// that is not what its name promises.

#include <benchmark/benchmark.h>
#include <string.h>

#include <memory>
#include <utility>
#include <vector>

#include "base/mapping.h"
#include "tests/support/delegate_fixture.h"

namespace onepack {
namespace {

// A linear layer of 4096 outputs and 2048 inputs; in a program of its own.
struct OneLayer {
  explicit OneLayer(WeightKind kind) {
    const LinearLayer layer{"weight", 2048, 4096, kind, 1};
    const NamedBytes data_bytes = DataOf(layer);
    raw_bytes = data_bytes.at("weight").size();
    program = SourceOf(MakeLinearProgram({{layer}}), "layer.pte");
    data = SourceOf(MakeData(data_bytes), "layer.ptd");
  }
  Result<Ref<Method>> Load(const std::shared_ptr<PackedWeightCache>& cache) const {
    return LoadMethod(program, {data}, cache);
  }

  size_t raw_bytes = 0;
  Ref<DataSource> program;
  Ref<DataSource> data;
};

// Raw bytes per second, from nothing to a loaded method, which is nearly all packing.
void LoadAProgramOfOneWeightThatIsPacked(benchmark::State& state, WeightKind kind) {
  const OneLayer layer(kind);
  {
    const auto cache = PackedWeightCache::Create();
    const auto method = layer.Load(cache);
    if (!method.ok() || cache->Stats().entries != 1 ||
        cache->Stats().packed_bytes < layer.raw_bytes) {
      state.SkipWithError("not packed");
      return;
    }
  }
  for (auto _ : state) benchmark::DoNotOptimize(layer.Load(PackedWeightCache::Create()).ok());
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(layer.raw_bytes));
}
BENCHMARK_CAPTURE(LoadAProgramOfOneWeightThatIsPacked, f32, WeightKind::kFloat)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(LoadAProgramOfOneWeightThatIsPacked, int8, WeightKind::kInt8)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(LoadAProgramOfOneWeightThatIsPacked, int4, WeightKind::kInt4)
    ->Unit(benchmark::kMillisecond);

// The same with nothing to pack: verifying, building the graph, creating and deleting a runtime.
void LoadAProgramOfOneWeightThatIsThere(benchmark::State& state, WeightKind kind) {
  const OneLayer layer(kind);
  const auto cache = PackedWeightCache::Create();
  const auto first = layer.Load(cache);
  const uint64_t packed = cache->Stats().packed_bytes;
  const auto second = layer.Load(cache);
  if (!first.ok() || !second.ok() || cache->Stats().packed_bytes != packed) {
    state.SkipWithError("not loaded, or packed once more");
    return;
  }
  for (auto _ : state) benchmark::DoNotOptimize(layer.Load(cache).ok());
}
BENCHMARK_CAPTURE(LoadAProgramOfOneWeightThatIsThere, f32, WeightKind::kFloat)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(LoadAProgramOfOneWeightThatIsThere, int8, WeightKind::kInt8)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(LoadAProgramOfOneWeightThatIsThere, int4, WeightKind::kInt4)
    ->Unit(benchmark::kMicrosecond);

// What packing cannot be faster than. As much as the layer of f32 has.
void CopyAsMuchIntoFreshMemory(benchmark::State& state) {
  const std::vector<uint8_t> from(size_t{4096} * 2048 * sizeof(float), 1);
  const auto copy = [&] {
    auto to = Mapping::OfZeros(from.size());
    if (!to.ok()) return false;
    memcpy(to->data(), from.data(), from.size());
    benchmark::ClobberMemory();
    return to->data()[from.size() - 1] == 1;
  };
  if (!copy()) {
    state.SkipWithError("not copied");
    return;
  }
  for (auto _ : state) benchmark::DoNotOptimize(copy());
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(from.size()));
}
BENCHMARK(CopyAsMuchIntoFreshMemory)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace onepack
