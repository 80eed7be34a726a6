// Methods that go on from the state of another one.

#include "tests/runtime/method_fixture.h"

namespace onepack {
namespace {

// y is the sum of x, the first items of the lists of ints, bools, doubles, tensors and optional
// tensors, the constant and a view of it; and the method counts its runs in state.
class MethodForkTest : public MethodTest {
 protected:
  enum : int32_t {
    kX,
    kInt,
    kInts,
    kBools,
    kDoubles,
    kTensors,
    kOptional,
    kConstant,
    kView,
    kRuns,
    kY
  };

  MethodForkTest() {
    Register("test::everything.out", &Everything);
    TensorPlan constant;
    constant.sizes = {2};
    constant.data_buffer_idx = program_.AddConstant(AsBytes(constants_));
    TensorPlan runs = Planned({1}, 64);
    runs.data_buffer_idx = program_.AddInitialValue(AsBytes(first_run_));
    plan_.values = {Planned({2}, 0, true),
                    int64_t{0},
                    IntListPlan{{kInt}},
                    std::vector<bool>{false},
                    std::vector<double>{0},
                    TensorListPlan{{kX}},
                    OptionalTensorListPlan{{-1, kX}},
                    constant,
                    Planned({2}, 32, true),
                    runs,
                    Planned({2}, 96, true)};
    plan_.inputs = {kX, kInts, kBools, kDoubles};
    plan_.outputs = {kY, kRuns, kView};
    plan_.buffer_sizes = {0, 128};
    plan_.operators = {{"test::everything", "out"}};
    KernelCallPlan call;
    for (int32_t i = kX; i <= kY; ++i) call.arguments.push_back(i);
    plan_.chains = {{call}};
  }

  static Status Everything(Span<Value* const> values) {
    const Tensor& x = values[kX]->tensor();
    Tensor& view = values[kView]->tensor();
    ONEPACK_RETURN_IF_ERROR(view.Resize(x.sizes()));
    ONEPACK_RETURN_IF_ERROR(view.ViewOf(values[kConstant]->tensor(), 0));
    Tensor& y = values[kY]->tensor();
    ONEPACK_RETURN_IF_ERROR(y.Resize(x.sizes()));
    EXPECT_EQ(values[kOptional]->list()[0], nullptr);
    const float number = static_cast<float>(values[kInts]->list()[0]->int_value()) +
                         (values[kBools]->bool_list()[0] ? 1.0f : 0.0f) +
                         static_cast<float>(values[kDoubles]->double_list()[0]);
    const std::vector<float> terms[] = {Floats(x), Floats(*values[kTensors]->list()[0]),
                                        Floats(*values[kOptional]->list()[1]),
                                        Floats(*values[kConstant]), Floats(view)};
    auto* sums = reinterpret_cast<float*>(y.mutable_data());
    for (size_t i = 0; i < terms[0].size(); ++i) {
      sums[i] = number;
      for (const std::vector<float>& term : terms) sums[i] += term[i];
    }
    reinterpret_cast<float*>(values[kRuns]->tensor().mutable_data())[0] += 1;
    return Status::Ok();
  }

  static std::vector<float> RunWith(Method& method, std::vector<float> x, int64_t number,
                                    bool truth) {
    HostTensor tensor({static_cast<int32_t>(x.size())}, x);
    Value integer = Value::OfInt(number);
    Value* const integers[] = {&integer};
    const bool bools[] = {truth};
    const double doubles[] = {0.5};
    EXPECT_TRUE(IsOk(method.SetInput(0, tensor.value())));
    EXPECT_TRUE(IsOk(method.SetInput(1, Value::OfList(ValueKind::kIntList, integers))));
    EXPECT_TRUE(IsOk(method.SetInput(2, Value::OfBoolList(bools))));
    EXPECT_TRUE(IsOk(method.SetInput(3, Value::OfDoubleList(doubles))));
    EXPECT_TRUE(IsOk(method.Execute()));
    return Floats(method.output(0));
  }
  static float Runs(const Method& method) { return Floats(method.output(1))[0]; }

  const std::vector<float> constants_ = {1000, 2000};
  const std::vector<float> first_run_ = {10};
};

TEST_F(MethodForkTest, EveryKindOfValueIsItsOwn) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  EXPECT_EQ(RunWith(*method, {1, 2}, 100, true), (std::vector<float>{2104.5f, 4107.5f}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> fork, method->Fork());
  // What is there before a run, and what the other's run changes.
  EXPECT_EQ(Floats(fork->output(0)), (std::vector<float>{2104.5f, 4107.5f}));
  EXPECT_EQ(RunWith(*fork, {5}, 7, false), (std::vector<float>{2022.5f}));
  EXPECT_EQ(Floats(method->output(0)), (std::vector<float>{2104.5f, 4107.5f}));
  EXPECT_EQ(Sizes(method->input(0)), std::vector<int32_t>{2});
  EXPECT_EQ(method->input(1).list()[0]->int_value(), 100);
  EXPECT_TRUE(method->input(2).bool_list()[0]);
  EXPECT_EQ(RunWith(*method, {1, 1}, 0, false), (std::vector<float>{2003.5f, 4003.5f}));
  EXPECT_EQ(Floats(fork->output(0)), (std::vector<float>{2022.5f}));
  EXPECT_EQ(Floats(fork->output(2)), (std::vector<float>{1000}));
}

TEST_F(MethodForkTest, StateGoesOnAndAwayByItself) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> method, Load());
  RunWith(*method, {1}, 0, false);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> fork, method->Fork());
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<MethodState> after_one, fork->SaveState());
  for (int i = 0; i < 3; ++i) RunWith(*fork, {1}, 0, false);
  RunWith(*method, {1}, 0, false);
  EXPECT_EQ(Runs(*fork), 14);
  EXPECT_EQ(Runs(*method), 12);
  ASSERT_TRUE(IsOk(method->RestoreState(*after_one)));
  RunWith(*method, {1}, 0, false);
  EXPECT_EQ(Runs(*method), 12);
  ASSERT_TRUE(IsOk(fork->Reset()));
  RunWith(*fork, {1}, 0, false);
  EXPECT_EQ(Runs(*fork), 11);
  EXPECT_EQ(Runs(*method), 12);
  method = nullptr;
  RunWith(*fork, {1}, 0, false);
  EXPECT_EQ(Runs(*fork), 12);
}

TEST_F(MethodForkTest, InputsAreNotSetInAFork) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  HostTensor x({1}, {1});
  RunWith(*method, {1}, 0, false);
  ASSERT_TRUE(IsOk(method->SetInput(0, x.value())));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> fork, method->Fork());
  EXPECT_TRUE(IsError(fork->Execute(), StatusCode::kFailedPrecondition, {"input 0"}));
  EXPECT_TRUE(IsOk(method->Execute()));
}

TEST_F(MethodForkTest, ABackendThatCannotForkIsNamedByTheMethod) {
  BackendRecord record;
  const Ref<Backend> backend = MakeRecordingBackend("Test", &record);
  options_.backends = {&backend, 1};
  plan_.delegates = {DelegatePlan::InSegment("Test", program_.AddSegment(AsBytes("x")))};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  EXPECT_TRUE(IsError(method->Fork(), StatusCode::kUnsupported,
                      {"test.pte", "'forward'", "a fork", "cannot be forked"}));
  RunWith(*method, {1}, 0, false);
  EXPECT_EQ(Runs(*method), 11);
}

}  // namespace
}  // namespace onepack
