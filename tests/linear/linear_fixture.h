// What the tests of linear layers share: memory with unreadable pages around it, weights with
// random bytes, and every instruction set that this processor has.

#ifndef ONEPACK_TESTS_LINEAR_LINEAR_FIXTURE_H_
#define ONEPACK_TESTS_LINEAR_LINEAR_FIXTURE_H_

#include <stddef.h>
#include <stdint.h>

#include <random>
#include <string>
#include <vector>

#include "linear/linear.h"

namespace onepack::linear {

// Zeros that end (kAtEnd) or begin (kAtBegin) where a page does that cannot be read or written.
class GuardedBytes {
 public:
  enum class Where { kAtBegin, kAtEnd };
  GuardedBytes(size_t bytes, Where where);
  ~GuardedBytes();
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;

  uint8_t* data() const { return data_; }
  float* floats() const { return reinterpret_cast<float*>(data_); }

 private:
  uint8_t* mapping_;
  size_t mapping_bytes_;
  uint8_t* data_;
};

// Every instruction set that kernels here are compiled for and that this processor has: while one
// lives, all of hwy's dispatch goes to it.
class TargetScope {
 public:
  explicit TargetScope(int64_t target);
  ~TargetScope();
  TargetScope(const TargetScope&) = delete;
  TargetScope& operator=(const TargetScope&) = delete;
};
std::vector<int64_t> AllTargets();
std::string NameOf(int64_t target);

struct WeightShape {
  WeightType type;
  size_t outputs;
  size_t inputs;
  size_t block_size;
};
size_t ValueBytes(const WeightShape& shape);
size_t ScaleBytes(const WeightShape& shape);

// Bytes of a weight, all random; scales between 0.005 and 0.015.
struct RandomWeights {
  RandomWeights(const WeightShape& shape, std::mt19937& random);

  Weights view() const { return At(values.data(), scales.data()); }
  Weights At(const uint8_t* values_at, const uint8_t* scales_at) const {
    return {shape.type, shape.outputs, shape.inputs, shape.block_size, values_at, scales_at};
  }

  WeightShape shape;
  std::vector<uint8_t> values;
  std::vector<uint8_t> scales;
};
int IntegerAt(const Weights& weights, size_t output, size_t input);
float ScaleAt(const Weights& weights, size_t output, size_t input);

std::vector<float> RandomFloats(size_t count, std::mt19937& random, float least = -0.9F,
                                float greatest = 1.1F);

}  // namespace onepack::linear

#endif  // ONEPACK_TESTS_LINEAR_LINEAR_FIXTURE_H_
