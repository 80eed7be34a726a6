// Which nodes of a graph run over their weights as they are stored.

#ifndef ONEPACK_DELEGATE_PLAN_LINEARS_H_
#define ONEPACK_DELEGATE_PLAN_LINEARS_H_

#include <stdint.h>

#include <unordered_map>
#include <vector>

#include "base/value_map.h"
#include "delegate/graph/graph_value.h"
#include "delegate/ops/linear_node.h"
#include "onepack/linear_layout.h"

namespace onepack {

// Where a value that is quantized at run time comes from: the node that converts floats to it. Such
// a value cannot cross from one stage to another; floats can.
struct Rounding {
  uint32_t node = 0;
  uint32_t floats_id = kNoValue;
};

struct Linears {
  // By their numbers in the graph. Their inputs are floats, also where the graph has them quantized
  // first.
  std::unordered_map<uint32_t, LinearNode> nodes;
  // Of all values that are quantized at run time; empty if there are no linears.
  ValueMap<Rounding> roundings;
};

// Of the nodes that are needed, whose operands exist. Nothing else is known to be in order.
Linears ChooseLinears(const wire::xnnpack::XNNGraph& graph, const ValueMap<GraphValue>& values,
                      const std::vector<bool>& is_needed, LinearLayout layout);

// The weights of a graph's fully connected nodes, and their bytes besides scales.
struct LinearSummary {
  size_t in_place = 0;
  uint64_t in_place_bytes = 0;
  size_t packed = 0;
  uint64_t packed_bytes = 0;
};

// As if an output needed all nodes. Zeros for a graph that is not in order. REQUIRES: a verified
// graph.
LinearSummary SummarizeLinears(const wire::xnnpack::XNNGraph& graph, LinearLayout layout);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PLAN_LINEARS_H_
