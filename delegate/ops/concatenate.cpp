#include "delegate/ops/between.h"
#include "delegate/ops/checks.h"
#include "delegate/ops/families.h"
#include "delegate/xnn/handles.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNCat;
using wire::xnnpack::XNNDatatype;
using wire::xnnpack::XNode;
using wire::xnnpack::XNodeUnion;

// All nodes of this family have the one wire type, whatever their member of the union.
const XNNCat& WireOf(const XNode& node) { return *static_cast<const XNNCat*>(node.xnode_union()); }

size_t InputCount(XNodeUnion type) {
  switch (type) {
    case XNodeUnion::XNNConcatenate2:
      return 2;
    case XNodeUnion::XNNConcatenate3:
      return 3;
    case XNodeUnion::XNNConcatenate4:
      return 4;
    default:
      return 5;
  }
}

}  // namespace

Operands ConcatenateOperands(const XNode& node) {
  const XNNCat& wire = WireOf(node);
  const uint32_t inputs[] = {wire.input1_id(), wire.input2_id(), wire.input3_id(), wire.input4_id(),
                             wire.input5_id()};
  Operands operands{{}, {wire.output_id()}, {}};
  for (size_t i = 0; i < InputCount(node.xnode_union_type()); ++i) {
    operands.inputs.push_back(inputs[i]);
  }
  return operands;
}

Result<Inference> InferConcatenate(const Shapes& shapes, const XNode& node) {
  const Operands operands = ConcatenateOperands(node);
  const Shape& first = shapes.at(operands.inputs[0]);
  const uint32_t axis = WireOf(node).axis();
  if (axis >= first.rank()) {
    return Status::Error(StatusCode::kInvalidFile, "axis %u of rank %zu", axis, first.rank());
  }
  Shape output = first;
  output[axis] = 0;
  for (const uint32_t id : operands.inputs) {
    const Shape& next = shapes.at(id);
    bool fits = next.rank() == first.rank();
    for (size_t i = 0; fits && i < next.rank(); ++i) fits = i == axis || next[i] == first[i];
    if (!fits) {
      return Status::Error(StatusCode::kInvalidFile,
                           "inputs %s and %s, equal but for axis %u expected", first.Text().c_str(),
                           next.Text().c_str(), axis);
    }
    output[axis] += next[axis];  // of 32 bits each
  }
  return Inferred(output);
}

Status CheckConcatenate(const NodeValues& values, const XNode& node) {
  const GraphValue& output = values.value(WireOf(node).output_id());
  ONEPACK_RETURN_IF_ERROR(CheckFlags(WireOf(node).flags()));
  for (const uint32_t id : ConcatenateOperands(node).inputs) {
    ONEPACK_RETURN_IF_ERROR(
        CheckOneDatatype({&values.value(id), &output},
                         {XNNDatatype::fp32, XNNDatatype::fp16, XNNDatatype::bf16,
                          XNNDatatype::qint8, XNNDatatype::quint8},
                         Quantization::kIsEqual));
  }
  return Status::Ok();
}

Status DefineConcatenate(const NodeDefinition& definition, const XNode& node) {
  const DefinedValue& output = definition.value(WireOf(node).output_id());
  const bool is_widened = output.datatype == XNNDatatype::bf16;
  Operands::Ids ids;
  for (const uint32_t input_id : ConcatenateOperands(node).inputs) {
    uint32_t id = definition.value(input_id).xnn_id;
    if (is_widened) {
      ONEPACK_ASSIGN_OR_RETURN(id, WidenFloats(definition.subgraph, definition.value(input_id)));
    }
    ids.push_back(id);
  }
  const auto axis = static_cast<int32_t>(WireOf(node).axis());
  if (!is_widened) {
    ONEPACK_RETURN_IF_XNN_ERROR(
        DefineConcatenation(definition.subgraph, axis, {ids.begin(), ids.size()}, output.xnn_id),
        "defining the node");
    return Status::Ok();
  }
  ONEPACK_ASSIGN_OR_RETURN(const WidenedOutput widened,
                           WidenedOutput::Open(definition.subgraph, output));
  ONEPACK_RETURN_IF_XNN_ERROR(
      DefineConcatenation(definition.subgraph, axis, {ids.begin(), ids.size()}, widened.id()),
      "defining the node");
  return widened.Close();
}

}  // namespace onepack
