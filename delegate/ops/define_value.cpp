#include "delegate/ops/define_value.h"

#include "delegate/xnn/handles.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNDatatype;
using wire::xnnpack::XNNQuantParams;

static_assert(kNoValue == XNN_INVALID_VALUE_ID);
static_assert(kExternalInput == XNN_VALUE_FLAG_EXTERNAL_INPUT);
static_assert(kExternalOutput == XNN_VALUE_FLAG_EXTERNAL_OUTPUT);
static_assert(kMaxGraphRank == XNN_MAX_TENSOR_DIMS);

Status DefinePlain(xnn_subgraph_t subgraph, const ShownValue& shown, uint32_t* id) {
  ONEPACK_RETURN_IF_XNN_ERROR(
      xnn_define_tensor_value(subgraph, XnnDatatypeOf(shown.datatype), shown.dims.rank(),
                              shown.dims.data(), shown.data, shown.external_id, shown.flags, id),
      "defining a value");
  return Status::Ok();
}

// A float from outside that nodes get to see quantized.
Status DefineQuantizedOnEntry(xnn_subgraph_t subgraph, const GraphValue& value,
                              const ShownValue& shown, uint32_t* id) {
  uint32_t external = XNN_INVALID_VALUE_ID;
  ONEPACK_RETURN_IF_ERROR(DefinePlain(subgraph, shown, &external));
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_define_dynamically_quantized_tensor_value(
                                  subgraph, xnn_datatype_qdint8, shown.dims.rank(),
                                  static_cast<size_t>(value.quant_params.num_nonbatch_dims),
                                  shown.dims.data(), XNN_INVALID_VALUE_ID, 0, id),
                              "defining a dynamically quantized value");
  ONEPACK_RETURN_IF_XNN_ERROR(
      xnn_define_unary(subgraph, xnn_unary_convert, nullptr, external, *id, 0),
      "defining the quantization of an input");
  return Status::Ok();
}

Status DefinePerTensor(xnn_subgraph_t subgraph, const QuantParams& params, const ShownValue& shown,
                       uint32_t* id) {
  ONEPACK_RETURN_IF_XNN_ERROR(
      xnn_define_quantized_tensor_value(subgraph, XnnDatatypeOf(shown.datatype), params.zero_point,
                                        params.scale, shown.dims.rank(), shown.dims.data(),
                                        shown.data, shown.external_id, shown.flags, id),
      "defining a value quantized per tensor");
  return Status::Ok();
}

Status DefinePerChannel(xnn_subgraph_t subgraph, const QuantParams& params, const ShownValue& shown,
                        uint32_t* id) {
  // Wider integers are signed ones.
  const int32_t zero_point = shown.datatype == params.datatype ? params.zero_point : 0;
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_define_channelwise_quantized_tensor_value_v2(
                                  subgraph, XnnDatatypeOf(shown.datatype), zero_point,
                                  static_cast<const float*>(shown.scales), shown.dims.rank(),
                                  static_cast<size_t>(params.channel_dim), shown.dims.data(),
                                  shown.data, shown.external_id, shown.flags, id),
                              "defining a value quantized per channel");
  return Status::Ok();
}

Status DefinePerGroup(xnn_subgraph_t subgraph, const QuantParams& params, const ShownValue& shown,
                      uint32_t* id) {
  ONEPACK_RETURN_IF_XNN_ERROR(
      xnn_define_blockwise_quantized_tensor_value(
          subgraph, XnnDatatypeOf(shown.datatype), params.zero_point,
          static_cast<const uint16_t*>(shown.scales), shown.dims.rank(),
          static_cast<size_t>(params.channel_dim), static_cast<size_t>(params.group_size),
          shown.dims.data(), shown.data, shown.external_id, shown.flags, id),
      "defining a value quantized per group");
  return Status::Ok();
}

Status DefinePerToken(xnn_subgraph_t subgraph, const QuantParams& params, const ShownValue& shown,
                      uint32_t* id) {
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_define_dynamically_quantized_tensor_value(
                                  subgraph, XnnDatatypeOf(shown.datatype), shown.dims.rank(),
                                  static_cast<size_t>(params.num_nonbatch_dims), shown.dims.data(),
                                  shown.external_id, shown.flags, id),
                              "defining a dynamically quantized value");
  return Status::Ok();
}

Status Define(xnn_subgraph_t subgraph, const GraphValue& value, const ShownValue& shown,
              uint32_t* id) {
  switch (value.quant_params.kind) {
    case XNNQuantParams::PerChannelQuant:
      return DefinePerChannel(subgraph, value.quant_params, shown, id);
    case XNNQuantParams::PerChannelGroupQuant:
      return DefinePerGroup(subgraph, value.quant_params, shown, id);
    case XNNQuantParams::PerTokenDynamicQuant:
      return DefinePerToken(subgraph, value.quant_params, shown, id);
    case XNNQuantParams::PerTensorQuant:
      return DefinePerTensor(subgraph, value.quant_params, shown, id);
    default:
      return value.is_quantized_on_entry() ? DefineQuantizedOnEntry(subgraph, value, shown, id)
                                           : DefinePlain(subgraph, shown, id);
  }
}

}  // namespace

xnn_datatype XnnDatatypeOf(XNNDatatype datatype) {
  switch (datatype) {
    case XNNDatatype::fp32:
      return xnn_datatype_fp32;
    case XNNDatatype::fp16:
      return xnn_datatype_fp16;
    case XNNDatatype::bf16:
      return xnn_datatype_bf16;
    case XNNDatatype::int32:
      return xnn_datatype_int32;
    case XNNDatatype::qint8:
      return xnn_datatype_qint8;
    case XNNDatatype::quint8:
      return xnn_datatype_quint8;
    case XNNDatatype::qint32:
      return xnn_datatype_qint32;
    case XNNDatatype::qcint32:
      return xnn_datatype_qcint32;
    case XNNDatatype::qcint8:
      return xnn_datatype_qcint8;
    case XNNDatatype::qcint4:
      return xnn_datatype_qcint4;
    case XNNDatatype::qbint4:
      return xnn_datatype_qbint4;
    case XNNDatatype::qdint8:
      return xnn_datatype_qdint8;
    default:
      return xnn_datatype_invalid;
  }
}

Result<uint32_t> DefineValue(xnn_subgraph_t subgraph, const GraphValue& value,
                             const ShownValue& shown) {
  uint32_t id = XNN_INVALID_VALUE_ID;
  ONEPACK_RETURN_IF_ERROR(Define(subgraph, value, shown, &id));
  return id;
}

}  // namespace onepack
