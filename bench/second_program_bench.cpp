// What a program costs when another one over the same foundation is loaded: see README.md.
//
// Every benchmark looks once at what it is about to repeat, and says so with SkipWithError when
// that is not what its name promises.

#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <utility>

#include "aot/lora_stack.h"
#include "tests/support/case_loader.h"
#include "tests/support/counting_source.h"
#include "tests/support/files.h"

namespace onepack {
namespace {

// 300 weights, each under a key of its own, of 32 KB.
LoraStackOptions Stack() {
  LoraStackOptions options;
  options.width = 64;
  options.hidden = 128;
  options.blocks = 100;
  options.adapters = 0;
  return options;
}
constexpr uint64_t kWeights = 300;

// Of an opened file, its header and its directory.
constexpr uint64_t kReadsToOpen = 2;

struct SecondProgram {
  explicit SecondProgram(std::shared_ptr<WeightCache> cache) : loader(std::move(cache)) {
    loader.set_open([this](const std::string& path) -> Result<Ref<DataSource>> {
      return path.find("foundation") != std::string::npos ? OpenCountingSource(path, &counts)
                                                          : OpenMappedFile(path.c_str());
    });
  }

  const char* Prepare() {
    if (!WriteLoraStack(folder.path(), Stack()).ok()) return "the stack was not written";
    auto loaded = loader.Load(folder.path(), "base");
    if (!loaded.ok()) return "the first program was not loaded";
    first = std::move(loaded).value();
    const WeightCacheStats before = loader.cache().Stats();
    counts.reads = 0;
    if (!loader.Load(folder.path(), "base").ok()) return "the second program was not loaded";
    const WeightCacheStats after = loader.cache().Stats();
    if (after.hits - before.hits != kWeights) return "not a hit for each weight";
    if (after.packed_bytes != before.packed_bytes) return "something was packed";
    if (counts.reads != kReadsToOpen) return "a weight was read";
    return nullptr;
  }

  const TempFolder folder;
  ReadCounts counts;
  CaseLoader loader;
  Ref<Method> first;
};

void LoadAndCloseASecondProgramOf300WeightsWithoutPackingOrReading(benchmark::State& state) {
  SecondProgram program(WeightCache::Create());
  if (const char* wrong = program.Prepare()) {
    state.SkipWithError(wrong);
    return;
  }
  for (auto _ : state) benchmark::DoNotOptimize(program.loader.Load(program.folder.path(), "base"));
}
BENCHMARK(LoadAndCloseASecondProgramOf300WeightsWithoutPackingOrReading)
    ->Unit(benchmark::kMicrosecond);

// The same program with nothing to share: what the one above saves.
void LoadAndCloseAFirstProgramOf300Weights(benchmark::State& state) {
  SecondProgram program(WeightCache::Create());
  if (const char* wrong = program.Prepare()) {
    state.SkipWithError(wrong);
    return;
  }
  program.first = nullptr;
  if (program.loader.cache().Stats().entries != 0) {
    state.SkipWithError("something is still packed");
    return;
  }
  for (auto _ : state) benchmark::DoNotOptimize(program.loader.Load(program.folder.path(), "base"));
}
BENCHMARK(LoadAndCloseAFirstProgramOf300Weights)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace onepack
