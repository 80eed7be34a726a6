#include "base/small_floats.h"

#include <gtest/gtest.h>
#include <math.h>

#include <limits>

namespace onepack {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr uint32_t kCount = 1u << 16;

// What a format of 16 bits stores, by the definition of IEEE 754. Infinities count as the number
// that would come next, which is what rounding takes them for.
double ValueOf(uint32_t bits, int mantissa_bits, int bias) {
  const auto exponent = static_cast<int>((bits & 0x7fff) >> mantissa_bits);
  const uint32_t mantissa = bits & ((1u << mantissa_bits) - 1);
  const double significand = exponent == 0 ? mantissa : mantissa | 1u << mantissa_bits;
  const double magnitude =
      ldexp(significand, (exponent == 0 ? 1 : exponent) - bias - mantissa_bits);
  return bits & 0x8000 ? -magnitude : magnitude;
}

struct Format {
  const char* name;
  int mantissa_bits;
  int bias;
  uint16_t infinity;
  float (*widen)(uint16_t);
  uint16_t (*of_float)(float);
  uint16_t (*of_double)(double);

  double Value(uint32_t bits) const { return ValueOf(bits, mantissa_bits, bias); }
  uint16_t quiet() const { return static_cast<uint16_t>(1u << (mantissa_bits - 1)); }
};

class SmallFloatsTest : public testing::TestWithParam<Format> {
 protected:
  const Format& f_ = GetParam();
};

TEST_P(SmallFloatsTest, EveryNumberIsWidenedExactlyAndComesBack) {
  for (uint32_t bits = 0; bits < kCount; ++bits) {
    const auto small = static_cast<uint16_t>(bits);
    if ((bits & 0x7fff) >= f_.infinity) continue;
    const float wide = f_.widen(small);
    ASSERT_EQ(static_cast<double>(wide), f_.Value(bits)) << bits;
    ASSERT_EQ(signbit(wide), bits >> 15) << bits;
    ASSERT_EQ(f_.of_float(wide), small) << bits;
    ASSERT_EQ(f_.of_double(static_cast<double>(wide)), small) << bits;
  }
}

TEST_P(SmallFloatsTest, BetweenTwoNumbersTheNearerOneIsTakenAndOfATieTheEvenOne) {
  for (uint32_t bits = 0; bits < f_.infinity; ++bits) {
    for (const uint32_t sign : {0u, 0x8000u}) {
      const double tie = (f_.Value(sign | bits) + f_.Value(sign | (bits + 1))) / 2;
      const double towards_zero = nextafter(tie, 0);
      const double away_from_zero = nextafter(tie, sign ? -HUGE_VAL : HUGE_VAL);
      ASSERT_EQ(f_.of_double(tie), sign | ((bits + 1) & ~1u)) << bits;
      // These differ from the tie in the last bit of a double: rounding them twice would not do.
      ASSERT_EQ(f_.of_double(towards_zero), sign | bits) << bits;
      ASSERT_EQ(f_.of_double(away_from_zero), sign | (bits + 1)) << bits;
      const auto float_tie = static_cast<float>(tie);
      ASSERT_EQ(static_cast<double>(float_tie), tie) << bits;
      ASSERT_EQ(f_.of_float(float_tie), sign | ((bits + 1) & ~1u)) << bits;
      ASSERT_EQ(f_.of_float(nextafterf(float_tie, 0)), sign | bits) << bits;
      ASSERT_EQ(f_.of_float(nextafterf(float_tie, sign ? -kInfinity : kInfinity)),
                sign | (bits + 1))
          << bits;
    }
  }
}

TEST_P(SmallFloatsTest, WhatIsTooLargeIsInfinite) {
  for (const uint32_t sign : {0u, 0x8000u}) {
    const float factor = sign ? -1.0f : 1.0f;
    const auto infinity = static_cast<uint16_t>(sign | f_.infinity);
    EXPECT_EQ(f_.widen(infinity), factor * kInfinity);
    EXPECT_EQ(f_.of_float(factor * kInfinity), infinity);
    EXPECT_EQ(f_.of_float(factor * std::numeric_limits<float>::max()), infinity);
    EXPECT_EQ(f_.of_double(static_cast<double>(factor) * HUGE_VAL), infinity);
    EXPECT_EQ(f_.of_double(static_cast<double>(factor) * std::numeric_limits<double>::max()),
              infinity);
  }
}

TEST_P(SmallFloatsTest, WhatIsTooSmallIsZeroWithItsSign) {
  for (const double tiny : {1e-300, std::numeric_limits<double>::denorm_min()}) {
    EXPECT_EQ(f_.of_double(tiny), 0x0000);
    EXPECT_EQ(f_.of_double(-tiny), 0x8000);
  }
  EXPECT_EQ(f_.of_float(-0.0f), 0x8000);
}

TEST_P(SmallFloatsTest, ANanStaysOneWithItsSignAndPayload) {
  for (uint32_t bits = 0; bits < kCount; ++bits) {
    if ((bits & 0x7fff) <= f_.infinity) continue;
    const float wide = f_.widen(static_cast<uint16_t>(bits));
    ASSERT_TRUE(isnan(wide)) << bits;
    ASSERT_EQ(f_.of_float(wide), bits | f_.quiet()) << bits;
  }
  // Its payload has no bit that a small float has room for, and it signals.
  for (const uint32_t bits : {0x7f800001u, 0xff800001u}) {
    const uint16_t narrow = f_.of_float(FloatOfBits(bits));
    EXPECT_EQ(narrow, (bits >> 16 & 0x8000) | f_.infinity | f_.quiet());
  }
  EXPECT_EQ(f_.of_double(std::numeric_limits<double>::quiet_NaN()), f_.infinity | f_.quiet());
}

INSTANTIATE_TEST_SUITE_P(Formats, SmallFloatsTest,
                         testing::Values(Format{"Float16", 10, 15, 0x7c00, FloatOfFloat16,
                                                Float16OfFloat, Float16OfDouble},
                                         Format{"Bfloat16", 7, 127, 0x7f80, FloatOfBfloat16,
                                                Bfloat16OfFloat, Bfloat16OfDouble}),
                         [](const auto& parameter) { return parameter.param.name; });

}  // namespace
}  // namespace onepack
