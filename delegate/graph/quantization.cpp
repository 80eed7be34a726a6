#include "delegate/graph/quantization.h"

#include <math.h>

#include "base/checked_math.h"
#include "delegate/graph/graph_value.h"
#include "schema/verify_text.h"

namespace onepack {
namespace {

template <typename T>
Digest IdentityOfSpan(Span<const T> scales) {
  return IdentityOfBytes(
      {reinterpret_cast<const uint8_t*>(scales.data()), scales.size() * sizeof(T)});
}

using wire::xnnpack::PerChannelGroupQuant;
using wire::xnnpack::PerChannelQuant;
using wire::xnnpack::PerTensorQuant;
using wire::xnnpack::PerTokenDynamicQuant;
using wire::xnnpack::XNNDatatype;
using wire::xnnpack::XNNQuantParams;
using wire::xnnpack::XNNTensorValue;

// The number that stands for zero in unsigned 4-bit weights.
constexpr int32_t kInt4ZeroPoint = 8;

// XNNPACK's kernels take the blocks of a channel in runs of this.
constexpr int32_t kGroupSizeMultiple = 32;

// Of a payload, and what they are the same as, by index.
struct Constants {
  const Payload& payload;
  Span<const Digest> contents;
};

Status Unsupported(const XNNTensorValue& tensor, const char* how) {
  return Status::Error(StatusCode::kUnsupported, "datatype %s %s is not supported",
                       DatatypeName(tensor.datatype()), how);
}

Status CheckChannelDim(const XNNTensorValue& tensor, int32_t channel_dim) {
  if (channel_dim >= 0 && static_cast<uint32_t>(channel_dim) < tensor.num_dims()) {
    return Status::Ok();
  }
  return Status::Error(StatusCode::kInvalidFile, "channel_dim %d of a value of rank %u",
                       channel_dim, tensor.num_dims());
}

// Weights are; XNNPACK has no kernel that computes such values.
Status CheckIsConstant(const XNNTensorValue& tensor) {
  if (tensor.constant_buffer_idx() != 0) return Status::Ok();
  return Unsupported(tensor, "that is no constant");
}

// Without quantization.

Status DescribePlain(GraphValue& value) {
  const XNNTensorValue& tensor = value.tensor();
  switch (tensor.datatype()) {
    case XNNDatatype::fp32:
    case XNNDatatype::fp16:
    case XNNDatatype::bf16:
    case XNNDatatype::int32:
      break;
    default:
      return Unsupported(tensor, "without quantization");
  }
  if (value.is_quantized_on_entry()) {
    const bool is_float =
        tensor.datatype() == XNNDatatype::fp32 || tensor.datatype() == XNNDatatype::fp16;
    if (tensor.dq_datatype() != XNNDatatype::qint8 || !is_float || tensor.num_dims() == 0 ||
        tensor.flags() != kExternalInput) {
      return Unsupported(tensor, "with this dq_datatype");
    }
    value.quant_params.num_nonbatch_dims = 1;
  }
  return Status::Ok();
}

// Per tensor.

bool IsZeroPoint(XNNDatatype datatype, int32_t zero_point) {
  if (datatype == XNNDatatype::qint8) return zero_point >= INT8_MIN && zero_point <= INT8_MAX;
  if (datatype == XNNDatatype::quint8) return zero_point >= 0 && zero_point <= UINT8_MAX;
  return zero_point == 0;
}

Status DescribePerTensor(GraphValue& value, const PerTensorQuant& quant) {
  const XNNTensorValue& tensor = value.tensor();
  if (tensor.datatype() != XNNDatatype::qint8 && tensor.datatype() != XNNDatatype::quint8 &&
      tensor.datatype() != XNNDatatype::qint32) {
    return Unsupported(tensor, "quantized per tensor");
  }
  if (!IsZeroPoint(tensor.datatype(), quant.zero_point()) || !isnormal(quant.scale()) ||
      quant.scale() <= 0) {
    return Status::Error(StatusCode::kInvalidFile, "scale %g and zero point %d of a %s",
                         static_cast<double>(quant.scale()), quant.zero_point(),
                         DatatypeName(tensor.datatype()));
  }
  value.quant_params.scale = quant.scale();
  value.quant_params.zero_point = quant.zero_point();
  return Status::Ok();
}

// Per channel.

int32_t ChannelZeroPoint(XNNDatatype datatype) {
  return datatype == XNNDatatype::qcint4 ? kInt4ZeroPoint : 0;
}

Status DescribePerChannel(const Constants& constants, GraphValue& value,
                          const PerChannelQuant& quant) {
  const XNNTensorValue& tensor = value.tensor();
  if (tensor.datatype() != XNNDatatype::qcint4 && tensor.datatype() != XNNDatatype::qcint8 &&
      tensor.datatype() != XNNDatatype::qcint32) {
    return Unsupported(tensor, "quantized per channel");
  }
  ONEPACK_RETURN_IF_ERROR(CheckIsConstant(tensor));
  ONEPACK_RETURN_IF_ERROR(CheckChannelDim(tensor, quant.channel_dim()));
  const uint32_t channels = DimsOf(tensor)[static_cast<size_t>(quant.channel_dim())];
  ONEPACK_ASSIGN_OR_RETURN(
      value.quant_params.scales,
      IdentityOfScales(constants.payload, constants.contents, ScalesOf(quant), channels));
  value.quant_params.channel_dim = quant.channel_dim();
  value.quant_params.zero_point = ChannelZeroPoint(tensor.datatype());
  return Status::Ok();
}

// Per group of inputs of a channel: block-wise.

Result<size_t> GroupCount(const XNNTensorValue& tensor, const PerChannelGroupQuant& quant) {
  if (tensor.num_dims() != 2 || quant.channel_dim() != 0) {
    return Status::Error(StatusCode::kInvalidFile, "channel_dim %d of rank %u, 0 of 2 expected",
                         quant.channel_dim(), tensor.num_dims());
  }
  const uint32_t inputs = DimsOf(tensor)[1];
  const int32_t group = quant.group_size();
  if (group <= 0 || group % kGroupSizeMultiple != 0 || inputs % static_cast<uint32_t>(group) != 0) {
    return Status::Error(StatusCode::kInvalidFile,
                         "group size %d for %u inputs, a divisor and a multiple of %d expected",
                         group, inputs, kGroupSizeMultiple);
  }
  // Two 32-bit numbers: the product fits.
  return size_t{DimsOf(tensor)[0]} * (inputs / static_cast<uint32_t>(group));
}

Status DescribePerGroup(const Constants& constants, GraphValue& value,
                        const PerChannelGroupQuant& quant) {
  const XNNTensorValue& tensor = value.tensor();
  if (tensor.datatype() != XNNDatatype::qbint4) return Unsupported(tensor, "quantized per group");
  ONEPACK_RETURN_IF_ERROR(CheckIsConstant(tensor));
  ONEPACK_ASSIGN_OR_RETURN(const size_t groups, GroupCount(tensor, quant));
  ONEPACK_ASSIGN_OR_RETURN(
      value.quant_params.scales,
      IdentityOfScales(constants.payload, constants.contents, ScalesOf(quant), groups));
  value.quant_params.channel_dim = quant.channel_dim();
  value.quant_params.group_size = quant.group_size();
  value.quant_params.zero_point = kInt4ZeroPoint;
  return Status::Ok();
}

// Per token, computed at run time.

Status DescribePerToken(GraphValue& value, const PerTokenDynamicQuant& quant) {
  const XNNTensorValue& tensor = value.tensor();
  if (tensor.datatype() != XNNDatatype::qdint8) return Unsupported(tensor, "quantized per token");
  if (quant.num_nonbatch_dims() < 0 ||
      static_cast<uint32_t>(quant.num_nonbatch_dims()) > tensor.num_dims()) {
    return Status::Error(StatusCode::kInvalidFile, "%d nonbatch dims of rank %u",
                         quant.num_nonbatch_dims(), tensor.num_dims());
  }
  if (tensor.constant_buffer_idx() != 0 || tensor.external_id() != kNoValue) {
    return Status::Error(StatusCode::kInvalidFile,
                         "a dynamically quantized value must be internal to the graph");
  }
  value.quant_params.num_nonbatch_dims = quant.num_nonbatch_dims();
  return Status::Ok();
}

Status DescribeQuantization(const Constants& constants, GraphValue& value) {
  value.quant_params.datatype = value.tensor().datatype();
  value.quant_params.dq_datatype = value.tensor().dq_datatype();
  const auto* quantized = value.wire->xvalue_union_as_XNNQuantizedTensorValue();
  if (quantized == nullptr) return DescribePlain(value);
  value.quant_params.kind = quantized->quant_params_type();
  if (value.is_quantized_on_entry()) return Unsupported(value.tensor(), "with a dq_datatype");
  switch (quantized->quant_params_type()) {
    case XNNQuantParams::PerChannelQuant:
      return DescribePerChannel(constants, value, *quantized->quant_params_as_PerChannelQuant());
    case XNNQuantParams::PerChannelGroupQuant:
      return DescribePerGroup(constants, value, *quantized->quant_params_as_PerChannelGroupQuant());
    case XNNQuantParams::PerTokenDynamicQuant:
      return DescribePerToken(value, *quantized->quant_params_as_PerTokenDynamicQuant());
    default:
      return DescribePerTensor(value, *quantized->quant_params_as_PerTensorQuant());
  }
}

}  // namespace

Result<size_t> ConstantSizeBytes(const XNNTensorValue& tensor) {
  const size_t bits = ElementBits(tensor.datatype());
  if (bits == 0 || tensor.datatype() == XNNDatatype::qdint8)
    return Unsupported(tensor, "as a constant");
  size_t total = bits;
  const bool is_int4 = bits == 4;
  for (size_t i = 0; i < tensor.num_dims(); ++i) {
    // Each row of 4-bit ones begins at a whole byte.
    const bool is_row = is_int4 && i + 1 == tensor.num_dims();
    const size_t size = DimsOf(tensor)[i] + size_t{is_row && DimsOf(tensor)[i] % 2 != 0};
    if (size == 0 || !CheckedMultiply<size_t>(total, size, &total)) {
      return Status::Error(StatusCode::kInvalidFile,
                           "a constant whose dims are 0 or multiply to more than fits 64 bits");
    }
  }
  return total / 8 + (total % 8 != 0 ? 1 : 0);
}

Status DescribeValue(const Payload& payload, Span<const Digest> contents, GraphValue& value) {
  if (value.is_constant()) value.content = contents[value.constant_index()];
  return DescribeQuantization({payload, contents}, value);
}

ScaleRef<float> ScalesOf(const wire::xnnpack::PerChannelQuant& quant) {
  ScaleRef<float> scales;
  scales.buffer_index = quant.scale_buffer_idx();
  if (scales.buffer_index == 0 && quant.scale() != nullptr) {
    scales.inline_scales = {quant.scale()->data(), quant.scale()->size()};
  }
  scales.found = scales.buffer_index != 0 ? quant.num_scales() : scales.inline_scales.size();
  return scales;
}

ScaleRef<uint16_t> ScalesOf(const wire::xnnpack::PerChannelGroupQuant& quant) {
  ScaleRef<uint16_t> scales;
  scales.buffer_index = quant.scale_buffer_idx();
  if (scales.buffer_index != 0) {
    scales.found = quant.num_scales();
  } else if (CountOf(quant.scale_bf16()) > 0) {
    scales.inline_scales = {quant.scale_bf16()->data(), quant.scale_bf16()->size()};
    scales.found = scales.inline_scales.size();
  } else if (quant.scale() != nullptr) {
    scales.to_be_rounded = {quant.scale()->data(), quant.scale()->size()};
    scales.found = scales.to_be_rounded.size();
  }
  return scales;
}

uint32_t ScaleIndexOf(const GraphValue& value) {
  uint32_t index = 0;
  VisitScales(value, [&](const auto& scales, size_t) { index = scales.buffer_index; });
  return index;
}

template <typename T>
Result<Digest> IdentityOfScales(const Payload& payload, Span<const Digest> contents,
                                const ScaleRef<T>& scales, size_t expected) {
  if (scales.found != expected) {
    return Status::Error(StatusCode::kInvalidFile, "%zu scales, %zu expected", scales.found,
                         expected);
  }
  if (scales.buffer_index == 0) {
    return scales.to_be_rounded.empty() ? IdentityOfSpan(scales.inline_scales)
                                        : IdentityOfSpan(scales.to_be_rounded);
  }
  const Constant& constant = payload.constant(scales.buffer_index);
  if (!payload.Holds(scales.buffer_index, expected * sizeof(T))) {
    return Status::Error(StatusCode::kMismatch,
                         "%s: %llu bytes found, %zu scales of %zu bytes expected",
                         constant.place().c_str(), static_cast<unsigned long long>(constant.size()),
                         expected, sizeof(T));
  }
  return contents[scales.buffer_index];
}

template Result<Digest> IdentityOfScales(const Payload&, Span<const Digest>, const ScaleRef<float>&,
                                         size_t);
template Result<Digest> IdentityOfScales(const Payload&, Span<const Digest>,
                                         const ScaleRef<uint16_t>&, size_t);

}  // namespace onepack
