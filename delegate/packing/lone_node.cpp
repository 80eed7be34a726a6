#include "delegate/packing/lone_node.h"

#include <assert.h>

#include "delegate/graph/quantization.h"
#include "delegate/graph/scales.h"
#include "delegate/ops/op.h"
#include "delegate/xnn/handles.h"

namespace onepack {
namespace {

// With an output that nothing reads.
Result<XnnSubgraph> DefineAlone(const Payload& payload, const LoneNode& node,
                                ScaleStorage& scales) {
  xnn_subgraph_t created = nullptr;
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_create_subgraph(payload.graph().num_externs(), 0, &created),
                              "creating a subgraph of one node");
  XnnSubgraph subgraph(created);
  ValueMap<GraphValue> values = node.values;
  for (auto& [id, value] : values) {
    assert(!value.with_ones);  // its weight is to be packed
    ONEPACK_RETURN_IF_ERROR(DefineValue(subgraph.get(), payload, scales, value));
  }
  for (const wire::xnnpack::XNode* wire : node.nodes) {
    ONEPACK_RETURN_IF_ERROR(
        FindOp(wire->xnode_union_type())->define({subgraph.get(), values}, *wire));
  }
  return subgraph;
}

}  // namespace

Status PackAlone(const Payload& payload, const LoneNode& node, xnn_weights_cache_t cache,
                 xnn_workspace_t workspace) {
  ScaleStorage scales;
  ONEPACK_ASSIGN_OR_RETURN(const XnnSubgraph subgraph, DefineAlone(payload, node, scales));
  xnn_runtime_t created = nullptr;
  const xnn_status status = xnn_create_runtime_v4(subgraph.get(), cache, workspace,
                                                  /*threadpool=*/nullptr, kRuntimeFlags, &created);
  const XnnRuntime runtime(created);
  ONEPACK_RETURN_IF_XNN_ERROR(status, "creating a runtime of one node");
  return Status::Ok();
}

}  // namespace onepack
