#include "delegate/running/graph_definition.h"

#include "delegate/graph/quantization.h"
#include "schema/verify_text.h"

namespace onepack {
namespace {

using wire::xnnpack::XNode;

Result<XnnSubgraph> CreateSubgraph(const Payload& payload) {
  xnn_subgraph_t subgraph = nullptr;
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_create_subgraph(payload.graph().num_externs(), 0, &subgraph),
                              "creating a subgraph");
  return XnnSubgraph(subgraph);
}

Status Define(xnn_subgraph_t subgraph, const Payload& payload, ScaleStorage& scales,
              GraphValue& value) {
  ONEPACK_RETURN_IF_ERROR(DefineValue(subgraph, payload, scales, value));
  // XNNPACK has looked at the scales and will not do so again before it packs the weight.
  const uint32_t scale_index = ScaleIndexOf(value);
  if (scale_index != 0 && !value.with_ones) {
    const Constant& constant = payload.constant(scale_index);
    constant.source().Discard(constant.segment());
  }
  return Status::Ok();
}

Status DefineValues(xnn_subgraph_t subgraph, const Payload& payload, BuiltGraph& graph) {
  for (uint32_t i = 0; i < CountOf(payload.graph().xvalues()); ++i) {
    const uint32_t id = TensorOf(*payload.graph().xvalues()->Get(i)).id_out();
    GraphValue& value = graph.values.at(id);
    if (!value.is_used) continue;
    Status status = Define(subgraph, payload, graph.scales, value);
    if (!status.ok()) return std::move(status).WithContext("graph value %u", i);
  }
  return Status::Ok();
}

Status DefineNodes(xnn_subgraph_t subgraph, const Payload& payload, const BuiltGraph& graph) {
  for (const uint32_t i : graph.nodes) {
    const XNode& node = *payload.graph().xnodes()->Get(i);
    Status status = FindOp(node.xnode_union_type())->define({subgraph, graph.values}, node);
    if (!status.ok()) {
      return std::move(status).WithContext("graph node %u (%s)", i,
                                           NodeTypeName(node.xnode_union_type()));
    }
  }
  return Status::Ok();
}

}  // namespace

Result<XnnSubgraph> DefineGraph(const Payload& payload, BuiltGraph& graph) {
  ONEPACK_ASSIGN_OR_RETURN(XnnSubgraph subgraph, CreateSubgraph(payload));
  ONEPACK_RETURN_IF_ERROR(DefineValues(subgraph.get(), payload, graph));
  ONEPACK_RETURN_IF_ERROR(DefineNodes(subgraph.get(), payload, graph));
  return subgraph;
}

}  // namespace onepack
