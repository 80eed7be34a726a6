#include "base/checked_math.h"

#include <gtest/gtest.h>

namespace onepack {
namespace {

TEST(CheckedMathTest, AddNoticesOverflow) {
  uint64_t sum = 0;
  EXPECT_TRUE(CheckedAdd<uint64_t>(UINT64_MAX - 1, 1, &sum));
  EXPECT_EQ(sum, UINT64_MAX);
  EXPECT_FALSE(CheckedAdd<uint64_t>(UINT64_MAX, 1, &sum));
  int32_t small = 0;
  EXPECT_FALSE(CheckedAdd<int32_t>(INT32_MIN, -1, &small));
}

TEST(CheckedMathTest, MultiplyNoticesOverflow) {
  uint64_t product = 0;
  EXPECT_TRUE(CheckedMultiply<uint64_t>(UINT32_MAX, UINT32_MAX, &product));
  EXPECT_EQ(product, uint64_t{UINT32_MAX} * UINT32_MAX);
  EXPECT_FALSE(CheckedMultiply<uint64_t>(uint64_t{1} << 32, uint64_t{1} << 32, &product));
}

TEST(CheckedMathTest, RoundUpNoticesOverflow) {
  size_t rounded = 1;
  EXPECT_TRUE(CheckedRoundUp(0, 64, &rounded));
  EXPECT_EQ(rounded, 0u);
  EXPECT_TRUE(CheckedRoundUp(64, 64, &rounded));
  EXPECT_EQ(rounded, 64u);
  EXPECT_TRUE(CheckedRoundUp(65, 64, &rounded));
  EXPECT_EQ(rounded, 128u);
  EXPECT_FALSE(CheckedRoundUp(SIZE_MAX - 1, 64, &rounded));
}

TEST(CheckedMathTest, InRangeHoldsAtTheEdges) {
  EXPECT_TRUE(InRange(0, 0, 0));
  EXPECT_TRUE(InRange(10, 0, 10));
  EXPECT_TRUE(InRange(4, 6, 10));
  EXPECT_FALSE(InRange(4, 7, 10));
  EXPECT_FALSE(InRange(11, 0, 10));
}

TEST(CheckedMathTest, InRangeCannotBeFooledByASumThatWraps) {
  EXPECT_FALSE(InRange(UINT64_MAX, 2, 10));
  EXPECT_FALSE(InRange(2, UINT64_MAX, 10));
  EXPECT_FALSE(InRange(UINT64_MAX, UINT64_MAX, UINT64_MAX));
}

}  // namespace
}  // namespace onepack
