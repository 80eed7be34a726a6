// What the delegate knows of a type of node.
//
// To add one: write its definer in the file of its family, and give it a row in op_table.cpp.

#ifndef ONEPACK_DELEGATE_OPS_OP_H_
#define ONEPACK_DELEGATE_OPS_OP_H_

#include <limits>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "delegate/graph_value.h"
#include "weight_cache/pack_key.h"

namespace onepack {

// The values of a node, by the ids of the file.
struct Operands {
  std::vector<uint32_t> inputs;  // optional ones that are absent are left out
  std::vector<uint32_t> outputs;
  // Those of the inputs that, if they are constants, XNNPACK packs and never reads again.
  std::vector<uint32_t> packed;
  // Those of the inputs whose last dim must be what the file says: XNNPACK takes it from the
  // weights.
  std::vector<uint32_t> channels_last;
};

// A weight that XNNPACK will pack, with what its key must say.
struct PackedUse {
  uint32_t kernel_id;
  uint32_t bias_id;  // XNN_INVALID_VALUE_ID for none
  WeightIdentity identity;
};

// Where the functions of a node find its values.
struct NodeContext {
  xnn_subgraph_t subgraph;
  // Complete, and every operand of the node at hand is in it.
  const std::unordered_map<uint32_t, GraphValue>& values;

  // REQUIRES: `id` is an operand of the node.
  const GraphValue& value(uint32_t id) const { return values.at(id); }
};

// The node's clamp; infinite where the file has none.
struct Clamp {
  float min = -std::numeric_limits<float>::infinity();
  float max = std::numeric_limits<float>::infinity();
};
Clamp ClampOf(const wire::xnnpack::XNode& node);
// kInvalidFile unless min <= max.
Result<Clamp> CheckedClampOf(const wire::xnnpack::XNode& node);

// kUnsupported for bits other than those `allowed`.
Status CheckFlags(uint32_t flags, uint32_t allowed = 0);

// "[2, 3]".
std::string DimsText(Span<const uint32_t> dims);

// kInvalidFile unless `output` has these dims. XNNPACK computes dims itself, but plans at least as
// much memory as the file says.
Status CheckDims(const GraphValue& output, Span<const uint32_t> expected);

struct Op {
  wire::xnnpack::XNodeUnion type;
  // Whether output dims are always input dims, or 1s that were broadcast; see ShapePattern in
  // executor.h.
  bool keeps_dims;
  // Inputs of other sizes than the output are repeated along the dims where they have size 1.
  bool broadcasts;
  Operands (*operands)(const wire::xnnpack::XNode& node);
  // What of it is packed and how its key differs from others; null for types that pack nothing. The
  // operands exist.
  std::optional<PackedUse> (*identify)(const NodeContext& context,
                                       const wire::xnnpack::XNode& node);
  // Adds the node to the subgraph. The operands are defined; shapes and parameters are the
  // definer's to check.
  Status (*define)(const NodeContext& context, const wire::xnnpack::XNode& node);
};

// Null for a type that is not supported.
const Op* FindOp(wire::xnnpack::XNodeUnion type);

// "XNNFullyConnected"; "unknown" for a number that names no type.
const char* NodeTypeName(wire::xnnpack::XNodeUnion type);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_OPS_OP_H_
