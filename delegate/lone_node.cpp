#include "delegate/lone_node.h"

#include "delegate/ops/op.h"
#include "delegate/quantization.h"

namespace onepack {

Result<XnnSubgraph> DefineAlone(const Payload& payload, const LoneNode& node,
                                ScaleStorage& storage) {
  xnn_subgraph_t created = nullptr;
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_create_subgraph(payload.graph().num_externs(), 0, &created),
                              "creating a subgraph of one node");
  XnnSubgraph subgraph(created);
  std::unordered_map<uint32_t, GraphValue> values = node.values;
  for (auto& [id, value] : values) {
    ONEPACK_RETURN_IF_ERROR(
        DefineValue(subgraph.get(), payload, /*with_ones=*/false, storage, value));
  }
  for (const wire::xnnpack::XNode* each : node.nodes) {
    ONEPACK_RETURN_IF_ERROR(
        FindOp(each->xnode_union_type())->define({subgraph.get(), values}, *each));
  }
  return subgraph;
}

}  // namespace onepack
