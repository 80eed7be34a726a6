#include "delegate/plan/linear_policy.h"

namespace onepack {
namespace {

using linear::WeightType;

#if defined(__x86_64__)
constexpr bool kIsX86 = true;
#else
constexpr bool kIsX86 = false;
#endif

// The matrices of an adapter have fewer bytes. Larger ones are not measured on Arm.
constexpr size_t kSmallFloats = 4 << 20;

// What docs/linears.md has measured.
bool IsFasterInPlace(const linear::Weights& weights) {
  switch (weights.type) {
    case WeightType::kInt4Blocks:
      return kIsX86;
    case WeightType::kFloat32:
      return kIsX86 || weights.outputs <= kSmallFloats / sizeof(float) / weights.inputs;
    case WeightType::kFloat16:
    case WeightType::kBfloat16:
      return true;  // XNNPACK takes twice the bytes: it widens them
    case WeightType::kInt4Channels:
    case WeightType::kInt8Channels:
      return false;
  }
  return false;
}

}  // namespace

bool RunsInPlace(LinearLayout layout, const linear::Weights& weights) {
  if (layout == LinearLayout::kAuto) return IsFasterInPlace(weights);
  return layout == LinearLayout::kInPlace;
}

}  // namespace onepack
