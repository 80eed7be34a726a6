#include <algorithm>

#include "delegate/graph/datatypes.h"
#include "delegate/ops/between.h"
#include "delegate/ops/families.h"
#include "delegate/ops/weights.h"
#include "delegate/xnn/handles.h"

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

// fp16 weights stay what they are if they are all fp16; everything else of 16 bits is widened. So
// are 4-bit weights of an input that is quantized statically, and those in rows of an odd number:
// whether XNNPACK expects the next row at a whole byte depends on the kernel that it chooses. And
// so are transposed ones: it packs them with a function that not all of its kernels have, and that
// reads a row too many where their number is odd.
void ChooseWidening(const WeightedValues& values, bool is_transposed, PackedUse& use) {
  const XNNDatatype filter = values.filter.datatype();
  const XNNDatatype bias = values.bias != nullptr ? values.bias->datatype() : filter;
  const bool is_all_fp16 = values.input.datatype() == XNNDatatype::fp16 &&
                           filter == XNNDatatype::fp16 && bias == XNNDatatype::fp16;
  const bool is_odd = values.filter.rank() == 2 && values.filter.dim(1) % 2 != 0;
  const bool is_static = values.input.datatype() == XNNDatatype::qint8;
  const bool widens_int4 = filter == XNNDatatype::qcint4 && (is_odd || is_static || is_transposed);
  use.widens_kernel = widens_int4 || (Is16BitFloat(filter) && !is_all_fp16);
  use.widens_bias = values.bias != nullptr && Is16BitFloat(bias) && !is_all_fp16;
}

Status CheckConstants(const WeightedValues& values, uint32_t flags) {
  ONEPACK_RETURN_IF_ERROR(CheckFlags(
      flags, values.filter.datatype() == XNNDatatype::qbint4 ? 0 : XNN_FLAG_TRANSPOSE_WEIGHTS));
  const bool is_transposed = (flags & XNN_FLAG_TRANSPOSE_WEIGHTS) != 0;
  ONEPACK_RETURN_IF_ERROR(CheckChannelDims(values, is_transposed ? 1 : 0));
  // XNNPACK's kernels multiply the bias by the scales, too.
  if (values.bias != nullptr && values.input.datatype() == XNNDatatype::fp32 &&
      values.filter.datatype() != XNNDatatype::fp32) {
    return Status::Error(StatusCode::kUnsupported,
                         "a bias together with an fp32 input and a %s filter is not supported",
                         DatatypeName(values.filter.datatype()));
  }
  return Status::Ok();
}

// For what XNNPACK has no kernel for: bfloat16, and filters that are computed but not fp32.
Status DefineWidened(const NodeContext& context, const WeightedValues& values, const Clamp& clamp,
                     uint32_t flags) {
  const xnn_subgraph_t subgraph = context.subgraph;
  ONEPACK_ASSIGN_OR_RETURN(const uint32_t input, WidenFloats(subgraph, values.input));
  ONEPACK_ASSIGN_OR_RETURN(const uint32_t filter, WidenFloats(subgraph, values.filter));
  uint32_t bias = XNN_INVALID_VALUE_ID;
  if (values.bias != nullptr) {
    ONEPACK_ASSIGN_OR_RETURN(bias, WidenFloats(subgraph, *values.bias));
  }
  ONEPACK_ASSIGN_OR_RETURN(const WidenedOutput output,
                           WidenedOutput::Open(subgraph, values.output));
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_define_fully_connected(subgraph, clamp.min, clamp.max, input,
                                                         filter, bias, output.id(), flags),
                              "defining the node");
  return output.Close();
}

// A filter or bias that is computed, or given by the caller, is read in place, and so is the other.
bool IsPacked(const WeightedValues& values) {
  return values.filter.is_constant() && (values.bias == nullptr || values.bias->is_constant());
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
  const bool is_transposed = (wire.flags() & XNN_FLAG_TRANSPOSE_WEIGHTS) != 0;
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

std::optional<PackedUse> IdentifyFullyConnected(const NodeContext& context, const XNode& node) {
  const WeightedValues values = WeightedValuesOf(context, WireOf(node));
  if (!IsPacked(values)) return std::nullopt;
  const Clamp clamp = ClampOf(node);
  DigestBuilder consumer("fully connected");
  consumer.Add(WireOf(node).flags()).Add(clamp.min).Add(clamp.max);
  PackedUse use = UseOf(values, consumer);
  ChooseWidening(values, (WireOf(node).flags() & XNN_FLAG_TRANSPOSE_WEIGHTS) != 0, use);
  return use;
}

Status DefineFullyConnected(const NodeContext& context, const XNode& node) {
  const uint32_t flags = WireOf(node).flags();
  const WeightedValues values = WeightedValuesOf(context, WireOf(node));
  ONEPACK_RETURN_IF_ERROR(IsPacked(values) ? CheckTypes(values, kTypes) : CheckFloats(values));
  ONEPACK_RETURN_IF_ERROR(CheckConstants(values, flags));
  ONEPACK_RETURN_IF_ERROR(CheckScaleRuns(values.input, 1));
  ONEPACK_ASSIGN_OR_RETURN(const Clamp clamp, CheckedClampOf(node));
  if (!IsPacked(values) || values.output.datatype() == XNNDatatype::bf16) {
    return DefineWidened(context, values, clamp, flags);
  }
  ONEPACK_RETURN_IF_XNN_ERROR(
      xnn_define_fully_connected(context.subgraph, clamp.min, clamp.max, values.input.xnn_id,
                                 values.filter.xnn_id, values.bias_xnn_id(), values.output.xnn_id,
                                 flags),
      "defining the node");
  return Status::Ok();
}

}  // namespace onepack
