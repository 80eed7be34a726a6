#include "delegate/graph/scales.h"

#include <math.h>
#include <string.h>

#include "base/small_floats.h"
#include "schema/verify_text.h"
#include "weight_cache/content_identity.h"

namespace onepack {
namespace {

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

template <typename T>
Digest IdentityOfSpan(Span<const T> scales) {
  return IdentityOfBytes(
      {reinterpret_cast<const uint8_t*>(scales.data()), scales.size() * sizeof(T)});
}

template <typename T>
using Scales = ScaleStorage::Scales<T>;

std::vector<Scales<float>>& CopiesOf(ScaleStorage& storage, float) { return storage.floats; }
std::vector<Scales<uint16_t>>& CopiesOf(ScaleStorage& storage, uint16_t) { return storage.bfloats; }

// In place where they are aligned, else copied.
template <typename T>
Result<const T*> LoadFromConstant(const Constant& constant, size_t count, ScaleStorage& storage) {
  ONEPACK_ASSIGN_OR_RETURN(Buffer buffer, constant.Load());
  const T* scales = reinterpret_cast<const T*>(buffer.bytes.data());
  if (reinterpret_cast<uintptr_t>(scales) % alignof(T) == 0) {
    storage.loaded.push_back(std::move(buffer));
  } else {
    Scales<T>& copy = CopiesOf(storage, T()).emplace_back(count);
    memcpy(copy.data(), buffer.bytes.data(), count * sizeof(T));
    scales = copy.data();
  }
  return scales;
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

template <typename T>
Result<Digest> IdentityOfScales(const Payload& payload, const ScaleRef<T>& scales,
                                size_t expected) {
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
  return payload.content(scales.buffer_index)->id();
}

template <typename T>
Result<const T*> FindScales(const Payload& payload, const ScaleRef<T>& scales, size_t count,
                            ScaleStorage& storage) {
  if (scales.buffer_index != 0) {
    return LoadFromConstant<T>(payload.constant(scales.buffer_index), count, storage);
  }
  if (scales.to_be_rounded.empty()) return scales.inline_scales.data();
  Scales<T>& rounded = CopiesOf(storage, T()).emplace_back();
  rounded.reserve(count);
  for (const float scale : scales.to_be_rounded) {
    rounded.push_back(static_cast<T>(Bfloat16OfFloat(scale)));
  }
  return rounded.data();
}

template <typename T>
Result<const T*> LoadScales(const Payload& payload, const ScaleRef<T>& scales, size_t count,
                            ScaleStorage& storage) {
  // What they are before they are rounded is checked too.
  ONEPACK_RETURN_IF_ERROR(CheckScales(scales.to_be_rounded));
  ONEPACK_ASSIGN_OR_RETURN(const T* found, FindScales(payload, scales, count, storage));
  Status status = CheckScales(Span<const T>(found, count));
  if (status.ok()) return found;
  if (scales.buffer_index == 0) return status;
  return std::move(status).WithContext("%s", payload.constant(scales.buffer_index).place().c_str());
}

template Result<Digest> IdentityOfScales(const Payload&, const ScaleRef<float>&, size_t);
template Result<Digest> IdentityOfScales(const Payload&, const ScaleRef<uint16_t>&, size_t);
template Result<const float*> FindScales(const Payload&, const ScaleRef<float>&, size_t,
                                         ScaleStorage&);
template Result<const uint16_t*> FindScales(const Payload&, const ScaleRef<uint16_t>&, size_t,
                                            ScaleStorage&);
template Result<const float*> LoadScales(const Payload&, const ScaleRef<float>&, size_t,
                                         ScaleStorage&);
template Result<const uint16_t*> LoadScales(const Payload&, const ScaleRef<uint16_t>&, size_t,
                                            ScaleStorage&);

}  // namespace onepack
