// Where sums begin and what becomes of them: outputs of a panel in y.
// Included once for each target.

#if defined(ONEPACK_LINEAR_OUTPUTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ONEPACK_LINEAR_OUTPUTS_INL_H_
#undef ONEPACK_LINEAR_OUTPUTS_INL_H_
#else
#define ONEPACK_LINEAR_OUTPUTS_INL_H_
#endif

#include <string.h>

#include "linear/activation_layout.h"
#include "linear/linear.h"
#include "linear/target-inl.h"

HWY_BEFORE_NAMESPACE();
namespace onepack::linear::HWY_NAMESPACE {

// What belongs to each output of a panel; zeros for those that the weights do not have.
struct OutputTerms {
  OutputTerms(const Weights& weights, const float* all_sums, const Finish& finish, size_t first)
      : count(HWY_MIN(weights.outputs - first, kPanelOutputs)), min(finish.min), max(finish.max) {
    Fill(all_sums + first, sums);
    Fill(finish.bias == nullptr ? nullptr : finish.bias + first, bias);
    const bool has_blocks = weights.type == WeightType::kInt4Blocks;
    Fill(has_blocks ? nullptr : weights.scales + first * sizeof(float), scales);
  }

  size_t count;  // of outputs that there are
  float min;
  float max;
  HWY_ALIGN float sums[kPanelOutputs];
  HWY_ALIGN float bias[kPanelOutputs];
  HWY_ALIGN float scales[kPanelOutputs];  // of weights that have one for each output

 private:
  void Fill(const void* from, float* to) const {
    const size_t given = from == nullptr ? 0 : count;
    if (given != 0) memcpy(to, from, given * sizeof(float));
    for (size_t i = given; i < kPanelOutputs; ++i) to[i] = 0;
  }
};

// The outputs of rows from one on. Until sums are complete they are kept there, too.
struct Outputs {
  float* y;
  size_t stride;
  size_t count;

  // Of a vector that begins at the panel's output `first`.
  HWY_INLINE void Store(size_t row, size_t first, VF values) const {
    float* to = y + row * stride + first;
    if (first + kLanes <= count) {
      hn::StoreU(values, DF(), to);
    } else if (first < count) {
      hn::StoreN(values, DF(), to, count - first);
    }
  }
  HWY_INLINE VF Load(size_t row, size_t first) const {
    const float* from = y + row * stride + first;
    if (first + kLanes <= count) return hn::LoadU(DF(), from);
    return first < count ? hn::LoadN(DF(), from, count - first) : hn::Zero(DF());
  }
};

// Number m of `headers`, wherever they stand.
HWY_INLINE RowHeader HeaderOf(const uint8_t* headers, size_t m) {
  RowHeader row;
  memcpy(&row, headers + m * sizeof(row), sizeof(row));
  return row;
}

// `headers`: of kRows rows.
template <class Sums, size_t kRows>
HWY_INLINE void BeginSums(const OutputTerms& terms, const uint8_t* headers,
                          typename Sums::Sum (&sums)[kRows][kPanelVectors]) {
  HWY_UNROLL(16)
  for (size_t m = 0; m < kRows; ++m) {
    const RowHeader row = HeaderOf(headers, m);
    HWY_UNROLL(4)
    for (size_t v = 0; v < kPanelVectors; ++v) {
      sums[m][v] = Sums::Begin(row, hn::Load(DF(), terms.sums + v * kLanes));
    }
  }
}

// A NaN ends as it does in XNNPACK: on x86 by the order of the same instructions; on Arm it stays
// one, where Highway's would prefer the number.
HWY_INLINE VF Clamped(VF v, VF min, VF max) {
#if HWY_ARCH_ARM
  v = hn::IfThenElse(hn::Lt(v, min), min, v);
  return hn::IfThenElse(hn::Gt(v, max), max, v);
#else
  return hn::Min(hn::Max(v, min), max);
#endif
}

template <class Sums, size_t kRows>
HWY_INLINE void FinishSums(const OutputTerms& terms, const uint8_t* headers,
                           const typename Sums::Sum (&sums)[kRows][kPanelVectors],
                           const Outputs& outputs) {
  const VF min = hn::Set(DF(), terms.min);
  const VF max = hn::Set(DF(), terms.max);
  HWY_UNROLL(16)
  for (size_t m = 0; m < kRows; ++m) {
    const RowHeader row = HeaderOf(headers, m);
    HWY_UNROLL(4)
    for (size_t v = 0; v < kPanelVectors; ++v) {
      const VF finished = Sums::Finished(sums[m][v], row, hn::Load(DF(), terms.scales + v * kLanes),
                                         hn::Load(DF(), terms.bias + v * kLanes));
      outputs.Store(m, v * kLanes, Clamped(finished, min, max));
    }
  }
}

template <class Sums, size_t kRows>
HWY_INLINE void LoadSums(const Outputs& outputs, typename Sums::Sum (&sums)[kRows][kPanelVectors]) {
  HWY_UNROLL(16)
  for (size_t m = 0; m < kRows; ++m) {
    HWY_UNROLL(4)
    for (size_t v = 0; v < kPanelVectors; ++v) {
      sums[m][v] = hn::BitCast(hn::DFromV<typename Sums::Sum>(), outputs.Load(m, v * kLanes));
    }
  }
}

template <class Sums, size_t kRows>
HWY_INLINE void StoreSums(const typename Sums::Sum (&sums)[kRows][kPanelVectors],
                          const Outputs& outputs) {
  HWY_UNROLL(16)
  for (size_t m = 0; m < kRows; ++m) {
    HWY_UNROLL(4)
    for (size_t v = 0; v < kPanelVectors; ++v) {
      outputs.Store(m, v * kLanes, hn::BitCast(DF(), sums[m][v]));
    }
  }
}

}  // namespace onepack::linear::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ONEPACK_LINEAR_OUTPUTS_INL_H_
