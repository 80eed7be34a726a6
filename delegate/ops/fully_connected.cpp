#include <algorithm>

#include "delegate/graph/graph_value.h"
#include "delegate/ops/between.h"
#include "delegate/ops/families.h"
#include "delegate/ops/weights.h"
#include "delegate/xnn/handles.h"
#include "delegate/xnn/quirks.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNDatatype;
using wire::xnnpack::XNNFullyConnected;
using wire::xnnpack::XNode;

const XNNFullyConnected& WireOf(const XNode& node) {
  return *node.xnode_union_as_XNNFullyConnected();
}

// What XNNPACK has kernels for, as the values are once weights are widened.
constexpr WeightedTypes kTypes[] = {
    // input            filter               bias                 output
    {XNNDatatype::fp32, XNNDatatype::fp32, XNNDatatype::fp32, XNNDatatype::fp32},
    {XNNDatatype::fp32, XNNDatatype::qcint4, XNNDatatype::fp32, XNNDatatype::fp32},
    {XNNDatatype::fp32, XNNDatatype::qcint8, XNNDatatype::fp32, XNNDatatype::fp32},
    {XNNDatatype::fp16, XNNDatatype::fp16, XNNDatatype::fp16, XNNDatatype::fp16},
    {XNNDatatype::fp16, XNNDatatype::fp32, XNNDatatype::fp32, XNNDatatype::fp16},
    // Converted to fp32 and back by nodes of ours, as everything is that is not packed.
    {XNNDatatype::bf16, XNNDatatype::fp32, XNNDatatype::fp32, XNNDatatype::bf16},
    {XNNDatatype::qdint8, XNNDatatype::qcint4, XNNDatatype::fp32, XNNDatatype::fp32},
    {XNNDatatype::qdint8, XNNDatatype::qbint4, XNNDatatype::fp32, XNNDatatype::fp32},
    {XNNDatatype::qdint8, XNNDatatype::qcint8, XNNDatatype::fp32, XNNDatatype::fp32},
    {XNNDatatype::qdint8, XNNDatatype::qcint4, XNNDatatype::fp32, XNNDatatype::fp16},
    {XNNDatatype::qdint8, XNNDatatype::qbint4, XNNDatatype::fp32, XNNDatatype::fp16},
    {XNNDatatype::qdint8, XNNDatatype::qcint8, XNNDatatype::fp32, XNNDatatype::fp16},
    // Computed as fp32 and converted by a node of ours.
    {XNNDatatype::qdint8, XNNDatatype::qcint4, XNNDatatype::fp32, XNNDatatype::bf16},
    {XNNDatatype::qdint8, XNNDatatype::qbint4, XNNDatatype::fp32, XNNDatatype::bf16},
    {XNNDatatype::qdint8, XNNDatatype::qcint8, XNNDatatype::fp32, XNNDatatype::bf16},
    {XNNDatatype::qint8, XNNDatatype::qcint8, XNNDatatype::qcint32, XNNDatatype::qint8},
    {XNNDatatype::qint8, XNNDatatype::qint8, XNNDatatype::qint32, XNNDatatype::qint8},
    {XNNDatatype::quint8, XNNDatatype::quint8, XNNDatatype::qint32, XNNDatatype::quint8},
};

bool IsTransposed(const XNode& node) {
  return (WireOf(node).flags() & XNN_FLAG_TRANSPOSE_WEIGHTS) != 0;
}

// fp16 weights stay what they are if they are all fp16 and XNNPACK leaves them alone (quirk 13,
// xnn/quirks.h); everything else of 16 bits is widened. So
// are 4-bit weights of an input that is quantized statically, and those in rows of an odd number:
// whether XNNPACK expects the next row at a whole byte depends on the kernel that it chooses. And
// so are transposed ones: it packs them with a function that not all of its kernels have, and that
// reads a row too many where their number is odd.
void ChooseWidening(const XNode& node, WeightedValues& values) {
  const XNNDatatype filter = values.filter.datatype();
  const XNNDatatype bias = values.bias != nullptr ? values.bias->datatype() : filter;
  const bool is_all_fp16 = !kCopiesHalfConstants && values.input.datatype() == XNNDatatype::fp16 &&
                           filter == XNNDatatype::fp16 && bias == XNNDatatype::fp16;
  const bool is_odd = values.filter.rank() == 2 && values.filter.dim(1) % 2 != 0;
  const bool is_static = values.input.datatype() == XNNDatatype::qint8;
  const bool widens_int4 =
      filter == XNNDatatype::qcint4 && (is_odd || is_static || IsTransposed(node));
  if (widens_int4 || (Is16BitFloat(filter) && !is_all_fp16)) {
    values.filter_datatype = WidenedDatatype(filter);
  }
  if (values.bias != nullptr && Is16BitFloat(bias) && !is_all_fp16) {
    values.bias_datatype = WidenedDatatype(bias);
  }
}

// A filter or bias that is computed, or given by the caller, is read in place, and so is the other:
// neither is packed, nor widened before.
WeightedValues ValuesOf(const NodeValues& values, const XNode& node) {
  WeightedValues weighted = WeightedValuesOf(values, WireOf(node));
  if (weighted.are_constant()) ChooseWidening(node, weighted);
  return weighted;
}

Status CheckConstants(const XNode& node, const WeightedValues& values) {
  ONEPACK_RETURN_IF_ERROR(
      CheckFlags(WireOf(node).flags(),
                 values.filter_datatype == XNNDatatype::qbint4 ? 0 : XNN_FLAG_TRANSPOSE_WEIGHTS));
  ONEPACK_RETURN_IF_ERROR(CheckChannelDims(values, IsTransposed(node) ? 1 : 0));
  // XNNPACK's kernels multiply the bias by the scales, too.
  if (values.bias != nullptr && values.input.datatype() == XNNDatatype::fp32 &&
      values.filter_datatype != XNNDatatype::fp32) {
    return Status::Error(StatusCode::kUnsupported,
                         "a bias together with an fp32 input and a %s filter is not supported",
                         DatatypeName(values.filter_datatype));
  }
  return Status::Ok();
}

Status CheckFloats(const WeightedValues& values) {
  for (const GraphValue* value : {&values.input, &values.filter, values.bias, &values.output}) {
    if (value == nullptr || value->datatype() == XNNDatatype::fp32 ||
        Is16BitFloat(value->datatype())) {
      continue;
    }
    return Status::Error(StatusCode::kUnsupported,
                         "%s besides a filter or bias that is no constant is not supported",
                         DatatypeName(value->datatype()));
  }
  return Status::Ok();
}

bool IsPacked(const NodeDefinition& definition) {
  return definition.kernel.xnn_id != XNN_INVALID_VALUE_ID;
}

// For what XNNPACK has no kernel for: bfloat16, and filters that are computed but not fp32.
Status DefineWidened(const NodeDefinition& definition, const XNode& node) {
  const XNNFullyConnected& wire = WireOf(node);
  const xnn_subgraph_t subgraph = definition.subgraph;
  const auto widen = [&](const DefinedValue& packed, uint32_t id) -> Result<uint32_t> {
    if (id == kNoValue) return id;
    return WidenFloats(subgraph, IsPacked(definition) ? packed : definition.value(id));
  };
  ONEPACK_ASSIGN_OR_RETURN(const uint32_t input,
                           WidenFloats(subgraph, definition.value(wire.input1_id())));
  ONEPACK_ASSIGN_OR_RETURN(const uint32_t filter, widen(definition.kernel, wire.filter_id()));
  ONEPACK_ASSIGN_OR_RETURN(const uint32_t bias, widen(definition.bias, wire.bias_id()));
  ONEPACK_ASSIGN_OR_RETURN(const WidenedOutput output,
                           WidenedOutput::Open(subgraph, definition.value(wire.output_id())));
  const Clamp clamp = ClampOf(node);
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_define_fully_connected(subgraph, clamp.min, clamp.max, input,
                                                         filter, bias, output.id(), wire.flags()),
                              "defining the node");
  return output.Close();
}

// So many outputs cost no more than themselves.
constexpr size_t kRoundedUp = 32;

}  // namespace

Operands FullyConnectedOperands(const XNode& node) { return WeightedOperands(WireOf(node)); }

// XNNPACK takes the filter's word for all of this.
Result<Inference> InferFullyConnected(const Shapes& shapes, const XNode& node) {
  const XNNFullyConnected& wire = WireOf(node);
  const Shape& input = shapes.at(wire.input1_id());
  const Shape& filter = shapes.at(wire.filter_id());
  if (filter.rank() != 2 || input.rank() == 0) {
    return Status::Error(StatusCode::kInvalidFile,
                         "a filter of rank %zu and an input of rank %zu, 2 and at least 1 expected",
                         filter.rank(), input.rank());
  }
  const bool is_transposed = IsTransposed(node);
  const size_t inputs = filter[is_transposed ? 0 : 1];
  const size_t outputs = filter[is_transposed ? 1 : 0];
  if (input.FromLast(0) != inputs || inputs == 0) {
    return Status::Error(StatusCode::kInvalidFile, "an input of %zu channels for a filter of %zu",
                         input.FromLast(0), inputs);
  }
  ONEPACK_RETURN_IF_ERROR(CheckBias(shapes, wire.bias_id(), outputs));
  Shape output = input;
  output.FromLast(0) = outputs;
  Inference inference = Inferred(output);
  // A filter that is computed is packed whenever the node runs. There is room for its numbers if
  // there is for the filter; this is about what they are rounded up to.
  inference.scratch_bytes = PackedMatrixBytes(1, std::min(outputs, kRoundedUp), inputs);
  return inference;
}

std::optional<Weight> WeightOfFullyConnected(const NodeValues& values, const XNode& node) {
  const WeightedValues weighted = ValuesOf(values, node);
  if (!weighted.are_constant()) return std::nullopt;
  const Clamp clamp = ClampOf(node);
  DigestBuilder consumer("fully connected");
  consumer.Add(WireOf(node).flags()).Add(clamp.min).Add(clamp.max);
  return WeightOf(weighted, consumer);
}

Status CheckFullyConnected(const NodeValues& values, const XNode& node) {
  const WeightedValues weighted = ValuesOf(values, node);
  ONEPACK_RETURN_IF_ERROR(weighted.are_constant() ? CheckTypes(weighted, kTypes)
                                                  : CheckFloats(weighted));
  ONEPACK_RETURN_IF_ERROR(CheckConstants(node, weighted));
  ONEPACK_RETURN_IF_ERROR(CheckScaleRuns(weighted.input, 1));
  return CheckClamp(node);
}

Status DefineFullyConnected(const NodeDefinition& definition, const XNode& node) {
  const XNNFullyConnected& wire = WireOf(node);
  const DefinedValue& output = definition.value(wire.output_id());
  if (!IsPacked(definition) || output.datatype == XNNDatatype::bf16) {
    return DefineWidened(definition, node);
  }
  const Clamp clamp = ClampOf(node);
  ONEPACK_RETURN_IF_XNN_ERROR(
      xnn_define_fully_connected(
          definition.subgraph, clamp.min, clamp.max, definition.value(wire.input1_id()).xnn_id,
          definition.kernel.xnn_id, definition.bias.xnn_id, output.xnn_id, wire.flags()),
      "defining the node");
  return Status::Ok();
}

}  // namespace onepack
