// Delegates whose graphs differ in their weights alone take turns with one runtime.

#include "delegate/running/runtime_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "delegate/running/method_session.h"
#include "delegate/xnn/initialize.h"
#include "delegate/xnn/xnnpack.h"
#include "tests/support/delegate_fixture.h"
#include "tests/support/files.h"
#include "tests/support/sources.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

constexpr uint32_t kWidth = 64;

// The XNNPACK backend, with a pool that can be looked at.
class PoolBackend final : public Backend {
 public:
  PoolBackend(std::shared_ptr<PackedWeightCache> cache, std::shared_ptr<RuntimePool> pool,
              LinearLayout linears, ProgressCallback on_progress = {})
      : cache_(std::move(cache)),
        pool_(std::move(pool)),
        linears_(linears),
        on_progress_(std::move(on_progress)) {}

  const char* name() const override { return "XnnpackBackend"; }
  Result<Ref<BackendSession>> OpenSession() override {
    SessionOptions options;
    options.cache = cache_;
    options.on_progress = on_progress_;
    options.linears = linears_;
    return MethodSession::Open(std::move(options), pool_);
  }

 private:
  const std::shared_ptr<PackedWeightCache> cache_;
  const std::shared_ptr<RuntimePool> pool_;
  const LinearLayout linears_;
  const ProgressCallback on_progress_;
};

// Square layers of one kind: delegates of one structure.
LinearProgram Layers(const std::string& name, size_t count, WeightKind kind, uint64_t seed) {
  LinearProgram program;
  for (size_t i = 0; i < count; ++i) {
    program.layers.push_back({name + std::to_string(i), kWidth, kWidth, kind, seed + i});
  }
  program.delegate_per_layer = true;
  return program;
}

// One adapter layer before and after a foundation that all have.
LinearProgram Adapter(uint64_t seed) {
  LinearProgram program;
  const std::string name = "adapter" + std::to_string(seed);
  program.layers = {{name + "a", kWidth, kWidth, WeightKind::kFloat, seed},
                    {"foundation", kWidth, kWidth, WeightKind::kInt4, 1},
                    {name + "b", kWidth, kWidth, WeightKind::kFloat, seed + 1000}};
  return program;
}

class RuntimePoolTest : public testing::TestWithParam<LinearLayout> {
 protected:
  void SetUp() override { ASSERT_TRUE(IsOk(InitializeXnnpack())); }

  Result<Ref<Method>> Load(const LinearProgram& program) {
    return LoadBytes(MakeLinearProgram(program), DataOf(program.layers));
  }

  Result<Ref<Method>> LoadBytes(const std::vector<uint8_t>& program, const NamedBytes& data) {
    const std::string path = folder_.File(std::to_string(files_++) + ".ptd");
    WriteFile(path, MakeData(data));
    ONEPACK_ASSIGN_OR_RETURN(const Ref<DataSource> source, OpenMappedFile(path.c_str()));
    LoadOptions options;
    options.backend = backend_;
    return LoadMethod(SourceOf(program, "model.pte"), {source}, cache_, options);
  }

  // The same with nothing shared, for comparison.
  static std::vector<float> Alone(const LinearProgram& program, const std::vector<float>& rows) {
    LoadOptions options;
    options.linears = GetParam();
    auto method =
        LoadMethod(SourceOf(MakeLinearProgram(program), "model.pte"),
                   {SourceOf(MakeData(DataOf(program.layers)), "model.ptd")}, nullptr, options);
    EXPECT_TRUE(IsOk(method));
    auto result = RunLinear(**method, rows, kWidth);
    EXPECT_TRUE(IsOk(result));
    return std::move(result).value();
  }

  static void ExpectRun(Method& method, const std::vector<float>& rows,
                        const std::vector<float>& expected) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto result, RunLinear(method, rows, kWidth));
    EXPECT_EQ(result, expected);
  }

  const TempFolder folder_;
  int files_ = 0;
  const std::shared_ptr<PackedWeightCache> cache_ = PackedWeightCache::Create();
  const std::shared_ptr<RuntimePool> pool_ = std::make_shared<RuntimePool>();
  Ref<Backend> backend_ = MakeRef<PoolBackend>(HeapAllocator(), cache_, pool_, GetParam()).value();
};

INSTANTIATE_TEST_SUITE_P(, RuntimePoolTest,
                         testing::Values(LinearLayout::kPacked, LinearLayout::kInPlace),
                         [](const auto& linears) {
                           return linears.param == LinearLayout::kPacked ? "Packed" : "InPlace";
                         });

TEST_P(RuntimePoolTest, LayersOfOneStructureRunWithOneRuntimeAndTheirOwnWeights) {
  for (const WeightKind kind : {WeightKind::kFloat, WeightKind::kInt8, WeightKind::kInt4}) {
    const LinearProgram program = Layers("w", 5, kind, 7);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load(program));
    EXPECT_EQ(pool_->Stats().structures, 1u);
    EXPECT_EQ(pool_->Stats().idle_runtimes, 1u);
    for (const uint32_t rows : {1, 8, 3}) {
      const std::vector<float> input = MakeRows(rows, kWidth);
      ExpectRun(*method, input, Alone(program, input));
    }
    EXPECT_EQ(pool_->Stats().idle_lanes, 1u);
    EXPECT_EQ(pool_->Stats().idle_runtimes, 1u);
  }
}

TEST_P(RuntimePoolTest, ProgramsOfOneStructureTakeTurnsInAnyOrderAndWithAnySizes) {
  const std::vector<LinearProgram> programs = {Adapter(10), Adapter(20), Adapter(30)};
  std::vector<Ref<Method>> methods;
  for (const LinearProgram& program : programs) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> method, Load(program));
    methods.push_back(std::move(method));
  }
  EXPECT_EQ(pool_->Stats().idle_runtimes, 1u);
  EXPECT_EQ(cache_->Stats().entries, 7u) << "two of each adapter, and the foundation's";
  for (const size_t i : {0, 1, 2, 2, 0, 2, 1, 1, 0}) {
    for (const uint32_t rows : {static_cast<uint32_t>(i + 1), 8u}) {
      const std::vector<float> input = MakeRows(rows, kWidth);
      ExpectRun(*methods[i], input, Alone(programs[i], input));
    }
  }
  EXPECT_EQ(pool_->Stats().idle_runtimes, 1u);
}

// As another runtime loads: it shows the session one delegate after the other.
class OneByOneSession final : public BackendSession {
 public:
  explicit OneByOneSession(Ref<BackendSession> session) : session_(std::move(session)) {}

  Status LoadDelegates(Span<const DelegateRequest> requests,
                       Span<Ref<Delegate>> delegates) override {
    for (size_t i = 0; i < requests.size(); ++i) {
      ONEPACK_RETURN_IF_ERROR(
          session_->LoadDelegates(requests.subspan(i, 1), delegates.subspan(i, 1)));
    }
    return Status::Ok();
  }

 private:
  const Ref<BackendSession> session_;
};

class OneByOneBackend final : public Backend {
 public:
  explicit OneByOneBackend(Ref<Backend> backend) : backend_(std::move(backend)) {}

  const char* name() const override { return backend_->name(); }
  Result<Ref<BackendSession>> OpenSession() override {
    ONEPACK_ASSIGN_OR_RETURN(Ref<BackendSession> session, backend_->OpenSession());
    ONEPACK_ASSIGN_OR_RETURN(Ref<OneByOneSession> one_by_one,
                             MakeRef<OneByOneSession>(HeapAllocator(), std::move(session)));
    return Ref<BackendSession>(one_by_one);
  }

 private:
  const Ref<Backend> backend_;
};

TEST_P(RuntimePoolTest, DelegatesThatAreLoadedOneByOneShareALane) {
  backend_ = MakeRef<OneByOneBackend>(HeapAllocator(), backend_).value();
  LinearProgram program = Adapter(10);  // of two structures
  program.delegate_per_layer = true;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load(program));
  EXPECT_EQ(pool_->Stats().idle_lanes, 1u);
  EXPECT_EQ(pool_->Stats().idle_runtimes, 2u);
  const std::vector<float> input = MakeRows(3, kWidth);
  ExpectRun(*method, input, Alone(program, input));
}

TEST_P(RuntimePoolTest, ALoadDoesNotWaitForTheLaneThatItHasFilledBefore) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load(Adapter(10)));
  const Lane* filled = nullptr;
  {
    ONEPACK_ASSERT_OK_AND_ASSIGN(RuntimePool::Lease lease,
                                 pool_->Take(DigestBuilder("test").Finish(), 0, nullptr));
    filled = &lease.lane();
    ONEPACK_ASSERT_OK_AND_ASSIGN(RuntimePool::Lease other, pool_->TakeToFill(filled));
    EXPECT_NE(&other.lane(), filled);
  }
  ONEPACK_ASSERT_OK_AND_ASSIGN(RuntimePool::Lease again, pool_->TakeToFill(filled));
  EXPECT_EQ(&again.lane(), filled);
}

TEST_P(RuntimePoolTest, ALaterProgramCostsItsWeightsAndNoMemoryForRuntimes) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> first, Load(Adapter(10)));
  const WeightCacheStats before = cache_->Stats();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> second, Load(Adapter(20)));
  const WeightCacheStats after = cache_->Stats();
  EXPECT_EQ(after.hits - before.hits, 1u);
  EXPECT_EQ(after.misses.total() - before.misses.total(), 2u);
  EXPECT_EQ(pool_->Stats().idle_runtimes, 1u);
}

TEST_P(RuntimePoolTest, ARuntimeOutlivesTheProgramThatMadeItAndGoesWithTheLastOne) {
  const std::vector<float> input = MakeRows(2, kWidth);
  ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> first, Load(Adapter(10)));
  ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> second, Load(Adapter(20)));
  ExpectRun(*first, input, Alone(Adapter(10), input));
  first = nullptr;
  EXPECT_EQ(pool_->Stats().idle_runtimes, 1u);
  ExpectRun(*second, input, Alone(Adapter(20), input));
  second = nullptr;
  EXPECT_EQ(pool_->Stats().structures, 0u);
  EXPECT_EQ(pool_->Stats().idle_lanes, 0u);
  EXPECT_EQ(cache_->Stats().entries, 0u);
}

TEST_P(RuntimePoolTest, ALoadThatIsCancelledAtItsLastWeightLeavesNoRuntime) {
  const auto on_progress = [&](const LoadProgress& progress) {
    return progress.served_bytes < progress.expected_bytes;
  };
  backend_ = MakeRef<PoolBackend>(HeapAllocator(), cache_, pool_, GetParam(), on_progress).value();
  EXPECT_TRUE(IsError(Load(Layers("w", 3, WeightKind::kFloat, 7)), StatusCode::kCancelled));
  EXPECT_EQ(pool_->Stats().structures, 0u);
  EXPECT_EQ(pool_->Stats().idle_lanes, 0u);
  EXPECT_EQ(cache_->Stats().entries, 0u);
}

// y = x * constant, of one row: XNNPACK reads the constant in place.
std::vector<uint8_t> Scaling(uint32_t width, uint32_t rows) {
  PayloadWriter payload;
  const uint32_t x = payload.AddInput({rows, width});
  const uint32_t scale =
      payload.AddConstant({1, width}, payload.AddNamedConstant("scale", width * sizeof(float)));
  payload.AddMultiply(x, scale, payload.AddOutput({rows, width}));
  return payload.Finish();
}

TEST_P(RuntimePoolTest, ARuntimeGoesWithTheFileThatItReadsInPlace) {
  for (const uint32_t width : {64u, 8192u}) {
    const bool is_copied = width == 64;
    const std::vector<uint8_t> bytes = MakeProgramAround(Scaling(width, 4), 4, width, width);
    const std::vector<float> input = MakeRows(2, width);
    std::vector<Ref<Method>> methods;
    // Two files of equal bytes; and another.
    for (const float factor : {2.0f, 2.0f, 3.0f}) {
      const std::vector<float> scale(width, factor);
      const auto* begin = reinterpret_cast<const uint8_t*>(scale.data());
      ONEPACK_ASSERT_OK_AND_ASSIGN(
          Ref<Method> method,
          LoadBytes(bytes, {{"scale", {begin, begin + width * sizeof(float)}}}));
      methods.push_back(std::move(method));
    }
    EXPECT_EQ(pool_->Stats().structures, 2u);
    const auto expect = [&](size_t i, float factor) {
      std::vector<float> expected = input;
      for (float& number : expected) number *= factor;
      ONEPACK_ASSERT_OK_AND_ASSIGN(const auto result, RunLinear(*methods[i], input, width));
      EXPECT_EQ(result, expected);
    };
    expect(0, 2);
    expect(2, 3);
    expect(1, 2);
    EXPECT_EQ(pool_->Stats().idle_runtimes, 2u);
    methods[0] = nullptr;
    EXPECT_EQ(pool_->Stats().idle_runtimes, is_copied ? 2u : 1u);
    expect(1, 2);
    expect(2, 3);
    methods.clear();
    EXPECT_EQ(pool_->Stats().idle_lanes, 0u);
  }
}

// One row against many is another plan of XNNPACK's than many against many.
TEST_P(RuntimePoolTest, TwoProgramsWithSizesOfTwoPatternsTakeTurnsWithoutMakingRuntimesAgain) {
  constexpr uint32_t kRows = 4;
  PayloadWriter payload;
  const uint32_t x = payload.AddInput({kRows, kWidth});
  const uint32_t scale =
      payload.AddConstant({1, kWidth}, payload.AddNamedConstant("scale", kWidth * sizeof(float)));
  const uint32_t scaled = payload.AddInternal({kRows, kWidth});
  payload.AddMultiply(x, scale, scaled);
  payload.AddSigmoid(scaled, payload.AddOutput({kRows, kWidth}));
  const std::vector<uint8_t> bytes = MakeProgramAround(payload.Finish(), kRows, kWidth, kWidth);
  const std::vector<float> ones(kWidth, 1);
  const auto* begin = reinterpret_cast<const uint8_t*>(ones.data());
  const NamedBytes data = {{"scale", {begin, begin + kWidth * sizeof(float)}}};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> decoding, LoadBytes(bytes, data));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> prompted, LoadBytes(bytes, data));
  uint64_t locks = 0;
  for (int turn = 0; turn < 4; ++turn) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto one, RunLinear(*decoding, MakeRows(1, kWidth), kWidth));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto many,
                                 RunLinear(*prompted, MakeRows(3, kWidth), kWidth));
    EXPECT_EQ(one, std::vector<float>(many.begin(), many.begin() + kWidth));
    EXPECT_EQ(pool_->Stats().idle_runtimes, 2u) << "one for each pattern";
    // To make a runtime is to ask the cache what it has; to run is not. Asking here counts, too.
    if (turn == 0) locks = cache_->Stats().lock_count;
    EXPECT_EQ(cache_->Stats().lock_count, locks + static_cast<uint64_t>(turn) + 1);
  }
}

TEST_P(RuntimePoolTest, ProgramsThatRunAtTheSameTimeGetALaneEach) {
  constexpr size_t kThreads = 4;
  constexpr int kRuns = 200;
  std::vector<LinearProgram> programs;
  std::vector<Ref<Method>> methods;
  for (size_t i = 0; i < kThreads; ++i) {
    programs.push_back(Adapter(10 + i));
    ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> method, Load(programs[i]));
    methods.push_back(std::move(method));
  }
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      const std::vector<float> input = MakeRows(static_cast<uint32_t>(i + 1), kWidth);
      const std::vector<float> expected = Alone(programs[i], input);
      for (int run = 0; run < kRuns; ++run) {
        auto result = RunLinear(*methods[i], input, kWidth);
        if (!result.ok() || *result != expected) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GE(pool_->Stats().idle_lanes, 1u);
  EXPECT_LE(pool_->Stats().idle_lanes, kThreads);
  methods.clear();
  EXPECT_EQ(pool_->Stats().idle_lanes, 0u);
}

TEST_P(RuntimePoolTest, ALaneThatIsTakenIsNotTakenTwice) {
  const Digest structure = DigestBuilder("test").Finish();
  pool_->Join(structure, 0);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load(Adapter(10)));
  ASSERT_EQ(pool_->Stats().idle_lanes, 1u);
  {
    ONEPACK_ASSERT_OK_AND_ASSIGN(RuntimePool::Lease idle, pool_->Take(structure, 0, nullptr));
    EXPECT_FALSE(idle.lane().is_empty()) << "rather that than a new one";
    EXPECT_EQ(pool_->Stats().idle_lanes, 0u);
    ONEPACK_ASSERT_OK_AND_ASSIGN(RuntimePool::Lease fresh, pool_->Take(structure, 0, nullptr));
    EXPECT_TRUE(fresh.lane().is_empty());
  }
  EXPECT_EQ(pool_->Stats().idle_lanes, 1u) << "one without a runtime is not kept";
  pool_->Leave(structure, 0);
}

TEST_P(RuntimePoolTest, WhatIsSpoiledIsMadeAgainByTheNextRun) {
  const std::vector<float> input = MakeRows(2, kWidth);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load(Adapter(10)));
  const uint64_t packed = cache_->Stats().packed_bytes;
  {
    ONEPACK_ASSERT_OK_AND_ASSIGN(RuntimePool::Lease lease, pool_->Take(Digest(), 0, nullptr));
    lease.lane().Spoil();
  }
  EXPECT_EQ(pool_->Stats().idle_lanes, 0u);
  ExpectRun(*method, input, Alone(Adapter(10), input));
  EXPECT_EQ(pool_->Stats().idle_runtimes, 1u);
  EXPECT_EQ(cache_->Stats().packed_bytes, packed) << "every weight is pinned";
}

}  // namespace
}  // namespace onepack
