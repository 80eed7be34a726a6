// Vectors of floats: parts of them in memory, and sums of their elements. One copy for each target
// of Highway.

#if defined(ONEPACK_LINEAR_FLOAT_VECTORS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ONEPACK_LINEAR_FLOAT_VECTORS_INL_H_
#undef ONEPACK_LINEAR_FLOAT_VECTORS_INL_H_
#else
#define ONEPACK_LINEAR_FLOAT_VECTORS_INL_H_
#endif

#include <stddef.h>
#include <stdint.h>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace onepack::linear::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::ScalableTag<float>;
using Vector = hn::Vec<Floats>;
constexpr size_t kLanes = hn::MaxLanes(Floats());
static_assert(kLanes >= 4, "Highway's HWY_SCALAR has no vectors; HWY_EMU128 has them anywhere");

// Products along rows are added up for so many rows of a matrix together.
constexpr size_t kWeightRows = 4;

// Of `count` floats, or of a whole vector if that is less. Zeros where there is none.
template <class D>
HWY_INLINE hn::Vec<D> LoadFirst(D d, const hn::TFromD<D>* from, size_t count) {
  return count >= hn::Lanes(d) ? hn::LoadU(d, from) : hn::LoadN(d, from, count);
}

template <class D>
HWY_INLINE void StoreFirst(hn::Vec<D> v, D d, hn::TFromD<D>* to, size_t count) {
  if (count >= hn::Lanes(d)) {
    hn::StoreU(v, d, to);
  } else {
    hn::StoreN(v, d, to, count);
  }
}

using FourSums = hn::FixedTag<float, kWeightRows>;

// The sum of the blocks of 4 floats.
template <class D>
HWY_INLINE hn::Vec<FourSums> SumOfBlocks(D d, hn::Vec<D> v) {
  if constexpr (hn::MaxLanes(d) == 4) {
    return v;
  } else {
    const hn::Half<D> half;
    return SumOfBlocks(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}

// The sum of the elements of each of four vectors.
HWY_INLINE hn::Vec<FourSums> SumsOfElements(const Vector (&v)[kWeightRows]) {
  const Floats d;
  const hn::Repartition<uint64_t, Floats> pairs;
  const auto a = hn::BitCast(
      pairs, hn::Add(hn::InterleaveLower(d, v[0], v[1]), hn::InterleaveUpper(d, v[0], v[1])));
  const auto b = hn::BitCast(
      pairs, hn::Add(hn::InterleaveLower(d, v[2], v[3]), hn::InterleaveUpper(d, v[2], v[3])));
  return SumOfBlocks(d, hn::Add(hn::BitCast(d, hn::InterleaveLower(pairs, a, b)),
                                hn::BitCast(d, hn::InterleaveUpper(pairs, a, b))));
}

}  // namespace onepack::linear::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ONEPACK_LINEAR_FLOAT_VECTORS_INL_H_
