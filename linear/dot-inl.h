// Sums of products of the bytes of a group, four inputs of every output at a time. All is exact.
// Included once for each target.

#if defined(ONEPACK_LINEAR_DOT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ONEPACK_LINEAR_DOT_INL_H_
#undef ONEPACK_LINEAR_DOT_INL_H_
#else
#define ONEPACK_LINEAR_DOT_INL_H_
#endif

#include "linear/target-inl.h"

HWY_BEFORE_NAMESPACE();
namespace onepack::linear::HWY_NAMESPACE {

// Weights of 0 to 15, activations of -128 to 127.
struct Int4Dot {
#if ONEPACK_LINEAR_HAS_QUAD_DOT
  using Sum = VI32;

  static HWY_INLINE Sum Begin(VI32 start) { return start; }
  static HWY_INLINE Sum Add(Sum sum, VU8 weights, VU32 activations) {
#if HWY_ARCH_ARM
    const VI8 signed_weights = hn::BitCast(DI8(), weights);
    return hn::SumOfMulQuadAccumulate(DI32(), signed_weights, hn::BitCast(DI8(), activations), sum);
#else
    return hn::SumOfMulQuadAccumulate(DI32(), weights, hn::BitCast(DI8(), activations), sum);
#endif
  }
  static HWY_INLINE VI32 End(Sum sum, VI32 /*start*/) { return sum; }
#else
  // Of a group: 16 products of up to 15 * 128, less than 2^15.
  using Sum = VI16;

  static HWY_INLINE Sum Begin(VI32 /*start*/) { return hn::Zero(DI16()); }
  static HWY_INLINE Sum Add(Sum sum, VU8 weights, VU32 activations) {
    return hn::Add(sum,
                   hn::SatWidenMulPairwiseAdd(DI16(), weights, hn::BitCast(DI8(), activations)));
  }
  static HWY_INLINE VI32 End(Sum sum, VI32 start) {
    return hn::Add(start, hn::WidenMulPairwiseAdd(DI32(), sum, hn::Set(DI16(), int16_t{1})));
  }
#endif
};

// Weights of -128 to 127, activations raised by kInt8Offset.
struct Int8Dot {
  using Sum = VI32;

  static HWY_INLINE Sum Begin(VI32 start) { return start; }
  static HWY_INLINE Sum Add(Sum sum, VU8 weights, VU32 activations) {
    const VI8 signed_weights = hn::BitCast(DI8(), weights);
#if HWY_ARCH_ARM
    return hn::SumOfMulQuadAccumulate(DI32(), signed_weights, hn::BitCast(DI8(), activations), sum);
#else
    return hn::SumOfMulQuadAccumulate(DI32(), hn::BitCast(DU8(), activations), signed_weights, sum);
#endif
  }
  static HWY_INLINE VI32 End(Sum sum, VI32 /*start*/) { return sum; }
};

}  // namespace onepack::linear::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ONEPACK_LINEAR_DOT_INL_H_
