// Convolutions against plain loops: plain, grouped, depthwise, transposed; floats, halves,
// quantized numbers.

#include <optional>
#include <string>

#include "tests/delegate/ops/graph_test.h"
#include "tests/support/threads.h"

namespace onepack {
namespace {

using wire::xnnpack::CreateXNNNodeConv;

struct Convolution {
  XNodeUnion type = XNodeUnion::XNNConv2d;
  uint32_t groups = 1;
  uint32_t group_inputs = 3;
  uint32_t group_outputs = 4;
  uint32_t kernel = 3;
  uint32_t stride = 1;
  uint32_t dilation = 1;
  uint32_t padding = 0;
  uint32_t adjustment = 0;
  PayloadWriter::OutputRange range = {};

  bool is_depthwise() const { return type == XNodeUnion::XNNDepthwiseConv2d; }
  bool is_transposed() const { return type == XNodeUnion::XNNConvTranspose2d; }
  uint32_t inputs() const { return groups * group_inputs; }
  uint32_t outputs() const { return groups * group_outputs; }
  uint32_t extent() const { return (kernel - 1) * dilation + 1; }
  uint32_t OutputSize(uint32_t input) const {
    if (is_transposed()) return stride * (input - 1) + adjustment + extent() - 2 * padding;
    return (input + 2 * padding - extent()) / stride + 1;
  }
  std::vector<uint32_t> FilterDims() const {
    if (is_depthwise()) return {1, kernel, kernel, outputs()};
    return {outputs(), kernel, kernel, group_inputs};
  }
  size_t FilterIndex(uint32_t output, uint32_t k, uint32_t input) const {
    if (is_depthwise()) return size_t{k} * outputs() + output;
    return (size_t{output} * kernel * kernel + k) * group_inputs + input;
  }
};

void AddConvolution(PayloadWriter& payload, const Convolution& c, uint32_t input, uint32_t filter,
                    uint32_t bias, uint32_t output) {
  const auto node = CreateXNNNodeConv(payload.builder(), c.padding, c.padding, c.padding, c.padding,
                                      c.kernel, c.kernel, c.stride, c.stride, c.dilation,
                                      c.dilation, c.group_inputs, c.group_outputs, c.groups,
                                      c.adjustment, c.adjustment, input, filter, bias, output);
  payload.AddNode(c.type, node.Union(), c.range);
}

// One image of `size` by `size`.
std::vector<float> Expected(const Convolution& c, uint32_t size, const std::vector<float>& x,
                            const std::vector<float>& filter, const std::vector<float>& bias) {
  const uint32_t out = c.OutputSize(size);
  std::vector<float> y(size_t{out} * out * c.outputs());
  for (size_t i = 0; i < y.size(); ++i) {
    const auto channel = static_cast<uint32_t>(i % c.outputs());
    const auto column = static_cast<int>(i / c.outputs() % out);
    const auto row = static_cast<int>(i / c.outputs() / out);
    float sum = bias[channel];
    for (uint32_t k = 0; k < c.kernel * c.kernel; ++k) {
      const auto reach = [&](int position, uint32_t step) {
        const auto at = static_cast<int>(step * c.dilation);
        const auto padding = static_cast<int>(c.padding);
        const auto stride = static_cast<int>(c.stride);
        if (!c.is_transposed()) return position * stride + at - padding;
        const int times_stride = position + padding - at;
        return times_stride % stride == 0 ? times_stride / stride : -1;
      };
      const int from_row = reach(row, k / c.kernel);
      const int from_column = reach(column, k % c.kernel);
      const auto end = static_cast<int>(size);
      if (from_row < 0 || from_column < 0 || from_row >= end || from_column >= end) continue;
      for (uint32_t j = 0; j < c.group_inputs; ++j) {
        const uint32_t input = channel / c.group_outputs * c.group_inputs + j;
        const auto pixel = static_cast<size_t>(from_row * end + from_column);
        sum += x[pixel * c.inputs() + input] * filter[c.FilterIndex(channel, k, j)];
      }
    }
    y[i] = sum;
  }
  return y;
}

struct FloatWeights {
  std::vector<float> filter;
  std::vector<float> bias;
};

FloatWeights WeightsOf(const Convolution& c) {
  return {Mixed(CountOfDims(c.FilterDims()), 7), Mixed(c.outputs(), 8)};
}

// With weights that the payload carries.
AddNode WithFloats(const Convolution& c, const FloatWeights& weights) {
  return [=](PayloadWriter& payload, uint32_t in, uint32_t out) {
    const uint32_t filter =
        payload.AddConstant(c.FilterDims(), payload.AddOwnConstant(AsBytes(weights.filter)));
    const uint32_t bias =
        payload.AddConstant({c.outputs()}, payload.AddOwnConstant(AsBytes(weights.bias)));
    AddConvolution(payload, c, in, filter, bias, out);
  };
}

std::vector<uint32_t> ImageDims(uint32_t size, uint32_t channels) {
  return {1, size, size, channels};
}

// Every path that XNNPACK may take: by matrices, with and without indirection; depthwise, small and
// large; one multiplication for each channel; transposed, with and without strides.
std::vector<Convolution> AllKinds() {
  std::vector<Convolution> kinds(14);
  kinds[1].kernel = 1;
  kinds[2].stride = 2;
  kinds[2].padding = 1;
  kinds[3].dilation = 2;
  kinds[4].groups = 2;
  kinds[5] = {XNodeUnion::XNNDepthwiseConv2d, 6, 1, 1, 3, 1, 1, 1};
  kinds[6] = {XNodeUnion::XNNDepthwiseConv2d, 6, 1, 2, 3, 2, 1, 1};
  kinds[7] = {XNodeUnion::XNNDepthwiseConv2d, 5, 1, 1, 1};
  kinds[8] = {XNodeUnion::XNNDepthwiseConv2d, 3, 1, 1, 6, 1, 1, 3};
  kinds[9] = {XNodeUnion::XNNConvTranspose2d, 1, 3, 4, 3, 1, 1, 1};
  kinds[10] = {XNodeUnion::XNNConvTranspose2d, 1, 3, 4, 3, 2, 1, 1, 1};
  kinds[11] = {XNodeUnion::XNNConvTranspose2d, 2, 3, 4, 2, 2};
  kinds[12] = {XNodeUnion::XNNConvTranspose2d, 1, 2, 2, 3, 2, 2};
  kinds[13].padding = 9;
  return kinds;
}

TEST(ConvolutionTest, OfFloatsIsTheSumOfProducts) {
  for (const Convolution& c : AllKinds()) {
    SCOPED_TRACE(std::string(EnumNameXNodeUnion(c.type)) + " of " + std::to_string(c.kernel) +
                 ", stride " + std::to_string(c.stride) + ", groups " + std::to_string(c.groups));
    const FloatWeights weights = WeightsOf(c);
    const uint32_t out = c.OutputSize(7);
    const std::vector<float> x = Mixed(size_t{49} * c.inputs());
    ONEPACK_ASSERT_OK_AND_ASSIGN(
        const auto found,
        RunOne(ImageDims(7, c.inputs()), ImageDims(out, c.outputs()), x, WithFloats(c, weights)));
    EXPECT_LT(
        LargestDifference(FloatsOf(found[0]), Expected(c, 7, x, weights.filter, weights.bias)),
        2e-5f);
  }
}

TEST(ConvolutionTest, ProgramsOfOneStructureTakeTurnsWithTheirOwnWeights) {
  XnnpackBackendOptions options;
  const std::shared_ptr<PackedWeightCache> cache = PackedWeightCache::Create();
  options.weight_cache = cache;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Backend> backend, CreateXnnpackBackend(options));
  for (const Convolution& c : AllKinds()) {
    SCOPED_TRACE(std::string(EnumNameXNodeUnion(c.type)) + " of " + std::to_string(c.kernel) +
                 ", stride " + std::to_string(c.stride) + ", groups " + std::to_string(c.groups));
    std::vector<FloatWeights> weights(3, WeightsOf(c));
    for (float& number : weights[1].filter) number = -number;
    for (float& number : weights[2].bias) number += 1;
    const std::vector<uint32_t> in = ImageDims(7, c.inputs());
    const std::vector<uint32_t> out = ImageDims(c.OutputSize(7), c.outputs());
    GraphProgram::Options shared;
    shared.cache = cache;
    shared.backend = backend;
    std::vector<GraphProgram> programs;
    for (const FloatWeights& own : weights) {
      PayloadWriter payload;
      const uint32_t x = payload.AddInput(in);
      WithFloats(c, own)(payload, x, payload.AddOutput(out));
      ONEPACK_ASSERT_OK_AND_ASSIGN(
          GraphProgram program,
          GraphProgram::Load(payload, {Input(SizesOf(in)), Output(SizesOf(out))}, shared));
      programs.push_back(std::move(program));
    }
    const std::vector<float> x = Mixed(size_t{49} * c.inputs());
    for (const size_t i : {0, 1, 2, 1, 0, 0, 2}) {
      ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, programs[i].Run({Floats(SizesOf(in), x)}));
      EXPECT_LT(LargestDifference(FloatsOf(found[0]),
                                  Expected(c, 7, x, weights[i].filter, weights[i].bias)),
                2e-5f)
          << "program " << i;
    }
  }
}

// XNNPACK has kernels for fp16 with weights of fp32 only: others are widened.
TEST(ConvolutionTest, OfHalvesTakesWeightsOfHalvesAndOfFloats) {
  for (const Convolution& c : AllKinds()) {
    for (const XNNDatatype datatype : {XNNDatatype::fp16, XNNDatatype::fp32, XNNDatatype::bf16}) {
      SCOPED_TRACE(std::string(EnumNameXNodeUnion(c.type)) + " with " +
                   EnumNameXNNDatatype(datatype));
      const FloatWeights weights = WeightsOf(c);
      const auto constant = [&](PayloadWriter& payload, const std::vector<float>& numbers) {
        if (datatype == XNNDatatype::fp32) return payload.AddOwnConstant(AsBytes(numbers));
        return payload.AddOwnConstant(
            AsBytes(datatype == XNNDatatype::fp16 ? HalfBits(numbers) : BfloatBits(numbers)));
      };
      PayloadWriter payload;
      const uint32_t out = c.OutputSize(7);
      const uint32_t x = AddBorderOf(payload, XNNDatatype::fp16, ImageDims(7, c.inputs()), false);
      const uint32_t y = AddBorderOf(payload, XNNDatatype::fp16, ImageDims(out, c.outputs()), true);
      PayloadTensor filter;
      filter.datatype = datatype;
      filter.dims = c.FilterDims();
      filter.constant = constant(payload, weights.filter);
      PayloadTensor bias;
      bias.datatype = datatype;
      bias.dims = {c.outputs()};
      bias.constant = constant(payload, weights.bias);
      const uint32_t filter_id = payload.AddTensor(filter);
      AddConvolution(payload, c, x, filter_id, payload.AddTensor(bias), y);
      const std::vector<int32_t> in_sizes = SizesOf(ImageDims(7, c.inputs()));
      ONEPACK_ASSERT_OK_AND_ASSIGN(
          const GraphProgram program,
          GraphProgram::Load(payload,
                             {Input(in_sizes, ScalarType::kHalf),
                              Output(SizesOf(ImageDims(out, c.outputs())), ScalarType::kHalf)}));
      const std::vector<float> numbers = Mixed(size_t{49} * c.inputs());
      ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, program.Run({Halves(in_sizes, numbers)}));
      EXPECT_LT(LargestDifference(FloatsOf(found[0]),
                                  Expected(c, 7, numbers, weights.filter, weights.bias)),
                0.03f);
    }
  }
}

// Quantized statically: filters per tensor and per channel.
TEST(ConvolutionTest, OfQuantizedNumbersIsWithinAStepOfTheSum) {
  constexpr float kInScale = 0.03125f, kFilterScale = 0.0625f, kOutScale = 0.25f;
  constexpr int32_t kInZero = 3, kOutZero = -20;
  for (const Convolution& c : AllKinds()) {
    for (const bool per_channel : {false, true}) {
      SCOPED_TRACE(std::string(EnumNameXNodeUnion(c.type)) + " of " + std::to_string(c.kernel) +
                   (per_channel ? " per channel" : " per tensor"));
      std::vector<int8_t> filter(CountOfDims(c.FilterDims()));
      std::vector<float> wide(filter.size());
      for (size_t i = 0; i < filter.size(); ++i) {
        filter[i] = static_cast<int8_t>(static_cast<int>(i * 37 % 51) - 25);
        wide[i] = static_cast<float>(filter[i]) * kFilterScale;
      }
      std::vector<int32_t> bias(c.outputs());
      std::vector<float> wide_bias(c.outputs());
      for (size_t i = 0; i < bias.size(); ++i) {
        bias[i] = static_cast<int32_t>(i) * 100 - 150;
        wide_bias[i] = static_cast<float>(bias[i]) * kInScale * kFilterScale;
      }
      PayloadWriter payload;
      const uint32_t out = c.OutputSize(7);
      const std::vector<uint32_t> in_dims = ImageDims(7, c.inputs());
      const std::vector<uint32_t> out_dims = ImageDims(out, c.outputs());
      const uint32_t x =
          AddQuantizedValue(payload, XNNDatatype::qint8, in_dims, kInScale, kInZero, Place::kInput);
      const uint32_t y = AddQuantizedValue(payload, XNNDatatype::qint8, out_dims, kOutScale,
                                           kOutZero, Place::kOutput);
      const uint32_t filter_bytes = payload.AddOwnConstant(AsBytes(filter));
      PayloadTensor bias_tensor;
      bias_tensor.dims = {c.outputs()};
      bias_tensor.constant = payload.AddOwnConstant(AsBytes(bias));
      uint32_t filter_id = 0;
      uint32_t bias_id = 0;
      if (per_channel) {
        PayloadScales scales;
        scales.inline_scales.assign(c.outputs(), kFilterScale);
        filter_id = payload.AddPerChannelInt8(c.FilterDims(), filter_bytes, scales,
                                              c.is_depthwise() ? 3 : 0);
        bias_tensor.datatype = XNNDatatype::qcint32;
        const std::vector<float> bias_scales(c.outputs(), kInScale * kFilterScale);
        const auto params =
            wire::xnnpack::CreatePerChannelQuantDirect(payload.builder(), &bias_scales, 0);
        bias_id = payload.AddQuantized(bias_tensor, wire::xnnpack::XNNQuantParams::PerChannelQuant,
                                       params.Union());
      } else {
        PayloadTensor filter_tensor;
        filter_tensor.datatype = XNNDatatype::qint8;
        filter_tensor.dims = c.FilterDims();
        filter_tensor.constant = filter_bytes;
        filter_id = payload.AddQuantized(
            filter_tensor, wire::xnnpack::XNNQuantParams::PerTensorQuant,
            wire::xnnpack::CreatePerTensorQuant(payload.builder(), kFilterScale, 0).Union());
        bias_tensor.datatype = XNNDatatype::qint32;
        bias_id = payload.AddQuantized(
            bias_tensor, wire::xnnpack::XNNQuantParams::PerTensorQuant,
            wire::xnnpack::CreatePerTensorQuant(payload.builder(), kInScale * kFilterScale, 0)
                .Union());
      }
      AddConvolution(payload, c, x, filter_id, bias_id, y);
      ONEPACK_ASSERT_OK_AND_ASSIGN(
          const GraphProgram program,
          GraphProgram::Load(payload, {Input(SizesOf(in_dims), ScalarType::kChar),
                                       Output(SizesOf(out_dims), ScalarType::kChar)}));
      std::vector<int8_t> stored(CountOfDims(in_dims));
      std::vector<float> numbers(stored.size());
      for (size_t i = 0; i < stored.size(); ++i) {
        stored[i] = static_cast<int8_t>(static_cast<int>(i * 29 % 101) - 50);
        numbers[i] = static_cast<float>(stored[i] - kInZero) * kInScale;
      }
      ONEPACK_ASSERT_OK_AND_ASSIGN(
          const auto found,
          program.Run({TensorOfNumbers(ScalarType::kChar, SizesOf(in_dims), stored)}));
      const std::vector<int8_t> results = NumbersOf<int8_t>(found[0]);
      const std::vector<float> expected = Expected(c, 7, numbers, wide, wide_bias);
      for (size_t i = 0; i < results.size(); ++i) {
        const float clamped = std::min(std::max(expected[i], (-128.0f - kOutZero) * kOutScale),
                                       (127.0f - kOutZero) * kOutScale);
        ASSERT_NEAR(static_cast<float>(results[i] - kOutZero) * kOutScale, clamped, kOutScale) << i;
      }
    }
  }
}

TEST(ConvolutionTest, ClampsToItsRange) {
  Convolution c;
  c.padding = 1;  // XNNPACK must not mistake one for the other
  c.range = {{0.5f, 1.5f}};
  const FloatWeights weights = WeightsOf(c);
  const std::vector<float> x = Mixed(size_t{49} * c.inputs());
  std::vector<float> expected = Expected(c, 7, x, weights.filter, weights.bias);
  for (float& number : expected) number = std::min(std::max(number, 0.5f), 1.5f);
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const auto found,
      RunOne(ImageDims(7, c.inputs()), ImageDims(7, c.outputs()), x, WithFloats(c, weights)));
  EXPECT_LT(LargestDifference(FloatsOf(found[0]), expected), 2e-5f);
}

// XNNPACK would fuse the two, and write the range over the paddings on the way.
TEST(ConvolutionTest, AClampNodeBehindItLeavesItsPaddingAlone) {
  Convolution c;
  c.padding = 1;
  const FloatWeights weights = WeightsOf(c);
  const std::vector<float> x = Mixed(size_t{49} * c.inputs());
  const std::pair<float, float> ranges[] = {{0.5f, 1.5f}, {-1.5f, -0.5f}, {-0.5f, 0.0f}};
  for (const auto& range : ranges) {
    std::vector<float> expected = Expected(c, 7, x, weights.filter, weights.bias);
    for (float& number : expected) number = std::min(std::max(number, range.first), range.second);
    ONEPACK_ASSERT_OK_AND_ASSIGN(
        const auto found, RunOne(ImageDims(7, c.inputs()), ImageDims(7, c.outputs()), x,
                                 [&](PayloadWriter& payload, uint32_t in, uint32_t out) {
                                   const uint32_t between =
                                       payload.AddInternal(ImageDims(7, c.outputs()));
                                   WithFloats(c, weights)(payload, in, between);
                                   payload.AddUnary(XNodeUnion::XNNClamp, between, out, range);
                                 }));
    EXPECT_LT(LargestDifference(FloatsOf(found[0]), expected), 2e-5f);
  }
}

TEST(ConvolutionTest, FollowsSizesThatGrowAndShrink) {
  for (const Convolution& c : AllKinds()) {
    SCOPED_TRACE(EnumNameXNodeUnion(c.type));
    const FloatWeights weights = WeightsOf(c);
    PayloadWriter payload;
    const uint32_t out = c.OutputSize(9);
    const uint32_t x = payload.AddInput({2, 9, 9, c.inputs()});
    WithFloats(c, weights)(payload, x, payload.AddOutput({2, out, out, c.outputs()}));
    ONEPACK_ASSERT_OK_AND_ASSIGN(
        const GraphProgram program,
        GraphProgram::Load(payload, {Input(SizesOf({2, 9, 9, c.inputs()})),
                                     Output(SizesOf({2, out, out, c.outputs()}))}));
    for (const uint32_t size : {8u, 9u, 7u}) {
      const std::vector<float> numbers = Mixed(size_t{size} * size * c.inputs(), size);
      ONEPACK_ASSERT_OK_AND_ASSIGN(
          const auto found, program.Run({Floats(SizesOf(ImageDims(size, c.inputs())), numbers)}));
      EXPECT_LT(LargestDifference(FloatsOf(found[0]),
                                  Expected(c, size, numbers, weights.filter, weights.bias)),
                2e-5f);
    }
  }
}

// Errors.

Status LoadConvolution(const Convolution& c, const std::vector<uint32_t>& filter_dims,
                       const std::vector<uint32_t>& bias_dims, const std::vector<uint32_t>& out) {
  return LoadOne(ImageDims(7, 3), out, [&](PayloadWriter& payload, uint32_t x, uint32_t y) {
    const auto constant = [&](const std::vector<uint32_t>& dims) {
      const std::vector<float> zeros(CountOfDims(dims));
      return payload.AddConstant(dims, payload.AddOwnConstant(AsBytes(zeros)));
    };
    const uint32_t filter = constant(filter_dims);
    AddConvolution(payload, c, x, filter, constant(bias_dims), y);
  });
}

TEST(ConvolutionErrorsTest, AFilterOrBiasOfOtherDimsIsNamedWithTheExpectedOnes) {
  const Convolution c;
  const std::vector<uint32_t> out = ImageDims(5, 4);
  EXPECT_TRUE(IsOk(LoadConvolution(c, {4, 3, 3, 3}, {4}, out)));
  for (const std::vector<uint32_t>& dims :
       {std::vector<uint32_t>{4, 3, 3, 2}, {4, 3, 2, 3}, {4, 27}, {3, 3, 3, 4}, {1, 3, 3, 3}}) {
    EXPECT_TRUE(IsError(LoadConvolution(c, dims, {4}, out), StatusCode::kInvalidFile,
                        {"graph node 0 (XNNConv2d)", "filter", "[4, 3, 3, 3]"}));
  }
  EXPECT_TRUE(IsError(LoadConvolution(c, {4, 3, 3, 3}, {3}, out), StatusCode::kInvalidFile,
                      {"graph node 0 (XNNConv2d)", "bias [3]", "[4]"}));
}

TEST(ConvolutionErrorsTest, NumbersThatMakeNoConvolutionAreNamed) {
  const auto refused = [](void (*change)(Convolution&), const char* what) {
    Convolution c;
    change(c);
    return IsError(LoadConvolution(c, {4, 3, 3, 3}, {4}, ImageDims(5, 4)), StatusCode::kInvalidFile,
                   {"graph node 0", what});
  };
  EXPECT_TRUE(refused([](Convolution& c) { c.stride = 0; }, "stride of 0"));
  EXPECT_TRUE(refused([](Convolution& c) { c.dilation = 0; }, "dilation of 0"));
  EXPECT_TRUE(refused([](Convolution& c) { c.kernel = 0; }, "window size of 0"));
  EXPECT_TRUE(refused([](Convolution& c) { c.kernel = 1u << 30; }, "window size"));
  EXPECT_TRUE(refused([](Convolution& c) { c.padding = 0xffffffff; }, "padding"));
  EXPECT_TRUE(refused([](Convolution& c) { c.dilation = 100; }, "window of 201"));
  EXPECT_TRUE(refused([](Convolution& c) { c.groups = 0; }, "groups of 0"));
  EXPECT_TRUE(refused([](Convolution& c) { c.groups = 2; }, "6 channels"));
  EXPECT_TRUE(refused([](Convolution& c) { c.group_inputs = 0; }, "group_input_channels of 0"));
  EXPECT_TRUE(refused([](Convolution& c) { c.group_outputs = 0; }, "group_output_channels of 0"));
  EXPECT_TRUE(
      refused([](Convolution& c) { c.type = XNodeUnion::XNNDepthwiseConv2d; }, "3 channels"));
}

TEST(ConvolutionErrorsTest, NumbersThatMakeNoTransposedOneAreNamed) {
  const auto refused = [](uint32_t adjustment, uint32_t padding, const char* what) {
    Convolution c = {XNodeUnion::XNNConvTranspose2d, 1, 3, 4, 3, 2};
    c.adjustment = adjustment;
    c.padding = padding;
    return IsError(LoadConvolution(c, {4, 3, 3, 3}, {4}, ImageDims(15, 4)),
                   StatusCode::kInvalidFile, {"graph node 0 (XNNConvTranspose2d)", what});
  };
  EXPECT_TRUE(refused(2, 0, "adjustment of 2"));
  EXPECT_TRUE(refused(0, 100, "padding of 200"));
}

// A window of 2^22 elements at 2^24 positions. The output takes 64 MB, which is no reason to refuse
// it.
TEST(WindowErrorsTest, ABufferThatXnnpackWouldNeedCountsAgainstTheLimitOfMemory) {
  PayloadWriter payload;
  const uint32_t x = payload.AddInput({1, 2048, 2048, 1});
  const uint32_t y = payload.AddOutput({1, 4095, 4095, 1});
  const auto node = wire::xnnpack::CreateXNNPooling2D(payload.builder(), 2047, 2047, 2047, 2047,
                                                      2048, 2048, 1, 1, 1, 1, x, y);
  payload.AddNode(XNodeUnion::XNNMaxPooling2d, node.Union());
  EXPECT_TRUE(
      IsError(GraphProgram::Load(payload, {Input({1, 2048, 2048, 1}), Output({1, 4095, 4095, 1})}),
              StatusCode::kResourceExhausted, {"graph node 0 (XNNMaxPooling2d)", "allowed"}));
}

TEST(ConvolutionErrorsTest, ScalesByAnotherDimThanTheOutputChannelsAreRefused) {
  const Status status =
      LoadOne(ImageDims(7, 3), ImageDims(5, 4), [](PayloadWriter& payload, uint32_t x, uint32_t y) {
        const uint32_t rounded = payload.AddDynamicInt8(ImageDims(7, 3), 3);
        const std::vector<int8_t> zeros(4 * 3 * 3 * 3);
        PayloadScales scales;
        scales.inline_scales.assign(3, 1.0f);
        const uint32_t filter = payload.AddPerChannelInt8(
            {4, 3, 3, 3}, payload.AddOwnConstant(AsBytes(zeros)), scales, 3);
        payload.AddConvert(x, rounded);
        AddConvolution(payload, {}, rounded, filter, PayloadWriter::kNoValue, y);
      });
  EXPECT_TRUE(
      IsError(status, StatusCode::kInvalidFile, {"graph node 1 (XNNConv2d)", "channel_dim 3"}));
}

TEST(ConvolutionErrorsTest, AnImageWithAScaleForEachRowIsRefused) {
  const Status status =
      LoadOne(ImageDims(7, 3), ImageDims(5, 4), [](PayloadWriter& payload, uint32_t x, uint32_t y) {
        const uint32_t rounded = payload.AddDynamicInt8(ImageDims(7, 3), 1);
        const std::vector<int8_t> zeros(4 * 3 * 3 * 3);
        PayloadScales scales;
        scales.inline_scales.assign(4, 1.0f);
        const uint32_t filter = payload.AddPerChannelInt8(
            {4, 3, 3, 3}, payload.AddOwnConstant(AsBytes(zeros)), scales, 0);
        payload.AddConvert(x, rounded);
        AddConvolution(payload, {}, rounded, filter, PayloadWriter::kNoValue, y);
      });
  EXPECT_TRUE(IsError(status, StatusCode::kInvalidFile,
                      {"graph node 1 (XNNConv2d)", "1 nonbatch dims, 3 expected"}));
}

TEST(ConvolutionErrorsTest, AFilterThatIsNoConstantIsRefused) {
  PayloadWriter payload;
  const uint32_t x = payload.AddInput(ImageDims(7, 3));
  const uint32_t filter = payload.AddInput({4, 3, 3, 3});
  const uint32_t y = payload.AddOutput(ImageDims(5, 4));
  AddConvolution(payload, {}, x, filter, PayloadWriter::kNoValue, y);
  EXPECT_TRUE(IsError(
      GraphProgram::Load(payload, {Input({1, 7, 7, 3}), Input({4, 3, 3, 3}), Output({1, 5, 5, 4})}),
      StatusCode::kUnsupported, {"graph node 0 (XNNConv2d)", "no constant"}));
}

TEST(ConvolutionErrorsTest, ABiasThatIsNoConstantIsRefused) {
  PayloadWriter payload;
  const uint32_t x = payload.AddInput(ImageDims(7, 3));
  const std::vector<float> zeros(4 * 3 * 3 * 3);
  const uint32_t filter = payload.AddConstant({4, 3, 3, 3}, payload.AddOwnConstant(AsBytes(zeros)));
  const uint32_t bias = payload.AddInput({4});
  const uint32_t y = payload.AddOutput(ImageDims(5, 4));
  AddConvolution(payload, {}, x, filter, bias, y);
  EXPECT_TRUE(
      IsError(GraphProgram::Load(payload, {Input({1, 7, 7, 3}), Input({4}), Output({1, 5, 5, 4})}),
              StatusCode::kUnsupported, {"graph node 0 (XNNConv2d)", "no constant"}));
}

// The bias is widened to a copy of its own, read once for the depthwise convolution, which XNNPACK
// packs without asking, and let go of when all others have it.
std::vector<float> RunWithSharedBias(size_t packing_threads) {
  const Convolution wide = {XNodeUnion::XNNConv2d, 1, 2, 4, 1};
  const Convolution depthwise = {XNodeUnion::XNNDepthwiseConv2d, 4, 1, 1, 3, 1, 1, 1};
  const Convolution last = {XNodeUnion::XNNConv2d, 1, 4, 3, 1};
  PayloadWriter payload;
  const auto add_filter = [&](const Convolution& c) {
    return payload.AddConstant(c.FilterDims(),
                               payload.AddOwnConstant(AsBytes(WeightsOf(c).filter)));
  };
  PayloadTensor bias;
  bias.datatype = XNNDatatype::fp16;
  bias.dims = {4};
  bias.constant = payload.AddOwnConstant(AsBytes(HalfBits({1, 2, 3, 4})));
  const uint32_t bias_id = payload.AddTensor(bias);
  const uint32_t x = payload.AddInput(ImageDims(5, 2));
  const uint32_t first = payload.AddInternal(ImageDims(5, 4));
  const uint32_t second = payload.AddInternal(ImageDims(5, 4));
  AddConvolution(payload, wide, x, add_filter(wide), bias_id, first);
  AddConvolution(payload, depthwise, first, add_filter(depthwise), bias_id, second);
  AddConvolution(payload, last, second, add_filter(last), PayloadWriter::kNoValue,
                 payload.AddOutput(ImageDims(5, 3)));
  GraphProgram::Options options;
  options.packing_threads = packing_threads;
  auto program = GraphProgram::Load(payload, {Input({1, 5, 5, 2}), Output({1, 5, 5, 3})}, options);
  EXPECT_TRUE(IsOk(program));
  if (!program.ok()) return {};
  auto found = program->Run({Floats({1, 5, 5, 2}, Mixed(50))});
  EXPECT_TRUE(IsOk(found));
  return found.ok() ? FloatsOf((*found)[0]) : std::vector<float>();
}

TEST(ConvolutionTest, ABiasSharedWithADepthwiseOneIsThereHoweverManyThreadsPack) {
  const std::vector<float> expected = RunWithSharedBias(1);
  ASSERT_EQ(expected.size(), 75u);
  EXPECT_EQ(RunWithSharedBias(3), expected);
}

// XNNPACK packs it without asking: it has runtimes of its own in each fork.
TEST(ConvolutionTest, ADepthwiseOneRunsInForksAtOneTime) {
  const Convolution depthwise = {XNodeUnion::XNNDepthwiseConv2d, 6, 1, 1, 3, 1, 1, 1};
  const FloatWeights weights = WeightsOf(depthwise);
  PayloadWriter payload;
  const uint32_t x = payload.AddInput(ImageDims(9, 6));
  WithFloats(depthwise, weights)(payload, x, payload.AddOutput(ImageDims(9, 6)));
  auto loaded = GraphProgram::Load(payload, {Input({1, 9, 9, 6}), Output({1, 9, 9, 6})});
  ASSERT_TRUE(IsOk(loaded));
  std::optional<GraphProgram> program(std::move(loaded).value());
  std::vector<GraphProgram> forks;
  for (int i = 0; i < 3; ++i) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(GraphProgram fork, program->Fork());
    forks.push_back(std::move(fork));
  }
  program.reset();
  RunInThreads(3, [&](int thread) {
    const auto number = static_cast<size_t>(thread);
    const std::vector<float> image = Mixed(size_t{9} * 9 * 6, static_cast<uint32_t>(number) + 1);
    const std::vector<float> expected = Expected(depthwise, 9, image, weights.filter, weights.bias);
    for (int run = 0; run < 5; ++run) {
      auto found = forks[number].Run({Floats({1, 9, 9, 6}, image)});
      ASSERT_TRUE(IsOk(found));
      EXPECT_LT(LargestDifference(FloatsOf((*found)[0]), expected), 2e-5f);
    }
  });
}

}  // namespace
}  // namespace onepack
