#include "kernels/vector_loops.h"

#include <stdint.h>
#include <string.h>

namespace onepack::kernels {
namespace {

// Compilers make of it what the function that it is inlined into may use: two SSE registers, two
// of NEON, or one of AVX.
constexpr size_t kVectorSize = 8;
using Vector = float __attribute__((vector_size(kVectorSize * sizeof(float))));
using Integers = int32_t __attribute__((vector_size(kVectorSize * sizeof(int32_t))));
// Wrap around, whatever the numbers are.
using Bits = uint32_t __attribute__((vector_size(kVectorSize * sizeof(uint32_t))));

#define ONEPACK_INLINE inline __attribute__((always_inline))

// The same anywhere in memory. Copying by memcpy is no substitute: g++ makes halves of it.
using Unaligned
    __attribute__((vector_size(kVectorSize * sizeof(float)), aligned(sizeof(float)), may_alias)) =
        float;

ONEPACK_INLINE void Load(const float* from, Vector* to) {
  *to = *reinterpret_cast<const Unaligned*>(from);
}
ONEPACK_INLINE void Store(const Vector& from, float* to) {
  *reinterpret_cast<Unaligned*>(to) = from;
}

using HalfVector = float __attribute__((vector_size(kVectorSize / 2 * sizeof(float))));

ONEPACK_INLINE void AddHalves(const Vector& v, HalfVector* sums) {
  *sums = __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
}

// Sums of the elements of four vectors, all four at once.
ONEPACK_INLINE void SumElements(const Vector (&v)[4], float* sums) {
  HalfVector h[4];
  for (size_t i = 0; i < 4; ++i) AddHalves(v[i], &h[i]);
  const HalfVector h01 = __builtin_shufflevector(h[0], h[1], 0, 1, 4, 5) +
                         __builtin_shufflevector(h[0], h[1], 2, 3, 6, 7);
  const HalfVector h23 = __builtin_shufflevector(h[2], h[3], 0, 1, 4, 5) +
                         __builtin_shufflevector(h[2], h[3], 2, 3, 6, 7);
  const HalfVector all =
      __builtin_shufflevector(h01, h23, 0, 2, 4, 6) + __builtin_shufflevector(h01, h23, 1, 3, 5, 7);
  memcpy(sums, &all, sizeof(all));
}

// Of one vector: in the same order, so that the sum is the same to the last bit.
ONEPACK_INLINE float SumOf(const Vector& v) {
  HalfVector h;
  AddHalves(v, &h);
  return (h[0] + h[2]) + (h[1] + h[3]);
}
ONEPACK_INLINE void SumElements(const Vector (&v)[1], float* sums) { *sums = SumOf(v[0]); }

// Every vector that is read serves kRows or kCount products.
template <size_t kRows, size_t kCount>
ONEPACK_INLINE void DotProductsOf(const float* const* a, const FloatRows& b, size_t k, float scale,
                                  float* const* results) {
  const float* row = b.first + k * b.distance;
  Vector sums[kRows][kCount];
  for (size_t r = 0; r < kRows; ++r) {
    for (size_t c = 0; c < kCount; ++c) sums[r][c] = Vector{};
  }
  size_t i = 0;
  for (; i + kVectorSize <= b.length; i += kVectorSize) {
    Vector x[kRows];
    for (size_t r = 0; r < kRows; ++r) Load(a[r] + i, &x[r]);
    for (size_t c = 0; c < kCount; ++c) {
      Vector y;
      Load(row + c * b.distance + i, &y);
      for (size_t r = 0; r < kRows; ++r) sums[r][c] += x[r] * y;
    }
  }
  for (size_t r = 0; r < kRows; ++r) SumElements(sums[r], results[r] + k);
  for (; i < b.length; ++i) {
    for (size_t r = 0; r < kRows; ++r) {
      for (size_t c = 0; c < kCount; ++c) results[r][k + c] += a[r][i] * row[c * b.distance + i];
    }
  }
  for (size_t r = 0; r < kRows; ++r) {
    for (size_t c = 0; c < kCount; ++c) results[r][k + c] *= scale;
  }
}

template <size_t kCount>
ONEPACK_INLINE void DotProductsOfAll(const float* const* a, size_t m, const FloatRows& b, size_t k,
                                     float scale, float* const* results) {
  size_t r = 0;
  for (; r + 2 <= m; r += 2) DotProductsOf<2, kCount>(a + r, b, k, scale, results + r);
  if (r < m) DotProductsOf<1, kCount>(a + r, b, k, scale, results + r);
}

ONEPACK_INLINE void DotProducts(const float* const* a, size_t m, const FloatRows& b, float scale,
                                float* const* results) {
  size_t k = 0;
  for (; k + 4 <= b.count; k += 4) DotProductsOfAll<4>(a, m, b, k, scale, results);
  for (; k < b.count; ++k) DotProductsOfAll<1>(a, m, b, k, scale, results);
}

// kCount vectors of each sum stay in registers while all rows are added.
template <size_t kRows, size_t kCount>
ONEPACK_INLINE void AddToVectors(const float* const* weights, const FloatRows& b, size_t i,
                                 float* const* sums) {
  Vector totals[kRows][kCount];
  for (size_t r = 0; r < kRows; ++r) {
    for (size_t v = 0; v < kCount; ++v) Load(sums[r] + i + v * kVectorSize, &totals[r][v]);
  }
  const float* row = b.first + i;
  for (size_t k = 0; k < b.count; ++k, row += b.distance) {
    for (size_t v = 0; v < kCount; ++v) {
      Vector values;
      Load(row + v * kVectorSize, &values);
      for (size_t r = 0; r < kRows; ++r) totals[r][v] += weights[r][k] * values;
    }
  }
  for (size_t r = 0; r < kRows; ++r) {
    for (size_t v = 0; v < kCount; ++v) Store(totals[r][v], sums[r] + i + v * kVectorSize);
  }
}

template <size_t kRows>
ONEPACK_INLINE void AddToRows(const float* const* weights, const FloatRows& b, float* const* sums) {
  constexpr size_t kCount = 8 / kRows;  // eight sums at a time hide what an addition takes
  size_t i = 0;
  for (; i + kCount * kVectorSize <= b.length; i += kCount * kVectorSize) {
    AddToVectors<kRows, kCount>(weights, b, i, sums);
  }
  for (; i + kVectorSize <= b.length; i += kVectorSize) AddToVectors<kRows, 1>(weights, b, i, sums);
  for (; i < b.length; ++i) {
    for (size_t r = 0; r < kRows; ++r) {
      for (size_t k = 0; k < b.count; ++k) {
        sums[r][i] += weights[r][k] * b.first[k * b.distance + i];
      }
    }
  }
}

ONEPACK_INLINE void AddWeightedRows(const float* const* weights, size_t m, const FloatRows& b,
                                    float* const* sums) {
  size_t r = 0;
  for (; r + 2 <= m; r += 2) AddToRows<2>(weights + r, b, sums + r);
  if (r < m) AddToRows<1>(weights + r, b, sums + r);
}

ONEPACK_INLINE float Maximum(const float* values, size_t n) {
  Vector maximums = Vector{} - __builtin_huge_valf();
  size_t i = 0;
  for (; i + kVectorSize <= n; i += kVectorSize) {
    Vector x;
    Load(values + i, &x);
    maximums = x > maximums ? x : maximums;
  }
  float maximum = maximums[0];
  for (size_t k = 1; k < kVectorSize; ++k) maximum = maximums[k] > maximum ? maximums[k] : maximum;
  for (; i < n; ++i) maximum = values[i] > maximum ? values[i] : maximum;
  return maximum;
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
  // Where x is far away or no number these are any bits.
  Bits power;
  memcpy(&power, &shifted, sizeof(power));
  power = ((power - 0x4b400000U) + 127U) << 23;
  power &= ~Bits(is_zero);
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
  for (; i + kVectorSize <= n; i += kVectorSize) {
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

ONEPACK_INLINE void Dequantize(const int8_t* integers, size_t n, float scale, float zero_point,
                               float* results) {
  for (size_t i = 0; i < n; ++i)
    results[i] = (static_cast<float>(integers[i]) - zero_point) * scale;
}

ONEPACK_INLINE void ScaleAndAdd(float* values, size_t n, float factor, const float* addends,
                                float weight) {
  size_t i = 0;
  for (; i + kVectorSize <= n; i += kVectorSize) {
    Vector x;
    Vector y;
    Load(values + i, &x);
    Load(addends + i, &y);
    Store(x * factor + y * weight, values + i);
  }
  for (; i < n; ++i) values[i] = values[i] * factor + addends[i] * weight;
}

// The same once for each set of instructions.
#define ONEPACK_VECTOR_LOOPS(Name, attributes)                                                     \
  attributes void Name##DotProducts(const float* const* a, size_t m, const FloatRows& b,           \
                                    float scale, float* const* results) {                          \
    DotProducts(a, m, b, scale, results);                                                          \
  }                                                                                                \
  attributes void Name##AddWeightedRows(const float* const* weights, size_t m, const FloatRows& b, \
                                        float* const* sums) {                                      \
    AddWeightedRows(weights, m, b, sums);                                                          \
  }                                                                                                \
  attributes float Name##Maximum(const float* values, size_t n) { return Maximum(values, n); }     \
  attributes float Name##Exponentials(float* values, size_t n, float maximum) {                    \
    return Exponentials(values, n, maximum);                                                       \
  }                                                                                                \
  attributes void Name##Dequantize(const int8_t* integers, size_t n, float scale,                  \
                                   float zero_point, float* results) {                             \
    Dequantize(integers, n, scale, zero_point, results);                                           \
  }                                                                                                \
  attributes void Name##ScaleAndAdd(float* values, size_t n, float factor, const float* addends,   \
                                    float weight) {                                                \
    ScaleAndAdd(values, n, factor, addends, weight);                                               \
  }                                                                                                \
  constexpr VectorLoops k##Name{Name##DotProducts,  Name##AddWeightedRows, Name##Maximum,          \
                                Name##Exponentials, Name##Dequantize,      Name##ScaleAndAdd};

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
