#include "delegate/graph/scales.h"

#include "schema/verify_text.h"

namespace onepack {
namespace {

template <typename T>
Digest IdentityOfSpan(Span<const T> scales) {
  return IdentityOfBytes(
      {reinterpret_cast<const uint8_t*>(scales.data()), scales.size() * sizeof(T)});
}

}  // namespace

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
