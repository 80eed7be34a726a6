#include "base/rounding.h"

#include <gtest/gtest.h>
#include <stdint.h>

namespace onepack {
namespace {

TEST(RoundingTest, MultiplesStayWhatTheyAre) {
  for (const uint64_t multiple : {0u, 12u, 24u}) {
    EXPECT_EQ(RoundUp(multiple, 12), multiple);
    EXPECT_EQ(RoundDown(multiple, 12), multiple);
    EXPECT_EQ(DivideUp(multiple, 12), multiple / 12);
  }
}

TEST(RoundingTest, OthersGoToTheNextMultipleAboveOrBelow) {
  for (const int value : {13, 18, 23}) {
    EXPECT_EQ(RoundUp(value, 12), 24);
    EXPECT_EQ(RoundDown(value, 12), 12);
    EXPECT_EQ(DivideUp(value, 12), 2);
  }
}

TEST(RoundingTest, AUnitOfOneChangesNothing) {
  EXPECT_EQ(RoundUp(UINT64_MAX, 1), UINT64_MAX);
  EXPECT_EQ(RoundDown(UINT64_MAX, 1), UINT64_MAX);
}

}  // namespace
}  // namespace onepack
