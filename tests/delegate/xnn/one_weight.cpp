#include "tests/delegate/xnn/one_weight.h"

#include <gtest/gtest.h>

#include <functional>

namespace onepack {
namespace {

constexpr size_t kBatch = 3;
constexpr size_t kInputs = 40;
constexpr size_t kOutputs = 50;
constexpr size_t kSide = 5;    // of images, in and out of a 1x1 kernel
constexpr size_t kKernel = 3;  // side of larger kernels
constexpr size_t kShrunk = kSide - kKernel + 1;
constexpr size_t kChannels = 24;

std::vector<float> Dense(const float* input, const float* kernel, const float* bias, size_t rows) {
  std::vector<float> output;
  for (size_t row = 0; row < rows; ++row) {
    for (size_t out = 0; out < kOutputs; ++out) {
      float sum = bias[out];
      for (size_t in = 0; in < kInputs; ++in) {
        sum += input[row * kInputs + in] * kernel[out * kInputs + in];
      }
      output.push_back(sum);
    }
  }
  return output;
}

// The sum under a kernel of kKernel x kKernel, at each place of the output.
std::vector<float> Sliding(size_t outputs,
                           const std::function<float(size_t pixel, size_t tap, size_t out)>& term,
                           const float* bias) {
  std::vector<float> output;
  for (size_t y = 0; y < kShrunk; ++y) {
    for (size_t x = 0; x < kShrunk; ++x) {
      for (size_t out = 0; out < outputs; ++out) {
        float sum = bias[out];
        for (size_t tap = 0; tap < kKernel * kKernel; ++tap) {
          const size_t pixel = (y + tap / kKernel) * kSide + x + tap % kKernel;
          sum += term(pixel, tap, out);
        }
        output.push_back(sum);
      }
    }
  }
  return output;
}

std::vector<float> Convolved(const float* input, const float* kernel, const float* bias) {
  const auto term = [=](size_t pixel, size_t tap, size_t out) {
    float sum = 0.0f;
    for (size_t in = 0; in < kInputs; ++in) {
      sum += input[pixel * kInputs + in] * kernel[(out * kKernel * kKernel + tap) * kInputs + in];
    }
    return sum;
  };
  return Sliding(kOutputs, term, bias);
}

std::vector<float> ConvolvedByChannel(const float* input, const float* kernel, const float* bias) {
  const auto term = [=](size_t pixel, size_t tap, size_t out) {
    return input[pixel * kChannels + out] * kernel[out * kKernel * kKernel + tap];
  };
  return Sliding(kChannels, term, bias);
}

std::vector<float> InputOf(const OneWeight& weight) {
  return Floats(CountOf(weight.input_dims), 99);
}

}  // namespace

const OneWeight kFullyConnected = {
    "FullyConnected",
    {kOutputs, kInputs},
    kOutputs,
    {kBatch, kInputs},
    {kBatch, kOutputs},
    [](TestGraph& graph, uint32_t input, uint32_t kernel, uint32_t bias, uint32_t output) {
      graph.FullyConnected(input, kernel, bias, output);
    },
    [](const float* input, const float* kernel, const float* bias) {
      return Dense(input, kernel, bias, kBatch);
    },
    /*looks_up_first=*/true};

const OneWeight kPointwiseConvolution = {
    "PointwiseConvolution",
    {kOutputs, 1, 1, kInputs},
    kOutputs,
    {1, kSide, kSide, kInputs},
    {1, kSide, kSide, kOutputs},
    [](TestGraph& graph, uint32_t input, uint32_t kernel, uint32_t bias, uint32_t output) {
      graph.Convolution(1, 1, kInputs, kOutputs, input, kernel, bias, output);
    },
    [](const float* input, const float* kernel, const float* bias) {
      return Dense(input, kernel, bias, kSide * kSide);
    },
    /*looks_up_first=*/true};

const OneWeight kConvolution = {
    "Convolution",
    {kOutputs, kKernel, kKernel, kInputs},
    kOutputs,
    {1, kSide, kSide, kInputs},
    {1, kShrunk, kShrunk, kOutputs},
    [](TestGraph& graph, uint32_t input, uint32_t kernel, uint32_t bias, uint32_t output) {
      graph.Convolution(kKernel, 1, kInputs, kOutputs, input, kernel, bias, output);
    },
    Convolved,
    /*looks_up_first=*/true};

const OneWeight kGroupPerChannel = {
    "ConvolutionOfAGroupPerChannel",
    {kChannels, kKernel, kKernel, 1},
    kChannels,
    {1, kSide, kSide, kChannels},
    {1, kShrunk, kShrunk, kChannels},
    [](TestGraph& graph, uint32_t input, uint32_t kernel, uint32_t bias, uint32_t output) {
      graph.Convolution(kKernel, kChannels, kChannels, kChannels, input, kernel, bias, output);
    },
    ConvolvedByChannel,
    /*looks_up_first=*/false};

size_t CountOf(const Dims& dims) {
  size_t count = 1;
  for (const size_t size : dims) count *= size;
  return count;
}

TestGraph GraphOf(const OneWeight& weight, const void* kernel, const void* bias) {
  TestGraph graph(2);
  const uint32_t input = graph.Input(0, weight.input_dims);
  const uint32_t output = graph.Output(1, weight.output_dims);
  weight.define(graph, input, graph.Constant(weight.kernel_dims, kernel),
                graph.Constant({weight.bias_size}, bias), output);
  return graph;
}

std::vector<float> RunOneWeight(const OneWeight& weight, BuiltSubgraph& built) {
  return built.Run(weight.input_dims, InputOf(weight), CountOf(weight.output_dims));
}

std::vector<float> ExpectedOf(const OneWeight& weight, const OneWeightConstants& constants) {
  return weight.compute(InputOf(weight).data(), constants.kernel.floats(), constants.bias.floats());
}

void ExpectClose(const std::vector<float>& found, const std::vector<float>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-3f) << i;
}

}  // namespace onepack
