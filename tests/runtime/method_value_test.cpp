// Inputs and outputs of every kind.

#include "tests/runtime/method_fixture.h"

namespace onepack {
namespace {

class ValueTest : public MethodTest {
 protected:
  // A method that gives back what it is given.
  void PlanEcho(std::vector<ValuePlan> values, int32_t index) {
    plan_.values = std::move(values);
    plan_.inputs = {index};
    plan_.outputs = {index};
  }
};

TEST_F(ValueTest, PlainValuesHaveTheirDefaultsAndTakeNewOnes) {
  plan_.values = {int64_t{-5}, true, 2.5, std::string("text"), std::monostate()};
  plan_.inputs = {0, 1, 2, 3, 4};
  plan_.outputs = {0, 1, 2, 3, 4};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  EXPECT_EQ(method->input(0).int_value(), -5);
  EXPECT_TRUE(method->input(1).bool_value());
  EXPECT_EQ(method->input(2).double_value(), 2.5);
  EXPECT_EQ(method->input(3).string_value(), "text");
  EXPECT_TRUE(method->input(4).is(ValueKind::kNone));
  EXPECT_TRUE(IsOk(method->SetInput(0, Value::OfInt(INT64_MIN))));
  EXPECT_TRUE(IsOk(method->SetInput(1, Value::OfBool(false))));
  EXPECT_TRUE(IsOk(method->SetInput(2, Value::OfDouble(-1))));
  EXPECT_TRUE(IsOk(method->SetInput(3, Value::OfString("other"))));
  EXPECT_TRUE(IsOk(method->SetInput(4, Value())));
  ASSERT_TRUE(IsOk(method->Execute()));
  EXPECT_EQ(method->output(0).int_value(), INT64_MIN);
  EXPECT_FALSE(method->output(1).bool_value());
  EXPECT_EQ(method->output(2).double_value(), -1);
  EXPECT_EQ(method->output(3).string_value(), "other");
}

TEST_F(ValueTest, AnotherKindIsRefusedWithBothNames) {
  PlanEcho({int64_t{0}}, 0);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  EXPECT_TRUE(IsError(method->SetInput(0, Value::OfDouble(1)), StatusCode::kInvalidArgument,
                      {"test.pte", "method 'forward'", "input 0", "double given", "int expected"}));
}

TEST_F(ValueTest, AnInputThatIsNotThereIsRefused) {
  PlanEcho({int64_t{0}}, 0);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  EXPECT_TRUE(IsError(method->SetInput(1, Value::OfInt(1)), StatusCode::kInvalidArgument,
                      {"input 1 of 1"}));
}

TEST_F(ValueTest, AnInputThatWasNotSetIsNamed) {
  plan_.values = {int64_t{0}, Planned({1}, 0)};
  plan_.buffer_sizes = {0, 4};
  plan_.inputs = {0, 1};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  EXPECT_TRUE(IsError(method->Execute(), StatusCode::kFailedPrecondition,
                      {"test.pte", "method 'forward'", "input 0 was not set"}));
  EXPECT_TRUE(IsOk(method->SetInput(0, Value::OfInt(1))));
  EXPECT_TRUE(IsError(method->Execute(), StatusCode::kFailedPrecondition, {"input 1"}));
}

TEST_F(ValueTest, TensorsAreSetForEachRunAndNumbersOnce) {
  plan_.values = {int64_t{0}, Planned({1}, 0)};
  plan_.buffer_sizes = {0, 4};
  plan_.inputs = {0, 1};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  HostTensor x({1}, {1});
  EXPECT_TRUE(IsOk(method->SetInput(0, Value::OfInt(1))));
  EXPECT_TRUE(IsOk(method->SetInput(1, x.value())));
  EXPECT_TRUE(IsOk(method->Execute()));
  EXPECT_TRUE(IsError(method->Execute(), StatusCode::kFailedPrecondition, {"input 1"}));
  EXPECT_TRUE(IsOk(method->SetInput(1, x.value())));
  EXPECT_TRUE(IsOk(method->Execute()));
}

TEST_F(ValueTest, AFailedSetInputLeavesTheInputUnset) {
  PlanEcho({int64_t{0}}, 0);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  EXPECT_TRUE(IsOk(method->SetInput(0, Value::OfInt(1))));
  EXPECT_FALSE(method->SetInput(0, Value::OfBool(true)).ok());
  EXPECT_TRUE(IsError(method->Execute(), StatusCode::kFailedPrecondition, {"input 0"}));
}

TEST_F(ValueTest, ATensorsBytesAreCopied) {
  PlanEcho({Planned({2}, 0)}, 0);
  plan_.buffer_sizes = {0, 8};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  {
    HostTensor x({2}, {3, 4});
    ASSERT_TRUE(IsOk(method->SetInput(0, x.value())));
  }
  ASSERT_TRUE(IsOk(method->Execute()));
  EXPECT_EQ(Floats(method->output(0)), (std::vector<float>{3, 4}));
}

TEST_F(ValueTest, ATensorOfAnotherTypeOrOrderIsRefusedWithBothLayouts) {
  TensorPlan plan = Planned({2, 2}, 0);
  plan.dim_order = std::vector<uint8_t>{1, 0};
  PlanEcho({plan}, 0);
  plan_.buffer_sizes = {0, 16};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  HostTensor contiguous({2, 2}, {1, 2, 3, 4});
  EXPECT_TRUE(IsError(method->SetInput(0, contiguous.value()), StatusCode::kInvalidArgument,
                      {"float32 [2, 2] given", "dim_order [1, 0] expected"}));
  const std::vector<int32_t> sizes = {2, 2};
  const std::vector<uint8_t> order = {1, 0};
  std::vector<uint8_t> bytes(16);
  ONEPACK_ASSERT_OK_AND_ASSIGN(Tensor ints, Tensor::Over({ScalarType::kInt, sizes, order}, bytes));
  EXPECT_TRUE(IsError(method->SetInput(0, Value::OfTensor(&ints)), StatusCode::kInvalidArgument,
                      {"int32 [2, 2]", "float32 [2, 2]"}));
}

const std::vector<std::vector<uint8_t>> kOrdersOfOneChannel = {
    {0, 1, 2, 3}, {0, 2, 3, 1}, {0, 2, 1, 3}};

TEST_F(ValueTest, ADimensionOfSizeOneMayHaveAnyPlaceInTheOrder) {
  const std::vector<float> numbers = {1, 2, 3, 4, 5, 6};
  for (const std::vector<uint8_t>& planned : kOrdersOfOneChannel) {
    TensorPlan plan = Planned({1, 1, 2, 3}, 0);
    plan.dim_order = planned;
    PlanEcho({plan}, 0);
    plan_.buffer_sizes = {0, 24};
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
    for (const std::vector<uint8_t>& given : kOrdersOfOneChannel) {
      HostTensor x({1, 1, 2, 3}, numbers, given);
      ASSERT_TRUE(IsOk(method->SetInput(0, x.value())));
      ASSERT_TRUE(IsOk(method->Execute()));
      EXPECT_EQ(Floats(method->output(0)), numbers);
    }
    HostTensor transposed({1, 1, 2, 3}, numbers, {0, 1, 3, 2});
    EXPECT_TRUE(IsError(method->SetInput(0, transposed.value()), StatusCode::kInvalidArgument,
                        {"[1, 1, 2, 3] dim_order [0, 1, 3, 2] given"}));
  }
}

TEST_F(ValueTest, ADynamicInputIsJudgedByItsSizesOfNow) {
  TensorPlan plan = Planned({2, 4, 2, 3}, 0, true);
  plan.dim_order = std::vector<uint8_t>{0, 2, 3, 1};
  PlanEcho({plan}, 0);
  plan_.buffer_sizes = {0, 192};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  const std::vector<std::vector<int32_t>> same = {{1, 1, 2, 3}, {2, 4, 1, 1}, {2, 1, 2, 1},
                                                  {1, 1, 1, 1}, {2, 4, 0, 3}, {0, 4, 2, 3}};
  for (const std::vector<int32_t>& sizes : same) {
    size_t count = 1;
    for (const int32_t size : sizes) count *= static_cast<size_t>(size);
    std::vector<float> numbers(count);
    std::iota(numbers.begin(), numbers.end(), 1.0f);
    HostTensor contiguous(sizes, numbers);
    ASSERT_TRUE(IsOk(method->SetInput(0, contiguous.value())));
    ASSERT_TRUE(IsOk(method->Execute()));
    EXPECT_EQ(Floats(method->output(0)), numbers);
    EXPECT_EQ(Sizes(method->output(0)), sizes);
  }
  HostTensor two_channels({1, 2, 2, 1}, {1, 2, 3, 4});
  EXPECT_TRUE(IsError(method->SetInput(0, two_channels.value()), StatusCode::kInvalidArgument,
                      {"[1, 2, 2, 1] given", "dim_order [0, 2, 3, 1] expected"}));
}

TEST_F(ValueTest, IntListsAreCopiedItemByItem) {
  PlanEcho({int64_t{1}, int64_t{2}, IntListPlan{{0, 1}}}, 2);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  EXPECT_EQ(method->input(0).list()[1]->int_value(), 2);
  {
    Value a = Value::OfInt(7);
    Value b = Value::OfInt(8);
    Value* const items[] = {&a, &b};
    ASSERT_TRUE(IsOk(method->SetInput(0, Value::OfList(ValueKind::kIntList, items))));
    Value* const one[] = {&a};
    EXPECT_TRUE(IsError(method->SetInput(0, Value::OfList(ValueKind::kIntList, one)),
                        StatusCode::kInvalidArgument, {"1 items", "2 expected"}));
    ASSERT_TRUE(IsOk(method->SetInput(0, Value::OfList(ValueKind::kIntList, items))));
  }
  ASSERT_TRUE(IsOk(method->Execute()));
  EXPECT_EQ(method->output(0).list()[0]->int_value(), 7);
  EXPECT_EQ(method->output(0).list()[1]->int_value(), 8);
}

TEST_F(ValueTest, BoolAndDoubleListsHaveTheProgramsItems) {
  plan_.values = {std::vector<bool>{true, false, true}, std::vector<double>{0.5, -2},
                  std::vector<bool>{}};
  plan_.outputs = {0, 1, 2};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  const Span<const bool> bools = method->output(0).bool_list();
  EXPECT_EQ(std::vector<bool>(bools.begin(), bools.end()), (std::vector<bool>{true, false, true}));
  const Span<const double> doubles = method->output(1).double_list();
  EXPECT_EQ(std::vector<double>(doubles.begin(), doubles.end()), (std::vector<double>{0.5, -2}));
  EXPECT_TRUE(method->output(2).bool_list().empty());
}

TEST_F(ValueTest, TensorListsAreCopiedItemByItem) {
  PlanEcho({Planned({1}, 0), Planned({2}, 16), TensorListPlan{{0, 1}}}, 2);
  plan_.buffer_sizes = {0, 32};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  HostTensor a({1}, {1});
  HostTensor b({2}, {2, 3});
  Value first = a.value();
  Value second = b.value();
  Value* const items[] = {&first, &second};
  ASSERT_TRUE(IsOk(method->SetInput(0, Value::OfList(ValueKind::kTensorList, items))));
  ASSERT_TRUE(IsOk(method->Execute()));
  EXPECT_EQ(Floats(*method->output(0).list()[0]), (std::vector<float>{1}));
  EXPECT_EQ(Floats(*method->output(0).list()[1]), (std::vector<float>{2, 3}));
  EXPECT_TRUE(IsError(method->Execute(), StatusCode::kFailedPrecondition, {"input 0"}));
  Value* const swapped[] = {&second, &first};
  EXPECT_TRUE(IsError(method->SetInput(0, Value::OfList(ValueKind::kTensorList, swapped)),
                      StatusCode::kInvalidArgument, {"input 0", "item 0"}));
}

TEST_F(ValueTest, OptionalTensorListsKnowNone) {
  PlanEcho({Planned({1}, 0), std::monostate(), OptionalTensorListPlan{{-1, 0, 1}}}, 2);
  plan_.buffer_sizes = {0, 4};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  EXPECT_EQ(method->input(0).list()[0], nullptr);
  EXPECT_TRUE(method->input(0).list()[2]->is(ValueKind::kNone));
  HostTensor a({1}, {9});
  Value tensor = a.value();
  Value none;
  Value* const items[] = {nullptr, &tensor, &none};
  ASSERT_TRUE(IsOk(method->SetInput(0, Value::OfList(ValueKind::kOptionalTensorList, items))));
  ASSERT_TRUE(IsOk(method->Execute()));
  EXPECT_EQ(Floats(*method->output(0).list()[1]), (std::vector<float>{9}));
  Value* const wrong[] = {&tensor, &tensor, &none};
  EXPECT_TRUE(IsError(method->SetInput(0, Value::OfList(ValueKind::kOptionalTensorList, wrong)),
                      StatusCode::kInvalidArgument, {"item 0", "none expected"}));
}

TEST_F(ValueTest, EveryKindHasAName) {
  for (int kind = 0; kind <= static_cast<int>(ValueKind::kOptionalTensorList); ++kind) {
    EXPECT_STRNE(ValueKindName(static_cast<ValueKind>(kind)), "unknown");
  }
}

}  // namespace
}  // namespace onepack
