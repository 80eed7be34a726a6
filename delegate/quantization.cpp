#include "delegate/quantization.h"

#include <math.h>
#include <string.h>

#include "base/checked_math.h"
#include "delegate/xnn_handles.h"
#include "schema/verify_text.h"
#include "weight_cache/content_identity.h"

namespace onepack {
namespace {

using wire::xnnpack::PerChannelGroupQuant;
using wire::xnnpack::PerChannelQuant;
using wire::xnnpack::XNNDatatype;
using wire::xnnpack::XNNQuantizedTensorValue;
using wire::xnnpack::XNNQuantParams;
using wire::xnnpack::XNNTensorValue;

// XNNPACK multiplies 4-bit weights as if they were signed around this.
constexpr int32_t kInt4ZeroPoint = 8;

// As XNNPACK takes them.
struct Dims {
  explicit Dims(const XNNTensorValue& tensor) {
    for (const uint32_t size : DimsOf(tensor)) sizes[count++] = size;
  }
  size_t sizes[kMaxGraphRank] = {};
  size_t count = 0;
};

Status Unsupported(const XNNTensorValue& tensor, const char* how) {
  return Status::Error(StatusCode::kUnsupported, "datatype %s %s is not supported",
                       DatatypeName(tensor.datatype()), how);
}

DigestBuilder Describe(const XNNTensorValue& tensor) {
  DigestBuilder digest("value");
  digest.Add(static_cast<int16_t>(tensor.datatype())).Add(tensor.num_dims());
  for (const uint32_t size : DimsOf(tensor)) digest.Add(size);
  return digest;
}

float FloatOfBfloat16(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  memcpy(&value, &wide, sizeof(value));
  return value;
}

// Round to nearest, ties to even.
uint16_t Bfloat16OfFloat(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

// The scales of a value: where they are, and what they are the same as.
template <typename T>
struct Scales {
  const T* data = nullptr;
  Digest identity;
};

Status CheckCount(size_t found, size_t expected) {
  if (found == expected) return Status::Ok();
  return Status::Error(StatusCode::kInvalidFile, "%zu scales, %zu expected", found, expected);
}

float Widen(float scale) { return scale; }
float Widen(uint16_t scale) { return FloatOfBfloat16(scale); }

template <typename T>
Status CheckScales(Span<const T> scales) {
  for (size_t i = 0; i < scales.size(); ++i) {
    const float scale = Widen(scales[i]);
    if (isnormal(scale) && scale > 0) continue;
    return Status::Error(StatusCode::kInvalidFile,
                         "scale %zu is %g, a positive finite number expected", i,
                         static_cast<double>(scale));
  }
  return Status::Ok();
}

// `count` scales from one of the payload's constants; in place where they are aligned, else copied to `copies`.
template <typename T>
Result<Scales<T>> LoadScales(const ValueContext& context, uint32_t buffer_index, size_t count,
                             std::vector<std::vector<T>>& copies) {
  const Constant& constant = context.payload.constant(buffer_index);
  if (constant.segment.size != count * sizeof(T)) {
    return Status::Error(StatusCode::kMismatch, "%s: %llu bytes found, %zu scales of %zu bytes expected",
                         constant.place.c_str(),
                         static_cast<unsigned long long>(constant.segment.size), count, sizeof(T));
  }
  ONEPACK_ASSIGN_OR_RETURN(Buffer buffer, constant.Load());
  Scales<T> scales;
  scales.identity = constant.identity;
  if (reinterpret_cast<uintptr_t>(buffer.bytes.data()) % alignof(T) == 0) {
    scales.data = reinterpret_cast<const T*>(buffer.bytes.data());
    context.scales.loaded.push_back(std::move(buffer));
  } else {
    copies.emplace_back(count);
    memcpy(copies.back().data(), buffer.bytes.data(), count * sizeof(T));
    scales.data = copies.back().data();
  }
  Status status = CheckScales(Span<const T>(scales.data, count));
  if (!status.ok()) return std::move(status).WithContext("%s", constant.place.c_str());
  return scales;
}

template <typename T>
Result<Scales<T>> InlineScales(Span<const T> inline_scales) {
  ONEPACK_RETURN_IF_ERROR(CheckScales(inline_scales));
  Scales<T> scales;
  scales.data = inline_scales.data();
  scales.identity = IdentityOfBytes(
      {reinterpret_cast<const uint8_t*>(inline_scales.data()), inline_scales.size() * sizeof(T)});
  return scales;
}

Result<Scales<float>> ChannelScales(const ValueContext& context, const PerChannelQuant& quant,
                                    size_t count) {
  if (quant.scale_buffer_idx() != 0) {
    ONEPACK_RETURN_IF_ERROR(CheckCount(quant.num_scales(), count));
    return LoadScales<float>(context, quant.scale_buffer_idx(), count, context.scales.floats);
  }
  ONEPACK_RETURN_IF_ERROR(CheckCount(CountOf(quant.scale()), count));
  return InlineScales(Span<const float>(quant.scale()->data(), count));
}

Result<Scales<uint16_t>> GroupScales(const ValueContext& context,
                                     const PerChannelGroupQuant& quant, size_t count) {
  if (quant.scale_buffer_idx() != 0) {
    ONEPACK_RETURN_IF_ERROR(CheckCount(quant.num_scales(), count));
    return LoadScales<uint16_t>(context, quant.scale_buffer_idx(), count, context.scales.bfloats);
  }
  if (CountOf(quant.scale_bf16()) > 0) {
    ONEPACK_RETURN_IF_ERROR(CheckCount(quant.scale_bf16()->size(), count));
    return InlineScales(Span<const uint16_t>(quant.scale_bf16()->data(), count));
  }
  ONEPACK_RETURN_IF_ERROR(CheckCount(CountOf(quant.scale()), count));
  ONEPACK_RETURN_IF_ERROR(CheckScales(Span<const float>(quant.scale()->data(), count)));
  std::vector<uint16_t>& rounded = context.scales.bfloats.emplace_back();
  for (const float scale : *quant.scale()) rounded.push_back(Bfloat16OfFloat(scale));
  return InlineScales(Span<const uint16_t>(rounded.data(), count));
}

Status CheckChannelDim(const XNNTensorValue& tensor, int32_t channel_dim) {
  if (channel_dim >= 0 && static_cast<uint32_t>(channel_dim) < tensor.num_dims()) {
    return Status::Ok();
  }
  return Status::Error(StatusCode::kInvalidFile, "channel_dim %d of a value of rank %u", channel_dim,
                       tensor.num_dims());
}

Status DefinePlain(const ValueContext& context, GraphValue& value) {
  const XNNTensorValue& tensor = value.tensor();
  if (tensor.datatype() != XNNDatatype::fp32) return Unsupported(tensor, "without quantization");
  if (tensor.dq_datatype() != XNNDatatype::invalid) {
    return Unsupported(tensor, "with a dq_datatype");
  }
  const Dims dims(tensor);
  value.description = Describe(tensor).Finish();
  ONEPACK_RETURN_IF_XNN_ERROR(
      xnn_define_tensor_value(context.subgraph, xnn_datatype_fp32, dims.count, dims.sizes,
                              value.data, tensor.external_id(), tensor.flags(), &value.xnn_id),
      "defining a float value");
  return Status::Ok();
}

Status DefinePerChannel(const ValueContext& context, const PerChannelQuant& quant,
                        GraphValue& value) {
  const XNNTensorValue& tensor = value.tensor();
  const bool is_int4 = tensor.datatype() == XNNDatatype::qcint4;
  if (!is_int4 && tensor.datatype() != XNNDatatype::qcint8) {
    return Unsupported(tensor, "quantized per channel");
  }
  ONEPACK_RETURN_IF_ERROR(CheckChannelDim(tensor, quant.channel_dim()));
  const Dims dims(tensor);
  const auto channel_dim = static_cast<size_t>(quant.channel_dim());
  ONEPACK_ASSIGN_OR_RETURN(const Scales<float> scales,
                           ChannelScales(context, quant, dims.sizes[channel_dim]));
  const int32_t zero_point = is_int4 ? kInt4ZeroPoint : 0;
  value.description = Describe(tensor)
                          .Add(quant.channel_dim())
                          .Add(zero_point)
                          .Add(scales.identity)
                          .Finish();
  ONEPACK_RETURN_IF_XNN_ERROR(
      xnn_define_channelwise_quantized_tensor_value_v2(
          context.subgraph, is_int4 ? xnn_datatype_qcint4 : xnn_datatype_qcint8, zero_point,
          scales.data, dims.count, channel_dim, dims.sizes, value.data, tensor.external_id(),
          tensor.flags(), &value.xnn_id),
      "defining a value quantized per channel");
  return Status::Ok();
}

// XNNPACK's kernels take the blocks of a channel in runs of this.
constexpr int32_t kGroupSizeMultiple = 32;

Status CheckGroups(const XNNTensorValue& tensor, const PerChannelGroupQuant& quant) {
  ONEPACK_RETURN_IF_ERROR(CheckChannelDim(tensor, quant.channel_dim()));
  if (tensor.num_dims() != 2 || quant.channel_dim() != 0) {
    return Status::Error(StatusCode::kInvalidFile, "channel_dim %d of rank %u, 0 of 2 expected",
                         quant.channel_dim(), tensor.num_dims());
  }
  const uint32_t inputs = DimsOf(tensor)[1];
  const int32_t group = quant.group_size();
  if (group <= 0 || group % kGroupSizeMultiple != 0 || inputs % static_cast<uint32_t>(group) != 0) {
    return Status::Error(StatusCode::kInvalidFile,
                         "group size %d for %u inputs, a divisor and a multiple of %d expected", group,
                         inputs, kGroupSizeMultiple);
  }
  return Status::Ok();
}

Status DefinePerGroup(const ValueContext& context, const PerChannelGroupQuant& quant,
                      GraphValue& value) {
  const XNNTensorValue& tensor = value.tensor();
  if (tensor.datatype() != XNNDatatype::qbint4) return Unsupported(tensor, "quantized per group");
  ONEPACK_RETURN_IF_ERROR(CheckGroups(tensor, quant));
  const Dims dims(tensor);
  const auto group_size = static_cast<size_t>(quant.group_size());
  size_t count;
  if (!CheckedMultiply(dims.sizes[0], dims.sizes[1] / group_size, &count)) {
    return Status::Error(StatusCode::kInvalidFile, "more groups than fit 64 bits");
  }
  ONEPACK_ASSIGN_OR_RETURN(const Scales<uint16_t> scales, GroupScales(context, quant, count));
  value.description = Describe(tensor)
                          .Add(quant.channel_dim())
                          .Add(quant.group_size())
                          .Add(kInt4ZeroPoint)
                          .Add(scales.identity)
                          .Finish();
  ONEPACK_RETURN_IF_XNN_ERROR(
      xnn_define_blockwise_quantized_tensor_value(
          context.subgraph, xnn_datatype_qbint4, kInt4ZeroPoint, scales.data, dims.count,
          static_cast<size_t>(quant.channel_dim()), group_size, dims.sizes, value.data,
          tensor.external_id(), tensor.flags(), &value.xnn_id),
      "defining a value quantized per group");
  return Status::Ok();
}

Status DefinePerToken(const ValueContext& context,
                      const wire::xnnpack::PerTokenDynamicQuant& quant, GraphValue& value) {
  const XNNTensorValue& tensor = value.tensor();
  if (tensor.datatype() != XNNDatatype::qdint8) return Unsupported(tensor, "quantized per token");
  if (quant.num_nonbatch_dims() < 0 ||
      static_cast<uint32_t>(quant.num_nonbatch_dims()) > tensor.num_dims()) {
    return Status::Error(StatusCode::kInvalidFile, "%d nonbatch dims of rank %u",
                         quant.num_nonbatch_dims(), tensor.num_dims());
  }
  if (value.is_constant() || tensor.external_id() != XNN_INVALID_VALUE_ID) {
    return Status::Error(StatusCode::kInvalidFile,
                         "a dynamically quantized value must be internal to the graph");
  }
  const Dims dims(tensor);
  value.description = Describe(tensor).Add(quant.num_nonbatch_dims()).Finish();
  ONEPACK_RETURN_IF_XNN_ERROR(
      xnn_define_dynamically_quantized_tensor_value(
          context.subgraph, xnn_datatype_qdint8, dims.count,
          static_cast<size_t>(quant.num_nonbatch_dims()), dims.sizes, tensor.external_id(),
          tensor.flags(), &value.xnn_id),
      "defining a dynamically quantized value");
  return Status::Ok();
}

// Bits of one element; 0 for datatypes without constants.
size_t ElementBits(XNNDatatype datatype) {
  switch (datatype) {
    case XNNDatatype::qcint4:
    case XNNDatatype::qbint4:
      return 4;
    case XNNDatatype::qint8:
    case XNNDatatype::quint8:
    case XNNDatatype::qcint8:
      return 8;
    case XNNDatatype::fp16:
    case XNNDatatype::bf16:
      return 16;
    case XNNDatatype::fp32:
    case XNNDatatype::qint32:
    case XNNDatatype::qcint32:
    case XNNDatatype::int32:
      return 32;
    default:
      return 0;
  }
}

}  // namespace

const char* DatatypeName(XNNDatatype datatype) {
  return datatype >= XNNDatatype::MIN && datatype <= XNNDatatype::MAX
             ? wire::xnnpack::EnumNameXNNDatatype(datatype)
             : "unknown";
}

Result<size_t> ConstantSizeBytes(const XNNTensorValue& tensor) {
  const size_t bits = ElementBits(tensor.datatype());
  if (bits == 0) return Unsupported(tensor, "as a constant");
  size_t total = bits;
  for (const uint32_t size : DimsOf(tensor)) {
    if (size == 0 || !CheckedMultiply<size_t>(total, size, &total)) {
      return Status::Error(StatusCode::kInvalidFile,
                           "a constant whose dims are 0 or multiply to more than fits 64 bits");
    }
  }
  return total / 8 + (total % 8 != 0 ? 1 : 0);
}

Status DefineValue(const ValueContext& context, GraphValue& value) {
  const XNNQuantizedTensorValue* quantized =
      value.wire->xvalue_union_as_XNNQuantizedTensorValue();
  if (quantized == nullptr) return DefinePlain(context, value);
  switch (quantized->quant_params_type()) {
    case XNNQuantParams::PerChannelQuant:
      return DefinePerChannel(context, *quantized->quant_params_as_PerChannelQuant(), value);
    case XNNQuantParams::PerChannelGroupQuant:
      return DefinePerGroup(context, *quantized->quant_params_as_PerChannelGroupQuant(), value);
    case XNNQuantParams::PerTokenDynamicQuant:
      return DefinePerToken(context, *quantized->quant_params_as_PerTokenDynamicQuant(), value);
    default:
      return Unsupported(value.tensor(), "quantized per tensor");
  }
}

}  // namespace onepack
