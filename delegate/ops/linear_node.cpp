#include "delegate/ops/linear_node.h"

#include "delegate/ops/between.h"
#include "delegate/ops/checks.h"
#include "delegate/ops/weights.h"

namespace onepack {
namespace {

using linear::WeightType;
using wire::xnnpack::XNNDatatype;
using wire::xnnpack::XNode;

constexpr size_t kBlockStep = 32;
// Sums over a row of so many 4-bit, or 8-bit, weights fit 32 bits, and 24 of a float.
constexpr size_t kMaxInt4Inputs = size_t{1} << 20;
constexpr size_t kMaxInt8Inputs = size_t{1} << 16;

// Integers in blocks of `block_size`, or by channel where that is 0.
std::optional<WeightType> IntegerType(XNNDatatype filter, size_t block_size) {
  if (block_size > 0) {
    return filter == XNNDatatype::qbint4 ? std::make_optional(WeightType::kInt4Blocks)
                                         : std::nullopt;
  }
  if (filter == XNNDatatype::qcint4) return WeightType::kInt4Channels;
  if (filter == XNNDatatype::qcint8) return WeightType::kInt8Channels;
  return std::nullopt;
}

std::optional<WeightType> FloatType(XNNDatatype filter) {
  if (filter == XNNDatatype::fp32) return WeightType::kFloat32;
  if (filter == XNNDatatype::fp16) return WeightType::kFloat16;
  if (filter == XNNDatatype::bf16) return WeightType::kBfloat16;
  return std::nullopt;
}

// With the type and the block size.
std::optional<linear::Weights> WeightsOf(const GraphValue& input, const GraphValue& filter) {
  linear::Weights weights;
  std::optional<WeightType> type;
  const auto* quantized = filter.wire->xvalue_union_as_XNNQuantizedTensorValue();
  if (quantized == nullptr) {
    if (input.datatype() == XNNDatatype::fp32) type = FloatType(filter.datatype());
  } else if (input.datatype() == XNNDatatype::qdint8) {
    const auto* channel = quantized->quant_params_as_PerChannelQuant();
    const auto* group = quantized->quant_params_as_PerChannelGroupQuant();
    if (group != nullptr && group->channel_dim() == 0 && group->group_size() > 0) {
      weights.block_size = static_cast<size_t>(group->group_size());
    } else if (channel == nullptr || channel->channel_dim() != 0) {
      return std::nullopt;
    }
    type = IntegerType(filter.datatype(), weights.block_size);
  }
  if (!type) return std::nullopt;
  weights.type = *type;
  return weights;
}

bool IsFloat(XNNDatatype datatype) {
  return datatype == XNNDatatype::fp32 || Is16BitFloat(datatype);
}

}  // namespace

LinearInput InputOf(const LinearNode& node) {
  LinearInput input{node.input_id, linear::IsInteger(node.weights.type), {}};
  if (input.is_quantized) input.form = linear::FormFor(node.weights);
  return input;
}

std::optional<LinearNode> LinearNodeOf(const NodeValues& values, const XNode& node) {
  const auto* wire = node.xnode_union_as_XNNFullyConnected();
  if (wire == nullptr || wire->flags() != 0) return std::nullopt;
  const WeightedValues weighted = WeightedValuesOf(values, *wire);
  if (!weighted.are_constant() || weighted.output.datatype() != XNNDatatype::fp32) {
    return std::nullopt;
  }
  if (weighted.bias != nullptr && !IsFloat(weighted.bias->datatype())) return std::nullopt;
  std::optional<linear::Weights> weights = WeightsOf(weighted.input, weighted.filter);
  if (!weights || weighted.filter.rank() != 2) return std::nullopt;
  weights->outputs = weighted.filter.dim(0);
  weights->inputs = weighted.filter.dim(1);
  if (weights->outputs == 0 || weights->inputs == 0) return std::nullopt;
  const size_t most = weights->type == WeightType::kInt8Channels ? kMaxInt8Inputs : kMaxInt4Inputs;
  if (linear::IsInteger(weights->type) && weights->inputs > most) return std::nullopt;
  if (weights->block_size % kBlockStep != 0) return std::nullopt;
  if (weights->block_size > 0 && weights->inputs % weights->block_size != 0) return std::nullopt;
  const Clamp clamp = ClampOf(node);
  return LinearNode{*weights, wire->input1_id(), wire->output_id(), clamp.min, clamp.max};
}

}  // namespace onepack
