// The same for what a language model has besides delegates: operators that need memory while they
// run, and state that is changed, saved and restored.

#include <string.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "aot/pte_writer.h"
#include "delegate/xnn/initialize.h"
#include "delegate/xnn/xnnpack.h"
#include "onepack/cpu_operators.h"
#include "onepack/method.h"
#include "tests/support/fault_injector.h"
#include "tests/support/files.h"
#include "tests/support/sources.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

constexpr int32_t kLength = 64;

TensorPlan Planned(ScalarType type, std::vector<int32_t> sizes, uint64_t offset) {
  TensorPlan tensor;
  tensor.scalar_type = type;
  tensor.sizes = std::move(sizes);
  tensor.place = PlannedPlace{1, offset};
  return tensor;
}

// state += x; of the state the largest two, and those under a mask.
std::vector<uint8_t> StatefulProgram() {
  ProgramWriter program;
  MethodPlan method;
  TensorPlan state = Planned(ScalarType::kFloat, {kLength}, 256);
  state.data_buffer_idx = program.AddInitialValue(AsBytes(std::vector<float>(kLength, 0.5f)));
  TensorPlan mask;
  mask.scalar_type = ScalarType::kBool;
  mask.sizes = {kLength};
  std::vector<uint8_t> truths(kLength);
  truths[3] = truths[40] = 1;
  mask.data_buffer_idx = program.AddConstant({truths.data(), truths.size()});
  method.values = {Planned(ScalarType::kFloat, {kLength}, 0),    // 0: x
                   state,                                        // 1
                   Planned(ScalarType::kFloat, {kLength}, 512),  // 2: sum
                   Planned(ScalarType::kFloat, {2}, 768),        // 3: largest
                   Planned(ScalarType::kLong, {2}, 832),         // 4: where
                   mask,                                         // 5
                   OptionalTensorListPlan{{5}},                  // 6
                   Planned(ScalarType::kFloat, {2}, 896),        // 7: picked
                   int64_t{1},                                   // 8
                   int64_t{2},                                   // 9
                   int64_t{0},                                   // 10
                   true};                                        // 11
  method.inputs = {0};
  method.outputs = {3, 4, 7};
  method.buffer_sizes = {0, 1024};
  method.operators = {{"aten::add", "out"},
                      {"aten::copy_", ""},
                      {"aten::topk", "values"},
                      {"aten::index", "Tensor_out"}};
  method.chains = {{KernelCallPlan{0, {1, 0, 8, 2}}, KernelCallPlan{1, {1, 2, 11}},
                    KernelCallPlan{2, {1, 9, 10, 11, 11, 3, 4}}, KernelCallPlan{3, {1, 6, 7}}}};
  program.AddMethod(method);
  return program.Finish();
}

Result<Ref<Method>> Load(const Ref<DataSource>& source, const CpuOperators& operators) {
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Program> program, Program::Open(source, FaultyAllocator()));
  MethodOptions options;
  options.allocator = FaultyAllocator();
  options.operators = operators.registry();
  return Method::Load(program, "forward", options);
}

class StateFaultTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(IsOk(InitializeXnnpack(FaultyXnnAllocator())));
    CpuOperatorOptions options;
    options.allocator = FaultyAllocator();
    auto operators = CpuOperators::Create(options);
    ASSERT_TRUE(IsOk(operators));
    operators_ = std::make_unique<CpuOperators>(std::move(operators).value());
    source_ = SourceOf(StatefulProgram(), "state.pte");
    for (int i = 0; i < kLength; ++i) numbers_[i] = static_cast<float>(i % 17);
  }

  Ref<Method> LoadWell() {
    auto method = Load(source_, *operators_);
    EXPECT_TRUE(IsOk(method));
    return method.ok() ? *method : Ref<Method>();
  }

  Status SetInput(Method& method) {
    const int32_t sizes[] = {kLength};
    const uint8_t order[] = {0};
    ONEPACK_ASSIGN_OR_RETURN(
        Tensor tensor, Tensor::Over({ScalarType::kFloat, sizes, order},
                                    {reinterpret_cast<uint8_t*>(numbers_), sizeof(numbers_)}));
    return method.SetInput(0, Value::OfTensor(&tensor));
  }

  std::vector<float> Run(Method& method) {
    EXPECT_TRUE(IsOk(SetInput(method)));
    EXPECT_TRUE(IsOk(method.Execute()));
    std::vector<float> found(4);
    memcpy(found.data(), method.output(0).tensor().data(), 2 * sizeof(float));
    memcpy(found.data() + 2, method.output(2).tensor().data(), 2 * sizeof(float));
    return found;
  }

  // Calls `attempt` with each of its requests failing in turn, alone and with all that follow, and
  // `check` after each; returns how many there are. Without those of `dispensable` it may succeed.
  // (The source is memory: the only file is the system's table of pages, which saves time.)
  static size_t FailEach(const std::function<Status()>& attempt, const std::function<void()>& check,
                         const std::set<FaultKind>& dispensable = {FaultKind::kWish,
                                                                   FaultKind::kOpen}) {
    size_t most = 0;
    for (const FaultPlan::Duration duration : {FaultPlan::kOnce, FaultPlan::kFromThenOn}) {
      for (size_t k = 1;; ++k) {
        FaultInjector::Arm({k, duration});
        const Status status = attempt();
        const FaultReport report = FaultInjector::Disarm();
        if (report.failed == 0) {
          EXPECT_TRUE(IsOk(status));
          break;
        }
        most = std::max(most, k);
        const bool may_succeed = dispensable.count(report.first_failed) > 0;
        EXPECT_TRUE((may_succeed && status.ok()) || status.code() == StatusCode::kResourceExhausted)
            << "request " << k << ": " << status.message();
        check();
        if (HasFailure()) return most;
      }
    }
    return most;
  }

  std::unique_ptr<CpuOperators> operators_;
  Ref<DataSource> source_;
  float numbers_[kLength];
};

TEST_F(StateFaultTest, ALoadFailsCleanlyAtEveryRequest) {
  const Ref<Method> running = LoadWell();
  const std::vector<float> first = Run(*running);
  const size_t requests = FailEach(
      [&] {
        auto method = Load(source_, *operators_);
        return method.ok() ? Status::Ok() : method.TakeStatus();
      },
      [&] { EXPECT_EQ(Run(*LoadWell()), first); });
  EXPECT_GT(requests, 10u);
}

TEST_F(StateFaultTest, ARunOfOperatorsFailsCleanlyAtEveryRequest) {
  const Ref<Method> good = LoadWell();
  const std::vector<float> first = Run(*good);
  const std::vector<float> second = Run(*good);
  ASSERT_NE(first, second);  // it has state
  const Ref<Method> method = LoadWell();
  const size_t requests = FailEach(
      [&] {
        Status status = method->Reset();
        if (status.ok()) status = SetInput(*method);
        return status.ok() ? method->Execute() : std::move(status);
      },
      [&] {
        ASSERT_TRUE(IsOk(method->Reset()));
        EXPECT_EQ(Run(*method), first);
        EXPECT_EQ(Run(*method), second);
      });
  EXPECT_GT(requests, 1u);
}

// As under mlockall: the system takes no pages back.
TEST_F(StateFaultTest, StateIsResetAndRestoredWhereTheSystemKeepsItsPages) {
  const Ref<Method> method = LoadWell();
  const std::vector<float> first = Run(*method);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<MethodState> after_one, method->SaveState());
  const std::vector<float> second = Run(*method);
  ASSERT_NE(first, second);
  FaultInjector::Arm({1, FaultPlan::kFromThenOn});
  const Status reset = method->Reset();
  const FaultReport report = FaultInjector::Disarm();
  ASSERT_TRUE(IsOk(reset));
  EXPECT_EQ(report.first_failed, FaultKind::kWish);
  EXPECT_EQ(report.failed, 1u);
  EXPECT_EQ(Run(*method), first);
  Run(*method);
  FaultInjector::Arm({1, FaultPlan::kFromThenOn});
  const Status restored = method->RestoreState(*after_one);
  FaultInjector::Disarm();
  ASSERT_TRUE(IsOk(restored));
  EXPECT_EQ(Run(*method), second);
}

TEST_F(StateFaultTest, SavingFailsCleanlyAtEveryRequestAndRestoringAsksForNothing) {
  const Ref<Method> method = LoadWell();
  Run(*method);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<MethodState> after_one, method->SaveState());
  const std::vector<float> second = Run(*method);
  ASSERT_TRUE(IsOk(method->RestoreState(*after_one)));
  const size_t requests = FailEach(
      [&] {
        auto state = method->SaveState();
        return state.ok() ? Status::Ok() : state.TakeStatus();
      },
      [&] {
        EXPECT_EQ(Run(*method), second);
        FaultInjector::Arm({1, FaultPlan::kFromThenOn});
        const Status status = method->RestoreState(*after_one);
        FaultInjector::Disarm();
        ASSERT_TRUE(IsOk(status));
      });
  EXPECT_GT(requests, 2u);
}

// What is mapped first is the method's own memory, which can stay as it is. The calls that make and
// fill a file in memory are not among the requests: MemoryForkTest has them refused.
TEST_F(StateFaultTest, AForkFailsCleanlyAtEveryRequest) {
  const Ref<Method> method = LoadWell();
  const std::vector<float> first = Run(*method);
  const std::vector<float> second = Run(*method);
  Ref<Method> fork;
  const auto back_to_one_run = [&] {
    fork = nullptr;
    ASSERT_TRUE(IsOk(method->Reset()));
    EXPECT_EQ(Run(*method), first);
  };
  back_to_one_run();
  const size_t requests = FailEach(
      [&] {
        auto made = method->Fork();
        if (!made.ok()) return made.TakeStatus();
        fork = std::move(made).value();
        return Status::Ok();
      },
      [&] {
        EXPECT_EQ(Run(*method), second);
        if (fork) {
          EXPECT_EQ(Run(*fork), second);
        }
        back_to_one_run();
      },
      {FaultKind::kWish, FaultKind::kOpen, FaultKind::kMap});
  EXPECT_GT(requests, 15u);
}

}  // namespace
}  // namespace onepack
