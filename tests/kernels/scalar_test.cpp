// Numbers that a program computes.

#include <cmath>

#include "tests/kernels/operator_fixture.h"

namespace onepack {
namespace {

Value Computed(const std::string& name, std::initializer_list<Argument> arguments) {
  // The slot is the last argument.
  std::vector<Argument> all(arguments);
  Value result;
  EXPECT_TRUE(IsOk(all.size() == 1 ? Call("executorch_prim::" + name, {all[0], result})
                                   : Call("executorch_prim::" + name, {all[0], all[1], result})));
  return result;
}

TEST(ScalarTest, KeepsIntegersAndMixes) {
  EXPECT_EQ(Computed("add.Scalar", {2, 3}).int_value(), 5);
  EXPECT_EQ(Computed("sub.Scalar", {2, 3}).int_value(), -1);
  EXPECT_EQ(Computed("mul.Scalar", {2, 1.5}).double_value(), 3);
  EXPECT_EQ(Computed("truediv.Scalar", {1, 4}).double_value(), 0.25);
  EXPECT_EQ(Computed("add.Scalar", {INT64_MAX, 1}).int_value(), INT64_MIN);
  EXPECT_EQ(Computed("sym_float.Scalar", {3}).double_value(), 3);
  EXPECT_EQ(Computed("neg.Scalar", {INT64_MIN}).int_value(), INT64_MIN);
}

TEST(ScalarTest, DividesAsPython) {
  EXPECT_EQ(Computed("floordiv.Scalar", {-7, 2}).int_value(), -4);
  EXPECT_EQ(Computed("floordiv.Scalar", {7, -2}).int_value(), -4);
  EXPECT_EQ(Computed("mod.Scalar", {-7, 2}).int_value(), 1);
  EXPECT_EQ(Computed("mod.Scalar", {7, -2}).int_value(), -1);
  EXPECT_EQ(Computed("floordiv.Scalar", {INT64_MIN, -1}).int_value(), INT64_MIN);
  Value result;
  for (const char* name : {"floordiv.Scalar", "mod.Scalar"}) {
    EXPECT_TRUE(IsError(Call(std::string("executorch_prim::") + name, {1, 0, result}),
                        StatusCode::kInvalidArgument, {"zero"}));
  }
}

// 1 / 0.1 rounds to 10, and yet ten times 0.1 is more than 1.
TEST(ScalarTest, DividesRealsAsPython) {
  EXPECT_EQ(Computed("floordiv.Scalar", {1.0, 0.1}).double_value(), 9);
  EXPECT_EQ(Computed("floordiv.Scalar", {-1.0, 0.1}).double_value(), -10);
  EXPECT_EQ(Computed("floordiv.Scalar", {7.5, 2}).double_value(), 3);
  EXPECT_EQ(Computed("floordiv.Scalar", {-7.5, 2}).double_value(), -4);
  EXPECT_EQ(Computed("floordiv.Scalar", {6.0, -3.0}).double_value(), -2);
  EXPECT_EQ(Computed("floordiv.Scalar", {1.0, 0.0}).double_value(), HUGE_VAL);
  EXPECT_EQ(Computed("floordiv.Scalar", {-1.0, 0}).double_value(), -HUGE_VAL);
  EXPECT_EQ(Computed("mod.Scalar", {-7.5, 2}).double_value(), 0.5);
}

TEST(ScalarTest, BecomesAnInteger) {
  EXPECT_EQ(Computed("sym_int.Scalar", {2.9}).int_value(), 2);
  EXPECT_EQ(Computed("sym_int.Scalar", {-2.9}).int_value(), -2);
  EXPECT_EQ(Computed("sym_int.Scalar", {-7}).int_value(), -7);
  EXPECT_EQ(Computed("sym_int.Scalar", {true}).int_value(), 1);
  EXPECT_EQ(Computed("sym_int.Scalar", {1e300}).int_value(), INT64_MIN);
}

TEST(ScalarTest, ChoosesWithTheKindOfNumberThatWasChosen) {
  Value result;
  const auto choose = [&](Argument b, Argument t, Argument f) -> const Value& {
    EXPECT_TRUE(IsOk(Call("executorch_prim::sym_ite.Scalar", {b, t, f, result})));
    return result;
  };
  EXPECT_EQ(choose(true, 3, 2.5).int_value(), 3);
  EXPECT_EQ(choose(false, 3, 2.5).double_value(), 2.5);
  EXPECT_TRUE(choose(false, 3, true).bool_value());
  TestTensor tensor(kF, {1});
  EXPECT_TRUE(IsError(Call("executorch_prim::sym_ite.Scalar", {tensor, 1, 2, result}),
                      StatusCode::kInvalidFile, {"a number expected"}));
}

TEST(ScalarTest, Compares) {
  EXPECT_TRUE(Computed("lt.Scalar", {1, 2}).bool_value());
  EXPECT_TRUE(Computed("eq.Scalar", {2, 2.0}).bool_value());
  EXPECT_FALSE(Computed("ne.Scalar", {2, 2}).bool_value());
  EXPECT_TRUE(Computed("ge.Scalar", {2, 2}).bool_value());
  EXPECT_FALSE(Computed("le.Scalar", {3, 2}).bool_value());
  EXPECT_FALSE(Computed("ge.Scalar", {std::nan(""), 2}).bool_value());
  EXPECT_EQ(Computed("sym_max.Scalar", {3, 2}).int_value(), 3);
  EXPECT_TRUE(Computed("not.Scalar", {false}).bool_value());
}

TEST(ScalarTest, Rounds) {
  EXPECT_EQ(Computed("ceil.Scalar", {1.2}).int_value(), 2);
  EXPECT_EQ(Computed("round.Scalar", {2.5}).int_value(), 2);
  EXPECT_EQ(Computed("trunc.Scalar", {-1.7}).int_value(), -1);
}

TEST(ScalarTest, ReadsTensors) {
  TestTensor number(kL, {1}, {42});
  TestTensor image(kF, {1, 2, 3, 4}, {}, {0, 2, 3, 1});
  Value result;
  ASSERT_TRUE(IsOk(Call("aten::_local_scalar_dense", {number, result})));
  EXPECT_EQ(result.int_value(), 42);
  ASSERT_TRUE(IsOk(Call("aten::sym_size.int", {image, -1, result})));
  EXPECT_EQ(result.int_value(), 4);
  ASSERT_TRUE(IsOk(Call("aten::sym_stride.int", {image, 1, result})));
  EXPECT_EQ(result.int_value(), 1);
  ASSERT_TRUE(IsOk(Call("aten::sym_numel", {image, result})));
  EXPECT_EQ(result.int_value(), 24);
  EXPECT_TRUE(IsError(Call("aten::_local_scalar_dense", {image, result}),
                      StatusCode::kInvalidArgument, {"one element"}));
  EXPECT_TRUE(
      IsError(Call("aten::sym_size.int", {image, 4, result}), StatusCode::kInvalidArgument));
}

TEST(ScalarTest, ATensorsSlotTakesNoNumber) {
  TestTensor tensor(kF, {1});
  EXPECT_TRUE(IsError(Call("aten::sym_numel", {tensor, tensor}), StatusCode::kInvalidFile,
                      {"room for a number"}));
}

}  // namespace
}  // namespace onepack
