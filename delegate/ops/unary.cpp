#include "delegate/ops/families.h"
#include "delegate/xnn_handles.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNDatatype;
using wire::xnnpack::XNNNode1x1;
using wire::xnnpack::XNode;
using wire::xnnpack::XNodeUnion;

// All nodes of this family have the one wire type, whatever their member of the union.
const XNNNode1x1& WireOf(const XNode& node) {
  return *static_cast<const XNNNode1x1*>(node.xnode_union());
}

bool Supports(XNodeUnion type, XNNDatatype input, XNNDatatype output) {
  if (input != XNNDatatype::fp32) return false;
  return output == XNNDatatype::fp32 ||
         (type == XNodeUnion::XNNConvert && output == XNNDatatype::qdint8);
}

xnn_unary_operator OperatorOf(XNodeUnion type) {
  switch (type) {
    case XNodeUnion::XNNConvert:
      return xnn_unary_convert;
    case XNodeUnion::XNNSigmoid:
      return xnn_unary_sigmoid;
    default:
      return xnn_unary_invalid;
  }
}

}  // namespace

Operands UnaryOperands(const XNode& node) {
  Operands operands;
  operands.inputs = {WireOf(node).input_id()};
  operands.outputs = {WireOf(node).output_id()};
  return operands;
}

Status DefineUnary(const NodeContext& context, const XNode& node) {
  const GraphValue& input = context.value(WireOf(node).input_id());
  const GraphValue& output = context.value(WireOf(node).output_id());
  if (!Supports(node.xnode_union_type(), input.datatype(), output.datatype())) {
    return Status::Error(StatusCode::kUnsupported, "from %s to %s is not supported",
                         wire::xnnpack::EnumNameXNNDatatype(input.datatype()),
                         wire::xnnpack::EnumNameXNNDatatype(output.datatype()));
  }
  ONEPACK_RETURN_IF_ERROR(CheckDims(output, DimsOf(input.tensor())));
  ONEPACK_RETURN_IF_XNN_ERROR(
      xnn_define_unary(context.subgraph, OperatorOf(node.xnode_union_type()), nullptr, input.xnn_id,
                       output.xnn_id, WireOf(node).flags()),
      "defining the node");
  return Status::Ok();
}

}  // namespace onepack
