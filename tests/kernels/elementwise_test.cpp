// Operators that compute one element from one of each input.

#include <cmath>
#include <limits>

#include "kernels/element.h"
#include "tests/kernels/operator_fixture.h"

namespace onepack {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
const double kNan = std::nan("");

struct UnaryCase {
  const char* name;
  double (*expected)(double);
  std::vector<double> inputs;
};

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

const UnaryCase kRealCases[] = {
    {"acos", std::acos, {-1, -0.5, 0, 0.5, 1}},
    {"acosh", std::acosh, {1, 1.5, 20}},
    {"asin", std::asin, {-1, -0.5, 0, 0.5, 1}},
    {"asinh", std::asinh, {-3, 0, 0.5, 40}},
    {"atan", std::atan, {-3, 0, 0.5, 40}},
    {"atanh", std::atanh, {-0.9, 0, 0.5}},
    {"cos", std::cos, {-3, 0, 0.5, 4}},
    {"cosh", std::cosh, {-3, 0, 0.5, 4}},
    {"erf", std::erf, {-3, -0.1, 0, 0.5, 4}},
    {"exp", std::exp, {-3, 0, 0.5, 4}},
    {"exp2", std::exp2, {-3, 0, 0.5, 4}},
    {"expm1", std::expm1, {-3, 0, 1e-3, 4}},
    {"log", std::log, {0.1, 1, 7}},
    {"log10", std::log10, {0.1, 1, 7}},
    {"log1p", std::log1p, {-0.5, 0, 7}},
    {"log2", std::log2, {0.1, 1, 7}},
    {"reciprocal", [](double x) { return 1 / x; }, {-2, 0.5, 8}},
    {"rsqrt", [](double x) { return 1 / std::sqrt(x); }, {0.25, 1, 9}},
    {"sigmoid", Sigmoid, {-30, -1, 0, 1, 30}},
    {"silu", [](double x) { return x * Sigmoid(x); }, {-30, -1, 0, 1, 30}},
    {"sin", std::sin, {-3, 0, 0.5, 4}},
    {"sinh", std::sinh, {-3, 0, 0.5, 4}},
    {"sqrt", std::sqrt, {0, 0.25, 2, 9}},
    {"tan", std::tan, {-1, 0, 0.5}},
    {"tanh", std::tanh, {-3, 0, 0.5, 4}},
    {"hardswish",
     [](double x) { return x * std::fmin(std::fmax(x + 3, 0), 6) / 6; },
     {-4, -1, 0, 1, 4}},
    {"hardsigmoid", [](double x) { return std::fmin(std::fmax(x + 3, 0), 6) / 6; }, {-4, -1, 4}},
};

class RealUnaryTest : public testing::TestWithParam<UnaryCase> {};

TEST_P(RealUnaryTest, ComputesInEachFloatingPointType) {
  const UnaryCase& given = GetParam();
  const std::string name = std::string("aten::") + given.name + ".out";
  const auto n = static_cast<int32_t>(given.inputs.size());
  const std::pair<ScalarType, double> types[] = {{ScalarType::kFloat, 2e-6},
                                                 {ScalarType::kDouble, 1e-14},
                                                 {ScalarType::kHalf, 1e-3},
                                                 {ScalarType::kBFloat16, 8e-3}};
  for (const auto& [type, tolerance] : types) {
    TestTensor self(type, {n}, given.inputs);
    TestTensor out(type, {n});
    ASSERT_TRUE(IsOk(Call(name, {self, out})));
    std::vector<double> expected;
    for (const double x : self.Numbers()) expected.push_back(given.expected(x));
    ExpectNumbers(out, expected, tolerance);
  }
}

TEST_P(RealUnaryTest, TakesIntegersAsFloats) {
  const UnaryCase& given = GetParam();
  TestTensor self(kL, {1}, {1});
  TestTensor out(kF, {1});
  ASSERT_TRUE(IsOk(Call(std::string("aten::") + given.name + ".out", {self, out})));
  ExpectNumbers(out, {given.expected(1)}, 2e-6);
}

INSTANTIATE_TEST_SUITE_P(, RealUnaryTest, testing::ValuesIn(kRealCases),
                         [](const auto& unary) { return unary.param.name; });

TEST(UnaryTest, KeepsIntegers) {
  TestTensor self(ScalarType::kInt, {5}, {-3, -1, 0, 2, 7});
  TestTensor out(ScalarType::kInt, {5});
  ASSERT_TRUE(IsOk(Call("aten::abs.out", {self, out})));
  ExpectNumbers(out, {3, 1, 0, 2, 7});
  ASSERT_TRUE(IsOk(Call("aten::neg.out", {self, out})));
  ExpectNumbers(out, {3, 1, 0, -2, -7});
  ASSERT_TRUE(IsOk(Call("aten::sign.out", {self, out})));
  ExpectNumbers(out, {-1, -1, 0, 1, 1});
  ASSERT_TRUE(IsOk(Call("aten::relu.out", {self, out})));
  ExpectNumbers(out, {0, 0, 0, 2, 7});
  ASSERT_TRUE(IsOk(Call("aten::bitwise_not.out", {self, out})));
  ExpectNumbers(out, {2, 0, -1, -3, -8});
}

TEST(UnaryTest, RoundsTiesToEven) {
  TestTensor self(kF, {6}, {-2.5, -1.5, -0.4, 0.5, 1.5, 2.5});
  TestTensor out(kF, {6});
  ASSERT_TRUE(IsOk(Call("aten::round.out", {self, out})));
  ExpectNumbers(out, {-2, -2, 0, 0, 2, 2});
  ASSERT_TRUE(IsOk(Call("aten::floor.out", {self, out})));
  ExpectNumbers(out, {-3, -2, -1, 0, 1, 2});
  ASSERT_TRUE(IsOk(Call("aten::ceil.out", {self, out})));
  ExpectNumbers(out, {-2, -1, 0, 1, 2, 3});
  ASSERT_TRUE(IsOk(Call("aten::trunc.out", {self, out})));
  ExpectNumbers(out, {-2, -1, 0, 0, 1, 2});
}

TEST(UnaryTest, AnswersQuestionsWithBools) {
  TestTensor self(kF, {4}, {kNan, kInfinity, 0, -kInfinity});
  TestTensor out(kB, {4});
  ASSERT_TRUE(IsOk(Call("aten::isnan.out", {self, out})));
  ExpectNumbers(out, {1, 0, 0, 0});
  ASSERT_TRUE(IsOk(Call("aten::isinf.out", {self, out})));
  ExpectNumbers(out, {0, 1, 0, 1});
  ASSERT_TRUE(IsOk(Call("aten::logical_not.out", {self, out})));
  ExpectNumbers(out, {0, 0, 1, 0});
}

TEST(UnaryTest, ANanStaysOne) {
  TestTensor self(kF, {1}, {kNan});
  TestTensor out(kF, {1});
  for (const char* name : {"aten::relu.out", "aten::abs.out", "aten::exp.out",
                           "aten::hardsigmoid.out", "aten::hardswish.out", "aten::relu6.out"}) {
    ASSERT_TRUE(IsOk(Call(name, {self, out})));
    ExpectNumbers(out, {kNan});
  }
  ASSERT_TRUE(IsOk(Call("aten::clamp.out", {self, 0, 1, out})));
  ExpectNumbers(out, {kNan});
}

TEST(UnaryTest, OperatorsWithNumbersOfTheirOwn) {
  TestTensor self(kF, {4}, {-2, -0.5, 0.5, 2});
  TestTensor out(kF, {4});
  ASSERT_TRUE(IsOk(Call("aten::leaky_relu.out", {self, 0.1, out})));
  ExpectNumbers(out, {-0.2, -0.05, 0.5, 2}, 1e-6);
  ASSERT_TRUE(IsOk(Call("aten::elu.out", {self, 2.0, 1, 1, out})));
  ExpectNumbers(out, {2 * std::expm1(-2), 2 * std::expm1(-0.5), 0.5, 2}, 1e-6);
  ASSERT_TRUE(IsOk(Call("aten::hardtanh.out", {self, -1.0, 1.0, out})));
  ExpectNumbers(out, {-1, -0.5, 0.5, 1});
  ASSERT_TRUE(IsOk(Call("aten::gelu.out", {self, "none", out})));
  std::vector<double> expected;
  for (const double x : {-2.0, -0.5, 0.5, 2.0}) {
    expected.push_back(0.5 * x * (1 + std::erf(x / std::sqrt(2))));
  }
  ExpectNumbers(out, expected, 1e-6);
  ASSERT_TRUE(IsOk(Call("aten::gelu.out", {self, "tanh", out})));
  ExpectNumbers(out, expected, 1e-3);
}

TEST(BinaryTest, Broadcasts) {
  TestTensor a(kF, {2, 3}, Counting(6));
  TestTensor row(kF, {3}, {10, 20, 30});
  TestTensor column(kF, {2, 1}, {100, 200});
  TestTensor number(kF, {}, {0.5});
  TestTensor out(kF, {2, 3});
  ASSERT_TRUE(IsOk(Call("aten::add.out", {a, row, 1, out})));
  ExpectNumbers(out, {10, 21, 32, 13, 24, 35});
  ASSERT_TRUE(IsOk(Call("aten::add.out", {column, row, 2, out})));
  ExpectNumbers(out, {120, 140, 160, 220, 240, 260});
  ASSERT_TRUE(IsOk(Call("aten::mul.out", {number, a, out})));
  ExpectNumbers(out, {0, 0.5, 1, 1.5, 2, 2.5});
}

TEST(BinaryTest, SizesThatDoNotBroadcastAreRefused) {
  TestTensor a(kF, {2, 3});
  TestTensor b(kF, {2});
  TestTensor out(kF, {2, 3});
  EXPECT_TRUE(IsError(Call("aten::add.out", {a, b, 1, out}), StatusCode::kInvalidArgument,
                      {"3", "2", "broadcast"}));
  TestTensor small(kF, {2, 2});
  EXPECT_TRUE(IsError(Call("aten::add.out", {a, a, 1, small}), StatusCode::kInvalidArgument,
                      {"[2, 3]", "[2, 2]"}));
}

TEST(BinaryTest, FollowsEachOperandsDimOrder) {
  const std::vector<uint8_t> channels_last = {0, 2, 3, 1};
  TestTensor a(kF, {1, 2, 2, 3}, Counting(12), channels_last);
  TestTensor b(kF, {1, 2, 2, 3}, Counting(12, 100));
  TestTensor channel(kF, {2, 1, 1}, {0, 1000});
  TestTensor out(kF, {1, 2, 2, 3}, {}, channels_last);
  ASSERT_TRUE(IsOk(Call("aten::sub.out", {b, a, 1, out})));
  ExpectNumbers(out, std::vector<double>(12, 100));
  TestTensor plain(kF, {1, 2, 2, 3});
  ASSERT_TRUE(IsOk(Call("aten::add.out", {a, channel, 1, plain})));
  ExpectNumbers(plain, {0, 1, 2, 3, 4, 5, 1006, 1007, 1008, 1009, 1010, 1011});
}

TEST(BinaryTest, RowsLongerThanABlock) {
  TestTensor a(kF, {3, 700}, Counting(2100));
  TestTensor b(kF, {700}, Counting(700));
  TestTensor out(kF, {3, 700});
  ASSERT_TRUE(IsOk(Call("aten::sub.out", {a, b, 1, out})));
  std::vector<double> expected(2100);
  for (size_t i = 0; i < expected.size(); ++i) expected[i] = static_cast<double>(i / 700) * 700;
  ExpectNumbers(out, expected);
}

TEST(BinaryTest, NoElementsAreNoWork) {
  TestTensor a(kF, {0, 3});
  TestTensor b(kF, {3});
  TestTensor out(kF, {0, 3});
  EXPECT_TRUE(IsOk(Call("aten::add.out", {a, b, 1, out})));
}

TEST(BinaryTest, PromotesTypesAsPyTorch) {
  using kernels::PromoteTypes;
  EXPECT_EQ(PromoteTypes(ScalarType::kByte, ScalarType::kChar), ScalarType::kShort);
  EXPECT_EQ(PromoteTypes(ScalarType::kInt, ScalarType::kLong), ScalarType::kLong);
  EXPECT_EQ(PromoteTypes(ScalarType::kLong, ScalarType::kHalf), ScalarType::kHalf);
  EXPECT_EQ(PromoteTypes(ScalarType::kHalf, ScalarType::kBFloat16), ScalarType::kFloat);
  EXPECT_EQ(PromoteTypes(ScalarType::kFloat, ScalarType::kDouble), ScalarType::kDouble);
  EXPECT_EQ(PromoteTypes(ScalarType::kBool, ScalarType::kByte), ScalarType::kByte);
  // Integers and floats: what does not fit float's 24 bits would show it.
  TestTensor integers(kL, {2}, {16777217, 3});
  TestTensor halves(kF, {2}, {0.5, 0.5});
  TestTensor out(kF, {2});
  ASSERT_TRUE(IsOk(Call("aten::add.out", {integers, halves, 1, out})));
  ExpectNumbers(out, {16777216, 3.5});
  // A number does not widen a tensor of its kind.
  TestTensor shorts(ScalarType::kChar, {1}, {100});
  TestTensor wrapped(ScalarType::kChar, {1});
  ASSERT_TRUE(IsOk(Call("aten::add.Scalar_out", {shorts, 100, 1, wrapped})));
  ExpectNumbers(wrapped, {-56});
}

TEST(BinaryTest, LargeIntegersAreExact) {
  const auto large = static_cast<double>(int64_t{1} << 53);
  TestTensor a(kL, {1}, {large});
  TestTensor b(kL, {1}, {1});
  TestTensor out(kL, {1});
  ASSERT_TRUE(IsOk(Call("aten::add.out", {a, b, 1, out})));
  EXPECT_EQ(kernels::LoadElement<int64_t>(kL, out.tensor().data(), 0), (int64_t{1} << 53) + 1);
}

TEST(BinaryTest, DividesInEachMode) {
  TestTensor a(kL, {4}, {7, -7, 7, -7});
  TestTensor b(kL, {4}, {2, 2, -2, -2});
  TestTensor real(kF, {4});
  TestTensor out(kL, {4});
  ASSERT_TRUE(IsOk(Call("aten::div.out", {a, b, real})));
  ExpectNumbers(real, {3.5, -3.5, -3.5, 3.5});
  ASSERT_TRUE(IsOk(Call("aten::div.out_mode", {a, b, "floor", out})));
  ExpectNumbers(out, {3, -4, -4, 3});
  ASSERT_TRUE(IsOk(Call("aten::div.out_mode", {a, b, "trunc", out})));
  ExpectNumbers(out, {3, -3, -3, 3});
  ASSERT_TRUE(IsOk(Call("aten::remainder.Tensor_out", {a, b, out})));
  ExpectNumbers(out, {1, 1, -1, -1});
  ASSERT_TRUE(IsOk(Call("aten::fmod.Tensor_out", {a, b, out})));
  ExpectNumbers(out, {1, -1, 1, -1});
  TestTensor x(kF, {3}, {0.75, -0.75, 1});
  TestTensor y(kF, {3});
  ASSERT_TRUE(IsOk(Call("aten::floor_divide.Scalar_out", {x, 0.5, y})));
  ExpectNumbers(y, {1, -2, 2});
  ASSERT_TRUE(IsOk(Call("aten::remainder.Scalar_out", {x, 0.5, y})));
  ExpectNumbers(y, {0.25, 0.25, 0});
}

TEST(BinaryTest, AnIntegerDividedByZeroIsAStatus) {
  TestTensor a(kL, {2}, {7, 7});
  TestTensor b(kL, {2}, {1, 0});
  TestTensor out(kL, {2});
  for (const char* name :
       {"aten::floor_divide.out", "aten::fmod.Tensor_out", "aten::remainder.Tensor_out"}) {
    EXPECT_TRUE(IsError(Call(name, {a, b, out}), StatusCode::kInvalidArgument, {"zero"}));
  }
}

TEST(BinaryTest, AnUnknownModeIsAStatus) {
  TestTensor a(kF, {1}, {7});
  TestTensor out(kF, {1});
  EXPECT_TRUE(IsError(Call("aten::div.out_mode", {a, a, "ceil", out}), StatusCode::kUnsupported,
                      {"'ceil'"}));
  EXPECT_TRUE(IsError(Call("aten::gelu.out", {a, "sigmoid", out}), StatusCode::kUnsupported,
                      {"'sigmoid'"}));
}

TEST(BinaryTest, ADivisorThatTheOutputOverwritesIsAStatus) {
  const int32_t size = 4;
  const uint8_t order = 0;
  const TensorLayout layout{kL, {&size, 1}, {&order, 1}};
  for (const char* name :
       {"aten::floor_divide.out", "aten::fmod.Tensor_out", "aten::remainder.Tensor_out"}) {
    int64_t ones[] = {1, 1, 1, 1};
    // The output lies one element behind the divisor. 1 % 1 is 0, and the next divisor.
    int64_t overlapping[] = {1, 1, 1, 1, 1};
    overlapping[0] = std::string(name) == "aten::floor_divide.out" ? 5 : 1;
    auto* bytes = reinterpret_cast<uint8_t*>(overlapping);
    ONEPACK_ASSERT_OK_AND_ASSIGN(Tensor a,
                                 Tensor::Over(layout, {reinterpret_cast<uint8_t*>(ones), 32}));
    ONEPACK_ASSERT_OK_AND_ASSIGN(Tensor b, Tensor::Over(layout, {bytes, 32}));
    ONEPACK_ASSERT_OK_AND_ASSIGN(Tensor out, Tensor::Over(layout, {bytes + 8, 32}));
    Value of_a = Value::OfTensor(&a);
    Value of_b = Value::OfTensor(&b);
    Value of_out = Value::OfTensor(&out);
    EXPECT_TRUE(IsError(Call(name, {of_a, of_b, of_out}), StatusCode::kInvalidArgument, {"zero"}))
        << name;
  }
}

TEST(BinaryTest, AfterADivisionByZeroTheOutputIsWhatItWas) {
  constexpr ScalarType kNarrow = ScalarType::kInt;  // computed in a block of int64_t
  TestTensor a(kNarrow, {3}, {7, 7, 7});
  TestTensor b(kNarrow, {3}, {0, 1, 2});
  TestTensor out(kNarrow, {3}, {11, 12, 13});
  EXPECT_TRUE(IsError(Call("aten::fmod.Tensor_out", {a, b, out}), StatusCode::kInvalidArgument));
  ExpectNumbers(out, {11, 12, 13});
}

TEST(BinaryTest, TheSmallestIntegerDividedByMinusOneWrapsAround) {
  TestTensor a(kL, {1});
  kernels::StoreElement<int64_t>(kL, a.tensor().mutable_data(), 0, INT64_MIN);
  TestTensor b(kL, {1}, {-1});
  TestTensor out(kL, {1});
  ASSERT_TRUE(IsOk(Call("aten::floor_divide.out", {a, b, out})));
  EXPECT_EQ(kernels::LoadElement<int64_t>(kL, out.tensor().data(), 0), INT64_MIN);
  ASSERT_TRUE(IsOk(Call("aten::remainder.Tensor_out", {a, b, out})));
  ExpectNumbers(out, {0});
}

TEST(BinaryTest, Compares) {
  TestTensor a(kF, {4}, {1, 2, 3, kNan});
  TestTensor b(kF, {4}, {2, 2, 2, 2});
  TestTensor out(kB, {4});
  const std::pair<const char*, std::vector<double>> cases[] = {
      {"eq", {0, 1, 0, 0}}, {"ne", {1, 0, 1, 1}}, {"lt", {1, 0, 0, 0}},
      {"le", {1, 1, 0, 0}}, {"gt", {0, 0, 1, 0}}, {"ge", {0, 1, 1, 0}}};
  for (const auto& [name, expected] : cases) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(IsOk(Call(std::string("aten::") + name + ".Tensor_out", {a, b, out})));
    ExpectNumbers(out, expected);
    ASSERT_TRUE(IsOk(Call(std::string("aten::") + name + ".Scalar_out", {a, 2, out})));
    ExpectNumbers(out, expected);
  }
}

TEST(BinaryTest, LogicAndBits) {
  TestTensor a(kL, {4}, {0, 1, 6, -1});
  TestTensor b(kL, {4}, {0, 3, 3, 0});
  TestTensor truth(kB, {4});
  TestTensor bits(kL, {4});
  ASSERT_TRUE(IsOk(Call("aten::logical_and.out", {a, b, truth})));
  ExpectNumbers(truth, {0, 1, 1, 0});
  ASSERT_TRUE(IsOk(Call("aten::logical_xor.out", {a, b, truth})));
  ExpectNumbers(truth, {0, 0, 0, 1});
  ASSERT_TRUE(IsOk(Call("aten::bitwise_and.Tensor_out", {a, b, bits})));
  ExpectNumbers(bits, {0, 1, 2, 0});
  ASSERT_TRUE(IsOk(Call("aten::bitwise_or.Scalar_out", {a, 8, bits})));
  ExpectNumbers(bits, {8, 9, 14, -1});
  ASSERT_TRUE(IsOk(Call("aten::bitwise_left_shift.Tensor_out", {a, b, bits})));
  ExpectNumbers(bits, {0, 8, 48, -1});
}

TEST(BinaryTest, PowersAndExtremes) {
  TestTensor a(kF, {3}, {2, 3, -2});
  TestTensor out(kF, {3});
  ASSERT_TRUE(IsOk(Call("aten::pow.Tensor_Scalar_out", {a, 2, out})));
  ExpectNumbers(out, {4, 9, 4});
  ASSERT_TRUE(IsOk(Call("aten::pow.Scalar_out", {2.0, a, out})));
  ExpectNumbers(out, {4, 8, 0.25});
  TestTensor i(kL, {3}, {2, 3, -2});
  TestTensor cubed(kL, {3});
  ASSERT_TRUE(IsOk(Call("aten::pow.Tensor_Scalar_out", {i, 3, cubed})));
  ExpectNumbers(cubed, {8, 27, -8});
  TestTensor b(kF, {3}, {1, kNan, 5});
  ASSERT_TRUE(IsOk(Call("aten::maximum.out", {a, b, out})));
  ExpectNumbers(out, {2, kNan, 5});
  ASSERT_TRUE(IsOk(Call("aten::minimum.out", {b, a, out})));
  ExpectNumbers(out, {1, kNan, -2});
}

TEST(BinaryTest, PReluHasAWeightForEachChannel) {
  TestTensor self(kF, {1, 2, 2}, {-1, 2, -3, 4});
  TestTensor weight(kF, {2}, {0.5, 0.1});
  TestTensor out(kF, {1, 2, 2});
  ASSERT_TRUE(IsOk(Call("aten::prelu.out", {self, weight, out})));
  ExpectNumbers(out, {-0.5, 2, -0.3, 4}, 1e-6);
}

TEST(TernaryTest, WhereAndMasks) {
  TestTensor condition(kB, {2, 1}, {1, 0});
  TestTensor a(kF, {2, 2}, {1, 2, 3, 4});
  TestTensor b(kF, {}, {-1});
  TestTensor out(kF, {2, 2});
  ASSERT_TRUE(IsOk(Call("aten::where.self_out", {condition, a, b, out})));
  ExpectNumbers(out, {1, 2, -1, -1});
  ASSERT_TRUE(IsOk(Call("aten::masked_fill.Scalar_out", {a, condition, -kInfinity, out})));
  ExpectNumbers(out, {-kInfinity, -kInfinity, 3, 4});
}

TEST(TernaryTest, ClampsOnOneSideOrBoth) {
  TestTensor a(kF, {4}, {-2, 0, 1, 5});
  TestTensor out(kF, {4});
  ASSERT_TRUE(IsOk(Call("aten::clamp.out", {a, -1, 1, out})));
  ExpectNumbers(out, {-1, 0, 1, 1});
  ASSERT_TRUE(IsOk(Call("aten::clamp.out", {a, nullptr, 1, out})));
  ExpectNumbers(out, {-2, 0, 1, 1});
  ASSERT_TRUE(IsOk(Call("aten::clamp.out", {a, 0, nullptr, out})));
  ExpectNumbers(out, {0, 0, 1, 5});
  TestTensor low(kF, {4}, {0, 1, 2, 3});
  ASSERT_TRUE(IsOk(Call("aten::clamp.Tensor_out", {a, low, nullptr, out})));
  ExpectNumbers(out, {0, 1, 2, 5});
}

}  // namespace
}  // namespace onepack
