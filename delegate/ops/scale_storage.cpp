#include "delegate/ops/scale_storage.h"

#include <string.h>

#include <utility>

#include "base/small_floats.h"

namespace onepack {
namespace {

float Widen(float scale) { return scale; }
float Widen(uint16_t scale) { return FloatOfBfloat16(scale); }

// The bits of a float, or of its upper half.
uint16_t BitsOf(uint16_t scale) { return scale; }
uint32_t BitsOf(float scale) { return BitsOfFloat(scale); }

// 1 unless the scale is positive, normal and finite: between the smallest and the largest such
// number, as bits.
template <typename T>
auto IsUnsound(T scale) {
  using Bits = decltype(BitsOf(scale));
  constexpr int kBelow = 8 * sizeof(Bits) - 16;
  constexpr Bits kSmallest = Bits{0x0080} << kBelow;
  constexpr Bits kEnd = Bits{0x7f80} << kBelow;
  const auto above = static_cast<Bits>(BitsOf(scale) - kSmallest);
  return static_cast<Bits>(above >= kEnd - kSmallest);
}

// A language model has ten million: without a branch for each, which compilers make vectors of.
template <typename T>
bool AreSound(Span<const T> scales) {
  decltype(IsUnsound(T())) unsound = 0;
  for (size_t i = 0; i < scales.size(); ++i) {
    unsound = static_cast<decltype(unsound)>(unsound | IsUnsound(scales[i]));
  }
  return unsound == 0;
}

template <typename T>
Status CheckScales(Span<const T> scales) {
  if (AreSound(scales)) return Status::Ok();
  for (size_t i = 0; i < scales.size(); ++i) {
    const T scale = scales[i];
    if (IsUnsound(scale) == 0) continue;
    return Status::Error(StatusCode::kInvalidFile,
                         "scale %zu is %g, a positive finite number expected", i,
                         static_cast<double>(Widen(scale)));
  }
  return Status::Error(StatusCode::kInvalidFile, "scales that change while they are read");
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

template Result<const float*> FindScales(const Payload&, const ScaleRef<float>&, size_t,
                                         ScaleStorage&);
template Result<const uint16_t*> FindScales(const Payload&, const ScaleRef<uint16_t>&, size_t,
                                            ScaleStorage&);
template Result<const float*> LoadScales(const Payload&, const ScaleRef<float>&, size_t,
                                         ScaleStorage&);
template Result<const uint16_t*> LoadScales(const Payload&, const ScaleRef<uint16_t>&, size_t,
                                            ScaleStorage&);

}  // namespace onepack
