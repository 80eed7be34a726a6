// Weights of each type of float as vectors of floats, at any address. One copy for each target of
// Highway.

#if defined(ONEPACK_LINEAR_FLOAT_WEIGHTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ONEPACK_LINEAR_FLOAT_WEIGHTS_INL_H_
#undef ONEPACK_LINEAR_FLOAT_WEIGHTS_INL_H_
#else
#define ONEPACK_LINEAR_FLOAT_WEIGHTS_INL_H_
#endif

#include <stddef.h>
#include <stdint.h>

#include "hwy/highway.h"
#include "linear/float_vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace onepack::linear::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// The bits of weights, as many as there are floats in `D`.
template <class Weight, class D>
using BitsOf = hn::Rebind<typename Weight::Bits, D>;

struct Float32Weight {
  using Bits = uint32_t;
  template <class D>
  static HWY_INLINE hn::Vec<D> Widen(D d, hn::Vec<hn::Rebind<Bits, D>> bits) {
    return hn::BitCast(d, bits);
  }
};

struct Bfloat16Weight {
  using Bits = uint16_t;
  template <class D>
  static HWY_INLINE hn::Vec<D> Widen(D d, hn::Vec<hn::Rebind<Bits, D>> bits) {
    const hn::Rebind<uint32_t, D> wide;
    return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(wide, bits)));
  }
};

struct Float16Weight {
  using Bits = uint16_t;
  template <class D>
  static HWY_INLINE hn::Vec<D> Widen(D d, hn::Vec<hn::Rebind<Bits, D>> bits) {
#if HWY_TARGET <= HWY_AVX2 || HWY_ARCH_ARM_A64
    return hn::PromoteTo(d, hn::BitCast(hn::Rebind<hwy::float16_t, D>(), bits));
#else
    // Where there is no instruction for it, Highway takes infinities and NaNs for large numbers.
    const hn::Rebind<uint32_t, D> wide;
    const auto all = hn::PromoteTo(wide, bits);
    const auto magnitude = hn::And(all, hn::Set(wide, 0x7fff));
    const auto sign = hn::ShiftLeft<16>(hn::Xor(all, magnitude));
    const auto shifted = hn::ShiftLeft<13>(magnitude);
    const auto normal = hn::Add(shifted, hn::Set(wide, 112u << 23));
    // Exact, and without a float that is subnormal itself, which would be taken for zero.
    const auto above = hn::BitCast(d, hn::Add(shifted, hn::Set(wide, 113u << 23)));
    const auto subnormal = hn::BitCast(wide, hn::Sub(above, hn::Set(d, 0x1p-14f)));
    const auto number = hn::IfThenElse(hn::Lt(magnitude, hn::Set(wide, 0x400)), subnormal, normal);
    const auto exponent =
        hn::IfThenElseZero(hn::Gt(magnitude, hn::Set(wide, 0x7bff)), hn::Set(wide, 0x7f800000));
    return hn::BitCast(d, hn::Or(hn::Or(number, exponent), sign));
#endif
  }
};

// Bytes, because floats would have to be aligned.
template <class DBits>
HWY_INLINE hn::Vec<DBits> LoadBits(DBits d, const uint8_t* from) {
  return hn::BitCast(d, hn::LoadU(hn::Repartition<uint8_t, DBits>(), from));
}

template <class Weight>
HWY_INLINE Vector LoadWeights(const uint8_t* from) {
  return Weight::Widen(Floats(), LoadBits(BitsOf<Weight, Floats>(), from));
}

// The first `count`, and zeros.
template <class Weight>
HWY_INLINE Vector LoadFirstWeights(const uint8_t* from, size_t count) {
  const BitsOf<Weight, Floats> bits;
  const hn::Repartition<uint8_t, decltype(bits)> bytes;
  const auto loaded = hn::LoadN(bytes, from, count * sizeof(typename Weight::Bits));
  return Weight::Widen(Floats(), hn::BitCast(bits, loaded));
}

}  // namespace onepack::linear::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ONEPACK_LINEAR_FLOAT_WEIGHTS_INL_H_
