// The loops where attention and products of matrices spend their time, for the vector units that
// this machine has (Highway's best target; hwy::SetSupportedTargetsForTest chooses another).

#ifndef ONEPACK_KERNELS_VECTOR_LOOPS_H_
#define ONEPACK_KERNELS_VECTOR_LOOPS_H_

#include <stddef.h>
#include <stdint.h>

namespace onepack::kernels {

// `count` rows of `length` numbers; their beginnings are `distance` numbers apart.
struct FloatRows {
  const float* first = nullptr;
  size_t distance = 0;
  size_t count = 0;
  size_t length = 0;
};

// What a row of results is does not depend on which others are computed with it.
struct VectorLoops {
  // results[r][k] = scale * (sum of a[r][i] * row k of b [i]), for r < m.
  void (*dot_products)(const float* const* a, size_t m, const FloatRows& b, float scale,
                       float* const* results);
  // sums[r][i] += sum of weights[r][k] * row k of b [i], for r < m.
  void (*add_weighted_rows)(const float* const* weights, size_t m, const FloatRows& b,
                            float* const* sums);
  // The largest that is a number; -inf if there is none.
  float (*maximum)(const float* values, size_t n);
  // values[i] = exp(values[i] - maximum), to about one unit in the last place (Highway's Exp);
  // returns their sum.
  // REQUIRES: no value above the maximum, which is finite.
  float (*exponentials)(float* values, size_t n, float maximum);
  // results[i] = (integers[i] - zero_point) * scale.
  void (*dequantize)(const int8_t* integers, size_t n, float scale, float zero_point,
                     float* results);
  // values[i] = values[i] * factor + addends[i] * weight.
  void (*scale_and_add)(float* values, size_t n, float factor, const float* addends, float weight);
};

// The fastest that the machine can run.
const VectorLoops& VectorLoopsOfThisMachine();

}  // namespace onepack::kernels

#endif  // ONEPACK_KERNELS_VECTOR_LOOPS_H_
