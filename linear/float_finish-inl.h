// Bias, clamp and store. One copy for each target of Highway.

#if defined(ONEPACK_LINEAR_FLOAT_FINISH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ONEPACK_LINEAR_FLOAT_FINISH_INL_H_
#undef ONEPACK_LINEAR_FLOAT_FINISH_INL_H_
#else
#define ONEPACK_LINEAR_FLOAT_FINISH_INL_H_
#endif

#include <stddef.h>

#include "hwy/highway.h"
#include "linear/float_vectors-inl.h"
#include "linear/linear.h"

HWY_BEFORE_NAMESPACE();
namespace onepack::linear::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Sums of `count` outputs from `output` on. A NaN stays one.
template <class D>
HWY_INLINE hn::Vec<D> Finished(D d, hn::Vec<D> sums, const Finish& finish, size_t output,
                               size_t count) {
  const hn::Vec<D> min = hn::Set(d, finish.min);
  const hn::Vec<D> max = hn::Set(d, finish.max);
  if (finish.bias != nullptr) {
    sums = hn::Add(sums, LoadFirst(d, finish.bias + output, count));
  }
  sums = hn::IfThenElse(hn::Lt(sums, min), min, sums);
  return hn::IfThenElse(hn::Gt(sums, max), max, sums);
}

}  // namespace onepack::linear::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ONEPACK_LINEAR_FLOAT_FINISH_INL_H_
