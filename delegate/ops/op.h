// What the delegate knows of a type of node.
//
// To add one: write its functions in the file of its family, and give it a row in op_table.cpp.

#ifndef ONEPACK_DELEGATE_OPS_OP_H_
#define ONEPACK_DELEGATE_OPS_OP_H_

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include <optional>

#include "base/inline_list.h"
#include "base/value_map.h"
#include "delegate/graph/graph_value.h"
#include "delegate/graph/shape.h"
#include "delegate/ops/weight.h"
#include "delegate/xnn/xnnpack.h"
#include "onepack/result.h"

namespace onepack {

// The values of a node, by the ids of the file. Asked for at every step of building a graph, and so
// without allocating.
struct Operands {
  static constexpr size_t kMaxCount = 5;
  using Ids = InlineList<uint32_t, kMaxCount>;

  Ids inputs;  // optional ones that are absent are left out
  Ids outputs;
  // Those of the inputs that, if all of them are constants, XNNPACK packs and never reads again.
  Ids packed;

  // Inputs, then outputs.
  template <typename Function>
  void ForEach(Function function) const {
    for (const uint32_t id : inputs) function(id);
    for (const uint32_t id : outputs) function(id);
  }

  // The other inputs. A value may be an operand twice, as a filter and as what it is applied to:
  // one is taken away.
  Ids NotPacked() const {
    Ids rest = inputs;
    for (const uint32_t id : packed) rest.Erase(id);
    return rest;
  }
};

// Where a node's values are found in the file.
struct NodeValues {
  const ValueMap<GraphValue>& values;

  // REQUIRES: it exists.
  const GraphValue& value(uint32_t id) const { return values.at(id); }
};

// A value as XNNPACK knows it.
struct DefinedValue {
  const GraphValue* value = nullptr;
  wire::xnnpack::XNNDatatype datatype{};  // as nodes see it: the file's, or wider
  uint32_t xnn_id = XNN_INVALID_VALUE_ID;

  size_t rank() const { return value->rank(); }
};

// Where a node's values are found in a subgraph. One filter may be the weight of two nodes and an
// operand of a third: each use is a value of its own to XNNPACK. So what a node has packed is here,
// and not among `values`.
struct NodeDefinition {
  xnn_subgraph_t subgraph;
  // Every operand of the node that is not packed; others may be there without an id.
  const ValueMap<DefinedValue>& values;
  DefinedValue kernel{};  // of a node that packs; else without an id
  DefinedValue bias{};    // of one that packs a bias; else without an id

  // REQUIRES: an operand that is not packed.
  const DefinedValue& value(uint32_t id) const {
    const DefinedValue& found = values.at(id);
    assert(found.xnn_id != XNN_INVALID_VALUE_ID);
    return found;
  }
};

// What a node makes of the shapes of its inputs.
struct Inference {
  using Outputs = InlineList<Shape, 2>;

  Outputs outputs;  // in the order of Operands::outputs
  // At most so much is allocated by XNNPACK for this node alone: for as long as the runtime lives,
  // and while the node runs.
  uint64_t kept_bytes = 0;
  uint64_t scratch_bytes = 0;
};

// What a node adds to the ShapePattern (shape_inference.h) of a graph.
enum class Planning : uint8_t {
  kForAnyShape,  // nothing
  kBroadcasts,   // which of its inputs are as large as its output
  kForOneShape,  // the shapes of its inputs
};

struct Op {
  wire::xnnpack::XNodeUnion type;
  Planning planning;
  Operands (*operands)(const wire::xnnpack::XNode& node);
  // Checks all numbers of the node that concern shapes. The shapes of its inputs are known. Errors:
  // kInvalidFile, kUnsupported.
  Result<Inference> (*infer)(const Shapes& shapes, const wire::xnnpack::XNode& node);
  // What of it is packed, if anything is; its place in the graph is left out. Null for types that
  // pack nothing. The operands exist; nothing else is known to be in order.
  std::optional<Weight> (*weight)(const NodeValues& values, const wire::xnnpack::XNode& node);
  // Checks everything that `infer` does not: datatypes, flags, scales, clamps, constants. The
  // operands exist, and are of the shapes that `infer` says. Errors: kInvalidFile, kUnsupported.
  Status (*check)(const NodeValues& values, const wire::xnnpack::XNode& node);
  // Adds the node to the subgraph. Errors: XNNPACK's own. REQUIRES: `check` succeeded.
  Status (*define)(const NodeDefinition& definition, const wire::xnnpack::XNode& node);
};

// Null for a type that is not supported.
const Op* FindOp(wire::xnnpack::XNodeUnion type);

// REQUIRES: a type that is supported.
inline Operands OperandsOf(const wire::xnnpack::XNode& node) {
  return FindOp(node.xnode_union_type())->operands(node);
}

// "XNNFullyConnected"; "unknown" for a number that names no type.
const char* NodeTypeName(wire::xnnpack::XNodeUnion type);

// Says which node of the graph an error is about.
Status WithNode(Status status, size_t index, const wire::xnnpack::XNode& node);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_OPS_OP_H_
