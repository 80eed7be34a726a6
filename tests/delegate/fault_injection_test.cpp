// Everything that a load asks of the system fails in turn: memory, mappings, files, reads.
//
// A program runs already; another one over the same foundation is loaded over the same cache. The
// load asks N times. For each k from 1 to N, the k-th request fails, alone or with all that follow.
// Each time the load reports it, nothing is left behind, the running program computes what it
// computed before, and a retry succeeds. The same then for a run.
//
// Left out:
// - What XNNPACK allocates when a runtime is reshaped, set up or run. It writes to three arrays of
//   its memory planner without looking whether it got them (usage, sorted_usage and
//   current_live_mem_blocks in memory-planner.c of the 2024-11-08 release): a process whose memory
//   ends there dies. What it allocates when a runtime is created fails here like the rest.
// - What libcrypto and cpuinfo allocate: they are shared libraries that call malloc themselves. A
//   digest that libcrypto could not compute equals no other (digest.h): weights are packed apart.

#include <stdio.h>

#include <array>
#include <exception>
#include <set>
#include <string>
#include <vector>

#include "delegate/xnn/initialize.h"
#include "delegate/xnn/xnnpack.h"
#include "tests/support/delegate_fixture.h"
#include "tests/support/fault_injector.h"
#include "tests/support/files.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

constexpr uint32_t kInputs = 32;
constexpr uint32_t kRows = 4;

// Layers of all kinds in the foundation and in the adapters, and two that are large enough for
// memory of their own.
std::vector<LinearLayer> Foundation() {
  return {{"f0", kInputs, 64, WeightKind::kFloat, 1},
          {"f1", 64, 64, WeightKind::kInt8, 2},
          {"f2", 64, 1024, WeightKind::kInt4, 3},
          {"f3", 1024, 64, WeightKind::kFloat, 4}};
}

std::vector<LinearLayer> Adapter(uint64_t seed) {
  const std::string name = "a" + std::to_string(seed) + ".";
  return {{name + "0", 64, 1024, WeightKind::kFloat, seed},
          {name + "1", 1024, 32, WeightKind::kInt8, seed + 1},
          {name + "2", 32, 8, WeightKind::kInt4, seed + 2}};
}

std::vector<LinearLayer> Together(std::vector<LinearLayer> a, const std::vector<LinearLayer>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// How the files of a load are opened.
enum class Access { kMapped, kRead };

// A program on disk, with two data files.
struct ProgramFiles {
  std::string program;
  std::string foundation;
  std::string adapter;
};

// What a test holds ready, so that between Arm and Disarm only onepack asks for anything.
struct Request {
  ProgramFiles files;
  Access access = Access::kMapped;
  XnnpackBackendOptions backend;
  Ref<DataSource> sources[3];  // with kRead
};

Result<Ref<DataSource>> OpenFile(const Request& request, const std::string& path, size_t index) {
  if (request.access == Access::kRead) return request.sources[index];
  return OpenMappedFile(path.c_str(), FaultyAllocator());
}

// As an application does it.
Result<Ref<Method>> LoadAll(const Request& request) {
  const Allocator allocator = FaultyAllocator();
  MethodOptions options;
  options.allocator = allocator;
  ONEPACK_ASSIGN_OR_RETURN(Ref<DataSource> source, OpenFile(request, request.files.program, 0));
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Program> program, Program::Open(std::move(source), allocator));
  Ref<NamedDataMap> maps[2];
  ONEPACK_ASSIGN_OR_RETURN(source, OpenFile(request, request.files.foundation, 1));
  ONEPACK_ASSIGN_OR_RETURN(maps[0], NamedDataMap::Open(std::move(source), allocator));
  ONEPACK_ASSIGN_OR_RETURN(source, OpenFile(request, request.files.adapter, 2));
  ONEPACK_ASSIGN_OR_RETURN(maps[1], NamedDataMap::Open(std::move(source), allocator));
  ONEPACK_ASSIGN_OR_RETURN(options.named_data, NamedDataMap::Merge(maps, allocator));
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Backend> backend, CreateXnnpackBackend(request.backend));
  options.backends = {&backend, 1};
  return Method::Load(program, "forward", options);
}

struct Attempt {
  FaultReport report;
  StatusCode code = StatusCode::kOk;
  std::string message;
  Ref<Method> method;  // null unless it was loaded
};

Attempt LoadWithFault(const Request& request, const FaultPlan& plan) {
  Attempt attempt;
  FaultInjector::Arm(plan);
  try {
    auto method = LoadAll(request);
    attempt.report = FaultInjector::Disarm();
    if (method.ok()) {
      attempt.method = *method;
    } else {
      attempt.code = method.status().code();
      attempt.message = method.status().message();
    }
  } catch (const std::exception& exception) {
    attempt.report = FaultInjector::Disarm();
    ADD_FAILURE() << "an exception escaped: " << exception.what();
  }
  return attempt;
}

std::string Describe(const FaultReport& report) {
  std::string text = std::to_string(report.total) + " events:";
  for (size_t kind = 0; kind < kFaultKindCount; ++kind) {
    text += " " + std::to_string(report.events[kind]) + " " +
            FaultKindName(static_cast<FaultKind>(kind)) + ",";
  }
  text.pop_back();
  return text;
}

// What must be as before.
struct Holdings {
  explicit Holdings(const WeightCacheStats& stats)
      : entries(stats.entries),
        bytes(stats.bytes),
        private_bytes(stats.private_bytes),
        retained_bytes(stats.retained_bytes),
        pins(stats.pins),
        heap_bytes(stats.heap_bytes) {}

  bool operator==(const Holdings& other) const {
    return entries == other.entries && bytes == other.bytes &&
           private_bytes == other.private_bytes && retained_bytes == other.retained_bytes &&
           pins == other.pins && heap_bytes == other.heap_bytes;
  }

  size_t entries, bytes, private_bytes, retained_bytes, pins, heap_bytes;
};

void PrintTo(const Holdings& holdings, std::ostream* out) {
  *out << holdings.entries << " entries, " << holdings.bytes << " bytes (" << holdings.private_bytes
       << " private, " << holdings.retained_bytes << " retained), " << holdings.pins << " pins, "
       << holdings.heap_bytes << " heap bytes";
}

class FaultInjectionTest : public testing::Test {
 protected:
  void SetUp() override {
    // The first allocator counts: a test that is run alone must come here first too.
    ASSERT_TRUE(IsOk(InitializeXnnpack(FaultyXnnAllocator())));
    for (const char* name : {"foundation.ptd", "copy.ptd"}) {
      WriteFile(folder_.File(name), MakeData(DataOf(Foundation())));
    }
    running_files_ = WriteProgram("running", Adapter(10));
    loaded_files_ = WriteProgram("loaded", Adapter(20));
  }

  ProgramFiles WriteProgram(const std::string& name, const std::vector<LinearLayer>& adapter) {
    const ProgramFiles files{folder_.File(name + ".pte"), folder_.File("foundation.ptd"),
                             folder_.File(name + ".ptd")};
    LinearProgram program;
    program.layers = Together(Foundation(), adapter);
    program.max_rows = kRows;
    program.delegate_per_layer = true;
    WriteFile(files.program, MakeLinearProgram(program));
    WriteFile(files.adapter, MakeData(DataOf(adapter)));
    return files;
  }

  Request RequestFor(const ProgramFiles& files, Access access) const {
    Request request;
    request.files = files;
    request.access = access;
    request.backend.weight_cache = cache_;
    // Large enough that copying it takes memory.
    const std::array<uint64_t, 8> capture{};
    request.backend.on_progress = [capture](const LoadProgress&) { return capture[0] == 0; };
    if (access == Access::kRead) {
      size_t next = 0;
      for (const std::string& path : {files.program, files.foundation, files.adapter}) {
        request.sources[next++] = FaultySource(SourceOf(ReadFile(path), path.c_str()));
      }
    }
    return request;
  }

  static std::vector<float> Compute(Method& method) {
    auto output = RunLinear(method, MakeRows(kRows, kInputs), kInputs);
    EXPECT_TRUE(IsOk(output));
    return output.ok() ? *output : std::vector<float>();
  }

  Ref<Method> LoadWell(const Request& request) {
    Attempt attempt = LoadWithFault(request, {});
    EXPECT_TRUE(attempt.method) << attempt.message;
    return attempt.method;
  }

  // Loads `load` with every event failing in turn, while `running` is loaded. A load may succeed in
  // spite of a fault of one of the kinds in `survivable`.
  void FailEachEvent(const Request& running, const Request& load,
                     const std::set<FaultKind>& survivable = {FaultKind::kWish});

  const TempFolder folder_;
  ProgramFiles running_files_;
  ProgramFiles loaded_files_;
  std::shared_ptr<PackedWeightCache> cache_ = PackedWeightCache::Create();
  bool of_all_threads_ = false;

 private:
  // False when the load asked for less than plan.fail_at.
  bool FailEvent(const Request& request, const FaultPlan& plan,
                 const std::set<FaultKind>& survivable);

  // While FailEachEvent runs.
  Ref<Method> running_;
  std::vector<float> running_output_;
  std::vector<float> expected_output_;
};

std::string TraceOf(size_t k, FaultPlan::Duration duration) {
  return "event " + std::to_string(k) +
         (duration == FaultPlan::kOnce ? "" : " and all that follow");
}

bool IsOutOfResources(StatusCode code) {
  return code == StatusCode::kResourceExhausted || code == StatusCode::kIoError;
}

bool FaultInjectionTest::FailEvent(const Request& request, const FaultPlan& plan,
                                   const std::set<FaultKind>& survivable) {
  const Holdings before(cache_->Stats());
  {
    const Attempt attempt = LoadWithFault(request, plan);
    if (attempt.report.failed == 0) return false;
    SCOPED_TRACE(std::string(FaultKindName(attempt.report.first_failed)) +
                 " failed: " + StatusCodeName(attempt.code) + ": " + attempt.message);
    if (attempt.method) {
      EXPECT_EQ(survivable.count(attempt.report.first_failed), 1u);
      EXPECT_EQ(Compute(*attempt.method), expected_output_);
    } else {
      EXPECT_TRUE(IsOutOfResources(attempt.code));
      EXPECT_FALSE(attempt.message.empty());
    }
  }
  EXPECT_EQ(Holdings(cache_->Stats()), before);
  EXPECT_EQ(Compute(*running_), running_output_);
  const Ref<Method> retry = LoadWell(request);
  EXPECT_EQ(retry ? Compute(*retry) : std::vector<float>(), expected_output_);
  return true;
}

void FaultInjectionTest::FailEachEvent(const Request& running, const Request& load,
                                       const std::set<FaultKind>& survivable) {
  running_ = LoadWell(running);
  ASSERT_TRUE(running_);
  running_output_ = Compute(*running_);
  FaultReport report;
  {
    FaultPlan plan;
    plan.of_all_threads = of_all_threads_;
    const Attempt good = LoadWithFault(load, plan);
    ASSERT_TRUE(good.method) << good.message;
    expected_output_ = Compute(*good.method);
    report = good.report;
  }
  ASSERT_NE(expected_output_, running_output_);
  printf("%s\n", Describe(report).c_str());
  RecordProperty("events", Describe(report));
  for (const FaultPlan::Duration duration : {FaultPlan::kOnce, FaultPlan::kFromThenOn}) {
    size_t k = 1;
    for (bool failed = true; failed; ++k) {
      SCOPED_TRACE(TraceOf(k, duration));
      FaultPlan plan{k, duration};
      plan.of_all_threads = of_all_threads_;
      failed = FailEvent(load, plan, survivable);
      if (HasFailure()) return;  // one is enough to read
    }
    // Tables that have grown before need not grow again.
    EXPECT_GT(k, report.total * 9 / 10);
  }
}

TEST_F(FaultInjectionTest, ALoadFromMappedFilesFailsCleanlyAtEveryRequest) {
  FailEachEvent(RequestFor(running_files_, Access::kMapped),
                RequestFor(loaded_files_, Access::kMapped));
}

TEST_F(FaultInjectionTest, ALoadFromFilesThatAreReadFailsCleanlyAtEveryRequest) {
  FailEachEvent(RequestFor(running_files_, Access::kMapped),
                RequestFor(loaded_files_, Access::kRead));
}

// Every weight of the foundation is compared with that of the running program, which is read from
// somewhere else. One that cannot be read any more proves nothing: the weight is then packed apart,
// and the load succeeds.
TEST_F(FaultInjectionTest, ALoadThatComparesWithAnotherFileFailsCleanlyAtEveryRequest) {
  ProgramFiles files = loaded_files_;
  files.foundation = folder_.File("copy.ptd");
  FailEachEvent(RequestFor(running_files_, Access::kRead), RequestFor(files, Access::kMapped),
                {FaultKind::kWish, FaultKind::kRead});
}

TEST_F(FaultInjectionTest, ALoadOverACacheWithEveryOptionFailsCleanlyAtEveryRequest) {
  WeightCacheOptions options;
  options.record_hashes = true;
  options.huge_pages = true;
  cache_ = PackedWeightCache::Create(options);
  FailEachEvent(RequestFor(running_files_, Access::kMapped),
                RequestFor(loaded_files_, Access::kRead));
}

// What a worker could not do is done by the runtime that needs it, so most loads succeed.
TEST_F(FaultInjectionTest, ALoadThatPacksOnSeveralThreadsFailsCleanlyAtEveryRequest) {
  Request load = RequestFor(loaded_files_, Access::kRead);
  load.backend.packing_threads = 2;
  load.backend.min_bytes_per_packing_thread = 1;
  of_all_threads_ = true;
  FailEachEvent(RequestFor(running_files_, Access::kMapped), load,
                {FaultKind::kNew, FaultKind::kHeap, FaultKind::kMap, FaultKind::kWish,
                 FaultKind::kXnnpack, FaultKind::kRead});
}

// The same of the adapter's first layer, of 256 KB, that is packed in slices.
TEST_F(FaultInjectionTest, ALoadThatPacksInSlicesFailsCleanlyAtEveryRequest) {
  for (const size_t threads : {1, 2}) {
    SCOPED_TRACE(threads);
    Request load = RequestFor(loaded_files_, Access::kMapped);
    load.backend.packing_threads = threads;
    load.backend.min_bytes_per_packing_thread = 1;
    load.backend.large_weight_bytes = 128 << 10;
    of_all_threads_ = true;
    FailEachEvent(RequestFor(running_files_, Access::kMapped), load,
                  {FaultKind::kNew, FaultKind::kHeap, FaultKind::kMap, FaultKind::kWish,
                   FaultKind::kXnnpack});
  }
}

// What cannot be found in the file is packed, so many loads succeed.
TEST_F(FaultInjectionTest, ALoadOverAPackedFileFailsCleanlyAtEveryRequest) {
  WeightCacheOptions options;
  options.packed_file.path = folder_.File("packed.bin");
  for (const bool is_warm : {false, true}) {
    SCOPED_TRACE(is_warm);
    if (is_warm) {
      options.packed_file.is_read_only = false;
      cache_ = PackedWeightCache::Create(options);
      for (const ProgramFiles& files : {running_files_, loaded_files_}) {
        ASSERT_TRUE(LoadWell(RequestFor(files, Access::kMapped)));
      }
      ASSERT_TRUE(IsOk(cache_->Flush()));
    }
    // No other thread asks for anything then.
    options.packed_file.is_read_only = true;
    cache_ = PackedWeightCache::Create(options);
    FailEachEvent(RequestFor(running_files_, Access::kMapped),
                  RequestFor(loaded_files_, Access::kRead),
                  {FaultKind::kNew, FaultKind::kHeap, FaultKind::kMap, FaultKind::kOpen,
                   FaultKind::kWish, FaultKind::kRead});
    EXPECT_EQ(cache_->Stats().file.hits > 0, is_warm);
  }
}

TEST_F(FaultInjectionTest, ALoadWithoutASharedCacheFailsCleanlyAtEveryRequest) {
  Request load = RequestFor(loaded_files_, Access::kMapped);
  load.backend.weight_cache = nullptr;
  FailEachEvent(RequestFor(running_files_, Access::kMapped), load);
}

// Fails cleanly but for what was packed before the fault: that is retained, as the application
// asked.
TEST_F(FaultInjectionTest, ALoadThatFailsOverARetainingCacheKeepsNothingPinned) {
  WeightCacheOptions options;
  options.retained_bytes = size_t{16} << 20;
  cache_ = PackedWeightCache::Create(options);
  const Request request = RequestFor(loaded_files_, Access::kMapped);
  for (size_t k = 1;; ++k) {
    SCOPED_TRACE(TraceOf(k, FaultPlan::kFromThenOn));
    Attempt attempt = LoadWithFault(request, {k, FaultPlan::kFromThenOn});
    if (attempt.report.failed == 0) break;
    attempt.method = nullptr;
    const WeightCacheStats stats = cache_->Stats();
    ASSERT_EQ(stats.pins, 0u);
    ASSERT_EQ(stats.bytes, stats.retained_bytes);
    cache_->Prune();
    ASSERT_EQ(cache_->Stats().heap_bytes, 0u);
  }
}

TEST_F(FaultInjectionTest, ClosingAProgramAsksForNothing) {
  const Ref<Method> running = LoadWell(RequestFor(running_files_, Access::kMapped));
  const std::vector<float> output = Compute(*running);
  const Holdings before(cache_->Stats());
  Ref<Method> method = LoadWell(RequestFor(loaded_files_, Access::kMapped));
  Compute(*method);
  FaultInjector::Arm({1, FaultPlan::kFromThenOn});
  method = nullptr;
  FaultInjector::Disarm();
  EXPECT_EQ(Holdings(cache_->Stats()), before);
  EXPECT_EQ(Compute(*running), output);
}

TEST_F(FaultInjectionTest, ARunFailsCleanlyAtEveryRequest) {
  const Request request = RequestFor(loaded_files_, Access::kMapped);
  const std::vector<float> rows = MakeRows(kRows, kInputs);
  const Ref<Method> good = LoadWell(request);
  const std::vector<float> expected = Compute(*good);
  const int32_t sizes[] = {kRows, kInputs};
  const uint8_t order[] = {0, 1};
  auto* data = reinterpret_cast<uint8_t*>(const_cast<float*>(rows.data()));  // only read
  ONEPACK_ASSERT_OK_AND_ASSIGN(Tensor tensor, Tensor::Over({ScalarType::kFloat, sizes, order},
                                                           {data, rows.size() * sizeof(float)}));
  for (const FaultPlan::Duration duration : {FaultPlan::kOnce, FaultPlan::kFromThenOn}) {
    for (size_t k = 1;; ++k) {
      SCOPED_TRACE(TraceOf(k, duration));
      const Ref<Method> method = LoadWell(request);
      ASSERT_TRUE(IsOk(method->SetInput(0, Value::OfTensor(&tensor))));
      FaultPlan plan{k, duration};
      plan.spares_xnnpack = true;
      FaultInjector::Arm(plan);
      const Status status = method->Execute();
      const FaultReport report = FaultInjector::Disarm();
      if (report.failed == 0) {
        printf("%s\n", Describe(report).c_str());
        break;
      }
      if (!status.ok() || report.first_failed != FaultKind::kWish) {
        ASSERT_TRUE(IsOutOfResources(status.code())) << status.message();
      }
      ASSERT_EQ(Compute(*method), expected);
    }
  }
  EXPECT_EQ(Compute(*good), expected);
}

}  // namespace
}  // namespace onepack
