#include "onepack/scalar_type.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "scalar_type_generated.h"

namespace onepack {
namespace {

TEST(ScalarTypeTest, EveryTypeOfTheWireIsKnownAndNoOther) {
  std::set<int> wire_types;
  for (const wire::ScalarType type : wire::EnumValuesScalarType()) {
    wire_types.insert(static_cast<int>(type));
  }
  for (int number = INT8_MIN; number <= INT8_MAX; ++number) {
    const auto type = static_cast<ScalarType>(number);
    const bool known = wire_types.count(number) != 0;
    EXPECT_EQ(ElementSize(type) != 0, known) << number;
    EXPECT_EQ(std::string(ScalarTypeName(type)) != "unknown", known) << number;
  }
}

TEST(ScalarTypeTest, NumbersAreThoseOfTheWire) {
  EXPECT_EQ(static_cast<int>(ScalarType::kByte), static_cast<int>(wire::ScalarType::BYTE));
  EXPECT_EQ(static_cast<int>(ScalarType::kChar), static_cast<int>(wire::ScalarType::CHAR));
  EXPECT_EQ(static_cast<int>(ScalarType::kShort), static_cast<int>(wire::ScalarType::SHORT));
  EXPECT_EQ(static_cast<int>(ScalarType::kInt), static_cast<int>(wire::ScalarType::INT));
  EXPECT_EQ(static_cast<int>(ScalarType::kLong), static_cast<int>(wire::ScalarType::LONG));
  EXPECT_EQ(static_cast<int>(ScalarType::kHalf), static_cast<int>(wire::ScalarType::HALF));
  EXPECT_EQ(static_cast<int>(ScalarType::kFloat), static_cast<int>(wire::ScalarType::FLOAT));
  EXPECT_EQ(static_cast<int>(ScalarType::kDouble), static_cast<int>(wire::ScalarType::DOUBLE));
  EXPECT_EQ(static_cast<int>(ScalarType::kComplexHalf),
            static_cast<int>(wire::ScalarType::COMPLEX32));
  EXPECT_EQ(static_cast<int>(ScalarType::kComplexDouble),
            static_cast<int>(wire::ScalarType::COMPLEX128));
  EXPECT_EQ(static_cast<int>(ScalarType::kBool), static_cast<int>(wire::ScalarType::BOOL));
  EXPECT_EQ(static_cast<int>(ScalarType::kBFloat16), static_cast<int>(wire::ScalarType::BFLOAT16));
  EXPECT_EQ(static_cast<int>(ScalarType::kBits16), static_cast<int>(wire::ScalarType::BITS16));
  EXPECT_EQ(static_cast<int>(ScalarType::kUInt64), static_cast<int>(wire::ScalarType::UINT64));
}

TEST(ScalarTypeTest, FloatingPointTypesAreFour) {
  std::string names;
  for (const wire::ScalarType type : wire::EnumValuesScalarType()) {
    if (!IsFloatingPoint(static_cast<ScalarType>(type))) continue;
    names += std::string(" ") + ScalarTypeName(static_cast<ScalarType>(type));
  }
  EXPECT_EQ(names, " float16 float32 float64 bfloat16");
}

TEST(ScalarTypeTest, NamesAreReadBack) {
  for (const wire::ScalarType type : wire::EnumValuesScalarType()) {
    ScalarType parsed = ScalarType::kUInt64;
    ASSERT_TRUE(ParseScalarType(ScalarTypeName(static_cast<ScalarType>(type)), &parsed));
    EXPECT_EQ(static_cast<int>(parsed), static_cast<int>(type));
  }
  ScalarType unused;
  EXPECT_FALSE(ParseScalarType("unknown", &unused));
  EXPECT_FALSE(ParseScalarType("", &unused));
}

}  // namespace
}  // namespace onepack
