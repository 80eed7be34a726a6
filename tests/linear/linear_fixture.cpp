#include "tests/linear/linear_fixture.h"

#include <gtest/gtest.h>
#include <hwy/highway.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/support/highway_targets.h"

namespace onepack::linear {

GuardedBytes::GuardedBytes(size_t bytes, Where where) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t inside = (bytes + page - 1) / page * page;
  mapping_bytes_ = inside + 2 * page;
  void* mapped = mmap(nullptr, mapping_bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT_NE(mapped, MAP_FAILED);
  mapping_ = static_cast<uint8_t*>(mapped);
  if (inside != 0) {
    EXPECT_EQ(mprotect(mapping_ + page, inside, PROT_READ | PROT_WRITE), 0);
  }
  data_ = mapping_ + page + (where == Where::kAtEnd ? inside - bytes : 0);
}

GuardedBytes::~GuardedBytes() { munmap(mapping_, mapping_bytes_); }

TargetScope::TargetScope(int64_t target) { hwy::SetSupportedTargetsForTest(target); }
TargetScope::~TargetScope() { hwy::SetSupportedTargetsForTest(0); }

// Those of linear/CMakeLists.txt.
std::vector<int64_t> AllTargets() { return SupportedTargets(HWY_TARGETS); }

std::string NameOf(int64_t target) { return hwy::TargetName(target); }

size_t ValueBytes(const WeightShape& shape) {
  return shape.outputs *
         (shape.type == WeightType::kInt8Channels ? shape.inputs : (shape.inputs + 1) / 2);
}

size_t ScaleBytes(const WeightShape& shape) {
  return shape.type == WeightType::kInt4Blocks
             ? shape.outputs * (shape.inputs / shape.block_size) * sizeof(uint16_t)
             : shape.outputs * sizeof(float);
}

RandomWeights::RandomWeights(const WeightShape& of, std::mt19937& random)
    : shape(of), values(ValueBytes(of)), scales(ScaleBytes(of)) {
  for (uint8_t& value : values) value = static_cast<uint8_t>(random());
  std::uniform_real_distribution<float> scale(0.005F, 0.015F);
  const size_t width = shape.type == WeightType::kInt4Blocks ? sizeof(uint16_t) : sizeof(float);
  for (size_t i = 0; i < scales.size(); i += width) {
    const float value = scale(random);
    // The upper half of a float is the bfloat16.
    memcpy(&scales[i], reinterpret_cast<const uint8_t*>(&value) + sizeof(float) - width, width);
  }
}

int IntegerAt(const Weights& weights, size_t output, size_t input) {
  if (weights.type == WeightType::kInt8Channels) {
    return static_cast<int8_t>(weights.values[output * weights.inputs + input]);
  }
  const int both = weights.values[output * ((weights.inputs + 1) / 2) + input / 2];
  return (input % 2 != 0 ? both >> 4 : both & 15) - 8;
}

float ScaleAt(const Weights& weights, size_t output, size_t input) {
  uint32_t bits = 0;
  if (weights.type == WeightType::kInt4Blocks) {
    const size_t blocks = weights.inputs / weights.block_size;
    uint16_t half = 0;
    memcpy(&half, weights.scales + 2 * (output * blocks + input / weights.block_size), 2);
    bits = static_cast<uint32_t>(half) << 16;
  } else {
    memcpy(&bits, weights.scales + 4 * output, 4);
  }
  float scale = 0;
  memcpy(&scale, &bits, 4);
  return scale;
}

std::vector<float> RandomFloats(size_t count, std::mt19937& random, float least, float greatest) {
  std::uniform_real_distribution<float> any(least, greatest);
  std::vector<float> floats(count);
  for (float& f : floats) f = any(random);
  return floats;
}

}  // namespace onepack::linear
