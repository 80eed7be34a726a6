#include "delegate/ops/families.h"
#include "delegate/xnn_handles.h"
#include "weight_cache/content_identity.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNDatatype;
using wire::xnnpack::XNNFullyConnected;
using wire::xnnpack::XNode;

const XNNFullyConnected& WireOf(const XNode& node) {
  return *node.xnode_union_as_XNNFullyConnected();
}

// The pairs of input and filter that XNNPACK has a kernel for, with a float output.
bool Supports(XNNDatatype input, XNNDatatype filter) {
  if (input == XNNDatatype::fp32) return filter == XNNDatatype::fp32;
  return input == XNNDatatype::qdint8 &&
         (filter == XNNDatatype::qcint8 || filter == XNNDatatype::qcint4 ||
          filter == XNNDatatype::qbint4);
}

struct FullyConnectedValues {
  const GraphValue& input;
  const GraphValue& filter;
  const GraphValue* bias;  // null for none
  const GraphValue& output;
};

FullyConnectedValues ValuesOf(const NodeContext& context, const XNode& node) {
  const XNNFullyConnected& wire = WireOf(node);
  const bool has_bias = wire.bias_id() != XNN_INVALID_VALUE_ID;
  return {context.value(wire.input1_id()), context.value(wire.filter_id()),
          has_bias ? &context.value(wire.bias_id()) : nullptr, context.value(wire.output_id())};
}

Status CheckTypes(const FullyConnectedValues& values, uint32_t flags) {
  if (!Supports(values.input.datatype(), values.filter.datatype()) ||
      values.output.datatype() != XNNDatatype::fp32) {
    return Status::Error(StatusCode::kUnsupported,
                         "%s input, %s filter and %s output are not supported",
                         wire::xnnpack::EnumNameXNNDatatype(values.input.datatype()),
                         wire::xnnpack::EnumNameXNNDatatype(values.filter.datatype()),
                         wire::xnnpack::EnumNameXNNDatatype(values.output.datatype()));
  }
  if ((flags & ~XNN_FLAG_TRANSPOSE_WEIGHTS) != 0 ||
      (flags != 0 && values.filter.datatype() == XNNDatatype::qbint4)) {
    return Status::Error(StatusCode::kUnsupported, "flags 0x%x are not supported", flags);
  }
  if (values.bias != nullptr && values.bias->datatype() != XNNDatatype::fp32) {
    return Status::Error(StatusCode::kUnsupported, "a bias of datatype %s is not supported",
                         wire::xnnpack::EnumNameXNNDatatype(values.bias->datatype()));
  }
  if (values.bias != nullptr && values.bias->is_constant() != values.filter.is_constant()) {
    return Status::Error(StatusCode::kUnsupported,
                         "only one of filter and bias is a constant: not supported");
  }
  return Status::Ok();
}

// XNNPACK reads one scale for each row of the input, however many there are.
Status CheckRowScales(const GraphValue& input) {
  const auto* quantized = input.wire->xvalue_union_as_XNNQuantizedTensorValue();
  if (quantized == nullptr) return Status::Ok();
  const auto* per_token = quantized->quant_params_as_PerTokenDynamicQuant();
  if (per_token == nullptr || per_token->num_nonbatch_dims() == 1) return Status::Ok();
  return Status::Error(StatusCode::kInvalidFile, "an input of %d nonbatch dims, 1 expected",
                       per_token->num_nonbatch_dims());
}

// XNNPACK takes the filter's word for all of these.
Status CheckShapes(const FullyConnectedValues& values, uint32_t flags) {
  if (values.filter.rank() != 2 || values.input.rank() == 0) {
    return Status::Error(StatusCode::kInvalidFile,
                         "a filter of rank %zu and an input of rank %zu, 2 and at least 1 expected",
                         values.filter.rank(), values.input.rank());
  }
  const bool is_transposed = (flags & XNN_FLAG_TRANSPOSE_WEIGHTS) != 0;
  const size_t inputs = values.filter.dim(is_transposed ? 0 : 1);
  const size_t outputs = values.filter.dim(is_transposed ? 1 : 0);
  const size_t found = values.input.dim(values.input.rank() - 1);
  if (found != inputs) {
    return Status::Error(StatusCode::kInvalidFile, "an input of %zu channels for a filter of %zu",
                         found, inputs);
  }
  if (values.bias != nullptr && (values.bias->rank() != 1 || values.bias->dim(0) != outputs)) {
    return Status::Error(StatusCode::kInvalidFile, "a bias of rank %zu that is not [%zu]",
                         values.bias->rank(), outputs);
  }
  std::vector<uint32_t> dims(DimsOf(values.input.tensor()).begin(),
                             DimsOf(values.input.tensor()).end());
  dims.back() = static_cast<uint32_t>(outputs);
  return CheckDims(values.output, dims);
}

// Everything but the tensors themselves that the packed bytes may depend on.
WeightIdentity IdentityOf(const FullyConnectedValues& values, const Clamp& clamp, uint32_t flags) {
  WeightIdentity identity;
  identity.kernel = values.filter.content;
  identity.bias = values.bias != nullptr ? values.bias->content : IdentityOfNothing();
  DigestBuilder quantization("quantization");
  quantization.Add(values.filter.description);
  quantization.Add(values.bias != nullptr ? values.bias->description : IdentityOfNothing());
  identity.quantization = quantization.Finish();
  identity.consumer = DigestBuilder("fully connected")
                          .Add(flags)
                          .Add(clamp.min)
                          .Add(clamp.max)
                          .Add(static_cast<int16_t>(values.input.datatype()))
                          .Add(static_cast<int16_t>(values.output.datatype()))
                          .Finish();
  return identity;
}

}  // namespace

Operands FullyConnectedOperands(const XNode& node) {
  const XNNFullyConnected& wire = WireOf(node);
  Operands operands;
  operands.inputs = {wire.input1_id(), wire.filter_id()};
  operands.outputs = {wire.output_id()};
  operands.packed = {wire.filter_id()};
  operands.channels_last = {wire.input1_id()};
  if (wire.bias_id() != XNN_INVALID_VALUE_ID) {
    operands.inputs.push_back(wire.bias_id());
    operands.packed.push_back(wire.bias_id());
  }
  return operands;
}

std::optional<PackedUse> IdentifyFullyConnected(const NodeContext& context, const XNode& node) {
  const FullyConnectedValues values = ValuesOf(context, node);
  if (!values.filter.is_constant()) return std::nullopt;
  return PackedUse{WireOf(node).filter_id(), WireOf(node).bias_id(),
                   IdentityOf(values, ClampOf(node), WireOf(node).flags())};
}

Status DefineFullyConnected(const NodeContext& context, const XNode& node) {
  const uint32_t flags = WireOf(node).flags();
  const FullyConnectedValues values = ValuesOf(context, node);
  ONEPACK_RETURN_IF_ERROR(CheckTypes(values, flags));
  ONEPACK_RETURN_IF_ERROR(CheckRowScales(values.input));
  ONEPACK_RETURN_IF_ERROR(CheckShapes(values, flags));
  ONEPACK_ASSIGN_OR_RETURN(const Clamp clamp, CheckedClampOf(node));
  ONEPACK_RETURN_IF_XNN_ERROR(
      xnn_define_fully_connected(
          context.subgraph, clamp.min, clamp.max, values.input.xnn_id, values.filter.xnn_id,
          values.bias != nullptr ? values.bias->xnn_id : XNN_INVALID_VALUE_ID, values.output.xnn_id,
          flags),
      "defining the node");
  return Status::Ok();
}

}  // namespace onepack
