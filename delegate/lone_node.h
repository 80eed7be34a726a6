// A node with a weight, cut out of its graph: what XNNPACK is given to have that weight packed
// apart from the rest.

#ifndef ONEPACK_DELEGATE_LONE_NODE_H_
#define ONEPACK_DELEGATE_LONE_NODE_H_

#include <stdint.h>

#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "delegate/graph_value.h"
#include "delegate/payload.h"
#include "delegate/scales.h"
#include "delegate/xnn_handles.h"

namespace onepack {

struct LoneNode {
  // The node; before it the one that quantizes its input, if it is quantized at run time.
  std::vector<const wire::xnnpack::XNode*> nodes;
  std::unordered_map<uint32_t, GraphValue> values;  // their operands
};

// The node as a graph of its own. `storage` keeps its scales, until the runtime is created.
Result<XnnSubgraph> DefineAlone(const Payload& payload, const LoneNode& node,
                                ScaleStorage& storage);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_LONE_NODE_H_
