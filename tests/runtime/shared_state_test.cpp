// Methods of one program that have state together.

#include <thread>

#include "tests/runtime/method_fixture.h"

namespace onepack {
namespace {

// "prefill" and "decode" as the exporter's share_mutable_buffers plans them: state in planned
// buffer 2, first among the values; then the input; then what is computed. Each: state += x; y =
// state.
class SharedStateTest : public MethodTest {
 protected:
  SharedStateTest() {
    RegisterAdd();
    Register("test::copy_", [this](Span<Value* const> arguments) {
      if (on_copy_) on_copy_();
      memcpy(arguments[0]->tensor().mutable_data(), arguments[1]->tensor().data(),
             arguments[0]->tensor().size_bytes());
      return Status::Ok();
    });
  }

  static TensorPlan InBuffer2(std::vector<int32_t> sizes, uint64_t offset) {
    TensorPlan tensor = Planned(std::move(sizes), offset);
    tensor.place = PlannedPlace{2, offset};
    return tensor;
  }

  static MethodPlan PlanOf(const char* name, const TensorPlan& state, int64_t buffer_size = 64) {
    MethodPlan plan;
    plan.name = name;
    plan.values = {state, Planned({2}, 0), Planned({2}, 16), false};
    plan.inputs = {1};
    plan.outputs = {2};
    plan.buffer_sizes = {0, 64, buffer_size};
    plan.operators = {{"test::add", "out"}, {"test::copy_", ""}};
    plan.chains = {{KernelCallPlan{0, {0, 1, 2, 2}}, KernelCallPlan{1, {0, 2, 3, 0}}}};
    return plan;
  }

  // Makes program_opened_ of the methods added so far.
  void Open() {
    auto opened = OpenProgram(program_.Finish());
    ASSERT_TRUE(IsOk(opened));
    opened_ = *opened;
  }

  void OpenPair(const TensorPlan& state) {
    program_.AddMethod(PlanOf("prefill", state));
    program_.AddMethod(PlanOf("decode", state));
    Open();
  }

  void Share() {
    auto state = SharedState::Create(opened_);
    ASSERT_TRUE(IsOk(state));
    options_.shared_state = *state;
  }

  Result<Ref<Method>> Load(const char* name) { return MethodTest::Load(opened_, name); }

  static std::vector<float> RunWith(Method& method, float number) {
    HostTensor x({2}, {number, number});
    EXPECT_TRUE(IsOk(method.SetInput(0, x.value())));
    EXPECT_TRUE(IsOk(method.Execute()));
    return Floats(method.output(0));
  }

  Ref<Program> opened_;
  std::function<void()> on_copy_;
};

using Pair = std::vector<float>;

TEST_F(SharedStateTest, WhatOneMethodLeavesTheOtherFinds) {
  OpenPair(InBuffer2({2}, 16));
  Share();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> prefill, Load("prefill"));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> decode, Load("decode"));
  EXPECT_EQ(RunWith(*prefill, 3), (Pair{3, 3}));
  EXPECT_EQ(RunWith(*decode, 1), (Pair{4, 4}));
  EXPECT_EQ(RunWith(*decode, 1), (Pair{5, 5}));
  EXPECT_EQ(RunWith(*prefill, 1), (Pair{6, 6}));
}

TEST_F(SharedStateTest, AMethodThatIsLoadedLateOrAgainFindsItAsWell) {
  OpenPair(InBuffer2({2}, 16));
  Share();
  ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> method, Load("prefill"));
  EXPECT_EQ(RunWith(*method, 3), (Pair{3, 3}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(method, Load("decode"));
  EXPECT_EQ(RunWith(*method, 1), (Pair{4, 4}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(method, Load("prefill"));
  EXPECT_EQ(RunWith(*method, 1), (Pair{5, 5}));
}

TEST_F(SharedStateTest, AMethodIsRefusedWithoutTheStateThatItShares) {
  OpenPair(InBuffer2({2}, 16));
  for (const char* name : {"prefill", "decode"}) {
    const std::string other = name == std::string("prefill") ? "'decode'" : "'prefill'";
    EXPECT_TRUE(IsError(Load(name), StatusCode::kFailedPrecondition,
                        {"test.pte", name, "shares its state with " + other, "shared_state"}));
  }
}

TEST_F(SharedStateTest, TwoSharedStatesAreTwoConversations) {
  OpenPair(InBuffer2({2}, 16));
  Share();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> prefill, Load("prefill"));
  Share();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> decode, Load("decode"));
  EXPECT_EQ(RunWith(*prefill, 3), (Pair{3, 3}));
  EXPECT_EQ(RunWith(*decode, 1), (Pair{1, 1}));
}

TEST_F(SharedStateTest, MethodsThatShareItAreForkedWithAForkOfIt) {
  OpenPair(InBuffer2({2}, 16));
  Share();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> prefill, Load("prefill"));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> decode, Load("decode"));
  EXPECT_EQ(RunWith(*prefill, 3), (Pair{3, 3}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<SharedState> state, options_.shared_state->Fork());
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> prefill_fork, prefill->Fork(state));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> decode_fork, decode->Fork(state));
  EXPECT_EQ(RunWith(*decode, 1), (Pair{4, 4}));
  EXPECT_EQ(RunWith(*decode_fork, 10), (Pair{13, 13}));
  EXPECT_EQ(RunWith(*prefill_fork, 10), (Pair{23, 23}));
  EXPECT_EQ(RunWith(*prefill, 1), (Pair{5, 5}));
  ASSERT_TRUE(IsOk(decode_fork->Reset()));
  EXPECT_EQ(RunWith(*prefill_fork, 1), (Pair{1, 1}));
  EXPECT_EQ(RunWith(*prefill, 1), (Pair{6, 6}));
}

TEST_F(SharedStateTest, AForkNeedsOneOfItsProgram) {
  OpenPair(InBuffer2({2}, 16));
  Share();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load("prefill"));
  Open();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<SharedState> other, SharedState::Create(opened_));
  for (const Ref<SharedState>& wrong : {Ref<SharedState>(), other}) {
    EXPECT_TRUE(IsError(method->Fork(wrong), StatusCode::kInvalidArgument,
                        {"test.pte", "'prefill'", "shares its state"}));
  }
}

TEST_F(SharedStateTest, NothingIsForkedWhileOneRuns) {
  OpenPair(InBuffer2({2}, 16));
  Share();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> prefill, Load("prefill"));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> decode, Load("decode"));
  on_copy_ = [&] {
    EXPECT_TRUE(IsError(options_.shared_state->Fork(), StatusCode::kFailedPrecondition,
                        {"test.pte", "is running"}));
    for (const Ref<Method>& method : {prefill, decode}) {
      EXPECT_TRUE(IsError(method->Fork(options_.shared_state), StatusCode::kFailedPrecondition,
                          {"cannot be forked", "running"}));
    }
  };
  RunWith(*prefill, 3);
  on_copy_ = nullptr;
  EXPECT_TRUE(IsOk(prefill->Fork(options_.shared_state)));
}

TEST_F(SharedStateTest, OfAnotherProgramIsRefused) {
  OpenPair(InBuffer2({2}, 16));
  Share();
  Open();  // the same file, but not the same program
  EXPECT_TRUE(IsError(Load("decode"), StatusCode::kInvalidArgument, {"shared state", "test.pte"}));
}

TEST_F(SharedStateTest, StartsWithItsInitialValueWhicheverMethodIsLoadedFirst) {
  TensorPlan with = InBuffer2({2}, 16);
  with.data_buffer_idx = program_.AddInitialValue(AsBytes(std::vector<float>{100, 200}));
  program_.AddMethod(PlanOf("prefill", InBuffer2({2}, 16)));
  program_.AddMethod(PlanOf("decode", with));
  Open();
  Share();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> prefill, Load("prefill"));
  EXPECT_EQ(RunWith(*prefill, 1), (Pair{101, 201}));
  // Not once more.
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> decode, Load("decode"));
  EXPECT_EQ(RunWith(*decode, 1), (Pair{102, 202}));
}

TEST_F(SharedStateTest, TwoInitialValuesOfOneBufferAreRefusedUnlessTheyAreEqual) {
  TensorPlan a = InBuffer2({2}, 16);
  TensorPlan b = a;
  a.data_buffer_idx = program_.AddInitialValue(AsBytes(std::vector<float>{100, 200}));
  b.data_buffer_idx = program_.AddInitialValue(AsBytes(std::vector<float>{100, 200}));
  program_.AddMethod(PlanOf("prefill", a));
  program_.AddMethod(PlanOf("decode", b));
  Open();
  EXPECT_TRUE(IsOk(SharedState::Create(opened_)));
  b.data_buffer_idx = program_.AddInitialValue(AsBytes(std::vector<float>{100, 201}));
  program_.AddMethod(PlanOf("rewind", b));
  Open();
  EXPECT_TRUE(IsError(SharedState::Create(opened_), StatusCode::kInvalidFile,
                      {"test.pte", "at 16", "different initial values"}));
}

TEST_F(SharedStateTest, AnInitialValueInADataFileIsRefused) {
  TensorPlan state = InBuffer2({2}, 16);
  state.external_key = "kv";
  OpenPair(state);
  EXPECT_TRUE(IsError(SharedState::Create(opened_), StatusCode::kUnsupported,
                      {"test.pte", "at 16", "data file"}));
}

TEST_F(SharedStateTest, EachMethodResetsSavesAndRestoresItForAll) {
  TensorPlan state = InBuffer2({2}, 16);
  state.data_buffer_idx = program_.AddInitialValue(AsBytes(std::vector<float>{100, 200}));
  OpenPair(state);
  Share();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> prefill, Load("prefill"));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> decode, Load("decode"));
  EXPECT_EQ(RunWith(*prefill, 3), (Pair{103, 203}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<MethodState> saved, decode->SaveState());
  EXPECT_GE(saved->size_bytes(), 16u);
  EXPECT_EQ(RunWith(*decode, 1), (Pair{104, 204}));
  ASSERT_TRUE(IsOk(prefill->Reset()));
  EXPECT_EQ(RunWith(*decode, 1), (Pair{101, 201}));
  ASSERT_TRUE(IsOk(decode->RestoreState(*saved)));
  EXPECT_EQ(RunWith(*prefill, 1), (Pair{104, 204}));
  EXPECT_TRUE(IsError(prefill->RestoreState(*saved), StatusCode::kInvalidArgument, {"'decode'"}));
}

TEST_F(SharedStateTest, ARestoredStateReachesAnotherSharedState) {
  OpenPair(InBuffer2({2}, 16));
  Share();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> first, Load("decode"));
  EXPECT_EQ(RunWith(*first, 3), (Pair{3, 3}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<MethodState> saved, first->SaveState());
  Share();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> prefill, Load("prefill"));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> decode, Load("decode"));
  ASSERT_TRUE(IsOk(decode->RestoreState(*saved)));
  EXPECT_EQ(RunWith(*prefill, 1), (Pair{4, 4}));
  EXPECT_EQ(RunWith(*first, 1), (Pair{4, 4}));
}

TEST_F(SharedStateTest, WhileOneMethodRunsTheOtherIsRefused) {
  OpenPair(InBuffer2({2}, 16));
  Share();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> prefill, Load("prefill"));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> decode, Load("decode"));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<MethodState> saved, decode->SaveState());
  int told = 0;
  on_copy_ = [&] {
    HostTensor x({2}, {1, 1});
    EXPECT_TRUE(IsOk(decode->SetInput(0, x.value())));
    const auto is_told = [&](const Status& status) {
      EXPECT_TRUE(IsError(status, StatusCode::kFailedPrecondition,
                          {"method 'decode'", "a method that shares its state is running"}));
      ++told;
    };
    is_told(decode->Execute());
    is_told(decode->Reset());
    is_told(decode->RestoreState(*saved));
    is_told(decode->SaveState().TakeStatus());
  };
  std::thread other([&] { EXPECT_EQ(RunWith(*prefill, 3), (Pair{3, 3})); });
  other.join();
  EXPECT_EQ(told, 4);
  on_copy_ = nullptr;
  EXPECT_EQ(RunWith(*decode, 1), (Pair{4, 4}));
}

TEST_F(SharedStateTest, IsAsLargeAsItsLargestMethodAndCountsAsPlannedMemory) {
  TensorPlan last = InBuffer2({2}, 999992);
  MethodPlan small = PlanOf("prefill", InBuffer2({2}, 16));
  MethodPlan large = PlanOf("decode", InBuffer2({2}, 16), 1000000);
  large.values.push_back(last);
  large.outputs.push_back(4);
  program_.AddMethod(small);
  program_.AddMethod(large);
  Open();
  Share();
  EXPECT_GE(options_.shared_state->size_bytes(), 1000000u);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> decode, Load("decode"));
  EXPECT_EQ(Floats(decode->output(1)), (Pair{0, 0}));
  EXPECT_TRUE(IsError(SharedState::Create(opened_, 999999), StatusCode::kResourceExhausted,
                      {"test.pte", "planned memory", "at most 999999 allowed"}));
  options_.max_planned_bytes = 1000000;
  EXPECT_TRUE(IsError(Load("prefill"), StatusCode::kResourceExhausted, {"planned memory"}));
  options_.max_planned_bytes = 1 << 20;
  EXPECT_TRUE(IsOk(Load("prefill")));
}

TEST_F(SharedStateTest, OfAProgramWithoutSharedStateDoesNothing) {
  program_.AddMethod(PlanOf("forward", InBuffer2({2}, 16)));
  Open();
  Share();
  EXPECT_EQ(options_.shared_state->size_bytes(), 0u);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> first, Load("forward"));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> second, Load("forward"));
  EXPECT_EQ(RunWith(*first, 3), (Pair{3, 3}));
  EXPECT_EQ(RunWith(*second, 1), (Pair{1, 1}));
}

TEST_F(SharedStateTest, LivesAsLongAsEveryMethodThatUsesIt) {
  OpenPair(InBuffer2({2}, 16));
  Share();
  ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> prefill, Load("prefill"));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> decode, Load("decode"));
  options_.shared_state = nullptr;
  EXPECT_EQ(RunWith(*prefill, 3), (Pair{3, 3}));
  prefill = nullptr;
  opened_ = nullptr;
  EXPECT_EQ(RunWith(*decode, 1), (Pair{4, 4}));
}

}  // namespace
}  // namespace onepack
