#include "base/checked_math.h"
#include "delegate/ops/families.h"
#include "delegate/xnn_handles.h"

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

// XNNPACK looks at none of this.
Result<std::vector<uint32_t>> ConcatenatedDims(const std::vector<const GraphValue*>& inputs,
                                               uint32_t axis) {
  const Span<const uint32_t> first = DimsOf(inputs[0]->tensor());
  if (axis >= first.size()) {
    return Status::Error(StatusCode::kInvalidFile, "axis %u of rank %zu", axis, first.size());
  }
  std::vector<uint32_t> dims(first.begin(), first.end());
  for (size_t i = 1; i < inputs.size(); ++i) {
    const Span<const uint32_t> next = DimsOf(inputs[i]->tensor());
    bool fits = next.size() == first.size();
    for (size_t j = 0; fits && j < next.size(); ++j) fits = j == axis || next[j] == first[j];
    if (!fits) {
      return Status::Error(StatusCode::kInvalidFile,
                           "input %zu is %s and the first is %s, equal but for axis %u expected", i,
                           DimsText(next).c_str(), DimsText(first).c_str(), axis);
    }
    if (!CheckedAdd(dims[axis], next[axis], &dims[axis])) {
      return Status::Error(StatusCode::kInvalidFile, "more than 2^32 elements in axis %u", axis);
    }
  }
  return dims;
}

xnn_status Define(xnn_subgraph_t subgraph, const std::vector<const GraphValue*>& inputs,
                  int32_t axis, uint32_t output) {
  const auto id = [&](size_t i) { return inputs[i]->xnn_id; };
  switch (inputs.size()) {
    case 2:
      return xnn_define_concatenate2(subgraph, axis, id(0), id(1), output, 0);
    case 3:
      return xnn_define_concatenate3(subgraph, axis, id(0), id(1), id(2), output, 0);
    case 4:
      return xnn_define_concatenate4(subgraph, axis, id(0), id(1), id(2), id(3), output, 0);
    default:
      return xnn_define_concatenate5(subgraph, axis, id(0), id(1), id(2), id(3), id(4), output, 0);
  }
}

}  // namespace

Operands ConcatenateOperands(const XNode& node) {
  const XNNCat& wire = WireOf(node);
  Operands operands;
  operands.inputs = {wire.input1_id(), wire.input2_id(), wire.input3_id(), wire.input4_id(),
                     wire.input5_id()};
  operands.inputs.resize(InputCount(node.xnode_union_type()));
  operands.outputs = {wire.output_id()};
  return operands;
}

Status DefineConcatenate(const NodeContext& context, const XNode& node) {
  const Operands operands = ConcatenateOperands(node);
  const GraphValue& output = context.value(WireOf(node).output_id());
  std::vector<const GraphValue*> inputs;
  for (const uint32_t id : operands.inputs) {
    inputs.push_back(&context.value(id));
    if (inputs.back()->datatype() == XNNDatatype::fp32 && output.datatype() == XNNDatatype::fp32) {
      continue;
    }
    return Status::Error(StatusCode::kUnsupported, "from %s to %s is not supported",
                         wire::xnnpack::EnumNameXNNDatatype(inputs.back()->datatype()),
                         wire::xnnpack::EnumNameXNNDatatype(output.datatype()));
  }
  ONEPACK_RETURN_IF_ERROR(CheckFlags(WireOf(node).flags()));
  const uint32_t axis = WireOf(node).axis();
  ONEPACK_ASSIGN_OR_RETURN(const std::vector<uint32_t> dims, ConcatenatedDims(inputs, axis));
  ONEPACK_RETURN_IF_ERROR(CheckDims(output, dims));
  ONEPACK_RETURN_IF_XNN_ERROR(
      Define(context.subgraph, inputs, static_cast<int32_t>(axis), output.xnn_id),
      "defining the node");
  return Status::Ok();
}

}  // namespace onepack
