// The exponential function with the same result, bit for bit, on every machine: made of additions
// and multiplications of doubles alone, each rounded as IEEE 754 says. The C library's differs from
// one to the next in the last bit, which is enough for another token to be drawn.

#ifndef ONEPACK_LLM_PORTABLE_EXP_H_
#define ONEPACK_LLM_PORTABLE_EXP_H_

#include <float.h>
#include <stdint.h>
#include <string.h>

// What would let a compiler compute in another precision, or reorder. Files that include this are
// compiled with -ffp-contract=off, so that no multiplication is fused with an addition: whether
// there is an instruction for that differs, too.
#if defined(__FAST_MATH__) || FLT_EVAL_METHOD != 0
#error "the sampler needs arithmetic as IEEE 754 says"
#endif

namespace onepack {

// e to the power of `x`, off by less than 1e-15 of it. Below -87 it is 0, so that as a float it is
// never subnormal, which some processors are set to take for 0. REQUIRES: x <= 0, -inf included.
inline double PortableExp(double x) {
  if (!(x >= -87)) return 0;
  // x = n ln 2 + r, with |r| at most half of ln 2. ln 2 is taken apart so that n times its upper
  // part is exact.
  constexpr double kLog2E = 0x1.71547652b82fep+0;
  constexpr double kLn2High = 0x1.62e42fee00000p-1;
  constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
  // Adding and taking away 1.5 * 2^52 rounds to the nearest integer.
  constexpr double kRound = 0x1.8p+52;
  const double n = (x * kLog2E + kRound) - kRound;
  const double r = (x - n * kLn2High) - n * kLn2Low;
  // 1 / k!, from the highest power of the Taylor series on.
  constexpr double kCoefficients[] = {1.0 / 6227020800.0,
                                      1.0 / 479001600.0,
                                      1.0 / 39916800.0,
                                      1.0 / 3628800.0,
                                      1.0 / 362880.0,
                                      1.0 / 40320.0,
                                      1.0 / 5040.0,
                                      1.0 / 720.0,
                                      1.0 / 120.0,
                                      1.0 / 24.0,
                                      1.0 / 6.0,
                                      0.5,
                                      1.0,
                                      1.0};
  double sum = 0;
  for (const double coefficient : kCoefficients) sum = sum * r + coefficient;
  // 2^n, by its exponent.
  const uint64_t bits = static_cast<uint64_t>(static_cast<int64_t>(n) + 1023) << 52;
  double power;
  memcpy(&power, &bits, sizeof(power));
  return sum * power;
}

}  // namespace onepack

#endif  // ONEPACK_LLM_PORTABLE_EXP_H_
