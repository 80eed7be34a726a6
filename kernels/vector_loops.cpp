#include "kernels/vector_loops.h"

#include <stdint.h>
#include <string.h>

namespace onepack::kernels {
namespace {

// Compilers make of it what the function that it is inlined into may use: two SSE registers, two
// of NEON, or one of AVX.
constexpr size_t kLanes = 8;
using Vector = float __attribute__((vector_size(kLanes * sizeof(float))));
using Integers = int32_t __attribute__((vector_size(kLanes * sizeof(int32_t))));

#define ONEPACK_INLINE inline __attribute__((always_inline))

ONEPACK_INLINE void Load(const float* from, Vector* to) { memcpy(to, from, sizeof(*to)); }
ONEPACK_INLINE void Store(const Vector& from, float* to) { memcpy(to, &from, sizeof(from)); }

ONEPACK_INLINE float SumOf(const Vector& vector) {
  float sum = 0;
  for (size_t i = 0; i < kLanes; ++i) sum += vector[i];
  return sum;
}

ONEPACK_INLINE float DotProduct(const float* a, const float* b, size_t length) {
  // Four sums, because one would wait for the previous addition each time.
  Vector sums[4] = {};
  size_t i = 0;
  for (; i + 4 * kLanes <= length; i += 4 * kLanes) {
    for (size_t k = 0; k < 4; ++k) {
      Vector x;
      Vector y;
      Load(a + i + k * kLanes, &x);
      Load(b + i + k * kLanes, &y);
      sums[k] += x * y;
    }
  }
  float sum = SumOf((sums[0] + sums[1]) + (sums[2] + sums[3]));
  for (; i < length; ++i) sum += a[i] * b[i];
  return sum;
}

ONEPACK_INLINE void DotProducts(const float* a, size_t length, const float* rows, size_t distance,
                                size_t n, float scale, float* results) {
  for (size_t k = 0; k < n; ++k) {
    results[k] = scale * DotProduct(a, rows + k * distance, length);
  }
}

// kCount vectors of sums at a time stay in registers while all rows are added.
template <size_t kCount>
ONEPACK_INLINE void AddToVectors(const float* weights, size_t n, const float* rows, size_t distance,
                                 float* sums) {
  Vector totals[kCount];
  for (size_t v = 0; v < kCount; ++v) Load(sums + v * kLanes, &totals[v]);
  for (size_t k = 0; k < n; ++k) {
    const float* row = rows + k * distance;
    for (size_t v = 0; v < kCount; ++v) {
      Vector values;
      Load(row + v * kLanes, &values);
      totals[v] += weights[k] * values;
    }
  }
  for (size_t v = 0; v < kCount; ++v) Store(totals[v], sums + v * kLanes);
}

ONEPACK_INLINE void AddWeightedRows(const float* weights, size_t n, const float* rows,
                                    size_t distance, size_t length, float* sums) {
  size_t i = 0;
  for (; i + 8 * kLanes <= length; i += 8 * kLanes) {
    AddToVectors<8>(weights, n, rows + i, distance, sums + i);
  }
  for (; i + kLanes <= length; i += kLanes) {
    AddToVectors<1>(weights, n, rows + i, distance, sums + i);
  }
  for (; i < length; ++i) {
    for (size_t k = 0; k < n; ++k) sums[i] += weights[k] * rows[k * distance + i];
  }
}

// exp(x) = 2^n * exp(r), x = n * ln 2 + r, |r| <= ln 2 / 2; exp(r) by its series. x <= 0.
ONEPACK_INLINE void Exponential(Vector* value) {
  constexpr float kSmallest = -87.0F;  // below, the result is taken for 0
  const Vector x = *value;
  const Integers is_zero = x < kSmallest;
  // Adding 1.5 * 2^23 rounds to an integer, and leaves it in the lowest bits.
  const Vector shifted = x * 1.44269504F + 12582912.0F;
  const Vector n = shifted - 12582912.0F;
  const Vector r = (x - n * 0.693359375F) + n * 2.12194440e-4F;
  Vector series = r * (1.0F / 5040) + 1.0F / 720;
  series = series * r + 1.0F / 120;
  series = series * r + 1.0F / 24;
  series = series * r + 1.0F / 6;
  series = series * r + 0.5F;
  series = series * r + 1.0F;
  series = series * r + 1.0F;
  Integers power;
  memcpy(&power, &shifted, sizeof(power));
  power = ((power - 0x4b400000) + 127) << 23;
  power &= ~is_zero;
  Vector scale;
  memcpy(&scale, &power, sizeof(scale));
  *value = series * scale;
  Integers bits;
  memcpy(&bits, value, sizeof(bits));
  bits &= ~is_zero;  // the series may be anything where x is far away
  memcpy(value, &bits, sizeof(bits));
}

ONEPACK_INLINE float Exponentials(float* values, size_t n, float maximum) {
  Vector sums = {};
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    Vector x;
    Load(values + i, &x);
    x -= maximum;
    Exponential(&x);
    sums += x;
    Store(x, values + i);
  }
  if (i < n) {
    Vector x = Vector{} - 1000.0F;  // exp: 0
    memcpy(&x, values + i, (n - i) * sizeof(float));
    for (size_t k = 0; k < n - i; ++k) x[k] -= maximum;
    Exponential(&x);
    sums += x;
    memcpy(values + i, &x, (n - i) * sizeof(float));
  }
  return SumOf(sums);
}

// The same three once for each set of instructions.
#define ONEPACK_VECTOR_LOOPS(Name, attributes)                                                \
  attributes void Name##DotProducts(const float* a, size_t length, const float* rows,         \
                                    size_t distance, size_t n, float scale, float* results) { \
    DotProducts(a, length, rows, distance, n, scale, results);                                \
  }                                                                                           \
  attributes void Name##AddWeightedRows(const float* weights, size_t n, const float* rows,    \
                                        size_t distance, size_t length, float* sums) {        \
    AddWeightedRows(weights, n, rows, distance, length, sums);                                \
  }                                                                                           \
  attributes float Name##Exponentials(float* values, size_t n, float maximum) {               \
    return Exponentials(values, n, maximum);                                                  \
  }                                                                                           \
  constexpr VectorLoops k##Name{Name##DotProducts, Name##AddWeightedRows, Name##Exponentials};

ONEPACK_VECTOR_LOOPS(Portable, )
#if defined(__x86_64__)
ONEPACK_VECTOR_LOOPS(Avx, __attribute__((target("avx2,fma"))))
#endif

#undef ONEPACK_VECTOR_LOOPS
#undef ONEPACK_INLINE

}  // namespace

const VectorLoops& VectorLoopsOfThisMachine() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return kAvx;
#endif
  return kPortable;
}

const VectorLoops& PortableVectorLoops() { return kPortable; }

}  // namespace onepack::kernels
