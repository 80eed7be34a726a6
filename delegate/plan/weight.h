// A weight: constants that XNNPACK packs for one node, from the plan of a graph to the cache.

#ifndef ONEPACK_DELEGATE_PLAN_WEIGHT_H_
#define ONEPACK_DELEGATE_PLAN_WEIGHT_H_

#include <stddef.h>
#include <stdint.h>

#include "delegate/ops/op.h"
#include "weight_cache/pack_key.h"

namespace onepack {

// One of the constants of a weight.
struct WeightOperand {
  uint32_t value_id = kNoValue;  // in the graph
  uint32_t constant_index = 0;   // of its bytes, in the payload; 0 for an operand that is absent
  uint32_t scale_index = 0;      // of its scales, there; 0 for one without, or with inline ones
  wire::xnnpack::XNNDatatype datatype{};  // that XNNPACK is given: the file's, or a wider one
};

struct Weight {
  WeightIdentity identity;
  WeightOperand kernel;
  WeightOperand bias;
  uint32_t node = 0;  // its number in the graph
  Packing packing = Packing::kLookedUp;
  bool reads_scales = false;  // XNNPACK looks at the scales even if it finds the weight packed
  uint64_t raw_bytes = 0;     // of kernel and bias
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PLAN_WEIGHT_H_
