// Nodes that compute element by element: unary and binary ones, and concatenation, against plain
// computation.

#include <limits>
#include <string>

#include "tests/delegate/ops/graph_test.h"

namespace onepack {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Unary.

struct UnaryCase {
  XNodeUnion type;
  float (*expected)(float);
};

float Gelu(float x) { return 0.5f * x * (1 + std::erf(x * 0.70710678f)); }
float Hardswish(float x) { return x * std::min(std::max(x + 3, 0.0f), 6.0f) / 6; }
float Sigmoid(float x) { return 1 / (1 + std::exp(-x)); }

const UnaryCase kUnary[] = {
    {XNodeUnion::XNNAbs, [](float x) { return std::fabs(x); }},
    {XNodeUnion::XNNCeiling, [](float x) { return std::ceil(x); }},
    {XNodeUnion::XNNConvert, [](float x) { return x; }},
    {XNodeUnion::XNNCopy, [](float x) { return x; }},
    {XNodeUnion::XNNCos, [](float x) { return std::cos(x); }},
    {XNodeUnion::XNNExp, [](float x) { return std::exp(x); }},
    {XNodeUnion::XNNFloor, [](float x) { return std::floor(x); }},
    {XNodeUnion::XNNGelu, Gelu},
    {XNodeUnion::XNNHardswish, Hardswish},
    {XNodeUnion::XNNLog, [](float x) { return std::log(x); }},
    {XNodeUnion::XNNNegate, [](float x) { return -x; }},
    {XNodeUnion::XNNReciprocalSquareRoot, [](float x) { return 1 / std::sqrt(x); }},
    {XNodeUnion::XNNSigmoid, Sigmoid},
    {XNodeUnion::XNNSin, [](float x) { return std::sin(x); }},
    {XNodeUnion::XNNSquare, [](float x) { return x * x; }},
    {XNodeUnion::XNNSquareRoot, [](float x) { return std::sqrt(x); }},
    {XNodeUnion::XNNTanh, [](float x) { return std::tanh(x); }},
};

bool IsForPositiveNumbers(XNodeUnion type) {
  return type == XNodeUnion::XNNLog || type == XNodeUnion::XNNReciprocalSquareRoot ||
         type == XNodeUnion::XNNSquareRoot;
}

// In (-4, 4), or in (0, 4).
std::vector<float> ArgumentsOf(XNodeUnion type, size_t count) {
  std::vector<float> numbers = Mixed(count);
  for (float& number : numbers) {
    number *= 4;
    if (IsForPositiveNumbers(type)) number = std::fabs(number) + 0.0625f;
  }
  return numbers;
}

class UnaryTest : public testing::TestWithParam<UnaryCase> {};

TEST_P(UnaryTest, OfFloatsGivesTheFunctionsValue) {
  const std::vector<float> x = ArgumentsOf(GetParam().type, 3 * 37);
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const auto found,
      RunOne({3, 37}, {3, 37}, x, [](PayloadWriter& payload, uint32_t in, uint32_t out) {
        payload.AddUnary(GetParam().type, in, out);
      }));
  const std::vector<float> y = FloatsOf(found[0]);
  ASSERT_EQ(y.size(), x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    const float expected = GetParam().expected(x[i]);
    ASSERT_NEAR(y[i], expected, 2e-5f * std::max(1.0f, std::fabs(expected))) << x[i];
  }
}

TEST_P(UnaryTest, OfHalvesGivesTheFunctionsValueToTheirPrecision) {
  PayloadWriter payload;
  const uint32_t x = AddBorderOf(payload, XNNDatatype::fp16, {3, 37}, false);
  const uint32_t y = AddBorderOf(payload, XNNDatatype::fp16, {3, 37}, true);
  payload.AddUnary(GetParam().type, x, y);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram program,
                               GraphProgram::Load(payload, {Input({3, 37}, ScalarType::kHalf),
                                                            Output({3, 37}, ScalarType::kHalf)}));
  const std::vector<float> numbers = ArgumentsOf(GetParam().type, 3 * 37);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, program.Run({Halves({3, 37}, numbers)}));
  const std::vector<float> results = FloatsOf(found[0]);
  for (size_t i = 0; i < numbers.size(); ++i) {
    const float expected = GetParam().expected(numbers[i]);
    ASSERT_NEAR(results[i], expected, 4e-3f * std::max(1.0f, std::fabs(expected))) << numbers[i];
  }
}

TEST_P(UnaryTest, OfQuantizedNumbersIsWithinAStepOfTheFunctionsValue) {
  constexpr float kScale = 0.25f;
  PayloadWriter payload;
  const uint32_t x =
      AddQuantizedValue(payload, XNNDatatype::qint8, {64}, kScale, -10, Place::kInput);
  const uint32_t y =
      AddQuantizedValue(payload, XNNDatatype::qint8, {64}, kScale, -10, Place::kOutput);
  payload.AddUnary(GetParam().type, x, y);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram program,
                               GraphProgram::Load(payload, {Input({64}, ScalarType::kChar),
                                                            Output({64}, ScalarType::kChar)}));
  std::vector<int8_t> stored;
  for (int i = 0; i < 64; ++i) {
    const int number = IsForPositiveNumbers(GetParam().type) ? i + 1 : i - 32;
    stored.push_back(static_cast<int8_t>(number / 2 - 10));
  }
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found,
                               program.Run({TensorOfNumbers(ScalarType::kChar, {64}, stored)}));
  const std::vector<int8_t> results = NumbersOf<int8_t>(found[0]);
  for (size_t i = 0; i < stored.size(); ++i) {
    const float number = kScale * static_cast<float>(stored[i] + 10);
    if (IsForPositiveNumbers(GetParam().type) && number <= 0) continue;
    const float exact = GetParam().expected(number);
    const float expected = std::min(std::max(exact, -118 * kScale), 137 * kScale);
    ASSERT_NEAR(kScale * static_cast<float>(results[i] + 10), expected, kScale) << number;
  }
}

INSTANTIATE_TEST_SUITE_P(AllFunctions, UnaryTest, testing::ValuesIn(kUnary),
                         [](const testing::TestParamInfo<UnaryCase>& test) {
                           return std::string(EnumNameXNodeUnion(test.param.type));
                         });

Result<std::vector<GraphTensor>> RunClamp(const std::vector<float>& x, float min, float max) {
  const auto count = static_cast<uint32_t>(x.size());
  return RunOne({count}, {count}, x, [&](PayloadWriter& payload, uint32_t in, uint32_t out) {
    payload.AddUnary(XNodeUnion::XNNClamp, in, out, {{min, max}});
  });
}

TEST(ClampTest, KeepsNumbersInItsRange) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto both, RunClamp({-5, -1, 0, 2, 7}, -1, 2));
  EXPECT_EQ(FloatsOf(both[0]), (std::vector<float>{-1, -1, 0, 2, 2}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto below, RunClamp({-5, -1, 0, 2, 7}, 1.5f, kInfinity));
  EXPECT_EQ(FloatsOf(below[0]), (std::vector<float>{1.5f, 1.5f, 1.5f, 2, 7}));
}

TEST(ClampTest, ARangeThatIsNoneIsRefused) {
  EXPECT_TRUE(IsError(RunClamp({1}, 2, 1), StatusCode::kInvalidFile, {"XNNClamp", "from 2 to 1"}));
  EXPECT_TRUE(IsError(RunClamp({1}, NAN, 1), StatusCode::kInvalidFile, {"XNNClamp"}));
}

TEST(EluTest, ScalesNegativeNumbersByItsFactor) {
  const std::vector<float> x = {-3, -0.5f, 0, 0.5f, 3};
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const auto found, RunOne({5}, {5}, x, [](PayloadWriter& payload, uint32_t in, uint32_t out) {
        const auto node = wire::xnnpack::CreateXNNELU(payload.builder(), 0.75f, in, out);
        payload.AddNode(XNodeUnion::XNNELU, node.Union());
      }));
  const std::vector<float> y = FloatsOf(found[0]);
  for (size_t i = 0; i < x.size(); ++i) {
    EXPECT_NEAR(y[i], x[i] < 0 ? 0.75f * (std::exp(x[i]) - 1) : x[i], 1e-6f);
  }
}

AddNode LeakyReLU(float slope) {
  return [=](PayloadWriter& payload, uint32_t in, uint32_t out) {
    const auto node = wire::xnnpack::CreateXNNLeakyReLU(payload.builder(), slope, in, out);
    payload.AddNode(XNodeUnion::XNNLeakyReLU, node.Union());
  };
}

TEST(LeakyReluTest, MultipliesNegativeNumbersByItsSlope) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, RunOne({3}, {3}, {-4, 0, 4}, LeakyReLU(0.125f)));
  EXPECT_EQ(FloatsOf(found[0]), (std::vector<float>{-0.5f, 0, 4}));
}

TEST(LeakyReluTest, ASlopeThatIsNoNumberIsRefused) {
  EXPECT_TRUE(IsError(LoadOne({3}, {3}, LeakyReLU(NAN)), StatusCode::kInvalidFile,
                      {"XNNLeakyReLU", "finite"}));
}

TEST(ConvertTest, BetweenAllPlainDatatypesKeepsSmallIntegers) {
  struct Kind {
    XNNDatatype datatype;
    ScalarType type;
  };
  const Kind kinds[] = {{XNNDatatype::fp32, ScalarType::kFloat},
                        {XNNDatatype::fp16, ScalarType::kHalf},
                        {XNNDatatype::bf16, ScalarType::kBFloat16}};
  const std::vector<float> numbers = {-3, -1, 0, 1, 2, 100};
  for (const Kind& from : kinds) {
    for (const Kind& to : kinds) {
      PayloadWriter payload;
      const uint32_t x = AddBorderOf(payload, from.datatype, {6}, false);
      payload.AddConvert(x, AddBorderOf(payload, to.datatype, {6}, true));
      ONEPACK_ASSERT_OK_AND_ASSIGN(
          const GraphProgram program,
          GraphProgram::Load(payload, {Input({6}, from.type), Output({6}, to.type)}));
      const GraphTensor input = from.type == ScalarType::kFloat  ? Floats({6}, numbers)
                                : from.type == ScalarType::kHalf ? Halves({6}, numbers)
                                                                 : Bfloats({6}, numbers);
      ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, program.Run({input}));
      EXPECT_EQ(FloatsOf(found[0]), numbers)
          << EnumNameXNNDatatype(from.datatype) << " to " << EnumNameXNNDatatype(to.datatype);
    }
  }
}

TEST(UnaryErrorsTest, IntegersAreRefusedWhereTheFunctionIsOfRealNumbers) {
  PayloadWriter payload;
  const uint32_t x = AddBorderOf(payload, XNNDatatype::int32, {4}, false);
  payload.AddUnary(XNodeUnion::XNNSigmoid, x, AddBorderOf(payload, XNNDatatype::int32, {4}, true));
  EXPECT_TRUE(IsError(
      GraphProgram::Load(payload, {Input({4}, ScalarType::kInt), Output({4}, ScalarType::kInt)}),
      StatusCode::kUnsupported, {"graph node 0 (XNNSigmoid)", "int32"}));
}

// Binary.

struct BinaryCase {
  XNodeUnion type;
  float (*expected)(float, float);
};

const BinaryCase kBinary[] = {
    {XNodeUnion::XNNAdd, [](float a, float b) { return a + b; }},
    {XNodeUnion::XNNDiv, [](float a, float b) { return a / b; }},
    {XNodeUnion::XNNMaximum, [](float a, float b) { return std::max(a, b); }},
    {XNodeUnion::XNNMinimum, [](float a, float b) { return std::min(a, b); }},
    {XNodeUnion::XNNMultiply, [](float a, float b) { return a * b; }},
    {XNodeUnion::XNNPReLU, [](float a, float b) { return a < 0 ? a * b : a; }},
    {XNodeUnion::XNNSubtract, [](float a, float b) { return a - b; }},
};

class BinaryTest : public testing::TestWithParam<BinaryCase> {};

// [2, 3, 5] with [3, 1], and the other way round.
TEST_P(BinaryTest, BroadcastsEitherOperand) {
  const std::vector<float> big = Mixed(30);
  const std::vector<float> small = {0.5f, -0.25f, 2};
  for (const bool big_first : {true, false}) {
    PayloadWriter payload;
    const uint32_t a = payload.AddInput({2, 3, 5});
    const uint32_t b = payload.AddInput({3, 1});
    const uint32_t y = payload.AddOutput({2, 3, 5});
    payload.AddBinary(GetParam().type, big_first ? a : b, big_first ? b : a, y);
    ONEPACK_ASSERT_OK_AND_ASSIGN(
        const GraphProgram program,
        GraphProgram::Load(payload, {Input({2, 3, 5}), Input({3, 1}), Output({2, 3, 5})}));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found,
                                 program.Run({Floats({2, 3, 5}, big), Floats({3, 1}, small)}));
    const std::vector<float> numbers = FloatsOf(found[0]);
    for (size_t i = 0; i < numbers.size(); ++i) {
      const float other = small[i / 5 % 3];
      if (!big_first && GetParam().type == XNodeUnion::XNNDiv && big[i] == 0) continue;
      const float expected =
          big_first ? GetParam().expected(big[i], other) : GetParam().expected(other, big[i]);
      ASSERT_NEAR(numbers[i], expected, 1e-5f * std::max(1.0f, std::fabs(expected))) << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllFunctions, BinaryTest, testing::ValuesIn(kBinary),
                         [](const testing::TestParamInfo<BinaryCase>& test) {
                           return std::string(EnumNameXNodeUnion(test.param.type));
                         });

// x op x.
AddNode WithItself(XNodeUnion type, PayloadWriter::OutputRange range = {}) {
  return [=](PayloadWriter& payload, uint32_t in, uint32_t out) {
    payload.AddBinary(type, in, in, out, range);
  };
}

TEST(BinaryRangeTest, ClampsWhatIsComputed) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const auto found,
      RunOne({4}, {4}, {-3, -0.25f, 0.25f, 3}, WithItself(XNodeUnion::XNNAdd, {{-1.0f, 1.0f}})));
  EXPECT_EQ(FloatsOf(found[0]), (std::vector<float>{-1, -0.5f, 0.5f, 1}));
}

// XNNPACK's constants are read in place: here one of rank 0.
TEST(BinaryTest2, AScalarConstantBroadcasts) {
  const std::vector<float> scale = {3};
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const auto found,
      RunOne({2, 2}, {2, 2}, {1, 2, 3, 4}, [&](PayloadWriter& payload, uint32_t in, uint32_t out) {
        const uint32_t three = payload.AddConstant({}, payload.AddOwnConstant(AsBytes(scale)));
        payload.AddMultiply(in, three, out);
      }));
  EXPECT_EQ(FloatsOf(found[0]), (std::vector<float>{3, 6, 9, 12}));
}

Result<std::vector<GraphTensor>> RunIntegers(XNodeUnion type, PayloadWriter::OutputRange range,
                                             const std::vector<int32_t>& a,
                                             const std::vector<int32_t>& b) {
  PayloadWriter payload;
  const uint32_t x = AddBorderOf(payload, XNNDatatype::int32, {3}, false);
  const uint32_t y = AddBorderOf(payload, XNNDatatype::int32, {3}, false);
  payload.AddBinary(type, x, y, AddBorderOf(payload, XNNDatatype::int32, {3}, true), range);
  const GraphBorder in = Input({3}, ScalarType::kInt);
  ONEPACK_ASSIGN_OR_RETURN(const GraphProgram program,
                           GraphProgram::Load(payload, {in, in, Output({3}, ScalarType::kInt)}));
  return program.Run(
      {TensorOfNumbers(ScalarType::kInt, {3}, a), TensorOfNumbers(ScalarType::kInt, {3}, b)});
}

TEST(IntegerTest, AreAddedAndMultiplied) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto sum,
                               RunIntegers(XNodeUnion::XNNAdd, {}, {1, -5, 7}, {10, 20, 1 << 20}));
  EXPECT_EQ(NumbersOf<int32_t>(sum[0]), (std::vector<int32_t>{11, 15, (1 << 20) + 7}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto product,
                               RunIntegers(XNodeUnion::XNNMultiply, {}, {1, -5, 7}, {10, 20, 30}));
  EXPECT_EQ(NumbersOf<int32_t>(product[0]), (std::vector<int32_t>{10, -100, 210}));
}

TEST(IntegerTest, ADivisionOfIntegersIsRefusedBecauseOneByZeroEndsTheProcess) {
  EXPECT_TRUE(IsError(RunIntegers(XNodeUnion::XNNDiv, {}, {1, 2, 3}, {0, 0, 0}),
                      StatusCode::kUnsupported, {"graph node 0 (XNNDiv)", "int32"}));
}

TEST(IntegerTest, ARangeOfIntegersIsRefused) {
  EXPECT_TRUE(IsError(RunIntegers(XNodeUnion::XNNAdd, {{0.0f, 1.0f}}, {1, 2, 3}, {0, 0, 0}),
                      StatusCode::kUnsupported, {"XNNAdd", "output range", "int32"}));
}

TEST(BinaryErrorsTest, OperandsThatDoNotFitAreNamedWithBothShapes) {
  PayloadWriter payload;
  const uint32_t a = payload.AddInput({2, 3});
  const uint32_t b = payload.AddInput({2, 4});
  payload.AddAdd(a, b, payload.AddOutput({2, 4}));
  EXPECT_TRUE(IsError(GraphProgram::Load(payload, {Input({2, 3}), Input({2, 4}), Output({2, 4})}),
                      StatusCode::kInvalidFile, {"graph node 0 (XNNAdd)", "[2, 3]", "[2, 4]"}));
}

// The bounds fit; the sizes of a call need not.
TEST(BinaryErrorsTest, SizesOfACallThatDoNotFitAreRefusedAndTheNextCallRuns) {
  PayloadWriter payload;
  const uint32_t a = payload.AddInput({8, 3});
  const uint32_t b = payload.AddInput({8, 3});
  payload.AddAdd(a, b, payload.AddOutput({8, 3}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const GraphProgram program,
      GraphProgram::Load(payload, {Input({8, 3}), Input({8, 3}), Output({8, 3})}));
  const GraphTensor two = Floats({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_TRUE(IsError(program.Run({two, Floats({4, 3}, Mixed(12))}), StatusCode::kMismatch,
                      {"graph node 0 (XNNAdd)", "[2, 3]", "[4, 3]"}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, program.Run({two, two}));
  EXPECT_EQ(FloatsOf(found[0]), (std::vector<float>{2, 4, 6, 8, 10, 12}));
}

// Concatenation.

flatbuffers::Offset<void> Cat(PayloadWriter& payload, uint32_t axis,
                              const std::vector<uint32_t>& ids, uint32_t output) {
  const auto id = [&](size_t i) { return i < ids.size() ? ids[i] : PayloadWriter::kNoValue; };
  return wire::xnnpack::CreateXNNCat(payload.builder(), axis, id(0), id(1), id(2), id(3), output, 0,
                                     id(4))
      .Union();
}

const XNodeUnion kConcatenations[] = {XNodeUnion::XNNConcatenate2, XNodeUnion::XNNConcatenate3,
                                      XNodeUnion::XNNConcatenate4, XNodeUnion::XNNConcatenate5};

TEST(ConcatenateTest, JoinsTwoToFiveInputsInTheirOrder) {
  for (uint32_t count = 2; count <= 5; ++count) {
    PayloadWriter payload;
    std::vector<uint32_t> ids;
    std::vector<GraphBorder> borders;
    std::vector<GraphTensor> inputs;
    std::vector<float> expected(2 * 3 * count);
    for (uint32_t i = 0; i < count; ++i) {
      ids.push_back(payload.AddInput({2, 3}));
      borders.push_back(Input({2, 3}));
      const std::vector<float> numbers = Mixed(6, i + 1);
      inputs.push_back(Floats({2, 3}, numbers));
      for (size_t row = 0; row < 2; ++row) {
        for (size_t column = 0; column < 3; ++column) {
          expected[row * 3 * count + 3 * i + column] = numbers[row * 3 + column];
        }
      }
    }
    const uint32_t y = payload.AddOutput({2, 3 * count});
    payload.AddNode(kConcatenations[count - 2], Cat(payload, 1, ids, y));
    borders.push_back(Output({2, static_cast<int32_t>(3 * count)}));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram program, GraphProgram::Load(payload, borders));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, program.Run(inputs));
    EXPECT_EQ(FloatsOf(found[0]), expected);
  }
}

Result<GraphProgram> LoadCat(const std::vector<uint32_t>& a, const std::vector<uint32_t>& b,
                             const std::vector<uint32_t>& y, uint32_t axis) {
  PayloadWriter payload;
  const std::vector<uint32_t> ids = {payload.AddInput(a), payload.AddInput(b)};
  payload.AddNode(XNodeUnion::XNNConcatenate2, Cat(payload, axis, ids, payload.AddOutput(y)));
  return GraphProgram::Load(payload, {Input(SizesOf(a)), Input(SizesOf(b)), Output(SizesOf(y))});
}

TEST(ConcatenateErrorsTest, AnAxisThatIsNoneIsNamed) {
  EXPECT_TRUE(IsOk(LoadCat({2, 3}, {2, 3}, {4, 3}, 0)));
  for (const uint32_t axis : {2u, 7u, 0xffffffffu}) {
    EXPECT_TRUE(IsError(LoadCat({2, 3}, {2, 3}, {4, 3}, axis), StatusCode::kInvalidFile,
                        {"XNNConcatenate2", "axis " + std::to_string(axis)}));
  }
}

TEST(ConcatenateErrorsTest, InputsThatDifferElsewhereAreNamed) {
  EXPECT_TRUE(IsError(LoadCat({2, 3}, {2, 4}, {4, 3}, 0), StatusCode::kInvalidFile,
                      {"XNNConcatenate2", "[2, 3]", "[2, 4]"}));
  EXPECT_TRUE(IsError(LoadCat({2, 3}, {2, 3, 1}, {4, 3}, 0), StatusCode::kInvalidFile,
                      {"XNNConcatenate2", "[2, 3, 1]"}));
}

// XNNPACK would read beyond the shorter one.
TEST(ConcatenateErrorsTest, InputsThatDifferInACallOnlyAreRefusedThen) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram program, LoadCat({8, 1}, {8, 2}, {8, 3}, 1));
  EXPECT_TRUE(IsError(program.Run({Floats({8, 1}, Mixed(8)), Floats({2, 2}, Mixed(4))}),
                      StatusCode::kMismatch, {"XNNConcatenate2", "[8, 1]", "[2, 2]"}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found,
                               program.Run({Floats({2, 1}, {1, 4}), Floats({2, 2}, {2, 3, 5, 6})}));
  EXPECT_EQ(found[0].sizes, (std::vector<int32_t>{2, 3}));
  EXPECT_EQ(FloatsOf(found[0]), (std::vector<float>{1, 2, 3, 4, 5, 6}));
}

}  // namespace
}  // namespace onepack
