// The provider with the real XNNPACK.

#include "delegate/xnn/xnn_provider.h"

#include <gtest/gtest.h>
#include <string.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/delegate/xnn/xnn_graph.h"
#include "tests/support/status_matchers.h"
#include "tests/weight_cache/cache_helpers.h"
#include "tests/support/threads.h"

namespace onepack {
namespace {

WeightDescription DescriptionOf(int number) {
  WeightDescription description;
  description.identity = KeyOf(number).weight;
  return description;
}

void ExpectClose(const std::vector<float>& actual, const std::vector<float>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) EXPECT_NEAR(actual[i], expected[i], 1e-3f) << i;
}

using Pointers = RecordingObserver::Pointers;

// A graph of one weight. Each kind of operator asks its provider in its own way.
struct OneWeight {
  // What the operator is, for the name of the test.
  const char* name;
  Dims kernel_dims;
  size_t bias_size;
  Dims input_dims;
  Dims output_dims;
  void (*define)(TestGraph& graph, uint32_t input, uint32_t kernel, uint32_t bias, uint32_t output);
  std::vector<float> (*expected)(const float* input, const float* kernel, const float* bias);
  bool looks_up_first;
};

constexpr size_t kBatch = 3;
constexpr size_t kInputs = 40;
constexpr size_t kOutputs = 50;
constexpr size_t kSide = 5;    // of images, in and out of a 1x1 kernel
constexpr size_t kKernel = 3;  // side of larger kernels
constexpr size_t kShrunk = kSide - kKernel + 1;
constexpr size_t kChannels = 24;

size_t Count(const Dims& dims) {
  size_t count = 1;
  for (const size_t size : dims) count *= size;
  return count;
}

std::vector<float> ExpectedDense(const float* input, const float* kernel, const float* bias,
                                 size_t rows) {
  std::vector<float> output;
  for (size_t row = 0; row < rows; ++row) {
    for (size_t out = 0; out < kOutputs; ++out) {
      float sum = bias != nullptr ? bias[out] : 0.0f;
      for (size_t in = 0; in < kInputs; ++in) {
        sum += input[row * kInputs + in] * kernel[out * kInputs + in];
      }
      output.push_back(sum);
    }
  }
  return output;
}

// The sum under a kernel of kKernel x kKernel, at each place of the output.
std::vector<float> ExpectedSliding(
    size_t outputs, const std::function<float(size_t pixel, size_t tap, size_t out)>& term,
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

std::vector<float> ExpectedConvolution(const float* input, const float* kernel, const float* bias) {
  const auto term = [=](size_t pixel, size_t tap, size_t out) {
    float sum = 0.0f;
    for (size_t in = 0; in < kInputs; ++in) {
      sum += input[pixel * kInputs + in] * kernel[(out * kKernel * kKernel + tap) * kInputs + in];
    }
    return sum;
  };
  return ExpectedSliding(kOutputs, term, bias);
}

std::vector<float> ExpectedDepthwise(const float* input, const float* kernel, const float* bias) {
  const auto term = [=](size_t pixel, size_t tap, size_t out) {
    return input[pixel * kChannels + out] * kernel[out * kKernel * kKernel + tap];
  };
  return ExpectedSliding(kChannels, term, bias);
}

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
      return ExpectedDense(input, kernel, bias, kBatch);
    },
    /*looks_up_first=*/true};

// XNNPACK's GEMM path.
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
      return ExpectedDense(input, kernel, bias, kSide * kSide);
    },
    /*looks_up_first=*/true};

// The indirect GEMM path.
const OneWeight kConvolution = {
    "Convolution",
    {kOutputs, kKernel, kKernel, kInputs},
    kOutputs,
    {1, kSide, kSide, kInputs},
    {1, kShrunk, kShrunk, kOutputs},
    [](TestGraph& graph, uint32_t input, uint32_t kernel, uint32_t bias, uint32_t output) {
      graph.Convolution(kKernel, 1, kInputs, kOutputs, input, kernel, bias, output);
    },
    ExpectedConvolution,
    /*looks_up_first=*/true};

// As many groups as channels: XNNPACK takes a depthwise kernel, and packs without looking up.
const OneWeight kDepthwiseConvolution = {
    "DepthwiseConvolution",
    {kChannels, kKernel, kKernel, 1},
    kChannels,
    {1, kSide, kSide, kChannels},
    {1, kShrunk, kShrunk, kChannels},
    [](TestGraph& graph, uint32_t input, uint32_t kernel, uint32_t bias, uint32_t output) {
      graph.Convolution(kKernel, kChannels, kChannels, kChannels, input, kernel, bias, output);
    },
    ExpectedDepthwise,
    /*looks_up_first=*/false};

// A program that has the weight: constants at addresses of its own, a graph and a provider.
class Program {
 public:
  Program(const OneWeight& weight, const std::shared_ptr<WeightCache>& cache, int seed = 1)
      : weight_(weight),
        kernel_(ConstantPages::OfFloats(Count(weight.kernel_dims), seed)),
        bias_(ConstantPages::OfFloats(weight.bias_size, seed + 1)),
        built_(cache) {}

  const ConstantPages& kernel() const { return kernel_; }
  const ConstantPages& bias() const { return bias_; }
  Pointers pointers() const { return {kernel_.data(), bias_.data()}; }
  BuiltSubgraph& built() { return built_; }
  RecordingObserver& observer() { return built_.observer(); }

  void Describe(int number) {
    built_.provider().Describe(kernel_.data(), bias_.data(), DescriptionOf(number));
  }

  Status Build() {
    graph_.emplace(2);
    const uint32_t input = graph_->Input(0, weight_.input_dims);
    const uint32_t output = graph_->Output(1, weight_.output_dims);
    const uint32_t kernel = graph_->Constant(weight_.kernel_dims, kernel_.data());
    const uint32_t bias = graph_->Constant({weight_.bias_size}, bias_.data());
    weight_.define(*graph_, input, kernel, bias, output);
    return built_.Build(*graph_);
  }

  Status DescribeAndBuild(int number) {
    Describe(number);
    return Build();
  }

  std::vector<float> Run() {
    return built_.Run(weight_.input_dims, Input(), Count(weight_.output_dims));
  }

  // Reads the constants.
  std::vector<float> Expected() const {
    return weight_.expected(Input().data(), kernel_.floats(), bias_.floats());
  }

  void MakeConstantsUnreadable() const {
    kernel_.MakeUnreadable();
    bias_.MakeUnreadable();
  }

 private:
  std::vector<float> Input() const { return Floats(Count(weight_.input_dims), 99); }

  const OneWeight& weight_;
  const ConstantPages kernel_;
  const ConstantPages bias_;
  BuiltSubgraph built_;
  std::optional<TestGraph> graph_;
};

// What holds for every kind of operator.

class XnnProviderOperatorTest : public testing::TestWithParam<const OneWeight*> {
 protected:
  const OneWeight& weight() const { return *GetParam(); }

  const std::shared_ptr<WeightCache> cache_ = WeightCache::Create();
};

TEST_P(XnnProviderOperatorTest, TheFirstBuildPacksAndComputes) {
  Program program(weight(), cache_);
  ASSERT_TRUE(IsOk(program.DescribeAndBuild(1)));
  ExpectClose(program.Run(), program.Expected());
  const WeightCacheStats stats = cache_->Stats();
  EXPECT_EQ(stats.entries, 1u);
  EXPECT_EQ(stats.private_bytes, 0u);
  EXPECT_GT(stats.bytes, 0u);
  EXPECT_EQ(stats.packed_bytes, stats.bytes);
  EXPECT_EQ(stats.misses.total(), weight().looks_up_first ? 1u : 0u);
}

TEST_P(XnnProviderOperatorTest, ASecondProgramIsServedTheSameBytes) {
  Program first(weight(), cache_);
  Program second(weight(), cache_);
  ASSERT_TRUE(IsOk(first.DescribeAndBuild(1)));
  const WeightCacheStats before = cache_->Stats();
  ASSERT_TRUE(IsOk(second.DescribeAndBuild(1)));
  EXPECT_EQ(second.built().Packed(0), first.built().Packed(0));
  EXPECT_EQ(second.Run(), first.Run());
  const WeightCacheStats stats = cache_->Stats();
  EXPECT_EQ(stats.entries, 1u);
  EXPECT_EQ(stats.bytes, before.bytes);
  EXPECT_EQ(stats.packed_bytes, before.packed_bytes);
  EXPECT_EQ(stats.heap_bytes, before.heap_bytes);
  EXPECT_EQ(stats.hits, weight().looks_up_first ? 1u : 0u);
  EXPECT_EQ(stats.pins, 2u);
}

// The packed bytes themselves, and not just their address: packed twice in two caches.
TEST_P(XnnProviderOperatorTest, EqualWeightsArePackedToEqualBytes) {
  const auto other_cache = WeightCache::Create();
  Program first(weight(), cache_);
  Program second(weight(), other_cache);
  ASSERT_TRUE(IsOk(first.DescribeAndBuild(1)));
  ASSERT_TRUE(IsOk(second.DescribeAndBuild(1)));
  const size_t size = cache_->Stats().bytes;
  ASSERT_EQ(other_cache->Stats().bytes, size);
  EXPECT_EQ(memcmp(first.built().Packed(0), second.built().Packed(0), size), 0);
}

TEST_P(XnnProviderOperatorTest, WeightsDescribedAsDifferentAreKeptApart) {
  Program first(weight(), cache_, /*seed=*/1);
  Program second(weight(), cache_, /*seed=*/5);
  ASSERT_TRUE(IsOk(first.DescribeAndBuild(1)));
  ASSERT_TRUE(IsOk(second.DescribeAndBuild(2)));
  EXPECT_EQ(cache_->Stats().entries, 2u);
  ExpectClose(first.Run(), first.Expected());
  ExpectClose(second.Run(), second.Expected());
}

TEST_P(XnnProviderOperatorTest, ThePackedWeightOutlivesTheProgramThatPackedIt) {
  Program second(weight(), cache_);
  std::vector<float> output;
  {
    Program first(weight(), cache_);
    ASSERT_TRUE(IsOk(first.DescribeAndBuild(1)));
    ASSERT_TRUE(IsOk(second.DescribeAndBuild(1)));
    output = first.Run();
  }
  EXPECT_EQ(second.Run(), output);
  EXPECT_EQ(cache_->Stats().pins, 1u);
}

TEST_P(XnnProviderOperatorTest, TheLastProgramLeavesNothing) {
  {
    Program first(weight(), cache_);
    Program second(weight(), cache_);
    ASSERT_TRUE(IsOk(first.DescribeAndBuild(1)));
    ASSERT_TRUE(IsOk(second.DescribeAndBuild(1)));
  }
  ExpectEmpty(*cache_);
}

TEST_P(XnnProviderOperatorTest, PointersThatMeanNothingArePackedPrivately) {
  Program first(weight(), cache_);
  Program second(weight(), cache_);
  ASSERT_TRUE(IsOk(first.Build()));
  ASSERT_TRUE(IsOk(second.Build()));
  const WeightCacheStats stats = cache_->Stats();
  EXPECT_EQ(stats.entries, 0u);
  EXPECT_EQ(stats.private_bytes, stats.bytes);
  EXPECT_EQ(stats.pins, 2u);
  EXPECT_NE(first.built().Packed(0), second.built().Packed(0));
  ExpectClose(first.Run(), first.Expected());
}

TEST_P(XnnProviderOperatorTest, PointersThatMeanTwoThingsArePackedPrivately) {
  Program program(weight(), cache_);
  program.Describe(1);
  ASSERT_TRUE(IsOk(program.DescribeAndBuild(2)));
  EXPECT_EQ(cache_->Stats().entries, 0u);
  EXPECT_GT(cache_->Stats().private_bytes, 0u);
  ExpectClose(program.Run(), program.Expected());
}

TEST_P(XnnProviderOperatorTest, PointersThatAreDescribedTwiceTheSameMeanOneThing) {
  Program program(weight(), cache_);
  program.Describe(1);
  ASSERT_TRUE(IsOk(program.DescribeAndBuild(1)));
  EXPECT_EQ(cache_->Stats().entries, 1u);
  EXPECT_EQ(cache_->Stats().private_bytes, 0u);
}

TEST_P(XnnProviderOperatorTest, ForgottenDescriptionsMeanNothing) {
  Program program(weight(), cache_);
  program.Describe(1);
  program.built().provider().ClearDescriptions();
  ASSERT_TRUE(IsOk(program.Build()));
  EXPECT_EQ(cache_->Stats().entries, 0u);
}

TEST_P(XnnProviderOperatorTest, RunningTakesNoLockOfTheCache) {
  Program program(weight(), cache_);
  ASSERT_TRUE(IsOk(program.DescribeAndBuild(1)));
  const uint64_t before = cache_->Stats().lock_count;
  for (int i = 0; i < 3; ++i) program.Run();
  EXPECT_EQ(cache_->Stats().lock_count, before + 1);  // that of Stats itself
}

TEST_P(XnnProviderOperatorTest, BuildingAgainFindsWhatIsPinnedWithoutTheCache) {
  Program program(weight(), cache_);
  ASSERT_TRUE(IsOk(program.DescribeAndBuild(1)));
  const std::vector<float> output = program.Run();
  const WeightCacheStats before = cache_->Stats();
  ASSERT_TRUE(IsOk(program.Build()));
  const WeightCacheStats after = cache_->Stats();
  EXPECT_EQ(after.lock_count, before.lock_count + 1);  // that of Stats itself
  EXPECT_EQ(after.packed_bytes, before.packed_bytes);
  EXPECT_EQ(after.bytes, before.bytes);
  EXPECT_EQ(after.heap_bytes, before.heap_bytes);
  EXPECT_EQ(program.Run(), output);
}

TEST_P(XnnProviderOperatorTest, WhatIsPinnedIsFoundByNumberWithoutPointers) {
  Program program(weight(), cache_);
  ASSERT_TRUE(IsOk(program.DescribeAndBuild(1)));
  const std::vector<float> output = program.Run();
  XnnProvider& provider = program.built().provider();
  const std::vector<WeightTable::Entry> entries = program.built().table().entries();
  ASSERT_FALSE(entries.empty());
  provider.ForgetPointers();
  EXPECT_TRUE(provider.IsPinned(entries[0]));
  EXPECT_FALSE(provider.IsPinned({entries[0].weight, entries[0].seed + 1}));
  EXPECT_FALSE(provider.IsPinned({entries[0].weight + 1, entries[0].seed}));
  EXPECT_TRUE(provider.Connect(program.built().table()));
  EXPECT_EQ(program.Run(), output);
}

TEST_P(XnnProviderOperatorTest, BuildingAgainReplacesPrivateWeights) {
  Program program(weight(), cache_);
  ASSERT_TRUE(IsOk(program.Build()));
  const size_t bytes = cache_->Stats().bytes;
  ASSERT_TRUE(IsOk(program.Build()));
  EXPECT_EQ(cache_->Stats().bytes, bytes);
  EXPECT_EQ(cache_->Stats().pins, 1u);
  ExpectClose(program.Run(), program.Expected());
}

TEST_P(XnnProviderOperatorTest, TheObserverHearsOfPackingOnlyWhenALookUpMissed) {
  Program first(weight(), cache_);
  Program second(weight(), cache_);
  ASSERT_TRUE(IsOk(first.DescribeAndBuild(1)));
  ASSERT_TRUE(IsOk(second.DescribeAndBuild(1)));
  EXPECT_EQ(first.observer().packed.size(), weight().looks_up_first ? 1u : 0u);
  for (const Pointers& packed : first.observer().packed) EXPECT_EQ(packed, first.pointers());
  EXPECT_TRUE(second.observer().packed.empty());
  EXPECT_EQ(first.observer().served, std::vector<Pointers>{first.pointers()});
  EXPECT_EQ(second.observer().served, std::vector<Pointers>{second.pointers()});
}

TEST_P(XnnProviderOperatorTest, AnErrorAfterServingEndsTheBuildAndLeavesNothing) {
  {
    Program program(weight(), cache_);
    program.observer().fails_after_serving = StatusCode::kCancelled;
    EXPECT_TRUE(IsError(program.DescribeAndBuild(1), StatusCode::kCancelled));
  }
  ExpectEmpty(*cache_);
}

TEST_P(XnnProviderOperatorTest, ABuildAfterAFailedOneSucceeds) {
  Program program(weight(), cache_);
  program.observer().fails_after_serving = StatusCode::kIoError;
  EXPECT_TRUE(IsError(program.DescribeAndBuild(1), StatusCode::kIoError));
  program.observer().fails_after_serving = StatusCode::kOk;
  ASSERT_TRUE(IsOk(program.Build()));
  ExpectClose(program.Run(), program.Expected());
  EXPECT_EQ(cache_->Stats().entries, 1u);
}

TEST_P(XnnProviderOperatorTest, ThreadsThatBuildTheSameWeightShareOne) {
  constexpr int kThreads = 8;
  std::vector<std::unique_ptr<Program>> programs;
  for (int i = 0; i < kThreads; ++i)
    programs.push_back(std::make_unique<Program>(weight(), cache_));
  Barrier start(kThreads);
  RunInThreads(kThreads, [&](int thread) {
    start.Wait();
    EXPECT_TRUE(IsOk(programs[static_cast<size_t>(thread)]->DescribeAndBuild(1)));
  });
  const WeightCacheStats stats = cache_->Stats();
  EXPECT_EQ(stats.entries, 1u);
  EXPECT_EQ(stats.packed_bytes, stats.bytes);
  const std::vector<float> expected = programs[0]->Expected();
  for (const auto& program : programs) ExpectClose(program->Run(), expected);
  programs.clear();
  ExpectEmpty(*cache_);
}

std::string NameOf(const testing::TestParamInfo<const OneWeight*>& info) {
  return info.param->name;
}

INSTANTIATE_TEST_SUITE_P(All, XnnProviderOperatorTest,
                         testing::Values(&kFullyConnected, &kPointwiseConvolution, &kConvolution,
                                         &kDepthwiseConvolution),
                         NameOf);

// What holds for operators that look up before they pack.

class XnnProviderLookUpTest : public XnnProviderOperatorTest {};

TEST_P(XnnProviderLookUpTest, AHitReadsNoRawWeight) {
  Program first(weight(), cache_);
  Program second(weight(), cache_);
  second.MakeConstantsUnreadable();
  ASSERT_TRUE(IsOk(first.DescribeAndBuild(1)));
  ASSERT_TRUE(IsOk(second.DescribeAndBuild(1)));
  EXPECT_EQ(second.Run(), first.Run());
}

TEST_P(XnnProviderLookUpTest, ABuildAgainReadsNoRawWeight) {
  Program program(weight(), cache_);
  ASSERT_TRUE(IsOk(program.DescribeAndBuild(1)));
  const std::vector<float> output = program.Run();
  program.MakeConstantsUnreadable();
  ASSERT_TRUE(IsOk(program.Build()));
  EXPECT_EQ(program.Run(), output);
}

TEST_P(XnnProviderLookUpTest, AnErrorBeforePackingEndsTheBuildAndLeavesNothing) {
  Program program(weight(), cache_);
  program.observer().fails_before_packing = StatusCode::kIoError;
  program.MakeConstantsUnreadable();
  EXPECT_TRUE(IsError(program.DescribeAndBuild(1), StatusCode::kIoError, {"the observer says so"}));
  EXPECT_NE(program.built().create_status(), xnn_status_success);
  EXPECT_FALSE(program.built().has_runtime());
  EXPECT_TRUE(program.observer().served.empty());
  ExpectEmpty(*cache_);
}

TEST_P(XnnProviderLookUpTest, AProgramThatFailsToPackLeavesTheKeyToOneThatWaits) {
  Program first(weight(), cache_);
  Program second(weight(), cache_);
  std::thread other;
  first.observer().on_packing = [&] {
    other = std::thread([&] { EXPECT_TRUE(IsOk(second.DescribeAndBuild(1))); });
    WaitUntil([&] { return cache_->Stats().waits == 1; });
  };
  first.observer().fails_before_packing = StatusCode::kIoError;
  EXPECT_TRUE(IsError(first.DescribeAndBuild(1), StatusCode::kIoError));
  other.join();
  ExpectClose(second.Run(), second.Expected());
  EXPECT_EQ(cache_->Stats().entries, 1u);
  EXPECT_EQ(cache_->Stats().pins, 1u);
}

INSTANTIATE_TEST_SUITE_P(All, XnnProviderLookUpTest,
                         testing::Values(&kFullyConnected, &kPointwiseConvolution, &kConvolution),
                         NameOf);

// Graphs of two fully connected layers.

class XnnProviderGraphTest : public testing::Test {
 protected:
  // Input 0 through a layer to output 1, and through another to output 2, which is clamped.
  struct Layer {
    const ConstantPages* kernel;
    const ConstantPages* bias;
  };

  static constexpr float kMax = 0.5f;

  static Status BuildTwoLayers(BuiltSubgraph& built, const Layer& first, const Layer& second) {
    TestGraph graph(3);
    const uint32_t input = graph.Input(0, {kBatch, kInputs});
    const float limits[] = {1e30f, kMax};
    const Layer* layers[] = {&first, &second};
    for (uint32_t i = 0; i < 2; ++i) {
      const uint32_t output = graph.Output(i + 1, {kBatch, kOutputs});
      const uint32_t kernel = graph.Constant({kOutputs, kInputs}, layers[i]->kernel->data());
      const uint32_t bias = layers[i]->bias == nullptr
                                ? XNN_INVALID_VALUE_ID
                                : graph.Constant({kOutputs}, layers[i]->bias->data());
      graph.FullyConnected(input, kernel, bias, output, limits[i]);
    }
    return built.Build(graph);
  }

  static std::vector<std::vector<float>> RunTwoLayers(BuiltSubgraph& built) {
    std::vector<std::vector<float>> outputs(2, std::vector<float>(kBatch * kOutputs));
    built.Run({kBatch, kInputs}, Input(), &outputs);
    return outputs;
  }

  static std::vector<float> Input() { return Floats(kBatch * kInputs, 99); }

  static std::vector<float> Expected(const Layer& layer, float max = 1e30f) {
    std::vector<float> output =
        ExpectedDense(Input().data(), layer.kernel->floats(),
                      layer.bias == nullptr ? nullptr : layer.bias->floats(), kBatch);
    for (float& number : output) number = std::min(number, max);
    return output;
  }

  static void Describe(BuiltSubgraph& built, const Layer& layer, int number) {
    built.provider().Describe(layer.kernel->data(),
                              layer.bias == nullptr ? nullptr : layer.bias->data(),
                              DescriptionOf(number));
  }

  const std::shared_ptr<WeightCache> cache_ = WeightCache::Create();
  const ConstantPages kernel_ = ConstantPages::OfFloats(kOutputs * kInputs, 1);
  const ConstantPages other_kernel_ = ConstantPages::OfFloats(kOutputs * kInputs, 2);
  const ConstantPages bias_ = ConstantPages::OfFloats(kOutputs, 3);
  BuiltSubgraph built_{cache_};
};

TEST_F(XnnProviderGraphTest, OneKernelOfTwoConsumersIsPackedPrivatelyAndCorrectly) {
  const Layer layer = {&kernel_, &bias_};
  Describe(built_, layer, 1);
  Describe(built_, layer, 2);
  ASSERT_TRUE(IsOk(BuildTwoLayers(built_, layer, layer)));
  const WeightCacheStats stats = cache_->Stats();
  EXPECT_EQ(stats.entries, 0u);
  EXPECT_EQ(stats.private_bytes, stats.bytes);
  EXPECT_EQ(stats.pins, 2u);
  const auto outputs = RunTwoLayers(built_);
  ExpectClose(outputs[0], Expected(layer));
  ExpectClose(outputs[1], Expected(layer, kMax));
}

TEST_F(XnnProviderGraphTest, OneKernelWithTwoBiasesIsTwoWeights) {
  const ConstantPages other_bias = ConstantPages::OfFloats(kOutputs, 4);
  const Layer layer = {&kernel_, &bias_};
  const Layer other = {&kernel_, &other_bias};
  Describe(built_, layer, 1);
  Describe(built_, other, 2);
  ASSERT_TRUE(IsOk(BuildTwoLayers(built_, layer, other)));
  EXPECT_EQ(cache_->Stats().entries, 2u);
  EXPECT_EQ(cache_->Stats().private_bytes, 0u);
  const auto outputs = RunTwoLayers(built_);
  ExpectClose(outputs[0], Expected(layer));
  ExpectClose(outputs[1], Expected(other, kMax));
}

// A key without a bias may mean either: it is packed privately.
TEST_F(XnnProviderGraphTest, OneKernelWithABiasAndWithoutIsToldApart) {
  const Layer with = {&kernel_, &bias_};
  const Layer without = {&kernel_, nullptr};
  Describe(built_, with, 1);
  Describe(built_, without, 2);
  ASSERT_TRUE(IsOk(BuildTwoLayers(built_, with, without)));
  EXPECT_EQ(cache_->Stats().entries, 1u);
  EXPECT_GT(cache_->Stats().private_bytes, 0u);
  const auto outputs = RunTwoLayers(built_);
  ExpectClose(outputs[0], Expected(with));
  ExpectClose(outputs[1], Expected(without, kMax));
}

// XNNPACK creates the operator of this node without a cache, and packs into memory of its own.
TEST_F(XnnProviderGraphTest, TheNodeForDepthwiseConvolutionsPassesTheProviderBy) {
  const ConstantPages kernel = ConstantPages::OfFloats(kKernel * kKernel * kChannels, 1);
  built_.provider().Describe(kernel.data(), nullptr, DescriptionOf(1));
  TestGraph graph(2);
  const uint32_t input = graph.Input(0, {1, kSide, kSide, kChannels});
  const uint32_t output = graph.Output(1, {1, kShrunk, kShrunk, kChannels});
  graph.DepthwiseConvolution(kKernel, kChannels, input,
                             graph.Constant({1, kKernel, kKernel, kChannels}, kernel.data()),
                             XNN_INVALID_VALUE_ID, output);
  ASSERT_TRUE(IsOk(built_.Build(graph)));
  EXPECT_TRUE(built_.has_runtime());
  EXPECT_TRUE(built_.observer().served.empty());
  ExpectEmpty(*cache_);
}

TEST_F(XnnProviderGraphTest, OneWeightThatTwoNodesUseAlikeIsPackedOnce) {
  const Layer layer = {&kernel_, &bias_};
  Describe(built_, layer, 1);
  ASSERT_TRUE(IsOk(BuildTwoLayers(built_, layer, layer)));
  const WeightCacheStats stats = cache_->Stats();
  EXPECT_EQ(stats.entries, 1u);
  EXPECT_EQ(stats.packed_bytes, stats.bytes);
  EXPECT_EQ(stats.pins, 1u);
  EXPECT_EQ(built_.Packed(0), built_.Packed(1));
  EXPECT_EQ(built_.observer().packed.size(), 1u);
  EXPECT_EQ(built_.observer().served.size(), 2u);
}

TEST_F(XnnProviderGraphTest, WhatNobodyAskedForIsNotFoundByNumber) {
  const Layer unused = {&other_kernel_, &bias_};
  const Layer layer = {&kernel_, &bias_};
  Describe(built_, unused, 1);
  Describe(built_, layer, 2);
  Describe(built_, unused, 3);
  ASSERT_TRUE(IsOk(BuildTwoLayers(built_, layer, layer)));
  const uint32_t seed = built_.table().entries()[0].seed;
  built_.provider().ForgetPointers();
  EXPECT_FALSE(built_.provider().IsPinned({0, seed}));
  EXPECT_TRUE(built_.provider().IsPinned({1, seed}));
  EXPECT_FALSE(built_.provider().IsPinned({2, seed}));
}

TEST_F(XnnProviderGraphTest, PointersThatWereForgottenArePackedPrivatelyNextTime) {
  const Layer layer = {&kernel_, &bias_};
  Describe(built_, layer, 1);
  ASSERT_TRUE(IsOk(BuildTwoLayers(built_, layer, layer)));
  const auto outputs = RunTwoLayers(built_);
  built_.provider().ForgetPointers();
  ASSERT_TRUE(IsOk(BuildTwoLayers(built_, layer, layer)));
  EXPECT_EQ(cache_->Stats().entries, 1u);
  EXPECT_GT(cache_->Stats().private_bytes, 0u);
  EXPECT_EQ(RunTwoLayers(built_), outputs);
}

TEST_F(XnnProviderGraphTest, NumbersAreThoseOfTheLastDescriptions) {
  const Layer layer = {&kernel_, &bias_};
  const Layer other = {&other_kernel_, &bias_};
  Describe(built_, layer, 1);
  ASSERT_TRUE(IsOk(BuildTwoLayers(built_, layer, layer)));
  built_.provider().ForgetPointers();
  Describe(built_, other, 2);
  ASSERT_TRUE(IsOk(BuildTwoLayers(built_, other, other)));
  const auto outputs = RunTwoLayers(built_);
  built_.provider().ForgetPointers();
  ASSERT_TRUE(built_.provider().Connect(built_.table()));
  EXPECT_EQ(RunTwoLayers(built_), outputs);
}

TEST_F(XnnProviderGraphTest, EqualWeightsAtTwoAddressesArePackedOnce) {
  const ConstantPages copy = ConstantPages::OfFloats(kOutputs * kInputs, 1);
  const Layer layer = {&kernel_, &bias_};
  const Layer again = {&copy, &bias_};
  Describe(built_, layer, 1);
  Describe(built_, again, 1);
  copy.MakeUnreadable();
  ASSERT_TRUE(IsOk(BuildTwoLayers(built_, layer, again)));
  EXPECT_EQ(cache_->Stats().entries, 1u);
  EXPECT_EQ(built_.Packed(0), built_.Packed(1));
}

TEST_F(XnnProviderGraphTest, TheObserverHearsOfPackingExactlyForWhatIsMissing) {
  const Layer known = {&kernel_, &bias_};
  const Layer missing = {&other_kernel_, &bias_};
  BuiltSubgraph earlier(cache_);
  Describe(earlier, known, 1);
  ASSERT_TRUE(IsOk(BuildTwoLayers(earlier, known, known)));
  Describe(built_, known, 1);
  Describe(built_, missing, 2);
  ASSERT_TRUE(IsOk(BuildTwoLayers(built_, known, missing)));
  const Pointers known_pointers = {kernel_.data(), bias_.data()};
  const Pointers missing_pointers = {other_kernel_.data(), bias_.data()};
  EXPECT_EQ(built_.observer().packed, std::vector<Pointers>{missing_pointers});
  EXPECT_EQ(built_.observer().served, (std::vector<Pointers>{known_pointers, missing_pointers}));
}

TEST_F(XnnProviderGraphTest, TheReasonOfAMissIsPassedOn) {
  const Layer layer = {&kernel_, &bias_};
  WeightDescription description = DescriptionOf(1);
  description.has_namesake = true;
  built_.provider().Describe(layer.kernel->data(), layer.bias->data(), std::move(description));
  ASSERT_TRUE(IsOk(BuildTwoLayers(built_, layer, layer)));
  EXPECT_EQ(cache_->Stats().misses.other_content, 1u);
}

TEST_F(XnnProviderGraphTest, ContentsLiveAsLongAsTheEntry) {
  const Layer layer = {&kernel_, &bias_};
  std::weak_ptr<Content> content;
  {
    BuiltSubgraph first(cache_);
    WeightDescription description = DescriptionOf(1);
    description.contents.push_back(std::make_shared<Content>());
    content = description.contents[0];
    first.provider().Describe(layer.kernel->data(), layer.bias->data(), std::move(description));
    ASSERT_TRUE(IsOk(BuildTwoLayers(first, layer, layer)));
    Describe(built_, layer, 1);
    ASSERT_TRUE(IsOk(BuildTwoLayers(built_, layer, layer)));
  }
  EXPECT_FALSE(content.expired());
}

// Kernels that would take 256 TB packed. XNNPACK asks for the memory before it reads one.
TEST_F(XnnProviderGraphTest, WithoutMemoryTheBuildFailsAndLeavesNothing) {
  constexpr size_t kHuge = size_t{1} << 23;
  built_.provider().Describe(kernel_.data(), nullptr, DescriptionOf(1));
  TestGraph graph(2);
  const uint32_t input = graph.Input(0, {1, kHuge});
  const uint32_t output = graph.Output(1, {1, kHuge});
  const uint32_t kernel = graph.Constant({kHuge, kHuge}, kernel_.data());
  graph.FullyConnected(input, kernel, XNN_INVALID_VALUE_ID, output);
  EXPECT_TRUE(IsError(built_.Build(graph), StatusCode::kResourceExhausted, {"no memory"}));
  EXPECT_EQ(built_.create_status(), xnn_status_out_of_memory);
  EXPECT_FALSE(built_.has_runtime());
  ExpectEmpty(*cache_);
}

TEST_F(XnnProviderGraphTest, AFailureGivesBackWhatWasPackedBeforeItAndDisturbsNobody) {
  const Layer known = {&kernel_, &bias_};
  Describe(built_, known, 1);
  ASSERT_TRUE(IsOk(BuildTwoLayers(built_, known, known)));
  const WeightCacheStats before = cache_->Stats();
  {
    const Layer first = {&other_kernel_, &bias_};
    const Layer second = {&other_kernel_, nullptr};
    BuiltSubgraph failing(cache_);
    Describe(failing, first, 2);
    Describe(failing, second, 3);
    failing.observer().packings_that_succeed = 1;
    failing.observer().fails_before_packing = StatusCode::kIoError;
    EXPECT_TRUE(IsError(BuildTwoLayers(failing, first, second), StatusCode::kIoError));
    EXPECT_FALSE(failing.has_runtime());
    EXPECT_EQ(failing.observer().served.size(), 1u);
  }
  const WeightCacheStats after = cache_->Stats();
  EXPECT_EQ(after.entries, before.entries);
  EXPECT_EQ(after.bytes, before.bytes);
  EXPECT_EQ(after.pins, before.pins);
  EXPECT_EQ(after.heap_bytes, before.heap_bytes);
  ExpectClose(RunTwoLayers(built_)[0], Expected(known));
}

// Quantized weights under a dynamically quantized input.

class XnnProviderQuantizedTest : public testing::Test {
 protected:
  using Scales = std::vector<float>;

  // The input through the kernel, once with each bias (null for none), to output 1 and so on.
  Status Build(BuiltSubgraph& built, const Scales& scales,
               const std::vector<const ConstantPages*>& biases) {
    TestGraph graph(static_cast<uint32_t>(biases.size()) + 1);
    const uint32_t input = graph.Input(0, {kBatch, kInputs});
    const uint32_t quantized = graph.Quantized(input, {kBatch, kInputs});
    const uint32_t kernel =
        graph.ChannelwiseConstant({kOutputs, kInputs}, kernel_.data(), scales.data());
    uint32_t external_id = 0;
    for (const ConstantPages* bias : biases) {
      const uint32_t bias_id =
          bias == nullptr ? XNN_INVALID_VALUE_ID : graph.Constant({kOutputs}, bias->data());
      const uint32_t output = graph.Output(++external_id, {kBatch, kOutputs});
      graph.FullyConnected(quantized, kernel, bias_id, output);
    }
    return built.Build(graph);
  }

  Status DescribeAndBuild(BuiltSubgraph& built, const Scales& scales, int number) {
    built.provider().Describe(kernel_.data(), bias_.data(), DescriptionOf(number));
    return Build(built, scales, {&bias_});
  }

  // The input is quantized at run time, to 8 bits: a coarse comparison.
  void ExpectOutputs(BuiltSubgraph& built, const Scales& scales,
                     const std::vector<const ConstantPages*>& biases) {
    const std::vector<float> input = Floats(kBatch * kInputs, 99);
    std::vector<float> real;
    for (size_t i = 0; i < kOutputs * kInputs; ++i) {
      real.push_back(static_cast<float>(kernel_.int8s()[i]) * scales[i / kInputs]);
    }
    std::vector<std::vector<float>> outputs(biases.size(), std::vector<float>(kBatch * kOutputs));
    built.Run({kBatch, kInputs}, input, &outputs);
    for (size_t i = 0; i < biases.size(); ++i) {
      const float* bias = biases[i] == nullptr ? nullptr : biases[i]->floats();
      const std::vector<float> expected = ExpectedDense(input.data(), real.data(), bias, kBatch);
      for (size_t j = 0; j < expected.size(); ++j) {
        EXPECT_NEAR(outputs[i][j], expected[j], 0.1f) << "output " << i << ", number " << j;
      }
    }
  }

  const std::shared_ptr<WeightCache> cache_ = WeightCache::Create();
  const ConstantPages kernel_ = ConstantPages::OfInt8(kOutputs * kInputs, 1);
  const ConstantPages bias_ = ConstantPages::OfFloats(kOutputs, 2);
  const ConstantPages other_bias_ = ConstantPages::OfFloats(kOutputs, 3);
  const Scales scales_ = Scales(kOutputs, 0.01f);
  const Scales other_scales_ = Scales(kOutputs, 0.003f);
  BuiltSubgraph first_{cache_};
  BuiltSubgraph second_{cache_};
};

// XNNPACK's own key is the same for both: the same pointers, the same sizes.
TEST_F(XnnProviderQuantizedTest, WeightsWithOtherScalesGetEntriesOfTheirOwn) {
  ASSERT_TRUE(IsOk(DescribeAndBuild(first_, scales_, 1)));
  ASSERT_TRUE(IsOk(DescribeAndBuild(second_, other_scales_, 2)));
  EXPECT_EQ(cache_->Stats().entries, 2u);
  EXPECT_EQ(cache_->Stats().private_bytes, 0u);
  ExpectOutputs(first_, scales_, {&bias_});
  ExpectOutputs(second_, other_scales_, {&bias_});
}

// XNNPACK's own key does not have the bias.
TEST_F(XnnProviderQuantizedTest, WeightsWithOtherBiasesGetEntriesOfTheirOwn) {
  ASSERT_TRUE(IsOk(DescribeAndBuild(first_, scales_, 1)));
  second_.provider().Describe(kernel_.data(), other_bias_.data(), DescriptionOf(2));
  ASSERT_TRUE(IsOk(Build(second_, scales_, {&other_bias_})));
  EXPECT_EQ(cache_->Stats().entries, 2u);
  EXPECT_EQ(cache_->Stats().private_bytes, 0u);
  ExpectOutputs(first_, scales_, {&bias_});
  ExpectOutputs(second_, scales_, {&other_bias_});
}

TEST_F(XnnProviderQuantizedTest, EqualWeightsShareOneAndASecondProgramReadsNothing) {
  ASSERT_TRUE(IsOk(DescribeAndBuild(first_, scales_, 1)));
  kernel_.MakeUnreadable();
  bias_.MakeUnreadable();
  ASSERT_TRUE(IsOk(DescribeAndBuild(second_, scales_, 1)));
  EXPECT_EQ(cache_->Stats().entries, 1u);
  EXPECT_EQ(first_.Packed(0), second_.Packed(0));
}

// XNNPACK reads the bias, though it does not name it: it must be there.
TEST_F(XnnProviderQuantizedTest, TheObserverHearsOfTheBiasToo) {
  ASSERT_TRUE(IsOk(DescribeAndBuild(first_, scales_, 1)));
  ASSERT_TRUE(IsOk(DescribeAndBuild(second_, scales_, 1)));
  const std::vector<Pointers> both = {{kernel_.data(), bias_.data()}};
  EXPECT_EQ(first_.observer().packed, both);
  EXPECT_EQ(first_.observer().served, both);
  EXPECT_TRUE(second_.observer().packed.empty());
  EXPECT_EQ(second_.observer().served, both);
}

TEST_F(XnnProviderQuantizedTest, OneKernelWithSeveralBiasesIsPackedPrivatelyAndCorrectly) {
  const std::vector<const ConstantPages*> biases = {&bias_, nullptr, &other_bias_};
  first_.provider().Describe(kernel_.data(), bias_.data(), DescriptionOf(1));
  first_.provider().Describe(kernel_.data(), nullptr, DescriptionOf(2));
  first_.provider().Describe(kernel_.data(), other_bias_.data(), DescriptionOf(3));
  ASSERT_TRUE(IsOk(Build(first_, scales_, biases)));
  EXPECT_EQ(cache_->Stats().entries, 0u);
  EXPECT_EQ(cache_->Stats().pins, 3u);
  ExpectOutputs(first_, scales_, biases);
  // Whichever of them XNNPACK reads, it was asked for; and each once, not at every look-up.
  std::vector<Pointers> expected;
  for (const void* bias : {static_cast<const void*>(nullptr), bias_.data(), other_bias_.data()}) {
    expected.emplace_back(kernel_.data(), bias);
  }
  std::vector<Pointers> packed = first_.observer().packed;
  std::sort(expected.begin(), expected.end());
  std::sort(packed.begin(), packed.end());
  EXPECT_EQ(packed, expected);
}

// The interface itself, called as XNNPACK calls it and as it should not.

class XnnProviderInterfaceTest : public testing::Test {
 protected:
  size_t LookUp(int kernel) {
    const auto key = KeyFor(kernel);
    return handle()->look_up(handle()->context, &key);
  }
  void* Reserve(size_t size) { return handle()->reserve_space(handle()->context, size); }
  size_t Insert(int kernel, void* packed, size_t size = kSmall) {
    const auto key = KeyFor(kernel);
    return handle()->look_up_or_insert(handle()->context, &key, packed, size);
  }

  void DescribeKernels() {
    for (int i = 0; i < 4; ++i) provider_.Describe(&kernels_[i], nullptr, DescriptionOf(i));
  }

  xnn_weights_cache_t handle() { return table_.handle(); }
  xnn_weights_cache_look_up_key KeyFor(int kernel) const {
    return {/*seed=*/7, &kernels_[kernel], nullptr};
  }

  const std::shared_ptr<WeightCache> cache_ = WeightCache::Create();
  const char kernels_[4] = {};
  RecordingObserver observer_;
  XnnProvider provider_{cache_};
  WeightTable table_;
};

TEST_F(XnnProviderInterfaceTest, ItIsAlwaysFinalizedAndNeverDeletedByXnnpack) {
  EXPECT_TRUE(handle()->is_finalized(handle()->context));
  EXPECT_NE(handle()->delete_cache(handle()->context), xnn_status_success);
}

TEST_F(XnnProviderInterfaceTest, OutsideABuildNothingIsFoundAndNothingIsReserved) {
  DescribeKernels();
  EXPECT_EQ(LookUp(0), SIZE_MAX);
  EXPECT_EQ(Reserve(kSmall), nullptr);
  EXPECT_NE(Insert(0, nullptr), SIZE_MAX);
  ExpectEmpty(*cache_);
}

TEST_F(XnnProviderInterfaceTest, InsertingNothingThatWasNeverFoundIsAnError) {
  DescribeKernels();
  provider_.BeginBuild(&observer_, table_);
  EXPECT_NE(Insert(0, nullptr), SIZE_MAX);
  EXPECT_TRUE(IsError(provider_.EndBuild(), StatusCode::kInternal));
}

TEST_F(XnnProviderInterfaceTest, InsertingWhatWasNeverReservedIsAnError) {
  DescribeKernels();
  provider_.BeginBuild(&observer_, table_);
  uint8_t foreign[kSmall] = {};
  EXPECT_NE(Insert(0, foreign), SIZE_MAX);
  EXPECT_TRUE(IsError(provider_.EndBuild(), StatusCode::kInternal));
  ExpectEmpty(*cache_);
}

TEST_F(XnnProviderInterfaceTest, AfterAFailureNothingIsReserved) {
  DescribeKernels();
  provider_.BeginBuild(&observer_, table_);
  EXPECT_EQ(Reserve(SIZE_MAX / 2), nullptr);
  EXPECT_EQ(Reserve(kSmall), nullptr);
  EXPECT_TRUE(IsError(provider_.EndBuild(), StatusCode::kResourceExhausted));
}

TEST_F(XnnProviderInterfaceTest, TheFirstFailureCounts) {
  DescribeKernels();
  provider_.BeginBuild(&observer_, table_);
  observer_.fails_before_packing = StatusCode::kCancelled;
  EXPECT_EQ(LookUp(0), SIZE_MAX);
  EXPECT_EQ(Reserve(SIZE_MAX / 2), nullptr);
  Insert(1, nullptr);
  EXPECT_TRUE(IsError(provider_.EndBuild(), StatusCode::kCancelled));
}

TEST_F(XnnProviderInterfaceTest, AClaimThatIsNeverInsertedEndsWithTheBuild) {
  DescribeKernels();
  provider_.BeginBuild(&observer_, table_);
  EXPECT_EQ(LookUp(0), SIZE_MAX);
  EXPECT_TRUE(IsOk(provider_.EndBuild()));
  PackTransaction other(cache_);
  EXPECT_FALSE(other.LookUp({KeyOf(0).weight, LayoutFingerprint(), 7}));
  EXPECT_EQ(cache_->Stats().waits, 0u);
}

// Equal keys with packed bytes of two sizes: the description lacks something. Neither is served the
// other's.
TEST_F(XnnProviderInterfaceTest, AnotherSizeUnderTheSameKeyIsPackedPrivately) {
  DescribeKernels();
  provider_.BeginBuild(&observer_, table_);
  void* first = Reserve(256);
  ASSERT_NE(first, nullptr);
  memset(first, 1, 256);
  const size_t first_offset = Insert(0, first, 256);
  void* second = Reserve(512);
  ASSERT_NE(second, nullptr);
  memset(second, 2, 512);
  const size_t second_offset = Insert(0, second, 512);
  EXPECT_TRUE(IsOk(provider_.EndBuild()));
  const auto* packed =
      static_cast<const uint8_t*>(handle()->offset_to_addr(handle()->context, second_offset));
  EXPECT_TRUE(IsFilledWith({packed, 512}, 2));
  packed = static_cast<const uint8_t*>(handle()->offset_to_addr(handle()->context, first_offset));
  EXPECT_TRUE(IsFilledWith({packed, 256}, 1));
  EXPECT_EQ(cache_->Stats().private_bytes, 512u);
}

TEST_F(XnnProviderInterfaceTest, OffsetsStayValidWhileTheTableGrows) {
  provider_.BeginBuild(&observer_, table_);
  std::vector<std::pair<size_t, void*>> inserted;
  for (int i = 0; i < 1000; ++i) {
    void* space = Reserve(64);
    ASSERT_NE(space, nullptr);
    inserted.emplace_back(Insert(0, space, 64), space);
  }
  EXPECT_TRUE(IsOk(provider_.EndBuild()));
  for (const auto& [offset, space] : inserted) {
    EXPECT_EQ(handle()->offset_to_addr(handle()->context, offset), space);
  }
}

// The fingerprint of the code that packs.

TEST(LayoutFingerprintTest, IsTheSameForTheWholeProcess) {
  const Digest first = LayoutFingerprint();
  EXPECT_EQ(LayoutFingerprint(), first);
  EXPECT_NE(first, Digest());
}

}  // namespace
}  // namespace onepack
