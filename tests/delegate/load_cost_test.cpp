// What loading and running costs, counted: allocations, system calls, locks, bytes packed and read,
// page faults. A guard against getting slower that needs no clock.
//
// Costs are those of one more linear layer: of a program of 2 * kLayers, less those of kLayers.
// What is counted is what our archives ask for (support/fault_injector.h), and every operator new
// of the process. The limits are what was measured, and room for another standard library: raise
// one only if you know what for.

#include <gtest/gtest.h>
#include <stdio.h>
#include <sys/resource.h>

#include <cmath>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "delegate/xnn/initialize.h"
#include "delegate/xnn/xnnpack.h"
#include "tests/support/counting_source.h"
#include "tests/support/delegate_fixture.h"
#include "tests/support/fault_injector.h"
#include "tests/support/files.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

constexpr uint32_t kLayers = 16;
constexpr uint32_t kWidth = 320;  // 400 KB of f32: a mapping of its own
constexpr uint32_t kRows = 4;

struct Cost {
  double news = 0;
  double heap = 0;  // malloc and the like, and through an Allocator
  double maps = 0;
  double wishes = 0;  // madvise
  double opens = 0;
  double locks = 0;  // of the cache
  double packed_bytes = 0;
  double faults = 0;
};

Cost operator-(const Cost& a, const Cost& b) {
  return {a.news - b.news,
          a.heap - b.heap,
          a.maps - b.maps,
          a.wishes - b.wishes,
          a.opens - b.opens,
          a.locks - b.locks,
          a.packed_bytes - b.packed_bytes,
          a.faults - b.faults};
}

Cost PerLayer(const Cost& large, const Cost& small) {
  Cost cost = large - small;
  for (double* count : {&cost.news, &cost.heap, &cost.maps, &cost.wishes, &cost.opens, &cost.locks,
                        &cost.packed_bytes, &cost.faults}) {
    *count /= kLayers;
  }
  // A file whose last page is full is mapped with one call more, however many layers it has.
  cost.maps = std::round(cost.maps);
  return cost;
}

void Print(const char* what, const Cost& cost) {
  printf(
      "%s: %g new, %g heap, %g mmap, %g madvise, %g open, %g locks, %g bytes packed, %g faults\n",
      what, cost.news, cost.heap, cost.maps, cost.wishes, cost.opens, cost.locks, cost.packed_bytes,
      cost.faults);
}

double Faults() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_minflt + usage.ru_majflt);
}

// What `work` costs.
template <typename Work>
Cost CostOf(const PackedWeightCache& cache, Work work) {
  const WeightCacheStats before = cache.Stats();
  const double faults_before = Faults();
  FaultInjector::Arm({});
  work();
  const FaultReport report = FaultInjector::Disarm();
  const double faults = Faults() - faults_before;
  const WeightCacheStats after = cache.Stats();
  const auto count = [&](FaultKind kind) {
    return static_cast<double>(report.events[static_cast<size_t>(kind)]);
  };
  Cost cost;
  cost.news = count(FaultKind::kNew);
  cost.heap = count(FaultKind::kHeap) + count(FaultKind::kAllocator);
  cost.maps = count(FaultKind::kMap);
  cost.wishes = count(FaultKind::kWish);
  cost.opens = count(FaultKind::kOpen);
  cost.locks = static_cast<double>(after.lock_count - before.lock_count - 1);  // Stats takes one
  cost.packed_bytes = static_cast<double>(after.packed_bytes - before.packed_bytes);
  cost.faults = faults;
  return cost;
}

// A program of so many layers over one data file, on disk.
class ProgramOf {
 public:
  explicit ProgramOf(uint32_t layers, WeightKind kind = WeightKind::kFloat,
                     LinearLayout linears = LinearLayout::kPacked)
      : linears_(linears) {
    for (uint32_t i = 0; i < layers; ++i) {
      program_.layers.push_back({"w" + std::to_string(i), kWidth, kWidth, kind, i + 1});
    }
    WriteFile(folder_.File("model.pte"), MakeLinearProgram(program_));
    WriteFile(folder_.File("model.ptd"), MakeData(DataOf(program_.layers)));
  }

  Result<Ref<Method>> Load() const {
    ONEPACK_ASSIGN_OR_RETURN(Ref<DataSource> program,
                             OpenMappedFile(folder_.File("model.pte").c_str()));
    ONEPACK_ASSIGN_OR_RETURN(Ref<DataSource> data,
                             OpenMappedFile(folder_.File("model.ptd").c_str()));
    LoadOptions options;
    options.allocator = FaultyAllocator();
    options.linears = linears_;
    return LoadMethod(program, {data}, cache_, options);
  }

  Cost CostOfLoad(Ref<Method>* method) const {
    return CostOf(*cache_, [&] {
      auto loaded = Load();
      if (loaded.ok()) *method = std::move(loaded).value();
    });
  }

  const std::shared_ptr<PackedWeightCache>& cache() const { return cache_; }
  std::string data_path() const { return folder_.File("model.ptd"); }
  std::string program_path() const { return folder_.File("model.pte"); }

 private:
  const TempFolder folder_;
  LinearProgram program_;
  const LinearLayout linears_;
  const std::shared_ptr<PackedWeightCache> cache_ = PackedWeightCache::Create();
};

// One that is repeated from run to run, over a tensor that stays where it is.
class Runs {
 public:
  Runs(Ref<Method> method, uint32_t rows)
      : method_(std::move(method)),
        rows_(MakeRows(rows, kWidth)),
        sizes_{static_cast<int32_t>(rows), kWidth} {
    auto tensor =
        Tensor::Over({ScalarType::kFloat, sizes_, order_},
                     {reinterpret_cast<uint8_t*>(rows_.data()), rows_.size() * sizeof(float)});
    EXPECT_TRUE(IsOk(tensor));
    tensor_ = *tensor;
  }

  Status Run() {
    ONEPACK_RETURN_IF_ERROR(method_->SetInput(0, Value::OfTensor(&tensor_)));
    return method_->Execute();
  }

 private:
  const Ref<Method> method_;
  std::vector<float> rows_;
  const int32_t sizes_[2];
  const uint8_t order_[2] = {0, 1};
  Tensor tensor_;
};

void ExpectNothing(const Cost& cost) {
  EXPECT_EQ(cost.news, 0);
  EXPECT_EQ(cost.heap, 0);
  EXPECT_EQ(cost.maps, 0);
  EXPECT_EQ(cost.wishes, 0);
  EXPECT_EQ(cost.locks, 0);
  EXPECT_EQ(cost.packed_bytes, 0);
  EXPECT_EQ(cost.faults, 0);
}

// `large` has kLayers more than `small`.
void ExpectLayerOfASecondProgramIsFree(const char* what, const ProgramOf& small,
                                       const ProgramOf& large) {
  Ref<Method> firsts[2];
  small.CostOfLoad(&firsts[0]);
  large.CostOfLoad(&firsts[1]);
  Ref<Method> methods[2];
  const Cost cost_of_small = small.CostOfLoad(&methods[0]);
  const Cost cost_of_large = large.CostOfLoad(&methods[1]);
  ASSERT_TRUE(methods[0] && methods[1]);
  const Cost layer = PerLayer(cost_of_large, cost_of_small);
  Print(what, layer);
  EXPECT_EQ(layer.packed_bytes, 0);
  EXPECT_EQ(layer.maps, 0);
  EXPECT_EQ(layer.wishes, 0);
  EXPECT_EQ(layer.opens, 0);
  EXPECT_LE(layer.locks, 3) << "looked for beforehand, asked for, and the first pin dropped";
  EXPECT_LE(layer.news, 14);
  EXPECT_LE(layer.heap, 1);
  EXPECT_LE(layer.faults, 1) << "of the heap, now and then";
}

void ExpectRunAsksForNothing(const char* what, const ProgramOf& program,
                             std::initializer_list<uint32_t> row_counts) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, program.Load());
  for (const uint32_t rows : row_counts) {
    Runs runs(method, rows);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(IsOk(runs.Run()));
    StatusCode code = StatusCode::kInternal;
    const Cost cost = CostOf(*program.cache(), [&] { code = runs.Run().code(); });
    ASSERT_EQ(code, StatusCode::kOk);
    Print(what, cost);
    ExpectNothing(cost);
  }
}

class LoadCostTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(IsOk(InitializeXnnpack(FaultyXnnAllocator())));
    // Whatever is made once in a process is made now.
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, small_.Load());
    ASSERT_TRUE(IsOk(RunLinear(*method, MakeRows(kRows, kWidth), kWidth)));
  }

  const ProgramOf small_{kLayers};
  const ProgramOf large_{2 * kLayers};
};

TEST_F(LoadCostTest, ALayerOfAFirstProgramIsPackedOnceIntoOneMapping) {
  Ref<Method> methods[2];
  const Cost small = small_.CostOfLoad(&methods[0]);
  const Cost large = large_.CostOfLoad(&methods[1]);
  ASSERT_TRUE(methods[0] && methods[1]);
  const Cost layer = PerLayer(large, small);
  Print("a layer of a first program", layer);
  const double raw_bytes = kWidth * kWidth * sizeof(float);
  EXPECT_GE(layer.packed_bytes, raw_bytes);
  EXPECT_LE(layer.packed_bytes, raw_bytes * 1.1);
  EXPECT_EQ(layer.maps, 1);
  EXPECT_EQ(layer.opens, 0);
  EXPECT_EQ(layer.wishes, 3) << "fetched once, let go of once, its memory asked for once";
  EXPECT_LE(layer.locks, 3) << "looked for, claimed, committed";
  EXPECT_LE(layer.news, 24);
  EXPECT_LE(layer.heap, 1);
  // Each packed page once, raw pages by the dozen.
  const double pages = raw_bytes / 4096;
  EXPECT_LE(layer.faults, pages * 1.3);
}

TEST_F(LoadCostTest, ALayerOfASecondProgramTakesNoMemoryNoCallAndNoPage) {
  ExpectLayerOfASecondProgramIsFree("a layer of a second program", small_, large_);
}

TEST_F(LoadCostTest, OpeningTheFilesOfAProgramIsTwoOpensEach) {
  Ref<Method> method;
  const Cost cost = small_.CostOfLoad(&method);
  ASSERT_TRUE(method);
  Print("a first program", cost);
  EXPECT_EQ(cost.opens, 4) << "open and fstat, of the program and of its data";
}

TEST_F(LoadCostTest, ARunOfKnownSizesAsksForNothing) {
  ExpectRunAsksForNothing("a run", small_, {kRows});
}

TEST_F(LoadCostTest, ClosingASecondProgramAsksForNothing) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> first, small_.Load());
  ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> second, small_.Load());
  const Cost cost = CostOf(*small_.cache(), [&] { second = nullptr; });
  Print("closing a second program", cost);
  EXPECT_EQ(cost.news, 0);
  EXPECT_EQ(cost.heap, 0);
  EXPECT_EQ(cost.maps, 0);
  EXPECT_LE(cost.locks, kLayers) << "one for each pin";
}

// Layers that run over their weights as the file has them.
class InPlaceCostTest : public LoadCostTest, public testing::WithParamInterface<WeightKind> {
 protected:
  const ProgramOf few_{kLayers, GetParam(), LinearLayout::kInPlace};
  const ProgramOf many_{2 * kLayers, GetParam(), LinearLayout::kInPlace};
};

std::string NameOf(const testing::TestParamInfo<WeightKind>& kind) {
  const char* const names[] = {"Float", "Int8", "Int4"};
  return names[static_cast<size_t>(kind.param)];
}

INSTANTIATE_TEST_SUITE_P(, InPlaceCostTest,
                         testing::Values(WeightKind::kFloat, WeightKind::kInt8, WeightKind::kInt4),
                         NameOf);

TEST_P(InPlaceCostTest, ALayerOfAFirstProgramTakesAFloatForEachOutputAndNoMapping) {
  Ref<Method> methods[2];
  const Cost few = few_.CostOfLoad(&methods[0]);
  const Cost many = many_.CostOfLoad(&methods[1]);
  ASSERT_TRUE(methods[0] && methods[1]);
  const Cost layer = PerLayer(many, few);
  Print("a layer of a first program in place", layer);
  const bool is_float = GetParam() == WeightKind::kFloat;
  EXPECT_LE(layer.packed_bytes, is_float ? 1 : kWidth * sizeof(float));
  EXPECT_EQ(layer.maps, 0);
  EXPECT_EQ(layer.wishes, GetParam() == WeightKind::kInt8 ? 1 : 0)
      << "integers of more than a system reads ahead are fetched once; nothing is let go of";
  EXPECT_EQ(layer.opens, 0);
  EXPECT_LE(layer.locks, 3) << "looked for, claimed, committed";
  EXPECT_LE(layer.news, 28);
  EXPECT_LE(layer.heap, 1);
}

TEST_P(InPlaceCostTest, ALayerOfASecondProgramTakesNoMemoryAndNoPage) {
  ExpectLayerOfASecondProgramIsFree("a layer of a second program in place", few_, many_);
}

TEST_P(InPlaceCostTest, ADecodeStepAsksForNothing) {
  ExpectRunAsksForNothing("a decode step in place", few_, {1u, kRows});
}

// Of a file that is not mapped: every weight once, and then never again.
TEST_F(LoadCostTest, EachRawByteIsReadOnce) {
  ReadCounts counts;
  const auto load = [&]() -> Result<Ref<Method>> {
    ONEPACK_ASSIGN_OR_RETURN(Ref<DataSource> program,
                             OpenMappedFile(small_.program_path().c_str()));
    ONEPACK_ASSIGN_OR_RETURN(Ref<DataSource> data, OpenCountingSource(small_.data_path(), &counts));
    return LoadMethod(program, {data}, small_.cache());
  };
  constexpr uint64_t kRawBytes = uint64_t{kLayers} * kWidth * kWidth * sizeof(float);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> first, load());
  const uint64_t first_bytes = counts.bytes;
  EXPECT_GE(first_bytes, kRawBytes);
  EXPECT_LE(first_bytes, kRawBytes + 16384) << "and the directory";
  EXPECT_LE(counts.reads, kLayers + 2) << "header, directory, one for each weight";
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> second, load());
  EXPECT_EQ(counts.bytes - first_bytes, first_bytes - kRawBytes) << "the directory";
}

}  // namespace
}  // namespace onepack
