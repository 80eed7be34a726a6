#include "delegate/ops/weights.h"

#include <algorithm>

#include "delegate/graph/graph_value.h"
#include "delegate/graph/quantization.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNDatatype;

// -1 for values that are not quantized per channel.
int32_t ChannelDimOf(const GraphValue& value) {
  const auto* quantized = value.wire->xvalue_union_as_XNNQuantizedTensorValue();
  if (quantized == nullptr) return -1;
  const auto* per_channel = quantized->quant_params_as_PerChannelQuant();
  return per_channel != nullptr ? per_channel->channel_dim() : -1;
}

// Some of XNNPACK's nodes compute as if it were 0.
Status CheckZeroPoint(const GraphValue& filter) {
  const auto* quantized = filter.wire->xvalue_union_as_XNNQuantizedTensorValue();
  const auto* quant = quantized != nullptr ? quantized->quant_params_as_PerTensorQuant() : nullptr;
  if (filter.datatype() != XNNDatatype::qint8 || quant == nullptr || quant->zero_point() == 0) {
    return Status::Ok();
  }
  return Status::Error(StatusCode::kUnsupported,
                       "a qint8 filter of zero point %d is not supported, 0 expected",
                       quant->zero_point());
}

// Where all are quantized per tensor. With one scale for each channel XNNPACK has no lower limit,
// and says itself what is too large.
Status CheckScales(const WeightedValues& values) {
  const XNNDatatype filter = values.filter.datatype();
  if (filter != XNNDatatype::qint8 && filter != XNNDatatype::quint8) return Status::Ok();
  constexpr float kLargest = 0x1.fffffep+7f;  // the last one below 2^8
  return CheckScaleRatio(ScaleOf(values.input) * ScaleOf(values.filter) / ScaleOf(values.output),
                         0x1p-32f, kLargest);
}

// All but the bytes of a constant.
void AddFilter(const GraphValue& value, DigestBuilder& digest) {
  value.quant_params.AddTo(digest);
  digest.Add(value.rank());
  for (const uint32_t size : DimsOf(value.tensor())) digest.Add(size);
}

// XNNPACK packs a run of numbers, whatever dims of 1 stand before them.
void AddBias(const GraphValue& value, DigestBuilder& digest) {
  constexpr size_t kRank = 1;
  value.quant_params.AddTo(digest);
  digest.Add(kRank).Add(value.rank() > 0 ? DimsOf(value.tensor())[value.rank() - 1] : uint32_t{1});
}

}  // namespace

Status CheckTypes(const WeightedValues& values, Span<const WeightedTypes> table) {
  const bool is_known = std::any_of(table.begin(), table.end(), [&](const WeightedTypes& row) {
    return row.input == values.input.datatype() && row.filter == values.filter_datatype &&
           (values.bias == nullptr || row.bias == values.bias_datatype) &&
           row.output == values.output.datatype();
  });
  if (is_known) {
    ONEPACK_RETURN_IF_ERROR(CheckZeroPoint(values.filter));
    return CheckScales(values);
  }
  return Status::Error(StatusCode::kUnsupported,
                       "%s input, %s filter, %s bias and %s output are not supported",
                       DatatypeName(values.input.datatype()), DatatypeName(values.filter_datatype),
                       values.bias != nullptr ? DatatypeName(values.bias_datatype) : "no",
                       DatatypeName(values.output.datatype()));
}

Status CheckChannelDims(const WeightedValues& values, size_t filter_dim) {
  const int32_t found = ChannelDimOf(values.filter);
  if (found >= 0 && static_cast<size_t>(found) != filter_dim) {
    return Status::Error(StatusCode::kInvalidFile, "a filter of channel_dim %d, %zu expected",
                         found, filter_dim);
  }
  // XNNPACK's convolutions take a quantized bias of one dim only.
  if (values.bias == nullptr || ChannelDimOf(*values.bias) < 0 || values.bias->rank() == 1) {
    return Status::Ok();
  }
  return Status::Error(StatusCode::kUnsupported,
                       "a bias of rank %zu that is quantized per channel is not supported, 1 "
                       "expected",
                       values.bias->rank());
}

Status CheckScaleRuns(const GraphValue& input, int32_t expected) {
  if (input.datatype() != XNNDatatype::qdint8) return Status::Ok();
  if (input.quant_params.num_nonbatch_dims == expected) return Status::Ok();
  return Status::Error(StatusCode::kInvalidFile, "an input of %d nonbatch dims, %d expected",
                       input.quant_params.num_nonbatch_dims, expected);
}

Status CheckBias(const Shapes& shapes, uint32_t bias_id, size_t channels) {
  if (bias_id == kNoValue) return Status::Ok();
  const Shape& bias = shapes.at(bias_id);
  if (bias.element_count() == channels && (bias.rank() == 0 || bias.FromLast(0) == channels)) {
    return Status::Ok();
  }
  return Status::Error(StatusCode::kInvalidFile, "a bias %s, [%zu] expected", bias.Text().c_str(),
                       channels);
}

Digest QuantizationOf(const GraphValue& filter, const GraphValue* bias) {
  DigestBuilder quantization("quantization");
  AddFilter(filter, quantization);
  if (bias != nullptr) AddBias(*bias, quantization);
  return quantization.Finish();
}

Weight WeightOf(const WeightedValues& values, DigestBuilder& consumer) {
  const auto operand = [](const GraphValue& value, XNNDatatype datatype) {
    return WeightOperand{value.tensor().id_out(), value.constant_index(), ScaleIndexOf(value),
                         datatype};
  };
  Weight weight;
  weight.kernel = operand(values.filter, values.filter_datatype);
  if (values.bias != nullptr) weight.bias = operand(*values.bias, values.bias_datatype);
  weight.identity.kernel = values.filter.content;
  weight.identity.bias = values.bias != nullptr ? values.bias->content : IdentityOfNothing();
  weight.identity.quantization = QuantizationOf(values.filter, values.bias);
  values.input.quant_params.AddTo(consumer);
  values.output.quant_params.AddTo(consumer);
  weight.identity.consumer = consumer.Finish();
  // XNNPACK checks the scales of what is quantized before it runs, and not only packs them.
  weight.reads_scales = values.input.datatype() == XNNDatatype::qint8 ||
                        values.input.datatype() == XNNDatatype::quint8;
  return weight;
}

}  // namespace onepack
