// What an application may do wrong with programs that are right.

#include <gtest/gtest.h>
#include <pthreadpool.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "aot/pte_writer.h"
#include "tests/support/child_process.h"
#include "tests/support/delegate_fixture.h"
#include "tests/support/files.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

constexpr uint32_t kRows = 4;
constexpr uint32_t kInputs = 32;
const std::vector<LinearLayer> kLayers = {{"w0", kInputs, 32, WeightKind::kFloat, 1},
                                          {"w1", 32, 8, WeightKind::kInt8, 2}};

Ref<DataSource> LinearSource() { return SourceOf(MakeLinearProgram({kLayers, kRows}), "l.pte"); }
Ref<DataSource> DataSourceOf(const NamedBytes& data, const char* name = "l.ptd") {
  return SourceOf(MakeData(data), name);
}

Result<Ref<Method>> LoadLinear(const std::shared_ptr<PackedWeightCache>& cache,
                               const LoadOptions& options = {}) {
  return LoadMethod(LinearSource(), {DataSourceOf(DataOf(kLayers))}, cache, options);
}

Result<std::vector<float>> Compute(Method& method) {
  return RunLinear(method, MakeRows(kRows, kInputs), kInputs);
}

struct Pool {
  explicit Pool(size_t threads) : handle(pthreadpool_create(threads)) {}
  ~Pool() { pthreadpool_destroy(handle); }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  const pthreadpool_t handle;
};

TEST(MisuseTest, AllThatAMethodWasLoadedFromMayGoBeforeIt) {
  Ref<Method> method;
  std::vector<float> expected;
  {
    auto cache = PackedWeightCache::Create();
    auto loaded = LoadLinear(cache);
    ASSERT_TRUE(IsOk(loaded));
    method = *loaded;
    ONEPACK_ASSERT_OK_AND_ASSIGN(expected, Compute(*method));
  }
  // Program, data maps, backend and cache are gone but for what the method holds.
  ONEPACK_ASSERT_OK_AND_ASSIGN(const std::vector<float> found, Compute(*method));
  EXPECT_EQ(found, expected);
}

TEST(MisuseTest, MethodsMayGoInAnyOrder) {
  const auto cache = PackedWeightCache::Create();
  for (const bool first_goes_first : {true, false}) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> first, LoadLinear(cache));
    ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> second, LoadLinear(cache));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const std::vector<float> expected, Compute(*first));
    Ref<Method>& survivor = first_goes_first ? second : first;
    (first_goes_first ? first : second) = nullptr;
    ONEPACK_ASSERT_OK_AND_ASSIGN(const std::vector<float> found, Compute(*survivor));
    EXPECT_EQ(found, expected);
  }
  EXPECT_EQ(cache->Stats().heap_bytes, 0u);
}

TEST(MisuseTest, NullsAreRefused) {
  EXPECT_TRUE(IsError(Program::Open(nullptr), StatusCode::kInvalidArgument));
  EXPECT_TRUE(IsError(NamedDataMap::Open(nullptr), StatusCode::kInvalidArgument));
  EXPECT_TRUE(IsError(Method::Load(nullptr, "forward", {}), StatusCode::kInvalidArgument));
  EXPECT_TRUE(IsError(OpenMappedFile(nullptr), StatusCode::kInvalidArgument));
  EXPECT_TRUE(IsError(WrapMemory({nullptr, 5}, "x"), StatusCode::kInvalidArgument));
  const Ref<NamedDataMap> maps[] = {nullptr};
  EXPECT_TRUE(IsError(NamedDataMap::Merge(maps), StatusCode::kInvalidArgument));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Program> program, Program::Open(LinearSource()));
  MethodOptions options;
  const Ref<Backend> none;
  options.backends = {&none, 1};
  EXPECT_TRUE(IsError(Method::Load(program, "forward", options), StatusCode::kInvalidArgument,
                      {"backend 0"}));
}

TEST(MisuseTest, AnAllocatorWithoutFunctionsHasNoMemory) {
  const Allocator none{};
  EXPECT_TRUE(IsError(Program::Open(LinearSource(), none), StatusCode::kResourceExhausted));
  LoadOptions options;
  options.allocator = none;
  EXPECT_TRUE(IsError(LoadLinear(nullptr, options), StatusCode::kResourceExhausted));
}

TEST(MisuseTest, AnOutputThatIsReadBeforeARunIsThere) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, LoadLinear(nullptr));
  const Tensor& output = method->output(0).tensor();
  EXPECT_EQ(output.size_bytes(), kRows * 8 * sizeof(float));
  for (size_t i = 0; i < output.size_bytes(); ++i) ASSERT_EQ(output.data()[i], 0);
}

// An operator that calls the method it runs in, as a second thread would.
struct Intruder {
  Method* method = nullptr;
  Ref<MethodState> state;
  size_t calls = 0;
};

Status Intrude(void* context, Span<Value* const> /*arguments*/) {
  auto& intruder = *static_cast<Intruder*>(context);
  Method& method = *intruder.method;
  constexpr auto kBusy = StatusCode::kFailedPrecondition;
  EXPECT_TRUE(IsError(method.Execute(), kBusy, {"running already"}));
  EXPECT_TRUE(IsError(method.SetInput(0, Value::OfInt(1)), kBusy, {"input 0"}));
  EXPECT_TRUE(IsError(method.Reset(), kBusy, {"reset"}));
  EXPECT_TRUE(IsError(method.SaveState(), kBusy, {"saved"}));
  EXPECT_TRUE(IsError(method.RestoreState(*intruder.state), kBusy, {"restored"}));
  ++intruder.calls;
  return Status::Ok();
}

TEST(MisuseTest, AConcurrentCallOfARunningMethodIsRefused) {
  ProgramWriter writer;
  MethodPlan plan;
  plan.values = {int64_t{0}};
  plan.inputs = {0};
  plan.operators = {{"test::intrude", ""}};
  plan.chains = {{KernelCallPlan{0, {0}}}};
  writer.AddMethod(plan);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Program> program, OpenProgram(writer.Finish()));
  Intruder intruder;
  const Operator op{"test::intrude", Intrude, &intruder};
  MethodOptions options;
  options.operators = OperatorRegistry({&op, 1});
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Method::Load(program, "forward", options));
  ONEPACK_ASSERT_OK_AND_ASSIGN(intruder.state, method->SaveState());
  intruder.method = method.get();
  ASSERT_TRUE(IsOk(method->SetInput(0, Value::OfInt(1))));
  EXPECT_TRUE(IsOk(method->Execute()));
  EXPECT_EQ(intruder.calls, 1u);
  EXPECT_TRUE(IsOk(method->Reset()));
}

TEST(MisuseTest, AForkedChildWithAThreadPoolIsRefused) {
  const Pool pool(2);
  LoadOptions options;
  options.threadpool = pool.handle;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, LoadLinear(nullptr, options));
  ASSERT_TRUE(IsOk(Compute(*method)));
  EXPECT_EQ(ExitStatusOfChild([&] {
              auto found = Compute(*method);
              return !found.ok() && found.status().code() == StatusCode::kFailedPrecondition;
            }),
            0);
  EXPECT_TRUE(IsOk(Compute(*method)));
}

TEST(MisuseTest, AForkedChildWithoutAThreadPoolGoesOn) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, LoadLinear(nullptr));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const std::vector<float> expected, Compute(*method));
  EXPECT_EQ(ExitStatusOfChild([&] {
              auto found = Compute(*method);
              return found.ok() && *found == expected;
            }),
            0);
}

TEST(MisuseTest, AKeyOfAnyBytesIsPrintedSafely) {
  const std::string key = "%n%s\x1b[31m\xff\n\"" + std::string(3000, 'k');
  PayloadWriter payload;
  const uint32_t weight = payload.AddNamedConstant(key, 4);
  const uint32_t x = payload.AddInput({1, 1});
  payload.AddAdd(x, payload.AddConstant({1}, weight), payload.AddOutput({1, 1}));
  const auto loaded =
      LoadMethod(SourceOf(MakeProgramAround(payload.Finish(), 1, 1, 1), "k.pte"), {}, nullptr);
  ASSERT_TRUE(IsError(loaded, StatusCode::kNotFound, {"%n%s\\x1b[31m\\xff\\x0a"}));
  const std::string message = loaded.status().message();
  EXPECT_LT(message.size(), 1000u);
  for (const char c : message) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << static_cast<int>(c);
}

TEST(MisuseTest, TheSameDataTwiceIsAcceptedAndOtherDataUnderOneKeyAreRefused) {
  NamedBytes data = DataOf(kLayers);
  const auto load = [&](const NamedBytes& second) {
    return LoadMethod(LinearSource(),
                      {DataSourceOf(data, "first.ptd"), DataSourceOf(second, "second.ptd")},
                      nullptr);
  };
  EXPECT_TRUE(IsOk(load(data)));
  NamedBytes other = data;
  other["w0"][17] ^= 1;
  EXPECT_TRUE(IsError(load(other), StatusCode::kMismatch, {"key 'w0'", "first.ptd", "second.ptd"}));
}

TEST(MisuseTest, ACallbackThatThrowsEndsTheLoad) {
  const auto cache = PackedWeightCache::Create();
  LoadOptions options;
  options.on_progress = [](const LoadProgress&) -> bool { throw std::runtime_error("thrown"); };
  EXPECT_TRUE(IsError(LoadLinear(cache, options), StatusCode::kCancelled, {"l.pte"}));
  EXPECT_EQ(cache->Stats().heap_bytes, 0u);
  EXPECT_TRUE(IsOk(LoadLinear(cache)));
}

// A source that loads a method of the same weights whenever it is read for a load that has begun.
class LoadingSource final : public DataSource {
 public:
  LoadingSource(Ref<DataSource> bytes, std::shared_ptr<PackedWeightCache> cache)
      : bytes_(std::move(bytes)), cache_(std::move(cache)) {}

  const char* name() const override { return "loading"; }
  uint64_t size() const override { return bytes_->size(); }
  Result<Buffer> Load(const Segment& range) const override { return bytes_->Load(range); }
  Status Read(const Segment& range, uint8_t* destination) const override {
    auto loaded = LoadLinear(cache_);
    EXPECT_TRUE(IsError(loaded, StatusCode::kFailedPrecondition, {"data source"}));
    ++reads;
    return bytes_->Read(range, destination);
  }

  mutable size_t reads = 0;

 private:
  const Ref<DataSource> bytes_;
  const std::shared_ptr<PackedWeightCache> cache_;
};

TEST(MisuseTest, ASourceThatLoadsAMethodWhileItIsReadForOneIsRefused) {
  const auto cache = PackedWeightCache::Create();
  auto source = MakeRef<LoadingSource>(HeapAllocator(), DataSourceOf(DataOf(kLayers)), cache);
  ASSERT_TRUE(IsOk(source));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method,
                               LoadMethod(LinearSource(), {*source}, cache));
  EXPECT_GE((*source)->reads, 2u);
  EXPECT_TRUE(IsOk(Compute(*method)));
  EXPECT_TRUE(IsOk(LoadLinear(cache)));
}

TEST(MisuseTest, ACallbackMayLoadTheSameWeights) {
  const auto cache = PackedWeightCache::Create();
  LoadOptions options;
  size_t calls = 0;
  options.on_progress = [&](const LoadProgress&) {
    ++calls;
    return LoadLinear(cache).ok();
  };
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, LoadLinear(cache, options));
  EXPECT_EQ(calls, 2u);
  EXPECT_TRUE(IsOk(Compute(*method)));
}

}  // namespace
}  // namespace onepack
