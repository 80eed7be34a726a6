#include "delegate/ops/families.h"
#include "delegate/xnn_handles.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNDatatype;
using wire::xnnpack::XNNNode2x1;
using wire::xnnpack::XNode;
using wire::xnnpack::XNodeUnion;

// All nodes of this family have the one wire type, whatever their member of the union.
const XNNNode2x1& WireOf(const XNode& node) {
  return *static_cast<const XNNNode2x1*>(node.xnode_union());
}

xnn_binary_operator OperatorOf(XNodeUnion type) {
  switch (type) {
    case XNodeUnion::XNNAdd:
      return xnn_binary_add;
    case XNodeUnion::XNNDiv:
      return xnn_binary_divide;
    case XNodeUnion::XNNMaximum:
      return xnn_binary_maximum;
    case XNodeUnion::XNNMinimum:
      return xnn_binary_minimum;
    case XNodeUnion::XNNMultiply:
      return xnn_binary_multiply;
    case XNodeUnion::XNNPReLU:
      return xnn_binary_prelu;
    case XNodeUnion::XNNSubtract:
      return xnn_binary_subtract;
    default:
      return xnn_binary_invalid;
  }
}

// Aligned at the last dim; a dim of 1 takes the other's size. XNNPACK refuses what does not fit.
std::vector<uint32_t> BroadcastDims(const GraphValue& a, const GraphValue& b) {
  const GraphValue& longer = a.rank() >= b.rank() ? a : b;
  const GraphValue& shorter = a.rank() >= b.rank() ? b : a;
  const Span<const uint32_t> more = DimsOf(longer.tensor());
  std::vector<uint32_t> dims(more.begin(), more.end());
  const size_t missing = longer.rank() - shorter.rank();
  for (size_t i = 0; i < shorter.rank(); ++i) {
    if (dims[missing + i] == 1) dims[missing + i] = DimsOf(shorter.tensor())[i];
  }
  return dims;
}

}  // namespace

Operands BinaryOperands(const XNode& node) {
  Operands operands;
  operands.inputs = {WireOf(node).input1_id(), WireOf(node).input2_id()};
  operands.outputs = {WireOf(node).output_id()};
  return operands;
}

Status DefineBinary(const NodeContext& context, const XNode& node) {
  const GraphValue& a = context.value(WireOf(node).input1_id());
  const GraphValue& b = context.value(WireOf(node).input2_id());
  const GraphValue& output = context.value(WireOf(node).output_id());
  for (const GraphValue* value : {&a, &b, &output}) {
    if (value->datatype() != XNNDatatype::fp32) {
      return Status::Error(StatusCode::kUnsupported, "operands of datatype %s are not supported",
                           wire::xnnpack::EnumNameXNNDatatype(value->datatype()));
    }
  }
  ONEPACK_RETURN_IF_ERROR(CheckDims(output, BroadcastDims(a, b)));
  ONEPACK_RETURN_IF_ERROR(CheckFlags(WireOf(node).flags()));
  ONEPACK_ASSIGN_OR_RETURN(const Clamp clamp, CheckedClampOf(node));
  const xnn_binary_params params{clamp.min, clamp.max};
  ONEPACK_RETURN_IF_XNN_ERROR(
      xnn_define_binary(context.subgraph, OperatorOf(node.xnode_union_type()), &params, a.xnn_id,
                        b.xnn_id, output.xnn_id, 0),
      "defining the node");
  return Status::Ok();
}

}  // namespace onepack
