// What the delegate knows of a type of node.
//
// To add one: write its functions in the file of its family, and give it a row in op_table.cpp.

#ifndef ONEPACK_DELEGATE_OPS_OP_H_
#define ONEPACK_DELEGATE_OPS_OP_H_

#include <limits>
#include <optional>

#include "base/inline_list.h"
#include "base/result.h"
#include "delegate/graph/graph_value.h"
#include "delegate/graph/shape.h"
#include "delegate/graph/value_map.h"
#include "weight_cache/pack_key.h"

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
};

// How XNNPACK comes by a packed weight.
enum class Packing : uint8_t {
  kLookedUp,  // it asks for it, and packs it if it is not there
  kUnasked,   // it packs it, and offers it for keeping
  kPrivate,   // it packs it and keeps it
};

// A weight that XNNPACK will pack, with what its key must say.
struct PackedUse {
  uint32_t kernel_id;
  uint32_t bias_id;  // XNN_INVALID_VALUE_ID for none
  WeightIdentity identity;
  Packing packing = Packing::kLookedUp;
  // XNNPACK looks at the scales also where the packed weight is there already.
  bool reads_scales = false;
  // XNNPACK has no kernel for weights of this datatype here: it is given them widened.
  bool widens_kernel = false;
  bool widens_bias = false;
};

// Where the functions of a node find its values.
struct NodeContext {
  xnn_subgraph_t subgraph;
  // Complete, and every operand of the node at hand is in it.
  const ValueMap<GraphValue>& values;

  // REQUIRES: `id` is an operand of the node.
  const GraphValue& value(uint32_t id) const { return values.at(id); }
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
  // What of it is packed and how its key differs from others; null for types that pack nothing. The
  // operands exist; nothing else is known to be in order.
  std::optional<PackedUse> (*identify)(const NodeContext& context,
                                       const wire::xnnpack::XNode& node);
  // Adds the node to the subgraph. The operands are defined, and of the shapes that `infer` says;
  // everything else is the definer's to check.
  Status (*define)(const NodeContext& context, const wire::xnnpack::XNode& node);
};

// Null for a type that is not supported.
const Op* FindOp(wire::xnnpack::XNodeUnion type);

// REQUIRES: a type that is supported.
inline Operands OperandsOf(const wire::xnnpack::XNode& node) {
  return FindOp(node.xnode_union_type())->operands(node);
}

// "XNNFullyConnected"; "unknown" for a number that names no type.
const char* NodeTypeName(wire::xnnpack::XNodeUnion type);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_OPS_OP_H_
