#include "delegate/ops/families.h"
#include "delegate/ops/weights.h"
#include "delegate/quantization.h"
#include "delegate/xnn_handles.h"

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
    // Converted to fp32 and back by nodes of ours.
    {XNNDatatype::bf16, XNNDatatype::fp32, XNNDatatype::fp32, XNNDatatype::bf16},
    {XNNDatatype::qdint8, XNNDatatype::qcint4, XNNDatatype::fp32, XNNDatatype::fp32},
    {XNNDatatype::qdint8, XNNDatatype::qbint4, XNNDatatype::fp32, XNNDatatype::fp32},
    {XNNDatatype::qdint8, XNNDatatype::qcint8, XNNDatatype::fp32, XNNDatatype::fp32},
    {XNNDatatype::qdint8, XNNDatatype::qcint4, XNNDatatype::fp32, XNNDatatype::fp16},
    {XNNDatatype::qdint8, XNNDatatype::qbint4, XNNDatatype::fp32, XNNDatatype::fp16},
    {XNNDatatype::qdint8, XNNDatatype::qcint8, XNNDatatype::fp32, XNNDatatype::fp16},
    {XNNDatatype::qint8, XNNDatatype::qcint8, XNNDatatype::qcint32, XNNDatatype::qint8},
    {XNNDatatype::qint8, XNNDatatype::qint8, XNNDatatype::qint32, XNNDatatype::qint8},
    {XNNDatatype::quint8, XNNDatatype::quint8, XNNDatatype::qint32, XNNDatatype::quint8},
};

bool Is16BitFloat(XNNDatatype datatype) {
  return datatype == XNNDatatype::fp16 || datatype == XNNDatatype::bf16;
}

// fp16 weights stay what they are if they are all fp16; everything else of 16 bits is widened. So
// are 4-bit weights of an input that is quantized statically.
void ChooseWidening(const WeightedValues& values, PackedUse& use) {
  const XNNDatatype filter = values.filter.datatype();
  const XNNDatatype bias = values.bias != nullptr ? values.bias->datatype() : filter;
  const bool is_all_fp16 = filter == XNNDatatype::fp16 && bias == XNNDatatype::fp16;
  const bool is_static_int4 =
      filter == XNNDatatype::qcint4 && values.input.datatype() == XNNDatatype::qint8;
  use.widens_kernel = is_static_int4 || (Is16BitFloat(filter) && !is_all_fp16);
  use.widens_bias = values.bias != nullptr && Is16BitFloat(bias) && !is_all_fp16;
}

Status CheckConstants(const WeightedValues& values, uint32_t flags) {
  ONEPACK_RETURN_IF_ERROR(CheckFlags(
      flags, values.filter.datatype() == XNNDatatype::qbint4 ? 0 : XNN_FLAG_TRANSPOSE_WEIGHTS));
  const bool is_transposed = (flags & XNN_FLAG_TRANSPOSE_WEIGHTS) != 0;
  ONEPACK_RETURN_IF_ERROR(CheckChannelDims(values, is_transposed ? 1 : 0));
  const bool is_float =
      values.filter.datatype() == XNNDatatype::fp32 || Is16BitFloat(values.filter.datatype());
  if (!values.filter.is_constant() && !is_float) {
    return Status::Error(StatusCode::kUnsupported, "a %s filter that is no constant",
                         DatatypeName(values.filter.datatype()));
  }
  // XNNPACK counts on rows of whole bytes.
  if (values.filter.tensor().datatype() == XNNDatatype::qcint4 && values.filter.dim(1) % 2 != 0) {
    return Status::Error(StatusCode::kUnsupported, "rows of %zu 4-bit weights are not supported",
                         values.filter.dim(1));
  }
  if (values.bias != nullptr && values.bias->is_constant() != values.filter.is_constant()) {
    return Status::Error(StatusCode::kUnsupported,
                         "only one of filter and bias is a constant: not supported");
  }
  return Status::Ok();
}

// XNNPACK has no kernel for bfloat16: fp32 ones between two conversions.
Status DefineBfloat16(const NodeContext& context, const WeightedValues& values, const Clamp& clamp,
                      uint32_t flags) {
  ONEPACK_ASSIGN_OR_RETURN(const uint32_t input,
                           DefineBetween(context.subgraph, xnn_datatype_fp32, values.input.rank()));
  ONEPACK_ASSIGN_OR_RETURN(const uint32_t output, DefineBetween(context.subgraph, xnn_datatype_fp32,
                                                                values.output.rank()));
  ONEPACK_RETURN_IF_XNN_ERROR(
      xnn_define_unary(context.subgraph, xnn_unary_convert, nullptr, values.input.xnn_id, input, 0),
      "defining the conversion of the input");
  ONEPACK_RETURN_IF_XNN_ERROR(
      xnn_define_fully_connected(context.subgraph, clamp.min, clamp.max, input,
                                 values.filter.xnn_id, values.bias_xnn_id(), output, flags),
      "defining the node");
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_define_unary(context.subgraph, xnn_unary_convert, nullptr, output,
                                               values.output.xnn_id, 0),
                              "defining the conversion of the output");
  return Status::Ok();
}

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
  return Inferred(output);
}

std::optional<PackedUse> IdentifyFullyConnected(const NodeContext& context, const XNode& node) {
  const WeightedValues values = WeightedValuesOf(context, WireOf(node));
  if (!values.filter.is_constant()) return std::nullopt;
  const Clamp clamp = ClampOf(node);
  DigestBuilder consumer("fully connected");
  consumer.Add(WireOf(node).flags()).Add(clamp.min).Add(clamp.max);
  PackedUse use = UseOf(values, std::move(consumer));
  ChooseWidening(values, use);
  return use;
}

Status DefineFullyConnected(const NodeContext& context, const XNode& node) {
  const uint32_t flags = WireOf(node).flags();
  const WeightedValues values = WeightedValuesOf(context, WireOf(node));
  ONEPACK_RETURN_IF_ERROR(CheckTypes(values, kTypes));
  ONEPACK_RETURN_IF_ERROR(CheckConstants(values, flags));
  ONEPACK_RETURN_IF_ERROR(CheckScaleRuns(values.input, 1));
  ONEPACK_ASSIGN_OR_RETURN(const Clamp clamp, CheckedClampOf(node));
  if (values.input.datatype() == XNNDatatype::bf16) {
    return DefineBfloat16(context, values, clamp, flags);
  }
  ONEPACK_RETURN_IF_XNN_ERROR(
      xnn_define_fully_connected(context.subgraph, clamp.min, clamp.max, values.input.xnn_id,
                                 values.filter.xnn_id, values.bias_xnn_id(), values.output.xnn_id,
                                 flags),
      "defining the node");
  return Status::Ok();
}

}  // namespace onepack
