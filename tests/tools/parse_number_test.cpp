#include "tools/parse_number.h"

#include <gtest/gtest.h>
#include <math.h>

#include "tests/support/files.h"
#include "tests/support/status_matchers.h"
#include "tools/input_argument.h"
#include "tools/path_list.h"

namespace onepack {
namespace {

constexpr StatusCode kBad = StatusCode::kInvalidArgument;
constexpr char kMaxInt64[] = "9223372036854775807";

template <typename T>
T Read(Result<T> parsed) {
  EXPECT_TRUE(IsOk(parsed));
  return parsed.ok() ? std::move(parsed).value() : T{};
}

// What no option takes for a number.
const char* const kNoNumbers[] = {"",    " ",    " 1",  "1 ",    "1\n",  "+1",     "0x10",
                                  "1_0", "1'0",  "1,0", "one",   "1one", "--1",    "-",
                                  "010", "-010", "00",  "1e999", "1..0", "nan(1)", "infinity"};

TEST(ParseNumberTest, WholeNumbersAreDecimalAndInRange) {
  EXPECT_EQ(Read(ParseWhole<int64_t>("-9223372036854775808", INT64_MIN, INT64_MAX)), INT64_MIN);
  EXPECT_EQ(Read(ParseWhole<int64_t>(kMaxInt64, INT64_MIN, INT64_MAX)), INT64_MAX);
  EXPECT_EQ(Read(ParseWhole<uint64_t>("18446744073709551615", 0, UINT64_MAX)), UINT64_MAX);
  EXPECT_EQ(Read(ParseWhole<int32_t>("0", 0, 5)), 0);
  EXPECT_EQ(Read(ParseWhole<size_t>("1024", 1, 1024)), 1024u);
  for (const char* text : kNoNumbers) {
    EXPECT_TRUE(IsError(ParseWhole<int64_t>(text, INT64_MIN, INT64_MAX), kBad)) << text;
    EXPECT_TRUE(IsError(ParseWhole<uint64_t>(text, 0, UINT64_MAX), kBad)) << text;
  }
  for (const char* text : {"1e3", "1.0", "inf", "nan"}) {
    EXPECT_TRUE(IsError(ParseWhole<uint64_t>(text, 0, UINT64_MAX), kBad)) << text;
  }
}

TEST(ParseNumberTest, WhatDoesNotFitIsRefusedWithWhatDoes) {
  EXPECT_TRUE(IsError(ParseWhole<uint64_t>("-1", 0, UINT64_MAX), kBad, {"'-1'", "from 0 to"}));
  EXPECT_TRUE(IsError(ParseWhole<uint64_t>("18446744073709551616", 0, UINT64_MAX), kBad,
                      {"to 18446744073709551615"}));
  EXPECT_TRUE(IsError(ParseWhole<int64_t>("9223372036854775808", 0, INT64_MAX), kBad,
                      {"from 0 to 9223372036854775807"}));
  EXPECT_TRUE(IsError(ParseWhole<size_t>("0", 1, 1024), kBad, {"from 1 to 1024"}));
  EXPECT_TRUE(IsError(ParseWhole<size_t>("1025", 1, 1024), kBad, {"'1025'", "from 1 to 1024"}));
}

// Some would take it for eight.
TEST(ParseNumberTest, ALeadingZeroIsRefusedAndSaid) {
  EXPECT_TRUE(IsError(ParseWhole<size_t>("010", 0, 99), kBad, {"'010'", "without leading zeros"}));
  EXPECT_TRUE(IsError(ParseReal("00.5", {}), kBad, {"without leading zeros"}));
}

TEST(ParseNumberTest, ListsHaveNoEmptyItems) {
  EXPECT_EQ(Read(ParseWholeList("3,17,99", 0, INT64_MAX)), (std::vector<int64_t>{3, 17, 99}));
  EXPECT_EQ(Read(ParseWholeList("0", 0, INT64_MAX)), std::vector<int64_t>{0});
  for (const char* text : {"", ",", "3,", ",3", "3,,17", "3, 17", "3;17", "3,-1", "3,010"}) {
    EXPECT_TRUE(IsError(ParseWholeList(text, 0, INT64_MAX), kBad)) << text;
  }
  EXPECT_TRUE(IsError(ParseWholeList("3,,17", 0, 99), kBad, {"3,,17: ''", "from 0 to 99"}));
}

TEST(ParseNumberTest, RealNumbersAreFiniteAndInRange) {
  EXPECT_EQ(Read(ParseReal("-1.5e3", {})), -1500.0);
  EXPECT_EQ(Read(ParseReal("0", {0, 1, ""})), 0.0);
  EXPECT_EQ(Read(ParseReal("0.25", {0, 1, ""})), 0.25);
  EXPECT_EQ(Read(ParseReal("4.9e-324", {})), std::numeric_limits<double>::denorm_min());
  for (const char* text : {"1e-999", "1e", "e1", ".", "1+1", "1e+", "+.5"}) {
    EXPECT_TRUE(IsError(ParseReal(text, {}), kBad)) << text;
  }
  for (const char* text : kNoNumbers) EXPECT_TRUE(IsError(ParseReal(text, {}), kBad)) << text;
  for (const char* text : {"inf", "-inf", "nan", "-1e-9", "1.0001"}) {
    EXPECT_TRUE(IsError(ParseReal(text, {0, 1, " from 0 to 1"}), kBad,
                        {text, "a number from 0 to 1 expected"}));
  }
}

TEST(ParseNumberTest, AnInputMayBeAnyDouble) {
  EXPECT_EQ(Read(ParseInputArgument("double:-inf")).number, -INFINITY);
  EXPECT_EQ(Read(ParseInputArgument("double:inf")).number, INFINITY);
  EXPECT_TRUE(isnan(Read(ParseInputArgument("double:nan")).number));
  EXPECT_EQ(Read(ParseInputArgument("double:1e-3")).number, 1e-3);
  EXPECT_EQ(Read(ParseInputArgument("int:-9223372036854775808")).integer, INT64_MIN);
  for (const char* text : {"double:1e999", "double:infinity", "double:", "int:", "int:010",
                           "int:9223372036854775808", "bool:1", "bool:", "file:", ""}) {
    EXPECT_TRUE(IsError(ParseInputArgument(text), kBad, {text})) << text;
  }
}

TEST(ParseNumberTest, ShapesAreAnInputAndItsSizes) {
  const ShapeArgument shape = Read(ParseShapeArgument("3=4x0x2147483647"));
  EXPECT_EQ(shape.input, 3u);
  EXPECT_EQ(shape.sizes, (std::vector<int32_t>{4, 0, INT32_MAX}));
  EXPECT_TRUE(Read(ParseShapeArgument("0=")).sizes.empty());
  for (const char* text : {"", "=", "4x64", "=4x64", "-1=4", "0=4x", "0=x4", "0=4xx4", "0=-4",
                           "0=04", "0=4 ", "0= 4", "0=2147483648", "00=4", "0=4=5"}) {
    EXPECT_TRUE(IsError(ParseShapeArgument(text), kBad, {text})) << text;
  }
}

TEST(PathListTest, APathWithACommaIsFoundWhereItIsWhole) {
  const TempFolder folder;
  const std::string a = folder.File("a");
  const std::string both = a + "," + a;
  EXPECT_EQ(Read(ParsePathList(a)), std::vector{a});
  EXPECT_EQ(Read(ParsePathList(both)), (std::vector{a, a}));
  WriteFile(folder.File("x,y.ptd"), AsBytes("data"));
  EXPECT_EQ(Read(ParsePathList(folder.File("x,y.ptd"))), std::vector{folder.File("x,y.ptd")});
  for (const char* text : {"", ",", "a,", ",a", "a,,b"}) {
    EXPECT_TRUE(IsError(ParsePathList(text), kBad, {text, "one is empty"})) << text;
  }
}

}  // namespace
}  // namespace onepack
