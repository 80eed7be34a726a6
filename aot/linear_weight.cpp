#include "aot/linear_weight.h"

#include <math.h>
#include <string.h>

#include <algorithm>

#include "aot/random_numbers.h"
#include "base/small_floats.h"

namespace onepack {
namespace {

constexpr size_t kPieceBytes = size_t{1} << 20;
// Keeps the seeds of scales apart from those of rows.
constexpr uint64_t kScaleSeed = uint64_t{1} << 40;
// Spread of uniform integers: sqrt((n * n - 1) / 12) for n of them, relative to 1 / sqrt(3).
constexpr float kInt8Spread = 128.0f;
constexpr float kInt4Spread = 8.0f;
// Of the numbers that an int4 weight's bytes hold.
constexpr int kInt4ZeroPoint = 8;

float Bound(const LinearWeight& weight) { return 1.0f / sqrtf(static_cast<float>(weight.inputs)); }

// Within a quarter of what gives the right spread, so that no two are alike.
std::vector<float> ScalesOfRow(const LinearWeight& weight, uint32_t row) {
  const float middle =
      Bound(weight) / (weight.type == WeightType::kInt8 ? kInt8Spread : kInt4Spread);
  std::vector<float> scales(weight.scales_in_row());
  FillUniform(CombineSeeds(CombineSeeds(weight.seed, kScaleSeed), row), 0.25f, scales);
  for (float& scale : scales) {
    scale = middle * (1.0f + scale);
    if (weight.type == WeightType::kInt4) scale = FloatOfBfloat16(Bfloat16OfFloat(scale));
  }
  return scales;
}

void FillRowBytes(const LinearWeight& weight, uint32_t row, uint8_t* bytes) {
  const uint64_t seed = CombineSeeds(weight.seed, row);
  if (weight.type == WeightType::kFloat32) {
    std::vector<float> numbers(weight.inputs);
    FillUniform(seed, Bound(weight), numbers);
    memcpy(bytes, numbers.data(), weight.row_bytes());
  } else {
    FillBytes(seed, {bytes, weight.row_bytes()});
  }
}

void AppendScales(const LinearWeight& weight, uint32_t row, std::vector<uint8_t>& bytes) {
  for (const float scale : ScalesOfRow(weight, row)) {
    uint8_t piece[sizeof(float)];
    const uint16_t bfloat16 = Bfloat16OfFloat(scale);
    const size_t size = weight.type == WeightType::kInt4 ? sizeof(bfloat16) : sizeof(scale);
    memcpy(piece, weight.type == WeightType::kInt4 ? static_cast<const void*>(&bfloat16) : &scale,
           size);
    bytes.insert(bytes.end(), piece, piece + size);
  }
}

}  // namespace

uint64_t LinearWeight::row_bytes() const {
  switch (type) {
    case WeightType::kFloat32:
      return uint64_t{inputs} * sizeof(float);
    case WeightType::kInt8:
      return inputs;
    case WeightType::kInt4:
      return inputs / 2;
  }
  return 0;
}

uint32_t LinearWeight::scales_in_row() const {
  if (type == WeightType::kFloat32) return 0;
  return type == WeightType::kInt8 ? 1 : inputs / group;
}

uint64_t LinearWeight::scale_bytes() const {
  const uint64_t size = type == WeightType::kInt4 ? sizeof(uint16_t) : sizeof(float);
  return uint64_t{outputs} * scales_in_row() * size;
}

void LinearWeight::FillRow(uint32_t row, float* numbers) const {
  if (type == WeightType::kFloat32) {
    FillUniform(CombineSeeds(seed, row), Bound(*this), {numbers, inputs});
    return;
  }
  std::vector<uint8_t> bytes(row_bytes());
  FillRowBytes(*this, row, bytes.data());
  const std::vector<float> scales = ScalesOfRow(*this, row);
  for (uint32_t i = 0; i < inputs; ++i) {
    if (type == WeightType::kInt8) {
      numbers[i] = static_cast<float>(static_cast<int8_t>(bytes[i])) * scales[0];
    } else {
      // The even one of two is the lower half of their byte.
      const int nibble = (bytes[i / 2] >> (i % 2 * 4)) & 15;
      numbers[i] = static_cast<float>(nibble - kInt4ZeroPoint) * scales[i / group];
    }
  }
}

DataBytes LinearWeight::Data() const {
  return DataBytes::Produced(size_bytes(), [weight = *this](const Append& append) {
    const size_t row_bytes = weight.row_bytes();
    const auto rows = static_cast<uint32_t>(
        std::min<size_t>(weight.outputs, std::max<size_t>(1, kPieceBytes / row_bytes)));
    std::vector<uint8_t> piece(rows * row_bytes);
    for (uint32_t first = 0; first < weight.outputs; first += rows) {
      const uint32_t count = std::min(rows, weight.outputs - first);
      for (uint32_t i = 0; i < count; ++i) {
        FillRowBytes(weight, first + i, piece.data() + i * row_bytes);
      }
      ONEPACK_RETURN_IF_ERROR(append({piece.data(), count * row_bytes}));
    }
    return Status::Ok();
  });
}

DataBytes LinearWeight::Scales() const {
  return DataBytes::Produced(scale_bytes(), [weight = *this](const Append& append) {
    std::vector<uint8_t> piece;
    for (uint32_t row = 0; row < weight.outputs; ++row) {
      AppendScales(weight, row, piece);
      if (piece.size() < kPieceBytes && row + 1 < weight.outputs) continue;
      ONEPACK_RETURN_IF_ERROR(append(piece));
      piece.clear();
    }
    return Status::Ok();
  });
}

DataBytes WeightBank::Watched(const DataBytes& bytes) const {
  if (!watch_) return bytes;
  return DataBytes::Produced(bytes.size_bytes(), [bytes, watch = watch_](const Append& append) {
    return bytes.AppendTo([&](Bytes piece) {
      ONEPACK_RETURN_IF_ERROR(watch(piece.size()));
      return append(piece);
    });
  });
}

const WeightBank::Files& WeightBank::Of(const LinearWeight& weight) {
  const auto [place, is_new] = by_seed_.try_emplace(weight.seed);
  if (is_new) {
    place->second.data = Watched(weight.Data());
    if (weight.type != WeightType::kFloat32) place->second.scales = Watched(weight.Scales());
  }
  return place->second;
}

std::vector<uint32_t> LinearLayers::Dims(uint32_t width) const {
  std::vector<uint32_t> dims = rows_;
  dims.push_back(width);
  return dims;
}

uint32_t LinearLayers::AddBytes(const DataBytes& bytes, const char* key_prefix) {
  if (place_ == ConstantPlace::kPayload) return payload_.AddOwnConstant(bytes);
  PayloadConstant constant;
  constant.data = bytes;
  constant.key_prefix = key_prefix;
  return payload_.AddData(std::move(constant));
}

uint32_t LinearLayers::AddFilter(const LinearWeight& weight) {
  const WeightBank::Files& files = bank_.Of(weight);
  const std::vector<uint32_t> dims = {weight.outputs, weight.inputs};
  const uint32_t data = AddBytes(files.data, "");
  if (weight.type == WeightType::kFloat32) return payload_.AddConstant(dims, data);
  PayloadScales scales;
  scales.constant = AddBytes(files.scales, "scale_");
  scales.count = weight.outputs * weight.scales_in_row();
  if (weight.type == WeightType::kInt8) return payload_.AddPerChannelInt8(dims, data, scales);
  return payload_.AddBlockwiseInt4(dims, data, scales, static_cast<int32_t>(weight.group));
}

uint32_t LinearLayers::Quantized(uint32_t x, uint32_t width) {
  const auto [place, is_new] = quantized_.try_emplace(x);
  if (is_new) {
    place->second = payload_.AddDynamicInt8(Dims(width));
    payload_.AddConvert(x, place->second);
  }
  return place->second;
}

uint32_t LinearLayers::Add(const LinearWeight& weight, uint32_t x) {
  const uint32_t y = payload_.AddInternal(Dims(weight.outputs));
  AddTo(weight, x, y);
  return y;
}

void LinearLayers::AddTo(const LinearWeight& weight, uint32_t x, uint32_t y) {
  const bool is_quantized = weight.type != WeightType::kFloat32;
  const uint32_t input = is_quantized ? Quantized(x, weight.inputs) : x;
  payload_.AddFullyConnected(input, AddFilter(weight), y);
}

}  // namespace onepack
