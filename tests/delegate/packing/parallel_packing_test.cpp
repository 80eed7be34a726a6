// Packing on several threads leaves in the cache what packing on one does, and nothing else behind.

#include <gtest/gtest.h>
#include <string.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "aot/lora_stack.h"
#include "tests/support/case_loader.h"
#include "tests/support/delegate_fixture.h"
#include "tests/support/files.h"
#include "tests/support/packed_bytes.h"
#include "tests/support/sanitizers.h"
#include "tests/support/status_matchers.h"
#include "tools/memory_usage.h"

namespace onepack {
namespace {

constexpr uint32_t kInputs = 64;
constexpr size_t kWorkers = 3;

size_t ThreadCount() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<size_t>(std::distance(begin(tasks), end(tasks)));
}

// Weights of every kind, in several delegates; the third and the sixth layer are one weight.
LinearProgram AllKinds(bool delegate_per_layer) {
  LinearProgram program;
  program.layers = {
      {"w0", kInputs, 256, WeightKind::kFloat, 1}, {"w1", 256, 64, WeightKind::kInt8, 2},
      {"tied", 64, 64, WeightKind::kInt4, 3},      {"w3", 64, 512, WeightKind::kInt4, 4},
      {"w4", 512, 64, WeightKind::kFloat, 5},      {"tied", 64, 64, WeightKind::kInt4, 3},
      {"w6", 64, 32, WeightKind::kInt8, 6}};
  program.delegate_per_layer = delegate_per_layer;
  return program;
}
constexpr size_t kWeights = 6;  // that differ

struct Files {
  explicit Files(const LinearProgram& program)
      : program_source(SourceOf(MakeLinearProgram(program), "model.pte")),
        data_source(SourceOf(MakeData(DataOf(program.layers)), "model.ptd")) {}

  Result<Ref<Method>> Load(const Ref<Backend>& backend) const {
    LoadOptions options;
    options.backend = backend;
    return LoadMethod(program_source, {data_source}, nullptr, options);
  }

  Result<Ref<Method>> Load(const XnnpackBackendOptions& options) const {
    ONEPACK_ASSIGN_OR_RETURN(const Ref<Backend> backend, CreateXnnpackBackend(options));
    return Load(backend);
  }

  Ref<DataSource> program_source;
  Ref<DataSource> data_source;
};

XnnpackBackendOptions Options(const std::shared_ptr<PackedWeightCache>& cache, size_t threads) {
  XnnpackBackendOptions options;
  options.weight_cache = cache;
  options.linears = LinearLayout::kPacked;
  options.packing_threads = threads;
  options.min_bytes_per_packing_thread = 1;
  return options;
}

using PackedBytes = std::vector<std::vector<uint8_t>>;

PackedBytes PackedOf(const Files& files, PackedWeightCache& cache) {
  return PackedFor([&](const Ref<Backend>& backend) { return files.Load(backend); }, cache);
}

class ParallelPackingTest : public testing::TestWithParam<bool> {
 protected:
  // The thread sanitizer starts a thread of its own with the first one, and tests count threads.
  static void SetUpTestSuite() {
    std::thread([] {}).join();
  }

  // After everything that a first load in the process starts.
  void SetUp() override { ASSERT_TRUE(IsOk(files_.Load(Options(PackedWeightCache::Create(), 1)))); }

  const LinearProgram program_ = AllKinds(GetParam());
  const Files files_{program_};
};

INSTANTIATE_TEST_SUITE_P(, ParallelPackingTest, testing::Bool(), [](const auto& is_split) {
  return is_split.param ? "ADelegatePerLayer" : "OneDelegate";
});

TEST_P(ParallelPackingTest, PacksTheSameBytesAsOneThread) {
  const auto alone = PackedWeightCache::Create();
  const auto together = PackedWeightCache::Create();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> a, files_.Load(Options(alone, 1)));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> b, files_.Load(Options(together, kWorkers)));
  const PackedBytes expected = PackedOf(files_, *alone);
  ASSERT_EQ(expected.size(), program_.layers.size()) << "one packed weight for each layer";
  EXPECT_EQ(PackedOf(files_, *together), expected);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto computed, RunLinear(*b, MakeRows(3, kInputs), kInputs));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto reference, RunLinear(*a, MakeRows(3, kInputs), kInputs));
  EXPECT_EQ(computed, reference);
}

TEST_P(ParallelPackingTest, PacksEachWeightOnceAndNothingPrivately) {
  const auto alone = PackedWeightCache::Create();
  const auto together = PackedWeightCache::Create();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> a, files_.Load(Options(alone, 1)));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> b, files_.Load(Options(together, kWorkers)));
  const WeightCacheStats stats = together->Stats();
  EXPECT_EQ(stats.entries, kWeights);
  EXPECT_EQ(stats.misses.total(), kWeights);
  EXPECT_EQ(stats.packed_bytes, alone->Stats().packed_bytes);
  EXPECT_EQ(stats.bytes, alone->Stats().bytes);
  EXPECT_EQ(stats.private_bytes, 0u);
  EXPECT_EQ(stats.pins, alone->Stats().pins) << "the workers' pins are gone";
}

TEST_P(ParallelPackingTest, FewBytesAreWorthNoThread) {
  const auto alone = PackedWeightCache::Create();
  const auto cache = PackedWeightCache::Create();
  XnnpackBackendOptions options = Options(cache, kWorkers);
  options.min_bytes_per_packing_thread = XnnpackBackendOptions().min_bytes_per_packing_thread;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> a, files_.Load(Options(alone, 1)));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> b, files_.Load(options));
  EXPECT_EQ(cache->Stats().hits, alone->Stats().hits);
  EXPECT_EQ(cache->Stats().misses.total(), kWeights);
  EXPECT_EQ(PackedOf(files_, *cache), PackedOf(files_, *alone));
}

TEST_P(ParallelPackingTest, PacksNothingWhereAllIsThere) {
  const auto cache = PackedWeightCache::Create();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> first, files_.Load(Options(cache, 1)));
  const uint64_t packed = cache->Stats().packed_bytes;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> second, files_.Load(Options(cache, kWorkers)));
  EXPECT_EQ(cache->Stats().packed_bytes, packed);
  EXPECT_EQ(cache->Stats().misses.total(), kWeights);
}

TEST_P(ParallelPackingTest, LeavesNoThread) {
  const size_t before = ThreadCount();
  size_t most = 0;
  XnnpackBackendOptions options = Options(PackedWeightCache::Create(), kWorkers);
  options.on_progress = [&](const LoadProgress&) {
    most = std::max(most, ThreadCount());
    return true;
  };
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, files_.Load(options));
  EXPECT_GE(most, before);
  EXPECT_LE(most, before + kWorkers);
  EXPECT_EQ(ThreadCount(), before);
}

TEST_P(ParallelPackingTest, ReportsEachRawByteOnceAndInTheThreadThatLoads) {
  for (const size_t threads : {size_t{1}, kWorkers}) {
    SCOPED_TRACE(threads);
    XnnpackBackendOptions options = Options(PackedWeightCache::Create(), threads);
    std::set<std::thread::id> callers;
    std::vector<LoadProgress> reports;
    options.on_progress = [&](const LoadProgress& progress) {
      callers.insert(std::this_thread::get_id());
      reports.push_back(progress);
      return true;
    };
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, files_.Load(options));
    EXPECT_EQ(callers, std::set<std::thread::id>{std::this_thread::get_id()});
    ASSERT_FALSE(reports.empty());
    for (size_t i = 1; i < reports.size(); ++i) {
      EXPECT_GT(reports[i].served_bytes, reports[i - 1].served_bytes);
    }
    EXPECT_EQ(reports.back().served_bytes, reports.back().expected_bytes);
  }
}

TEST_P(ParallelPackingTest, ACancelledLoadLeavesNothing) {
  const size_t threads_before = ThreadCount();
  const auto cache = PackedWeightCache::Create();
  size_t calls = 0;
  for (size_t cancel_at = 1; cancel_at <= kWeights; ++cancel_at) {
    SCOPED_TRACE(cancel_at);
    calls = 0;
    XnnpackBackendOptions options = Options(cache, kWorkers);
    options.on_progress = [&](const LoadProgress&) { return ++calls < cancel_at; };
    const auto method = files_.Load(options);
    EXPECT_EQ(method.status().code(), StatusCode::kCancelled);
    EXPECT_EQ(calls, cancel_at) << "it was asked again after it had said no";
    EXPECT_EQ(cache->Stats().heap_bytes, 0u);
    EXPECT_EQ(cache->Stats().pins, 0u);
    EXPECT_EQ(ThreadCount(), threads_before);
  }
}

TEST_P(ParallelPackingTest, TwoLoadsAtOncePackEachWeightOnce) {
  const auto cache = PackedWeightCache::Create();
  std::vector<Ref<Method>> methods(4);
  std::vector<std::thread> loaders;
  for (Ref<Method>& method : methods) {
    loaders.emplace_back([&] {
      auto loaded = files_.Load(Options(cache, 2));
      if (loaded.ok()) method = std::move(loaded).value();
    });
  }
  for (std::thread& loader : loaders) loader.join();
  for (const Ref<Method>& method : methods) {
    ASSERT_TRUE(method);
    EXPECT_TRUE(IsOk(RunLinear(*method, MakeRows(2, kInputs), kInputs)));
  }
  EXPECT_EQ(cache->Stats().entries, kWeights);
  EXPECT_EQ(cache->Stats().packed_bytes, cache->Stats().bytes);
  EXPECT_EQ(cache->Stats().misses.total(), kWeights);
}

// A weight that two layers use with different clamps, or whose bias differs, is left to the
// runtime; so is what cannot be read.
TEST(ParallelPackingErrorTest, AWeightThatCannotBeReadIsReportedAsByOneThread) {
  const LinearProgram program = AllKinds(false);
  Files files(program);
  NamedBytes data = DataOf(program.layers);
  data.erase("w3");
  files.data_source = SourceOf(MakeData(data), "model.ptd");
  const auto alone = files.Load(Options(PackedWeightCache::Create(), 1));
  const auto together = files.Load(Options(PackedWeightCache::Create(), kWorkers));
  ASSERT_FALSE(alone.ok());
  ASSERT_FALSE(together.ok());
  EXPECT_EQ(together.status().code(), alone.status().code());
  EXPECT_STREQ(together.status().message(), alone.status().message());
}

// Every recorded program, answered as recorded.
class RecordedProgramsTest : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(, RecordedProgramsTest,
                         testing::Values("lora_fp32", "lora_8da4w", "lora_8da8w", "scale_8da4w"),
                         [](const auto& family) { return std::string(family.param); });

TEST_P(RecordedProgramsTest, AnswerAsRecordedAndPackAsMuchAsOnOneThread) {
  const std::string folder = TestData(std::string("cases/") + GetParam());
  const CaseLoader alone(PackedWeightCache::Create());
  CaseLoader together(PackedWeightCache::Create());
  together.set_packing_threads(kWorkers);
  std::vector<Ref<Method>> methods;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() != ".json") continue;
    const std::string name = file.path().stem();
    SCOPED_TRACE(name);
    for (const CaseLoader* loader : {&alone, static_cast<const CaseLoader*>(&together)}) {
      ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> method, loader->Load(folder, name));
      EXPECT_EQ(CaseLoader::Check(method, folder, name), "");
      methods.push_back(std::move(method));
    }
  }
  ASSERT_GE(methods.size(), 4u);
  EXPECT_EQ(together.cache().Stats().entries, alone.cache().Stats().entries);
  EXPECT_EQ(together.cache().Stats().packed_bytes, alone.cache().Stats().packed_bytes);
}

// 12 matrices of 4 MB.
TEST(ParallelPackingMemoryTest, PeakIsWhatIsPackedAndATensorForEachWorker) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's own memory would be measured";
  constexpr size_t kMatrix = 4 << 20;
  const TempFolder folder;
  LoraStackOptions stack;
  stack.width = 512;
  stack.hidden = 2048;
  stack.blocks = 4;
  stack.adapters = 0;
  ASSERT_TRUE(IsOk(WriteLoraStack(folder.path(), stack)));
  CaseLoader loader(PackedWeightCache::Create());
  loader.set_packing_threads(2);
  EXPECT_TRUE(IsOk(loader.Load(TestData("cases/lora_fp32"), "lora0")));
  std::ofstream clear("/proc/self/clear_refs");
  clear << "5" << std::flush;
  if (!clear.good()) GTEST_SKIP() << "this kernel does not reset VmHWM";
  ONEPACK_ASSERT_OK_AND_ASSIGN(const MemoryUsage before, CurrentMemoryUsage());
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> base, loader.Load(folder.path(), "base"));
  const size_t packed = loader.cache().Stats().bytes;
  ASSERT_GE(packed, 12 * kMatrix);
  std::ifstream status("/proc/self/status");
  size_t peak = 0;
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmHWM:", 0) == 0) peak = std::stoul(line.substr(6)) * 1024;
  }
  EXPECT_LT(peak, before.resident_bytes + packed + 3 * kMatrix);
}

}  // namespace
}  // namespace onepack
