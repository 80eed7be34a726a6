// A node with a weight, cut out of its graph, to have XNNPACK pack that weight apart from the rest.

#ifndef ONEPACK_DELEGATE_PACKING_LONE_NODE_H_
#define ONEPACK_DELEGATE_PACKING_LONE_NODE_H_

#include <stdint.h>
#include <xnnpack.h>

#include <vector>

#include "base/status.h"
#include "delegate/graph/graph_value.h"
#include "delegate/graph/payload.h"
#include "delegate/graph/value_map.h"

namespace onepack {

struct LoneNode {
  // The node; before it the one that quantizes its input, if it is quantized at run time.
  std::vector<const wire::xnnpack::XNode*> nodes;
  ValueMap<GraphValue> values;  // their operands
};

// Has XNNPACK pack the weight of one node: creates a runtime of that node alone and throws it away.
// REQUIRES: the provider behind `cache` is ready for a build, and knows what else went wrong;
// nobody uses the workspace.
Status PackAlone(const Payload& payload, const LoneNode& node, xnn_weights_cache_t cache,
                 xnn_workspace_t workspace);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PACKING_LONE_NODE_H_
