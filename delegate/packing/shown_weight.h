// A weight in an XNNPACK subgraph.

#ifndef ONEPACK_DELEGATE_PACKING_SHOWN_WEIGHT_H_
#define ONEPACK_DELEGATE_PACKING_SHOWN_WEIGHT_H_

#include <stddef.h>

#include <optional>

#include "base/status.h"
#include "delegate/ops/op.h"
#include "delegate/plan/plan.h"

namespace onepack {

// Where XNNPACK is told that a constant is. It reads neither of the two before it packs, but for
// the scales, which it checks when the constant is defined.
struct ShownConstant {
  const void* data = nullptr;
  const void* scales = nullptr;  // null for a constant without scales of its own
};

struct ShownWeight {
  ShownConstant kernel;
  ShownConstant bias;  // without data if there is none
  // Only so many of the output channels, from where `kernel` and `bias` are on; all if absent.
  std::optional<size_t> channels;
};

// Defines kernel and bias of a weight for its node alone, and notes them in `node`.
Status DefineWeight(const Plan& plan, const Weight& weight, const ShownWeight& shown,
                    NodeDefinition* node);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PACKING_SHOWN_WEIGHT_H_
