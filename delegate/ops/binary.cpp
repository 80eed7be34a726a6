#include <algorithm>

#include "delegate/ops/between.h"
#include "delegate/ops/checks.h"
#include "delegate/ops/families.h"
#include "delegate/xnn/handles.h"

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

Status CheckDatatypes(XNodeUnion type, const GraphValue& a, const GraphValue& b,
                      const GraphValue& output) {
  // Of integers, a division by zero would end the process.
  const bool is_for_integers = type != XNodeUnion::XNNDiv && type != XNodeUnion::XNNPReLU;
  if (a.datatype() == XNNDatatype::int32 && is_for_integers) {
    return CheckOneDatatype({&a, &b, &output}, {XNNDatatype::int32}, Quantization::kMayDiffer);
  }
  return CheckOneDatatype({&a, &b, &output},
                          {XNNDatatype::fp32, XNNDatatype::fp16, XNNDatatype::bf16,
                           XNNDatatype::qint8, XNNDatatype::quint8},
                          Quantization::kMayDiffer);
}

// The node that XNNPACK adds to clamp the output is not for integers.
Status CheckRange(const Clamp& clamp, XNNDatatype datatype) {
  if (clamp.is_infinite() || datatype != XNNDatatype::int32) return Status::Ok();
  return Status::Error(StatusCode::kUnsupported, "an output range of datatype %s is not supported",
                       wire::xnnpack::EnumNameXNNDatatype(datatype));
}

// Nor is it for bf16, but XNNPACK has a kernel for such a node.
Status DefineClampedBf16(xnn_subgraph_t subgraph, xnn_binary_operator type, const Clamp& clamp,
                         const DefinedValue& a, const DefinedValue& b, const DefinedValue& output) {
  ONEPACK_ASSIGN_OR_RETURN(const uint32_t unclamped,
                           DefineBetween(subgraph, xnn_datatype_bf16, output.rank()));
  ONEPACK_RETURN_IF_XNN_ERROR(
      xnn_define_binary(subgraph, type, nullptr, a.xnn_id, b.xnn_id, unclamped, 0),
      "defining the node");
  xnn_unary_params params{};
  params.clamp = {clamp.min, clamp.max};
  ONEPACK_RETURN_IF_XNN_ERROR(
      xnn_define_unary(subgraph, xnn_unary_clamp, &params, unclamped, output.xnn_id, 0),
      "defining the clamp of the output");
  return Status::Ok();
}

bool IsQuantized(XNNDatatype datatype) {
  return datatype == XNNDatatype::qint8 || datatype == XNNDatatype::quint8;
}

// In the order that XNNPACK computes them in. Types that are not here have reference kernels, which
// compute in floats.
Status CheckScales(XNodeUnion type, const GraphValue& a, const GraphValue& b,
                   const GraphValue& output) {
  if (!IsQuantized(a.datatype())) return Status::Ok();
  constexpr float kLargest = 0x1.fffffep+7f;  // the last one below 2^8
  if (type == XNodeUnion::XNNMultiply) {
    return CheckScaleRatio(ScaleOf(a) * ScaleOf(b) / ScaleOf(output), 0x1p-16f, kLargest);
  }
  if (type != XNodeUnion::XNNAdd && type != XNodeUnion::XNNSubtract) return Status::Ok();
  ONEPACK_RETURN_IF_ERROR(CheckScaleRatio(ScaleOf(a) / ScaleOf(output), 0x1p-10f, kLargest));
  return CheckScaleRatio(ScaleOf(b) / ScaleOf(output), 0x1p-10f, kLargest);
}

}  // namespace

Operands BinaryOperands(const XNode& node) {
  const XNNNode2x1& wire = WireOf(node);
  return {{wire.input1_id(), wire.input2_id()}, {wire.output_id()}, {}};
}

// Aligned at the last dim; a dim of 1 takes the other's size.
Result<Inference> InferBinary(const Shapes& shapes, const XNode& node) {
  const Shape& a = shapes.at(WireOf(node).input1_id());
  const Shape& b = shapes.at(WireOf(node).input2_id());
  Shape output = a.rank() >= b.rank() ? a : b;
  for (size_t i = 0; i < std::min(a.rank(), b.rank()); ++i) {
    if (a.FromLast(i) != b.FromLast(i) && a.FromLast(i) != 1 && b.FromLast(i) != 1) {
      return Status::Error(StatusCode::kInvalidFile, "operands %s and %s do not fit",
                           a.Text().c_str(), b.Text().c_str());
    }
    output.FromLast(i) = a.FromLast(i) == 1 ? b.FromLast(i) : a.FromLast(i);
  }
  return Inferred(output);
}

Status CheckBinary(const NodeValues& values, const XNode& node) {
  const GraphValue& a = values.value(WireOf(node).input1_id());
  const GraphValue& b = values.value(WireOf(node).input2_id());
  const GraphValue& output = values.value(WireOf(node).output_id());
  ONEPACK_RETURN_IF_ERROR(CheckDatatypes(node.xnode_union_type(), a, b, output));
  ONEPACK_RETURN_IF_ERROR(CheckScales(node.xnode_union_type(), a, b, output));
  ONEPACK_RETURN_IF_ERROR(CheckFlags(WireOf(node).flags()));
  ONEPACK_RETURN_IF_ERROR(CheckClamp(node));
  return CheckRange(ClampOf(node), output.datatype());
}

Status DefineBinary(const NodeDefinition& definition, const XNode& node) {
  const DefinedValue& a = definition.value(WireOf(node).input1_id());
  const DefinedValue& b = definition.value(WireOf(node).input2_id());
  const DefinedValue& output = definition.value(WireOf(node).output_id());
  const Clamp clamp = ClampOf(node);
  const xnn_binary_operator type = OperatorOf(node.xnode_union_type());
  if (output.datatype == XNNDatatype::bf16 && !clamp.is_infinite()) {
    return DefineClampedBf16(definition.subgraph, type, clamp, a, b, output);
  }
  const xnn_binary_params params{clamp.min, clamp.max};
  ONEPACK_RETURN_IF_XNN_ERROR(
      xnn_define_binary(definition.subgraph, type, &params, a.xnn_id, b.xnn_id, output.xnn_id, 0),
      "defining the node");
  return Status::Ok();
}

}  // namespace onepack
