// Floats of 16 bits: float16 (IEEE 754 half precision) and bfloat16 (the upper half of a float).
//
// Every conversion to one of them rounds once, to nearest, ties to even. What is too large becomes
// infinity. A NaN stays a NaN, with its sign and the upper bits of its payload, and becomes quiet.

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

inline uint32_t BitsOfFloat(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  return bits;
}

// A float that rounds to fewer digits as `value` does: where it differs from `value`, it is the
// neighbour with an odd last bit, which is never a tie.
inline float FloatForRounding(double value) {
  const auto nearest = static_cast<float>(value);
  const auto widened = static_cast<double>(nearest);
  if (widened == value || value != value) return nearest;
  const bool is_away_from_zero = (widened < value) == (value < 0);
  return FloatOfBits((BitsOfFloat(nearest) - (is_away_from_zero ? 1 : 0)) | 1);
}

inline float FloatOfBfloat16(uint16_t bits) { return FloatOfBits(uint32_t{bits} << 16); }

inline uint16_t Bfloat16OfFloat(float value) {
  const uint32_t bits = BitsOfFloat(value);
  const uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  return static_cast<uint16_t>(value != value ? bits >> 16 | 0x40 : rounded);
}
inline uint16_t Bfloat16OfDouble(double value) { return Bfloat16OfFloat(FloatForRounding(value)); }

// A float16 has a sign, 5 bits of exponent (biased by 15; a float's by 127) and 10 of mantissa.
inline float FloatOfFloat16(uint16_t bits) {
  const uint32_t sign = (uint32_t{bits} & 0x8000) << 16;
  const uint32_t magnitude = bits & 0x7fff;
  if (magnitude >= 0x7c00) {
    const uint32_t quiet = magnitude > 0x7c00 ? 0x400000 : 0;
    return FloatOfBits(sign | 0x7f800000 | quiet | magnitude << 13);
  }
  if (magnitude >= 0x400) return FloatOfBits(sign | (magnitude + (112 << 10)) << 13);
  // A subnormal number: in units of 2^-24.
  const float subnormal = static_cast<float>(magnitude) * 0x1p-24f;
  return FloatOfBits(sign | BitsOfFloat(subnormal));
}

inline uint16_t Float16OfFloat(float value) {
  const uint32_t bits = BitsOfFloat(value);
  const uint32_t sign = bits >> 16 & 0x8000;
  const uint32_t magnitude = bits & 0x7fffffff;
  uint32_t rounded;
  if (magnitude > 0x7f800000) {
    rounded = 0x7e00 | (magnitude >> 13 & 0x3ff);
  } else if (magnitude >= BitsOfFloat(65520.0f)) {  // half way from the greatest number to 2^16
    rounded = 0x7c00;
  } else if (magnitude >= BitsOfFloat(0x1p-14f)) {
    rounded = (magnitude - (112u << 23) + 0xfff + (magnitude >> 13 & 1)) >> 13;
  } else {
    // A subnormal number, in units of 2^-24: what the last bit of floats from 0.5 on stands for.
    rounded = BitsOfFloat(FloatOfBits(magnitude) + 0.5f) - BitsOfFloat(0.5f);
  }
  return static_cast<uint16_t>(sign | rounded);
}
inline uint16_t Float16OfDouble(double value) { return Float16OfFloat(FloatForRounding(value)); }

}  // namespace onepack

#endif  // ONEPACK_BASE_SMALL_FLOATS_H_
