// A weight: constants that XNNPACK packs for one node, from the operators to the cache.

#ifndef ONEPACK_DELEGATE_OPS_WEIGHT_H_
#define ONEPACK_DELEGATE_OPS_WEIGHT_H_

#include <stdint.h>

#include "delegate/graph/graph_value.h"
#include "weight_cache/pack_key.h"

namespace onepack {

// How XNNPACK comes by a packed weight.
enum class Packing : uint8_t {
  kLookedUp,  // it asks for it, and packs it if it is not there
  kUnasked,   // it packs it, and offers it for keeping
  kPrivate,   // it packs it and keeps it
  kAsStored,  // it has nothing to do with it: the node runs in place
};

// One of the constants of a weight.
struct WeightOperand {
  uint32_t value_id = kNoValue;           // in the graph; kNoValue for an operand that is absent
  uint32_t constant_index = 0;            // of its bytes, in the payload
  uint32_t scale_index = 0;               // of its scales, there; 0 for none, and for inline ones
  wire::xnnpack::XNNDatatype datatype{};  // that XNNPACK is given: the file's, or a wider one

  bool is_present() const { return value_id != kNoValue; }
};

struct Weight {
  WeightIdentity identity;  // what the key of the packed weight says
  WeightOperand kernel;
  WeightOperand bias;
  Packing packing = Packing::kLookedUp;
  bool reads_scales = false;  // XNNPACK looks at the scales even if it finds the weight packed
  uint32_t node = 0;          // its number in the graph
  uint64_t raw_bytes = 0;     // of kernel and bias
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_OPS_WEIGHT_H_
