// Delegates whose graphs differ in their weights alone take turns with one runtime.

#include "delegate/runtime_pool.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "delegate/method_session.h"
#include "tests/support/delegate_fixture.h"
#include "tests/support/sources.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

constexpr uint32_t kWidth = 64;

// The XNNPACK backend, with a pool that can be looked at.
class PoolBackend final : public Backend {
 public:
  PoolBackend(std::shared_ptr<WeightCache> cache, std::shared_ptr<RuntimePool> pool)
      : cache_(std::move(cache)), pool_(std::move(pool)) {}

  const char* name() const override { return "XnnpackBackend"; }
  Result<Ref<BackendSession>> OpenSession() override {
    XnnpackBackendOptions options;
    options.weight_cache = cache_;
    return MethodSession::Open(std::move(options), pool_, getpid());
  }

 private:
  const std::shared_ptr<WeightCache> cache_;
  const std::shared_ptr<RuntimePool> pool_;
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

class RuntimePoolTest : public testing::Test {
 protected:
  Result<Ref<Method>> Load(const LinearProgram& program) {
    ONEPACK_ASSIGN_OR_RETURN(const Ref<Program> opened,
                             Program::Open(SourceOf(MakeLinearProgram(program), "model.pte")));
    MethodOptions options;
    ONEPACK_ASSIGN_OR_RETURN(
        options.named_data,
        NamedDataMap::Open(SourceOf(MakeData(DataOf(program.layers)), "model.ptd")));
    options.backends = {&backend_, 1};
    return Method::Load(opened, "forward", options);
  }

  // The same with nothing shared, for comparison.
  static std::vector<float> Alone(const LinearProgram& program, const std::vector<float>& rows) {
    auto method = LoadMethod(SourceOf(MakeLinearProgram(program), "model.pte"),
                             {SourceOf(MakeData(DataOf(program.layers)), "model.ptd")}, nullptr);
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

  const std::shared_ptr<WeightCache> cache_ = WeightCache::Create();
  const std::shared_ptr<RuntimePool> pool_ = std::make_shared<RuntimePool>();
  Ref<Backend> backend_ = MakeRef<PoolBackend>(HeapAllocator(), cache_, pool_).value();
};

TEST_F(RuntimePoolTest, LayersOfOneStructureRunWithOneRuntimeAndTheirOwnWeights) {
  for (const WeightKind kind : {WeightKind::kFloat, WeightKind::kInt8, WeightKind::kInt4}) {
    LinearProgram program = Layers("w", 5, kind, 7);
    // With equal scales: those are a part of a structure.
    if (kind != WeightKind::kFloat) program.layers.assign(5, program.layers[0]);
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

TEST_F(RuntimePoolTest, LayersWithOtherScalesAreOfOtherStructures) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method,
                               Load(Layers("w", 3, WeightKind::kInt8, 7)));
  EXPECT_EQ(pool_->Stats().structures, 3u);
}

TEST_F(RuntimePoolTest, ProgramsOfOneStructureTakeTurnsInAnyOrderAndWithAnySizes) {
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

TEST_F(RuntimePoolTest, ALaterProgramCostsItsWeightsAndNoMemoryForRuntimes) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> first, Load(Adapter(10)));
  const WeightCacheStats before = cache_->Stats();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> second, Load(Adapter(20)));
  const WeightCacheStats after = cache_->Stats();
  EXPECT_EQ(after.hits - before.hits, 1u);
  EXPECT_EQ(after.misses.total() - before.misses.total(), 2u);
  EXPECT_EQ(pool_->Stats().idle_runtimes, 1u);
}

TEST_F(RuntimePoolTest, ARuntimeOutlivesTheProgramThatMadeItAndGoesWithTheLastOne) {
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

TEST_F(RuntimePoolTest, ALoadThatFailsLeavesNoRuntime) {
  LinearProgram program = Layers("w", 3, WeightKind::kFloat, 7);
  const std::vector<uint8_t> bytes = MakeLinearProgram(program);
  program.layers.pop_back();  // of the data, not of the program
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Program> opened,
                               Program::Open(SourceOf(bytes, "model.pte")));
  MethodOptions options;
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      options.named_data,
      NamedDataMap::Open(SourceOf(MakeData(DataOf(program.layers)), "model.ptd")));
  options.backends = {&backend_, 1};
  EXPECT_FALSE(Method::Load(opened, "forward", options).ok());
  EXPECT_EQ(pool_->Stats().structures, 0u);
  EXPECT_EQ(pool_->Stats().idle_lanes, 0u);
}

TEST_F(RuntimePoolTest, ProgramsThatRunAtTheSameTimeGetALaneEach) {
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

TEST_F(RuntimePoolTest, ALaneThatIsTakenIsNotTakenTwice) {
  const Digest structure = DigestBuilder("test").Finish();
  pool_->Join(structure);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load(Adapter(10)));
  ASSERT_EQ(pool_->Stats().idle_lanes, 1u);
  {
    ONEPACK_ASSERT_OK_AND_ASSIGN(RuntimePool::Lease idle, pool_->Take(structure, 0, nullptr));
    EXPECT_FALSE(idle.lane().runtimes.empty()) << "rather that than a new one";
    EXPECT_EQ(pool_->Stats().idle_lanes, 0u);
    ONEPACK_ASSERT_OK_AND_ASSIGN(RuntimePool::Lease fresh, pool_->Take(structure, 0, nullptr));
    EXPECT_TRUE(fresh.lane().runtimes.empty());
  }
  EXPECT_EQ(pool_->Stats().idle_lanes, 1u) << "one without a runtime is not kept";
  pool_->Leave(structure);
}

TEST_F(RuntimePoolTest, WhatIsDiscardedIsMadeAgainByTheNextRun) {
  const std::vector<float> input = MakeRows(2, kWidth);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load(Adapter(10)));
  const uint64_t packed = cache_->Stats().packed_bytes;
  {
    ONEPACK_ASSERT_OK_AND_ASSIGN(RuntimePool::Lease lease, pool_->Take(Digest(), 0, nullptr));
    lease.Discard();
  }
  EXPECT_EQ(pool_->Stats().idle_lanes, 0u);
  ExpectRun(*method, input, Alone(Adapter(10), input));
  EXPECT_EQ(pool_->Stats().idle_runtimes, 1u);
  EXPECT_EQ(cache_->Stats().packed_bytes, packed) << "every weight is pinned";
}

}  // namespace
}  // namespace onepack
