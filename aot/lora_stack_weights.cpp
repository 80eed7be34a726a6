#include "aot/lora_stack_weights.h"

#include <math.h>
#include <openssl/evp.h>

#include <algorithm>
#include <memory>

namespace onepack {
namespace {

// A step of a Weyl sequence and a mixer: enough for weights that must only look random.
constexpr uint64_t kStep = 0x9E3779B97F4A7C15u;

uint64_t Mix(uint64_t bits) {
  bits = (bits ^ (bits >> 32)) * 0xD6E8FEB86659FD93u;
  bits = (bits ^ (bits >> 32)) * 0xD6E8FEB86659FD93u;
  return bits ^ (bits >> 32);
}

uint64_t Combine(uint64_t seed, uint64_t number) { return Mix(seed * kStep + number + 1); }

constexpr size_t kPieceBytes = size_t{1} << 20;

}  // namespace

void FillUniform(uint64_t seed, float bound, Span<float> numbers) {
  // 24 bits are what a float keeps of a number in [0, 1).
  const float scale = 2.0f * bound / 16777216.0f;
  uint64_t state = Mix(seed);
  for (float& number : numbers) {
    state += kStep;
    number = static_cast<float>(static_cast<int32_t>(Mix(state) >> 40)) * scale - bound;
  }
}

void LoraMatrix::FillRow(uint32_t row, float* numbers) const {
  FillUniform(Combine(seed, row), 1.0f / sqrtf(static_cast<float>(inputs)), {numbers, inputs});
}

Status LoraMatrix::ForEachPiece(const std::function<Status(Bytes)>& take) const {
  const size_t row_bytes = inputs * sizeof(float);
  const auto rows = static_cast<uint32_t>(
      std::min<size_t>(outputs, std::max<size_t>(1, kPieceBytes / row_bytes)));
  std::vector<float> piece(size_t{rows} * inputs);
  for (uint32_t first = 0; first < outputs; first += rows) {
    const uint32_t count = std::min(rows, outputs - first);
    for (uint32_t i = 0; i < count; ++i) FillRow(first + i, piece.data() + size_t{i} * inputs);
    ONEPACK_RETURN_IF_ERROR(
        take({reinterpret_cast<const uint8_t*>(piece.data()), count * row_bytes}));
  }
  return Status::Ok();
}

std::string LoraMatrix::Key() const {
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(),
                                                                   EVP_MD_CTX_free);
  EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr);
  const Status status = ForEachPiece([&](Bytes bytes) {
    EVP_DigestUpdate(context.get(), bytes.data(), bytes.size());
    return Status::Ok();
  });
  (void)status;  // OK: the piece above cannot fail
  uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_DigestFinal_ex(context.get(), digest, &size);
  static constexpr char kHex[] = "0123456789abcdef";
  std::string key;
  for (unsigned i = 0; i < size; ++i) {
    key += kHex[digest[i] >> 4];
    key += kHex[digest[i] & 15];
  }
  return key;
}

LoraMatrix LoraWeights::Base(uint32_t block, LoraLayer layer) const {
  LoraMatrix matrix;
  matrix.seed = Combine(Combine(options_.seed, block), static_cast<uint32_t>(layer));
  const bool is_down = layer == LoraLayer::kDown;
  matrix.outputs = is_down ? options_.width : options_.hidden;
  matrix.inputs = is_down ? options_.hidden : options_.width;
  return matrix;
}

LoraMatrix LoraWeights::Adapter(uint32_t adapter, uint32_t block, LoraLayer layer,
                                LoraPart part) const {
  const LoraMatrix base = Base(block, layer);
  LoraMatrix matrix;
  matrix.seed = Combine(Combine(base.seed, 1000 + adapter), static_cast<uint32_t>(part));
  matrix.outputs = part == LoraPart::kA ? options_.rank : base.outputs;
  matrix.inputs = part == LoraPart::kA ? base.inputs : options_.rank;
  return matrix;
}

}  // namespace onepack
