// A fully connected node that can run over its weights as they are stored (linear/linear.h).

#ifndef ONEPACK_DELEGATE_OPS_LINEAR_NODE_H_
#define ONEPACK_DELEGATE_OPS_LINEAR_NODE_H_

#include <stdint.h>

#include <optional>

#include "delegate/ops/op.h"
#include "linear/linear.h"

namespace onepack {

struct LinearNode {
  linear::Weights weights;  // without values and scales: the file has them
  uint32_t input_id = kNoValue;
  uint32_t output_id = kNoValue;
  float min = 0;  // the clamp
  float max = 0;
};

// What a linear reads, in the form that it takes it in: linears of equal inputs share what is
// quantized.
struct LinearInput {
  uint32_t value_id = kNoValue;
  bool is_quantized = false;    // for integer weights, when it runs
  linear::ActivationForm form;  // then

  bool operator==(const LinearInput& other) const {
    return value_id == other.value_id && is_quantized == other.is_quantized && form == other.form;
  }
};
LinearInput InputOf(const LinearNode& node);

// None for a node of another type, or one that only XNNPACK runs: that multiplies transposed
// weights, what is computed, or other datatypes than these. The operands exist; nothing else is
// known to be in order: looks at nothing but what the file says of them.
std::optional<LinearNode> LinearNodeOf(const NodeValues& values, const wire::xnnpack::XNode& node);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_OPS_LINEAR_NODE_H_
