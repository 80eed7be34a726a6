// Compiled with -ffp-contract=off, like what uses it.

#include "llm/portable_exp.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace onepack {
namespace {

uint64_t BitsOf(double number) {
  uint64_t bits;
  memcpy(&bits, &number, sizeof(bits));
  return bits;
}

// Computed apart, in Python, whose floats are IEEE 754 doubles.
TEST(PortableExpTest, HasTheseBitsOnEveryMachine) {
  const struct {
    double x;
    uint64_t bits;
  } expected[] = {
      {0.0, 0x3ff0000000000000},   {-0.0, 0x3ff0000000000000},  {-1e-8, 0x3feffffffaa19c48},
      {-0.1, 0x3fecf46d99d52b3a},  {-0.5, 0x3fe368b2fc6f960a},  {-1.0, 0x3fd78b56362cef38},
      {-2.5, 0x3fb50385c094f425},  {-10.0, 0x3f07cd79b5647c9a}, {-33.3, 0x3cef165bb9b59d94},
      {-50.0, 0x3b6d257d547e083f}, {-86.9, 0x3818c1f3a1ad5722}, {-87.0, 0x381666d0dad2961d},
      {-88.0, 0x0000000000000000},
  };
  for (const auto& [x, bits] : expected) EXPECT_EQ(BitsOf(PortableExp(x)), bits) << x;
  EXPECT_EQ(PortableExp(-std::numeric_limits<double>::infinity()), 0);
}

TEST(PortableExpTest, IsTheExponentialFunction) {
  for (double x = 0; x > -87; x -= 0.00917) {
    const double expected = std::exp(x);
    EXPECT_NEAR(PortableExp(x), expected, 1e-15 * expected) << x;
  }
}

// So that no float made of it is subnormal.
TEST(PortableExpTest, IsANormalFloatOrZero) {
  for (double x = -86; x > -90; x -= 0.01) {
    const auto weight = static_cast<float>(PortableExp(x));
    EXPECT_TRUE(weight == 0 || std::isnormal(weight)) << x;
  }
}

}  // namespace
}  // namespace onepack
