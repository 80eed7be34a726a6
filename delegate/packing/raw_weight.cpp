#include "delegate/packing/raw_weight.h"

#include <utility>

#include "base/checked_math.h"
#include "delegate/graph/quantization.h"
#include "delegate/packing/source_call.h"
#include "delegate/packing/widening.h"

namespace onepack {
namespace {

using wire::xnnpack::PerChannelGroupQuant;
using wire::xnnpack::PerChannelQuant;

// Of every element that is packed here.
bool IsAligned(const void* address) {
  return reinterpret_cast<uintptr_t>(address) % alignof(float) == 0;
}

// Null for a value that is not quantized per channel.
const PerChannelQuant* PerChannel(const GraphValue& value) {
  const auto* quantized = value.wire->xvalue_union_as_XNNQuantizedTensorValue();
  return quantized != nullptr ? quantized->quant_params_as_PerChannelQuant() : nullptr;
}
const PerChannelGroupQuant* PerGroup(const GraphValue& value) {
  const auto* quantized = value.wire->xvalue_union_as_XNNQuantizedTensorValue();
  return quantized != nullptr ? quantized->quant_params_as_PerChannelGroupQuant() : nullptr;
}

size_t ScaleCount(const GraphValue& value, const PerChannelQuant& quant) {
  return value.dim(static_cast<size_t>(quant.channel_dim()));
}
size_t ScaleCount(const GraphValue& value, const PerChannelGroupQuant& quant) {
  return value.dim(0) * (value.dim(1) / static_cast<size_t>(quant.group_size()));
}

}  // namespace

Result<const void*> ScalesFor(const Payload& payload, const GraphValue& value,
                              ScaleStorage& storage) {
  if (const PerChannelQuant* channel = PerChannel(value)) {
    ONEPACK_ASSIGN_OR_RETURN(const void* scales, LoadScales(payload, ScalesOf(*channel),
                                                            ScaleCount(value, *channel), storage));
    return scales;
  }
  if (const PerChannelGroupQuant* group = PerGroup(value)) {
    ONEPACK_ASSIGN_OR_RETURN(const void* scales, LoadScales(payload, ScalesOf(*group),
                                                            ScaleCount(value, *group), storage));
    return scales;
  }
  return static_cast<const void*>(nullptr);
}

const void* OnesFor(const GraphValue& value, OnesStore& ones) {
  if (const auto* channel = PerChannel(value)) return ones.Get<float>(ScaleCount(value, *channel));
  if (const auto* group = PerGroup(value)) return ones.Get<uint16_t>(ScaleCount(value, *group));
  return nullptr;
}

RawConstant::RawConstant(RawConstant&& other) noexcept
    : constant_(std::exchange(other.constant_, nullptr)),
      scales_(std::exchange(other.scales_, nullptr)),
      mapped_(std::move(other.mapped_)),
      copy_(std::move(other.copy_)),
      scale_storage_(std::move(other.scale_storage_)),
      shown_(std::exchange(other.shown_, ShownConstant())) {}

RawConstant::~RawConstant() {
  const SourceCall call;
  if (constant_ != nullptr) constant_->Discard();
  if (scales_ != nullptr) scales_->Discard();
}

Status RawConstant::Read(const Plan& plan, const WeightOperand& operand,
                         ContentRegistry* registry) {
  const GraphValue& value = plan.values.at(operand.value_id);
  const SourceCall call;
  Status status = ReadScales(plan.payload(), value);
  if (status.ok()) status = ReadBytes(*plan.contents, value, operand, registry);
  if (status.ok()) return status;
  return std::move(status).WithContext("graph value %u", operand.value_id);
}

Status RawConstant::ReadScales(const Payload& payload, const GraphValue& value) {
  const uint32_t index = ScaleIndexOf(value);
  if (index != 0) scales_ = &payload.constant(index);
  ONEPACK_ASSIGN_OR_RETURN(shown_.scales, ScalesFor(payload, value, scale_storage_));
  return Status::Ok();
}

Status RawConstant::ReadBytes(const PayloadContents& contents, const GraphValue& value,
                              const WeightOperand& operand, ContentRegistry* registry) {
  constant_ = &contents.payload().constant(operand.constant_index);
  const DataSource& source = constant_->source();
  const bool is_widened = operand.datatype != value.tensor().datatype();
  source.Prefetch(constant_->segment());
  Bytes bytes;
  if (source.is_mapped()) {
    ONEPACK_ASSIGN_OR_RETURN(mapped_, constant_->Load());
    bytes = mapped_.bytes;
  }
  const bool is_shown_as_it_is = source.is_mapped() && IsAligned(bytes.data()) && !is_widened;
  if (!is_shown_as_it_is) {
    size_t size = constant_->size();
    if (is_widened && !CheckedMultiply(size, kWidening, &size)) size = SIZE_MAX;
    ONEPACK_ASSIGN_OR_RETURN(copy_, Mapping::OfZeros(size));
    // At its end, so that widening can begin at its beginning.
    uint8_t* raw = copy_.data() + size - constant_->size();
    ONEPACK_RETURN_IF_ERROR(source.Read(constant_->segment(), raw));
    bytes = {raw, static_cast<size_t>(constant_->size())};
  }
  if (registry != nullptr) registry->Record(*contents.content(operand.constant_index), bytes);
  if (is_widened) Widen(value, bytes, copy_.data());
  shown_.data = is_shown_as_it_is ? bytes.data() : copy_.data();
  return Status::Ok();
}

Result<RawWeight> RawWeight::Read(const Plan& plan, const Weight& weight,
                                  ContentRegistry* registry) {
  RawWeight raw;
  ONEPACK_RETURN_IF_ERROR(raw.kernel_.Read(plan, weight.kernel, registry));
  if (weight.bias.value_id == kNoValue) return raw;
  ONEPACK_RETURN_IF_ERROR(raw.bias_.Read(plan, weight.bias, registry));
  return raw;
}

}  // namespace onepack
