#include "tools/compare.h"

#include <gtest/gtest.h>
#include <math.h>
#include <string.h>

#include <limits>
#include <memory>
#include <vector>

#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr Tolerance kNone{0, 0};

// A tensor and all it is a view of.
class OwnedTensor {
 public:
  template <typename T>
  OwnedTensor(ScalarType type, std::vector<int32_t> sizes, const std::vector<T>& elements,
              std::vector<uint8_t> order = {})
      : sizes_(std::move(sizes)),
        order_(std::move(order)),
        bytes_(reinterpret_cast<const uint8_t*>(elements.data()),
               reinterpret_cast<const uint8_t*>(elements.data() + elements.size())) {
    if (order_.empty()) {
      for (size_t i = 0; i < sizes_.size(); ++i) order_.push_back(static_cast<uint8_t>(i));
    }
    auto tensor = Tensor::Over({type, sizes_, order_}, {bytes_.data(), bytes_.size()});
    EXPECT_TRUE(IsOk(tensor));
    if (tensor.ok()) tensor_ = *tensor;
  }
  OwnedTensor(const OwnedTensor&) = delete;
  OwnedTensor& operator=(const OwnedTensor&) = delete;

  Value value() { return Value::OfTensor(&tensor_); }

 private:
  std::vector<int32_t> sizes_;
  std::vector<uint8_t> order_;
  std::vector<uint8_t> bytes_;
  Tensor tensor_;
};

template <typename T>
Comparison CompareElements(ScalarType type, const std::vector<T>& found,
                           const std::vector<T>& expected, const Tolerance& tolerance) {
  const auto size = static_cast<int32_t>(expected.size());
  OwnedTensor a(type, {size}, found);
  OwnedTensor b(type, {size}, expected);
  return CompareValues(a.value(), b.value(), tolerance);
}

TEST(RelativeErrorTest, IsTheDifferenceInUnitsOfTheTolerance) {
  EXPECT_EQ(RelativeError(1, 1, kNone), 0);
  EXPECT_DOUBLE_EQ(RelativeError(1.5, 1, {1, 0}), 0.5);
  EXPECT_DOUBLE_EQ(RelativeError(12, 10, {0, 0.1}), 2);
  EXPECT_DOUBLE_EQ(RelativeError(-12, -10, {1, 0.1}), 1);
  EXPECT_DOUBLE_EQ(RelativeError(0, 4, {0, 0.5}), 2);
}

TEST(RelativeErrorTest, IsInfiniteWithoutATolerance) {
  EXPECT_EQ(RelativeError(1, 1 + 1e-15, kNone), kInfinity);
  EXPECT_EQ(RelativeError(1e-300, 0, {0, 1}), kInfinity);
}

TEST(RelativeErrorTest, NanMatchesNanOnly) {
  const Tolerance wide{1e30, 1e30};
  EXPECT_EQ(RelativeError(kNan, kNan, kNone), 0);
  EXPECT_EQ(RelativeError(kNan, 1, wide), kInfinity);
  EXPECT_EQ(RelativeError(1, kNan, wide), kInfinity);
  EXPECT_EQ(RelativeError(kNan, kInfinity, wide), kInfinity);
}

TEST(RelativeErrorTest, InfinityMatchesItselfOnly) {
  const Tolerance wide{1e30, 1e30};
  EXPECT_EQ(RelativeError(kInfinity, kInfinity, kNone), 0);
  EXPECT_EQ(RelativeError(-kInfinity, -kInfinity, kNone), 0);
  EXPECT_EQ(RelativeError(kInfinity, -kInfinity, wide), kInfinity);
  EXPECT_EQ(RelativeError(kInfinity, 1e300, wide), kInfinity);
  EXPECT_EQ(RelativeError(1e300, kInfinity, wide), kInfinity);
}

TEST(CompareTest, TensorsWithinTheToleranceMatchAndTheWorstErrorIsReported) {
  const Comparison comparison =
      CompareElements<float>(ScalarType::kFloat, {1, 2.25f, 3}, {1, 2, 3.125f}, {0.5, 0});
  EXPECT_TRUE(comparison.matches()) << comparison.mismatch;
  EXPECT_DOUBLE_EQ(comparison.worst_error, 0.5);
}

TEST(CompareTest, AMismatchNamesHowManyElementsDifferAndTheWorst) {
  const Comparison comparison =
      CompareElements<float>(ScalarType::kFloat, {1, 5, 9, 4}, {1, 2, 3, 4}, {1, 0});
  EXPECT_DOUBLE_EQ(comparison.worst_error, 6);
  EXPECT_EQ(comparison.mismatch,
            "2 of 4 elements differ, most of all number 2: 9 found, 3 expected");
}

TEST(CompareTest, ANanAmongElementsIsTheWorst) {
  const auto nan = std::numeric_limits<float>::quiet_NaN();
  const Comparison comparison =
      CompareElements<float>(ScalarType::kFloat, {100, nan}, {1, 1}, {1, 0});
  EXPECT_EQ(comparison.worst_error, kInfinity);
  EXPECT_NE(comparison.mismatch.find("number 1: nan found"), std::string::npos)
      << comparison.mismatch;
  EXPECT_TRUE(CompareElements<float>(ScalarType::kFloat, {nan, 1}, {nan, 1}, kNone).matches());
}

TEST(CompareTest, HalfAndBfloat16AreComparedByTheirNumbers) {
  // 1, 1.5, -2, the smallest subnormal, infinity and NaN.
  const std::vector<uint16_t> half = {0x3c00, 0x3e00, 0xc000, 0x0001, 0x7c00, 0x7e00};
  const std::vector<uint16_t> bfloat = {0x3f80, 0x3fc0, 0xc000, 0x0001, 0x7f80, 0x7fc0};
  EXPECT_TRUE(CompareElements(ScalarType::kHalf, half, half, kNone).matches());
  EXPECT_TRUE(CompareElements(ScalarType::kBFloat16, bfloat, bfloat, kNone).matches());
  // 1.5 for 1, at twice the tolerance.
  const Comparison halves =
      CompareElements<uint16_t>(ScalarType::kHalf, {0x3e00}, {0x3c00}, {0.25, 0});
  EXPECT_DOUBLE_EQ(halves.worst_error, 2);
  EXPECT_NE(halves.mismatch.find("1.5 found, 1 expected"), std::string::npos) << halves.mismatch;
  const Comparison bfloats =
      CompareElements<uint16_t>(ScalarType::kBFloat16, {0x3fc0}, {0x3f80}, {0.25, 0});
  EXPECT_DOUBLE_EQ(bfloats.worst_error, 2);
  EXPECT_NE(bfloats.mismatch.find("1.5 found, 1 expected"), std::string::npos) << bfloats.mismatch;
  // A subnormal half is 2^-24; 0 is one tolerance away.
  const Comparison tiny =
      CompareElements<uint16_t>(ScalarType::kHalf, {0x0001}, {0}, {ldexp(1, -24), 0});
  EXPECT_DOUBLE_EQ(tiny.worst_error, 1);
  EXPECT_TRUE(tiny.matches());
}

TEST(CompareTest, DoublesAreComparedInFullPrecision) {
  EXPECT_FALSE(CompareElements<double>(ScalarType::kDouble, {1 + 1e-15}, {1}, kNone).matches());
  EXPECT_TRUE(CompareElements<double>(ScalarType::kDouble, {1 + 1e-15}, {1}, {1e-14, 0}).matches());
}

TEST(CompareTest, ComplexNumbersAreComparedByBothParts) {
  OwnedTensor expected(ScalarType::kComplexFloat, {2}, std::vector<float>{1, -2, 3, 4});
  OwnedTensor found(ScalarType::kComplexFloat, {2}, std::vector<float>{1, -2, 3, 4.5f});
  EXPECT_TRUE(CompareValues(found.value(), expected.value(), {0.5, 0}).matches());
  const Comparison comparison = CompareValues(found.value(), expected.value(), {0.25, 0});
  EXPECT_DOUBLE_EQ(comparison.worst_error, 2);
  EXPECT_NE(comparison.mismatch.find("number 1: 3+4.5i found, 3+4i expected"), std::string::npos)
      << comparison.mismatch;
}

TEST(CompareTest, IntegersMatchOnlyWhenEqualWhateverTheTolerance) {
  const Tolerance wide{1000, 1000};
  EXPECT_TRUE(
      CompareElements<int64_t>(ScalarType::kLong, {INT64_MIN, 7}, {INT64_MIN, 7}, kNone).matches());
  const Comparison comparison =
      CompareElements<int64_t>(ScalarType::kLong, {INT64_MAX - 1}, {INT64_MAX}, wide);
  EXPECT_EQ(comparison.worst_error, kInfinity);
  EXPECT_NE(comparison.mismatch.find("9223372036854775806 found, 9223372036854775807 expected"),
            std::string::npos)
      << comparison.mismatch;
  EXPECT_FALSE(CompareElements<int8_t>(ScalarType::kChar, {-1}, {1}, wide).matches());
  EXPECT_FALSE(CompareElements<uint8_t>(ScalarType::kByte, {255}, {254}, wide).matches());
}

template <typename T>
void ExpectComparedExactly(ScalarType type) {
  const T low = std::numeric_limits<T>::min();
  const T high = std::numeric_limits<T>::max();
  EXPECT_TRUE(CompareElements<T>(type, {low, high}, {low, high}, kNone).matches());
  const Comparison comparison =
      CompareElements<T>(type, {high}, {static_cast<T>(high - 1)}, {1e30, 1e30});
  EXPECT_EQ(comparison.worst_error, kInfinity) << ScalarTypeName(type);
  const std::string found = std::to_string(high) + " found";
  EXPECT_NE(comparison.mismatch.find(found), std::string::npos) << comparison.mismatch;
}

TEST(CompareTest, IntegersOfEveryWidthAreComparedExactly) {
  ExpectComparedExactly<int8_t>(ScalarType::kChar);
  ExpectComparedExactly<int8_t>(ScalarType::kQInt8);
  ExpectComparedExactly<uint8_t>(ScalarType::kByte);
  ExpectComparedExactly<uint8_t>(ScalarType::kQUInt8);
  ExpectComparedExactly<int16_t>(ScalarType::kShort);
  ExpectComparedExactly<uint16_t>(ScalarType::kUInt16);
  ExpectComparedExactly<int32_t>(ScalarType::kInt);
  ExpectComparedExactly<int32_t>(ScalarType::kQInt32);
  ExpectComparedExactly<uint32_t>(ScalarType::kUInt32);
  ExpectComparedExactly<int64_t>(ScalarType::kLong);
  ExpectComparedExactly<uint64_t>(ScalarType::kUInt64);
}

TEST(CompareTest, BoolsMatchByTruth) {
  EXPECT_TRUE(CompareElements<uint8_t>(ScalarType::kBool, {2, 0}, {1, 0}, kNone).matches());
  EXPECT_FALSE(CompareElements<uint8_t>(ScalarType::kBool, {0}, {1}, {10, 10}).matches());
}

TEST(CompareTest, OtherTypesAndShapesAreNamed) {
  OwnedTensor floats(ScalarType::kFloat, {2, 3}, std::vector<float>(6));
  OwnedTensor ints(ScalarType::kInt, {2, 3}, std::vector<int32_t>(6));
  OwnedTensor turned(ScalarType::kFloat, {3, 2}, std::vector<float>(6));
  const Comparison types = CompareValues(floats.value(), ints.value(), {1, 1});
  EXPECT_EQ(types.worst_error, kInfinity);
  EXPECT_EQ(types.mismatch, "float32 [2, 3] found, int32 [2, 3] expected");
  EXPECT_EQ(CompareValues(turned.value(), floats.value(), {1, 1}).mismatch,
            "float32 [3, 2] found, float32 [2, 3] expected");
}

TEST(CompareTest, AnotherOrderOfStorageIsAMismatchUnlessOnlyDimsOfSizeOneMoved) {
  OwnedTensor rows(ScalarType::kFloat, {2, 3}, std::vector<float>(6));
  OwnedTensor columns(ScalarType::kFloat, {2, 3}, std::vector<float>(6), {1, 0});
  EXPECT_FALSE(CompareValues(columns.value(), rows.value(), {1, 1}).matches());
  OwnedTensor row(ScalarType::kFloat, {1, 3}, std::vector<float>(3));
  OwnedTensor column(ScalarType::kFloat, {1, 3}, std::vector<float>(3), {1, 0});
  EXPECT_TRUE(CompareValues(column.value(), row.value(), {1, 1}).matches());
}

TEST(CompareTest, TensorsWithoutElementsMatch) {
  OwnedTensor empty(ScalarType::kFloat, {0, 3}, std::vector<float>());
  const Comparison comparison = CompareValues(empty.value(), empty.value(), kNone);
  EXPECT_TRUE(comparison.matches());
  EXPECT_EQ(comparison.worst_error, 0);
}

TEST(CompareTest, NumbersOutsideTensorsAreCompared) {
  EXPECT_TRUE(CompareValues(Value::OfInt(5), Value::OfInt(5), kNone).matches());
  EXPECT_EQ(CompareValues(Value::OfInt(5), Value::OfInt(6), {10, 10}).mismatch,
            "5 found, 6 expected");
  EXPECT_TRUE(CompareValues(Value::OfBool(true), Value::OfBool(true), kNone).matches());
  EXPECT_EQ(CompareValues(Value::OfBool(true), Value::OfBool(false), kNone).mismatch,
            "true found, false expected");
  EXPECT_TRUE(CompareValues(Value::OfDouble(1.5), Value::OfDouble(1), {1, 0}).matches());
  EXPECT_EQ(CompareValues(Value::OfDouble(1.5), Value::OfDouble(1), {0.25, 0}).mismatch,
            "1.5 found, 1 expected");
  EXPECT_TRUE(CompareValues(Value::OfDouble(kNan), Value::OfDouble(kNan), kNone).matches());
}

TEST(CompareTest, ValuesOfDifferentOrOtherKindsMatchNothing) {
  EXPECT_EQ(CompareValues(Value::OfInt(1), Value::OfBool(true), {10, 10}).mismatch,
            "int found, bool expected");
  EXPECT_FALSE(CompareValues(Value(), Value(), {10, 10}).matches());
  EXPECT_FALSE(CompareValues(Value::OfString("a"), Value::OfString("a"), {10, 10}).matches());
}

}  // namespace
}  // namespace onepack
