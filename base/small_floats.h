// Floats of 16 bits.

#ifndef ONEPACK_BASE_SMALL_FLOATS_H_
#define ONEPACK_BASE_SMALL_FLOATS_H_

#include <stdint.h>
#include <string.h>

namespace onepack {

inline float FloatOfBits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

// The upper half of a float.
inline float FloatOfBfloat16(uint16_t bits) { return FloatOfBits(uint32_t{bits} << 16); }

// Round to nearest, ties to even. REQUIRES: a finite number.
inline uint16_t Bfloat16OfFloat(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

// IEEE 754 half precision: sign, 5 bits of exponent, 10 of mantissa.
inline float FloatOfFloat16(uint16_t bits) {
  const uint32_t sign = (uint32_t{bits} & 0x8000) << 16;
  const uint32_t exponent = (bits >> 10) & 0x1f;
  const uint32_t mantissa = bits & 0x3ff;
  if (exponent == 0x1f) return FloatOfBits(sign | 0x7f800000 | mantissa << 13);
  if (exponent != 0) return FloatOfBits(sign | (exponent + 112) << 23 | mantissa << 13);
  // A subnormal number: in units of 2^-24.
  const float magnitude = static_cast<float>(mantissa) * FloatOfBits(0x33800000);
  return sign != 0 ? -magnitude : magnitude;
}

}  // namespace onepack

#endif  // ONEPACK_BASE_SMALL_FLOATS_H_
