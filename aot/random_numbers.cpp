#include "aot/random_numbers.h"

#include <string.h>

#include <algorithm>

namespace onepack {
namespace {

// A step of a Weyl sequence and a mixer: enough for weights that must only look random.
constexpr uint64_t kStep = 0x9E3779B97F4A7C15u;

uint64_t Mix(uint64_t bits) {
  bits = (bits ^ (bits >> 32)) * 0xD6E8FEB86659FD93u;
  bits = (bits ^ (bits >> 32)) * 0xD6E8FEB86659FD93u;
  return bits ^ (bits >> 32);
}

}  // namespace

uint64_t CombineSeeds(uint64_t seed, uint64_t number) { return Mix(seed * kStep + number + 1); }

void FillUniform(uint64_t seed, float bound, Span<float> numbers) {
  // 24 bits are what a float keeps of a number in [0, 1).
  const float scale = 2.0f * bound / 16777216.0f;
  uint64_t state = Mix(seed);
  for (float& number : numbers) {
    state += kStep;
    number = static_cast<float>(static_cast<int32_t>(Mix(state) >> 40)) * scale - bound;
  }
}

void FillBytes(uint64_t seed, Span<uint8_t> bytes) {
  uint64_t state = Mix(seed);
  for (size_t i = 0; i < bytes.size(); i += sizeof(state)) {
    state += kStep;
    const uint64_t eight = Mix(state);
    memcpy(bytes.data() + i, &eight, std::min(sizeof(eight), bytes.size() - i));
  }
}

}  // namespace onepack
