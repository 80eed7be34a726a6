// Bias, clamp and store. One copy for each target of Highway.

#if defined(ONEPACK_LINEAR_FLOAT_FINISH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ONEPACK_LINEAR_FLOAT_FINISH_INL_H_
#undef ONEPACK_LINEAR_FLOAT_FINISH_INL_H_
#else
#define ONEPACK_LINEAR_FLOAT_FINISH_INL_H_
#endif

#include <math.h>
#include <stddef.h>

#include "hwy/highway.h"
#include "linear/float_vectors-inl.h"
#include "linear/linear.h"

HWY_BEFORE_NAMESPACE();
namespace onepack::linear::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// What makes results of sums of `count` outputs from `output` on.
template <class D>
class Finisher {
 public:
  HWY_INLINE Finisher(const Finish& finish, size_t output, size_t count)
      : has_bias_(finish.bias != nullptr),
        clamps_(finish.min > -INFINITY || finish.max < INFINITY),
        bias_(has_bias_ ? LoadFirst(D(), finish.bias + output, count) : hn::Zero(D())),
        min_(hn::Set(D(), finish.min)),
        max_(hn::Set(D(), finish.max)) {}

  // A NaN stays one.
  HWY_INLINE hn::Vec<D> Finished(hn::Vec<D> sums) const {
    if (has_bias_) sums = hn::Add(sums, bias_);
    if (!clamps_) return sums;
    sums = hn::IfThenElse(hn::Lt(sums, min_), min_, sums);
    return hn::IfThenElse(hn::Gt(sums, max_), max_, sums);
  }

 private:
  const bool has_bias_;
  const bool clamps_;
  const hn::Vec<D> bias_;
  const hn::Vec<D> min_;
  const hn::Vec<D> max_;
};

}  // namespace onepack::linear::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ONEPACK_LINEAR_FLOAT_FINISH_INL_H_
