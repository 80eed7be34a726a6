// Graphs of one weight. Each kind of operator asks its provider in its own way.

#ifndef ONEPACK_TESTS_DELEGATE_XNN_ONE_WEIGHT_H_
#define ONEPACK_TESTS_DELEGATE_XNN_ONE_WEIGHT_H_

#include <stddef.h>
#include <stdint.h>

#include <vector>

#include "tests/delegate/xnn/xnn_graph.h"

namespace onepack {

struct OneWeight {
  const char* name;  // what the operator is
  Dims kernel_dims;
  size_t bias_size;
  Dims input_dims;
  Dims output_dims;
  void (*define)(TestGraph& graph, uint32_t input, uint32_t kernel, uint32_t bias, uint32_t output);
  std::vector<float> (*compute)(const float* input, const float* kernel, const float* bias);
  bool looks_up_first;
};

extern const OneWeight kFullyConnected;
extern const OneWeight kPointwiseConvolution;  // XNNPACK's GEMM path
extern const OneWeight kConvolution;           // the indirect GEMM path
// As many groups as channels: XNNPACK takes a depthwise kernel, and packs without looking up.
extern const OneWeight kGroupPerChannel;

size_t CountOf(const Dims& dims);

// Kernel and bias of an operator.
struct OneWeightConstants {
  OneWeightConstants(const OneWeight& weight, int seed)
      : kernel(ConstantPages::OfFloats(CountOf(weight.kernel_dims), seed)),
        bias(ConstantPages::OfFloats(weight.bias_size, seed + 1)) {}

  ConstantPages kernel;
  ConstantPages bias;
};

// The graph of the operator, from input 0 to output 1. XNNPACK is told that kernel and bias are at
// these addresses.
TestGraph GraphOf(const OneWeight& weight, const void* kernel, const void* bias);

// Of the same input each time.
std::vector<float> RunOneWeight(const OneWeight& weight, BuiltSubgraph& built);
std::vector<float> ExpectedOf(const OneWeight& weight, const OneWeightConstants& constants);

void ExpectClose(const std::vector<float>& found, const std::vector<float>& expected);

}  // namespace onepack

#endif  // ONEPACK_TESTS_DELEGATE_XNN_ONE_WEIGHT_H_
