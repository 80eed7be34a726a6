// What a method does when it runs: the five instructions, chains, operators.

#include "tests/runtime/method_fixture.h"

namespace onepack {
namespace {

using InstructionTest = MethodTest;

TEST_F(InstructionTest, ALoopRunsUntilItsConditionHolds) {
  // Value 0 counts down, value 1 says whether it is done, value 2 counts the rounds.
  Register("test::step", [](Span<Value* const> arguments) {
    const int64_t left = arguments[0]->int_value() - 1;
    *arguments[0] = Value::OfInt(left);
    *arguments[1] = Value::OfBool(left == 0);
    *arguments[2] = Value::OfInt(arguments[2]->int_value() + 1);
    return Status::Ok();
  });
  plan_.values = {int64_t{0}, false, int64_t{0}, int64_t{-1}};
  plan_.inputs = {0};
  plan_.outputs = {2, 3};
  plan_.operators = {{"test::step", ""}};
  plan_.chains = {
      {KernelCallPlan{0, {0, 1, 2}}, JumpFalseCallPlan{1, 0}, MoveCallPlan{2, 3}, FreeCallPlan{0}}};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  ASSERT_TRUE(IsOk(method->SetInput(0, Value::OfInt(5))));
  ASSERT_TRUE(IsOk(method->Execute()));
  EXPECT_EQ(method->output(0).int_value(), 5);
  EXPECT_EQ(method->output(1).int_value(), 5);
}

TEST_F(InstructionTest, AnEndlessLoopIsStopped) {
  plan_.values = {false};
  plan_.operators = {{"test::nothing", ""}};
  plan_.chains = {{KernelCallPlan{0, {0}}, JumpFalseCallPlan{0, 0}}};
  Register("test::nothing", [](Span<Value* const>) { return Status::Ok(); });
  options_.max_instructions_per_run = 1000;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  EXPECT_TRUE(IsError(method->Execute(), StatusCode::kResourceExhausted,
                      {"test.pte", "method 'forward'", "1000 instructions", "endless"}));
}

// A delegate may take a second: a thousand of them are too many to wait for.
TEST_F(InstructionTest, ALoopWhoseConditionNothingCanChangeIsStoppedAtOnce) {
  plan_.values = {false};
  plan_.chains = {{FreeCallPlan{0}, JumpFalseCallPlan{0, 0}}};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  EXPECT_TRUE(IsError(method->Execute(), StatusCode::kResourceExhausted,
                      {"test.pte", "method 'forward'", "2 instructions", "endless"}));
}

TEST_F(InstructionTest, AMoveMustKeepTheKindOfValue) {
  plan_.values = {int64_t{1}, false, std::monostate(), IntListPlan{{0}}};
  for (const int32_t to : {1, 3}) {
    plan_.chains = {{MoveCallPlan{0, to}}};
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
    EXPECT_TRUE(IsError(method->Execute(), StatusCode::kInvalidFile,
                        {"test.pte", "instruction 0", "a move of int to "}));
  }
  plan_.outputs = {2};
  plan_.chains = {{MoveCallPlan{0, 2}}};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  ASSERT_TRUE(IsOk(method->Execute()));
  EXPECT_EQ(method->output(0).int_value(), 1);
}

TEST_F(InstructionTest, JumpsAreTakenOnFalseAndStayInTheirChain) {
  for (const bool condition : {false, true}) {
    plan_ = MethodPlan();
    plan_.values = {condition, int64_t{1}, int64_t{2}, int64_t{0}, int64_t{0}};
    plan_.outputs = {3, 4};
    // The first chain may skip its move; a jump past its end goes on with the second, which moves
    // always.
    plan_.chains = {{JumpFalseCallPlan{0, 2}, MoveCallPlan{1, 3}}, {MoveCallPlan{2, 4}}};
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
    ASSERT_TRUE(IsOk(method->Execute()));
    EXPECT_EQ(method->output(0).int_value(), condition ? 1 : 0);
    EXPECT_EQ(method->output(1).int_value(), 2);
  }
}

TEST_F(InstructionTest, AJumpInALaterChainCountsFromItsOwnStart) {
  plan_.values = {false, int64_t{7}, int64_t{0}};
  plan_.outputs = {2};
  plan_.chains = {{FreeCallPlan{1}, FreeCallPlan{1}},
                  {JumpFalseCallPlan{0, 2}, MoveCallPlan{1, 2}}};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  ASSERT_TRUE(IsOk(method->Execute()));
  EXPECT_EQ(method->output(0).int_value(), 0);
}

// What torch.cond becomes.
TEST_F(InstructionTest, AJumpOnATensorIsTakenUnlessAllOfItIsTrue) {
  TensorPlan condition = Planned({2}, 0);
  condition.scalar_type = ScalarType::kBool;
  plan_.values = {condition, int64_t{1}, int64_t{0}};
  plan_.buffer_sizes = {0, 16};
  plan_.inputs = {0};
  plan_.outputs = {2};
  plan_.chains = {{JumpFalseCallPlan{0, 2}, MoveCallPlan{1, 2}}};
  for (const bool second : {false, true}) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
    uint8_t bools[] = {1, second};
    const int32_t sizes[] = {2};
    const uint8_t order[] = {0};
    ONEPACK_ASSERT_OK_AND_ASSIGN(
        Tensor tensor, Tensor::Over({ScalarType::kBool, sizes, order}, {bools, sizeof(bools)}));
    ASSERT_TRUE(IsOk(method->SetInput(0, Value::OfTensor(&tensor))));
    ASSERT_TRUE(IsOk(method->Execute()));
    EXPECT_EQ(method->output(0).int_value(), second ? 1 : 0);
  }
}

TEST_F(InstructionTest, AJumpOnATensorOfNumbersIsRefused) {
  plan_.values = {Planned({2}, 0)};
  plan_.buffer_sizes = {0, 16};
  plan_.chains = {{JumpFalseCallPlan{0, 0}}};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  EXPECT_TRUE(IsError(method->Execute(), StatusCode::kInvalidFile,
                      {"instruction 0", "float32 [2]", "bools expected"}));
}

TEST_F(InstructionTest, AJumpOnSomethingElseThanABoolIsRefused) {
  plan_.values = {int64_t{0}};
  plan_.chains = {{FreeCallPlan{0}, JumpFalseCallPlan{0, 0}}};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  EXPECT_TRUE(IsError(method->Execute(), StatusCode::kInvalidFile,
                      {"instruction 1", "a jump on int", "bool"}));
}

TEST_F(InstructionTest, ArgumentsComeInTheOrderOfTheCall) {
  std::vector<int64_t> seen;
  Register("test::see", [&](Span<Value* const> arguments) {
    for (const Value* argument : arguments) seen.push_back(argument->int_value());
    return Status::Ok();
  });
  plan_.values = {int64_t{10}, int64_t{11}, int64_t{12}};
  plan_.operators = {{"test::see", ""}};
  plan_.chains = {{KernelCallPlan{0, {2, 0, 0}}, KernelCallPlan{0, {}}, KernelCallPlan{0, {1}}}};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  ASSERT_TRUE(IsOk(method->Execute()));
  EXPECT_EQ(seen, (std::vector<int64_t>{12, 10, 10, 11}));
}

TEST_F(InstructionTest, AFailingOperatorIsNamedWithItsInstructionAndTheMethodCanRunAgain) {
  bool fail = true;
  Register("test::maybe.out", [&](Span<Value* const>) {
    return fail ? Status::Error(StatusCode::kInvalidArgument, "not today") : Status::Ok();
  });
  plan_.values = {int64_t{0}};
  plan_.operators = {{"test::maybe", "out"}};
  plan_.chains = {{FreeCallPlan{0}, KernelCallPlan{0, {}}}};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  EXPECT_TRUE(
      IsError(method->Execute(), StatusCode::kInvalidArgument,
              {"test.pte", "method 'forward'", "instruction 1", "test::maybe.out", "not today"}));
  fail = false;
  EXPECT_TRUE(IsOk(method->Execute()));
}

TEST_F(InstructionTest, AllMissingOperatorsAreListedAtOnce) {
  Register("test::there.out", [](Span<Value* const>) { return Status::Ok(); });
  plan_.operators = {{"aten::first", "out"}, {"test::there", "out"}, {"aten::second", ""}};
  EXPECT_TRUE(IsError(Load(), StatusCode::kNotFound,
                      {"test.pte", "method 'forward'", "aten::first.out, aten::second"}));
}

TEST_F(InstructionTest, VeryManyMissingOperatorsDoNotOverflowTheMessage) {
  for (int i = 0; i < 500; ++i) plan_.operators.push_back({"aten::" + std::to_string(i), "out"});
  EXPECT_TRUE(IsError(Load(), StatusCode::kNotFound, {"aten::0.out, aten::1.out"}));
}

TEST_F(InstructionTest, MethodsOfOneProgramAreLoadedByName) {
  for (const char* name : {"first", "second"}) {
    MethodPlan method;
    method.name = name;
    method.values = {std::string(name)};
    method.outputs = {0};
    program_.AddMethod(method);
  }
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Program> program, OpenProgram(program_.Finish()));
  for (const char* name : {"second", "first"}) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load(program, name));
    EXPECT_EQ(method->output(0).string_value(), name);
  }
  EXPECT_TRUE(
      IsError(Load(program, "third"), StatusCode::kNotFound, {"'third'", "'first'", "'second'"}));
}

}  // namespace
}  // namespace onepack
