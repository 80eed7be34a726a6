#include "kernels/vector_loops.h"

#include <math.h>

// Once for each target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/vector_loops.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
// After it.
#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"
#include "linear/float_vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace onepack::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using linear::HWY_NAMESPACE::Floats;
using linear::HWY_NAMESPACE::FourSums;
using linear::HWY_NAMESPACE::kLanes;
using linear::HWY_NAMESPACE::kWeightRows;
using linear::HWY_NAMESPACE::LoadFirst;
using linear::HWY_NAMESPACE::StoreFirst;
using linear::HWY_NAMESPACE::SumsOfElements;
using linear::HWY_NAMESPACE::Vector;

constexpr bool kHas32Registers = HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64;
// As many rows as leave registers for kWeightRows of the other matrix.
constexpr size_t kTileRows = kHas32Registers ? 6 : 3;

// run(first, count) for 0 .. n in whole vectors, and for what is left.
template <typename Run>
HWY_INLINE void ForEachVector(size_t n, Run run) {
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) run(i, kLanes);
  if (i < n) run(i, n - i);
}

// Every vector that is read serves kRows or kWeightRows products.
template <size_t kRows>
HWY_INLINE void DotProductsOf(const float* const* a, const FloatRows& b, size_t k, float scale,
                              float* const* results) {
  const Floats d;
  const size_t count = HWY_MIN(kWeightRows, b.count - k);
  const float* rows[kWeightRows];  // where there are fewer, the first one again
  for (size_t c = 0; c < kWeightRows; ++c)
    rows[c] = b.first + (k + (c < count ? c : 0)) * b.distance;
  Vector sums[kRows][kWeightRows];
  for (auto& of_row : sums) {
    for (Vector& sum : of_row) sum = hn::Zero(d);
  }
  ForEachVector(b.length, [&](size_t i, size_t n) HWY_ATTR {
    Vector y[kWeightRows];
    for (size_t c = 0; c < kWeightRows; ++c) y[c] = LoadFirst(d, rows[c] + i, n);
    for (size_t r = 0; r < kRows; ++r) {
      const Vector x = LoadFirst(d, a[r] + i, n);
      for (size_t c = 0; c < kWeightRows; ++c) sums[r][c] = hn::MulAdd(x, y[c], sums[r][c]);
    }
  });
  const FourSums four;
  for (size_t r = 0; r < kRows; ++r) {
    const auto scaled = hn::Mul(SumsOfElements(sums[r]), hn::Set(four, scale));
    StoreFirst(scaled, four, results[r] + k, count);
  }
}

template <size_t kRows>
HWY_INLINE void DotProductsOfTile(size_t rows, const float* const* a, const FloatRows& b, size_t k,
                                  float scale, float* const* results) {
  if (rows == kRows) return DotProductsOf<kRows>(a, b, k, scale, results);
  if constexpr (kRows > 1) DotProductsOfTile<kRows - 1>(rows, a, b, k, scale, results);
}

void DotProducts(const float* const* a, size_t m, const FloatRows& b, float scale,
                 float* const* results) {
  for (size_t k = 0; k < b.count; k += kWeightRows) {
    for (size_t r = 0; r < m; r += kTileRows) {
      DotProductsOfTile<kTileRows>(HWY_MIN(kTileRows, m - r), a + r, b, k, scale, results + r);
    }
  }
}

// kCount vectors of each sum stay in registers while all rows are added.
template <size_t kRows, size_t kCount>
HWY_INLINE void AddToVectors(const float* const* weights, const FloatRows& b, size_t i, size_t n,
                             float* const* sums) {
  const Floats d;
  Vector totals[kRows][kCount];
  for (size_t r = 0; r < kRows; ++r) {
    for (size_t v = 0; v < kCount; ++v) totals[r][v] = LoadFirst(d, sums[r] + i + v * kLanes, n);
  }
  const float* row = b.first + i;
  for (size_t k = 0; k < b.count; ++k, row += b.distance) {
    Vector weight[kRows];
    for (size_t r = 0; r < kRows; ++r) weight[r] = hn::Set(d, weights[r][k]);
    for (size_t v = 0; v < kCount; ++v) {
      const Vector values = LoadFirst(d, row + v * kLanes, n);
      for (size_t r = 0; r < kRows; ++r) {
        totals[r][v] = hn::MulAdd(weight[r], values, totals[r][v]);
      }
    }
  }
  for (size_t r = 0; r < kRows; ++r) {
    for (size_t v = 0; v < kCount; ++v) StoreFirst(totals[r][v], d, sums[r] + i + v * kLanes, n);
  }
}

template <size_t kRows, size_t kCount>
HWY_INLINE void AddToRowsFrom(size_t i, const float* const* weights, const FloatRows& b,
                              float* const* sums) {
  for (; i + kCount * kLanes <= b.length; i += kCount * kLanes) {
    AddToVectors<kRows, kCount>(weights, b, i, kLanes, sums);
  }
  if constexpr (kCount > 1) {
    AddToRowsFrom<kRows, kCount / 2>(i, weights, b, sums);
  } else if (i < b.length) {
    AddToVectors<kRows, 1>(weights, b, i, b.length - i, sums);
  }
}

// As many rows at a time as there are registers for.
template <size_t kRows>
HWY_INLINE void AddToRows(const float* const* weights, size_t m, const FloatRows& b,
                          float* const* sums) {
  constexpr size_t kSums = kHas32Registers ? 16 : 8;
  constexpr size_t kCount = HWY_MIN(kSums / kRows, 8);
  size_t r = 0;
  for (; r + kRows <= m; r += kRows) AddToRowsFrom<kRows, kCount>(0, weights + r, b, sums + r);
  if constexpr (kRows > 1) AddToRows<kRows / 2>(weights + r, m - r, b, sums + r);
}

void AddWeightedRows(const float* const* weights, size_t m, const FloatRows& b,
                     float* const* sums) {
  AddToRows<(kHas32Registers ? 4 : 2)>(weights, m, b, sums);
}

float Maximum(const float* values, size_t n) {
  const Floats d;
  const Vector none = hn::Set(d, -HUGE_VALF);
  Vector maximums = none;
  ForEachVector(n, [&](size_t i, size_t count) HWY_ATTR {
    const Vector x =
        count == kLanes ? hn::LoadU(d, values + i) : hn::LoadNOr(none, d, values + i, count);
    maximums = hn::IfThenElse(hn::Gt(x, maximums), x, maximums);
  });
  return hn::ReduceMax(d, maximums);
}

float Exponentials(float* values, size_t n, float maximum) {
  const Floats d;
  const Vector largest = hn::Set(d, maximum);
  const Vector none = hn::Set(d, -HUGE_VALF);  // exp: 0
  Vector sums = hn::Zero(d);
  ForEachVector(n, [&](size_t i, size_t count) HWY_ATTR {
    const Vector value =
        count == kLanes ? hn::LoadU(d, values + i) : hn::LoadNOr(none, d, values + i, count);
    const Vector x = hn::Sub(value, largest);
    // Highway's is 0 for a NaN.
    const Vector result = hn::IfThenElse(hn::IsNaN(x), x, hn::Exp(d, x));
    sums = hn::Add(sums, result);
    StoreFirst(result, d, values + i, count);
  });
  return hn::ReduceSum(d, sums);
}

void Dequantize(const int8_t* integers, size_t n, float scale, float zero_point, float* results) {
  const Floats d;
  const hn::Rebind<int8_t, Floats> narrow;
  const hn::Rebind<int32_t, Floats> wide;
  ForEachVector(n, [&](size_t i, size_t count) HWY_ATTR {
    const auto loaded = LoadFirst(narrow, integers + i, count);
    const Vector number = hn::ConvertTo(d, hn::PromoteTo(wide, loaded));
    const Vector difference = hn::Sub(number, hn::Set(d, zero_point));
    StoreFirst(hn::Mul(difference, hn::Set(d, scale)), d, results + i, count);
  });
}

void ScaleAndAdd(float* values, size_t n, float factor, const float* addends, float weight) {
  const Floats d;
  ForEachVector(n, [&](size_t i, size_t count) HWY_ATTR {
    const Vector scaled = hn::Mul(LoadFirst(d, values + i, count), hn::Set(d, factor));
    const Vector y = LoadFirst(d, addends + i, count);
    StoreFirst(hn::MulAdd(y, hn::Set(d, weight), scaled), d, values + i, count);
  });
}

constexpr VectorLoops kLoops{DotProducts,  AddWeightedRows, Maximum,
                             Exponentials, Dequantize,      ScaleAndAdd};
const VectorLoops* Loops() { return &kLoops; }

}  // namespace onepack::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace onepack::kernels {

HWY_EXPORT(Loops);

const VectorLoops& VectorLoopsOfThisMachine() { return *HWY_DYNAMIC_DISPATCH(Loops)(); }

}  // namespace onepack::kernels
#endif  // HWY_ONCE
