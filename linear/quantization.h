// How a row of floats becomes 8 bits: x = scale * (q - zero_point).

#ifndef ONEPACK_LINEAR_QUANTIZATION_H_
#define ONEPACK_LINEAR_QUANTIZATION_H_

#include <math.h>
#include <stdint.h>

namespace onepack::linear {

struct Quantization {
  float scale = 0;
  float inverse = 0;  // what a float is multiplied with; 1 / scale, rounded
  int32_t zero_point = 0;
};

// For a row whose least and greatest values are these. Every operation and its order are
// XNNPACK's, so that infinities and NaN end as they do there; the two reciprocals, too, round twice
// there.
inline Quantization QuantizationOf(float least, float greatest) {
  const float low = least < 0 ? least : 0.0F;
#if defined(__aarch64__) || defined(__arm__)
  const float high = greatest > 0 ? greatest : 0.0F;
#else
  const float high = greatest < 0 ? 0.0F : greatest;  // of NaN: NaN, where that is XNNPACK's
#endif
  const float inverse = low == high ? 1.0F : 255.0F / (high - low);
  const float low_steps = low * inverse;
  const float high_steps = high * inverse;
  // Of the two ends of the range, the one that zero is nearer to in units of steps.
  const float from_ends = (-128.0F + low_steps) + (127.0F + high_steps);
  float zero_point = from_ends > 0 ? -128.0F - low_steps : 127.0F - high_steps;
  zero_point = zero_point > -128.0F ? zero_point : -128.0F;  // of NaN: -128
  zero_point = zero_point < 127.0F ? zero_point : 127.0F;
  const float scale = 1.0F / inverse;
  return {scale, 1.0F / scale, static_cast<int32_t>(lrintf(zero_point))};
}

}  // namespace onepack::linear

#endif  // ONEPACK_LINEAR_QUANTIZATION_H_
