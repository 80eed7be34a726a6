// The innermost loops: a tile of activations by a panel of weights. A row's sums are made by the
// same operations in the same order whatever tile it is in.
// Included once for each target.

#if defined(ONEPACK_LINEAR_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ONEPACK_LINEAR_TILE_INL_H_
#undef ONEPACK_LINEAR_TILE_INL_H_
#else
#define ONEPACK_LINEAR_TILE_INL_H_
#endif

#include <string.h>

#include "linear/activation_layout.h"
#include "linear/dot-inl.h"
#include "linear/panel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace onepack::linear::HWY_NAMESPACE {

// Sums of blocks: floats, to which each group adds its exact sum times the block's scale.
struct BlockSums {
  using Sum = VF;
  using Dot = Int4Dot;
  static constexpr size_t kStartBytes = sizeof(int32_t);

  static HWY_INLINE VI32 GroupStart(VI32 start, Sum /*sum*/) { return start; }
  static HWY_INLINE Sum Added(Sum sum, VI32 group, const float* scales) {
    return hn::MulAdd(hn::ConvertTo(DF(), group), hn::Load(DF(), scales), sum);
  }

  static HWY_INLINE Sum Begin(const RowHeader& row, VF weight_sums) {
    return hn::Mul(weight_sums, hn::Set(DF(), -static_cast<float>(row.zero_point)));
  }
  static HWY_INLINE VF Finished(Sum sum, const RowHeader& row, VF /*scales*/, VF bias) {
    return hn::Add(hn::Mul(sum, hn::Set(DF(), row.scale)), bias);
  }
};

// Sums over all inputs: integers to the end, which wrap around as XNNPACK's do.
template <class DotOfWeights>
struct ChannelSums {
  using Sum = VI32;
  using Dot = DotOfWeights;
  static constexpr size_t kStartBytes = 0;

  static HWY_INLINE VI32 GroupStart(VI32 /*start*/, Sum sum) { return sum; }
  static HWY_INLINE Sum Added(Sum /*sum*/, VI32 group, const float* /*scales*/) { return group; }

  static HWY_INLINE Sum Begin(const RowHeader& row, VF weight_sums) {
    const VI32 corrections = hn::Mul(hn::NearestInt(weight_sums), hn::Set(DI32(), row.zero_point));
    return hn::Sub(hn::Set(DI32(), row.start), corrections);
  }
  static HWY_INLINE VF Finished(Sum sum, const RowHeader& row, VF scales, VF bias) {
    const VF scaled = hn::Mul(hn::ConvertTo(DF(), sum), hn::Set(DF(), row.scale));
    return hn::MulAdd(scaled, scales, bias);
  }
};

template <class D>
HWY_INLINE hn::Vec<D> SetFrom(D d, const uint8_t* p) {
  hn::TFromD<D> value;
  memcpy(&value, p, sizeof(value));
  return hn::Set(d, value);
}

// `sums` gain the products of a panel's groups and of those of a tile of kRows rows. For each group
// a part of the `next` panel is asked for.
template <class Sums, size_t kRows>
HWY_INLINE void AddPanel(const Panel& panel, size_t groups, const uint8_t* activations,
                         NextPanel& next, typename Sums::Sum (&sums)[kRows][kPanelVectors]) {
  using Dot = typename Sums::Dot;
  const uint8_t* weights = panel.quads;
  const float* scales = panel.scales;
  for (size_t g = 0; g < groups; ++g) {
    next.Prefetch();
    VI32 starts[kRows];
    typename Dot::Sum dots[kRows][kPanelVectors];
    HWY_UNROLL(16)
    for (size_t m = 0; m < kRows; ++m) {
      starts[m] = Sums::kStartBytes == 0 ? hn::Zero(DI32())
                                         : SetFrom(DI32(), activations + m * Sums::kStartBytes);
      HWY_UNROLL(4)
      for (size_t v = 0; v < kPanelVectors; ++v) {
        dots[m][v] = Dot::Begin(Sums::GroupStart(starts[m], sums[m][v]));
      }
    }
    activations += kRows * Sums::kStartBytes;
    HWY_UNROLL(8)
    for (size_t quad = 0; quad < kGroupQuads; ++quad) {
      VU8 w[kPanelVectors];
      HWY_UNROLL(4)
      for (size_t v = 0; v < kPanelVectors; ++v) {
        w[v] = hn::Load(DU8(), weights + (quad * kPanelVectors + v) * kVectorBytes);
      }
      HWY_UNROLL(16)
      for (size_t m = 0; m < kRows; ++m) {
        const VU32 a = SetFrom(DU32(), activations + (quad * kRows + m) * kQuadInputs);
        HWY_UNROLL(4)
        for (size_t v = 0; v < kPanelVectors; ++v) dots[m][v] = Dot::Add(dots[m][v], w[v], a);
      }
    }
    activations += kRows * kGroupInputs;
    weights += kGroupInputs * kPanelOutputs;
    HWY_UNROLL(16)
    for (size_t m = 0; m < kRows; ++m) {
      HWY_UNROLL(4)
      for (size_t v = 0; v < kPanelVectors; ++v) {
        const VI32 group = Dot::End(dots[m][v], Sums::GroupStart(starts[m], sums[m][v]));
        sums[m][v] = Sums::Added(sums[m][v], group, scales + v * kLanes);
      }
    }
    scales += kPanelOutputs;
  }
}

}  // namespace onepack::linear::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ONEPACK_LINEAR_TILE_INL_H_
