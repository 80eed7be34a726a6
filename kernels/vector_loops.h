// The loops where attention and products of matrices spend their time, for the vector units that
// this machine has.

#ifndef ONEPACK_KERNELS_VECTOR_LOOPS_H_
#define ONEPACK_KERNELS_VECTOR_LOOPS_H_

#include <stddef.h>

namespace onepack::kernels {

// Distances between rows are in elements.
struct VectorLoops {
  // results[k] = scale * (sum of a[i] * rows[k][i], i < length), k < n.
  void (*dot_products)(const float* a, size_t length, const float* rows, size_t distance, size_t n,
                       float scale, float* results);
  // sums[i] += sum of weights[k] * rows[k][i], k < n; i < length.
  void (*add_weighted_rows)(const float* weights, size_t n, const float* rows, size_t distance,
                            size_t length, float* sums);
  // values[i] = exp(values[i] - maximum), to about one unit in the last place; returns their sum.
  // REQUIRES: no value above the maximum, which is finite.
  float (*exponentials)(float* values, size_t n, float maximum);
};

// The fastest that the machine can run.
const VectorLoops& VectorLoopsOfThisMachine();
// Those for any machine; for tests.
const VectorLoops& PortableVectorLoops();

}  // namespace onepack::kernels

#endif  // ONEPACK_KERNELS_VECTOR_LOOPS_H_
