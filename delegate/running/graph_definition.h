// From a graph that is built to an XNNPACK subgraph.
//
// A subgraph serves for one runtime (XNNPACK changes it while creating one) and is defined anew for
// the next.

#ifndef ONEPACK_DELEGATE_RUNNING_GRAPH_DEFINITION_H_
#define ONEPACK_DELEGATE_RUNNING_GRAPH_DEFINITION_H_

#include "base/result.h"
#include "delegate/graph/payload.h"
#include "delegate/plan/built_graph.h"
#include "delegate/xnn/handles.h"

namespace onepack {

// All of a graph. `graph` keeps what XNNPACK reads until the runtime is created, and later.
// Errors: kUnsupported and kInvalidFile name the value or the node.
Result<XnnSubgraph> DefineGraph(const Payload& payload, BuiltGraph& graph);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_RUNNING_GRAPH_DEFINITION_H_
