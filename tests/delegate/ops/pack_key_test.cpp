// Which packed weights are one and which are not, for every operator that packs: as many entries in
// the cache as there are different packed bytes.

#include <string>

#include "delegate/xnn/quirks.h"
#include "tests/delegate/ops/graph_test.h"
#include "weight_cache/packed_weight_cache.h"

namespace onepack {
namespace {

// A graph of one node around the named constants "w" (and "w2", of other bytes) and "b".
struct Layer {
  XNodeUnion type = XNodeUnion::XNNConv2d;
  std::string key = "w";
  bool has_bias = true;
  uint32_t kernel = 2;
  uint32_t stride = 2;
  uint32_t padding = 0;
  uint32_t groups = 1;
  PayloadWriter::OutputRange range = {};
  // Quantized statically, with these parameters, or floats.
  bool is_quantized = false;
  int32_t input_zero = 1;
  float input_scale = 0.5f;
  int32_t output_zero = 2;
  float output_scale = 0.25f;
  float filter_scale = 0.125f;
};

constexpr uint32_t kChannels = 4;  // in and out
constexpr uint32_t kSize = 4;      // of the image

bool IsLinear(const Layer& layer) { return layer.type == XNodeUnion::XNNFullyConnected; }

std::vector<uint32_t> FilterDims(const Layer& layer) {
  if (IsLinear(layer)) return {kChannels, kChannels};
  if (layer.type == XNodeUnion::XNNDepthwiseConv2d)
    return {1, layer.kernel, layer.kernel, kChannels};
  return {kChannels, layer.kernel, layer.kernel, kChannels / layer.groups};
}

std::vector<uint32_t> OutputDims(const Layer& layer) {
  if (IsLinear(layer)) return {2, kChannels};
  const uint32_t out = layer.type == XNodeUnion::XNNConvTranspose2d
                           ? layer.stride * (kSize - 1) + layer.kernel - 2 * layer.padding
                           : (kSize + 2 * layer.padding - layer.kernel) / layer.stride + 1;
  return {1, out, out, kChannels};
}

std::vector<uint32_t> InputDims(const Layer& layer) {
  if (IsLinear(layer)) return {2, kChannels};
  return {1, kSize, kSize, kChannels};
}

uint32_t AddFilter(PayloadWriter& payload, const Layer& layer) {
  PayloadTensor tensor;
  tensor.dims = FilterDims(layer);
  const size_t count = CountOfDims(tensor.dims);
  tensor.constant = payload.AddNamedConstant(layer.key + std::to_string(count),
                                             layer.is_quantized ? count : count * sizeof(float));
  if (!layer.is_quantized) return payload.AddTensor(tensor);
  tensor.datatype = XNNDatatype::qint8;
  return payload.AddQuantized(
      tensor, wire::xnnpack::XNNQuantParams::PerTensorQuant,
      wire::xnnpack::CreatePerTensorQuant(payload.builder(), layer.filter_scale, 0).Union());
}

uint32_t AddBias(PayloadWriter& payload, const Layer& layer) {
  if (!layer.has_bias) return PayloadWriter::kNoValue;
  PayloadTensor tensor;
  tensor.dims = {kChannels};
  tensor.constant = payload.AddNamedConstant("b", kChannels * sizeof(float));
  if (!layer.is_quantized) return payload.AddTensor(tensor);
  tensor.datatype = XNNDatatype::qint32;
  const auto params = wire::xnnpack::CreatePerTensorQuant(
      payload.builder(), layer.filter_scale * layer.input_scale, 0);
  return payload.AddQuantized(tensor, wire::xnnpack::XNNQuantParams::PerTensorQuant,
                              params.Union());
}

void AddLayer(PayloadWriter& payload, const Layer& layer, uint32_t in, uint32_t out) {
  const uint32_t filter = AddFilter(payload, layer);
  const uint32_t bias = AddBias(payload, layer);
  if (IsLinear(layer)) {
    payload.AddFullyConnected(in, filter, out, bias, 0, layer.range);
    return;
  }
  const bool is_depthwise = layer.type == XNodeUnion::XNNDepthwiseConv2d;
  const uint32_t groups = is_depthwise ? kChannels : layer.groups;
  const auto node = wire::xnnpack::CreateXNNNodeConv(
      payload.builder(), layer.padding, layer.padding, layer.padding, layer.padding, layer.kernel,
      layer.kernel, layer.stride, layer.stride, 1, 1, kChannels / groups, kChannels / groups,
      groups, 0, 0, in, filter, bias, out);
  payload.AddNode(layer.type, node.Union(), layer.range);
}

// Numbers whose bytes are fit to be floats and integers.
NamedBytes Data() {
  NamedBytes data;
  for (const size_t count : {16u, 32u, 64u, 144u, 16u * 9, 4u * 4, 4u * 9}) {
    for (const char* key : {"w", "w2"}) {
      std::vector<uint8_t> bytes(count * sizeof(float));
      for (size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<uint8_t>(i % 4 == 3 ? 0x3e : i * 3 + (key[1] == '2' ? 1 : 0));
      }
      data[key + std::to_string(count)] = bytes;
    }
  }
  data["b"] = std::vector<uint8_t>(kChannels * sizeof(float));
  return data;
}

class PackedLayersTest : public testing::Test {
 protected:
  Result<std::vector<GraphTensor>> LoadAndRun(const Layer& layer) {
    PayloadWriter payload;
    const std::vector<uint32_t> in = InputDims(layer);
    const std::vector<uint32_t> out = OutputDims(layer);
    uint32_t x, y;
    if (layer.is_quantized) {
      x = AddQuantizedValue(payload, XNNDatatype::qint8, in, layer.input_scale, layer.input_zero,
                            Place::kInput);
      y = AddQuantizedValue(payload, XNNDatatype::qint8, out, layer.output_scale, layer.output_zero,
                            Place::kOutput);
    } else {
      x = payload.AddInput(in);
      y = payload.AddOutput(out);
    }
    AddLayer(payload, layer, x, y);
    const ScalarType type = layer.is_quantized ? ScalarType::kChar : ScalarType::kFloat;
    GraphProgram::Options options;
    options.cache = cache_;
    options.data = Data();
    if (layer.is_quantized) {
      // As many bytes as integers.
      for (auto& [key, bytes] : options.data) {
        if (key[0] == 'w') bytes.resize(bytes.size() / sizeof(float));
      }
    }
    ONEPACK_ASSIGN_OR_RETURN(
        GraphProgram program,
        GraphProgram::Load(payload, {Input(SizesOf(in), type), Output(SizesOf(out), type)},
                           options));
    GraphTensor input{type, SizesOf(in), {}, {}};
    input.bytes.resize(CountOfDims(in) * ElementSize(type), 1);
    auto found = program.Run({input});
    loaded_.push_back(std::move(program));
    return found;
  }

  // How many entries these layers make, each in a program of its own.
  size_t EntriesOf(const std::vector<Layer>& layers) {
    loaded_.clear();
    for (const Layer& layer : layers) EXPECT_TRUE(IsOk(LoadAndRun(layer)));
    return cache_->Stats().entries;
  }

  const std::shared_ptr<PackedWeightCache> cache_ = PackedWeightCache::Create();
  std::vector<GraphProgram> loaded_;
};

std::vector<Layer> PackingLayers() {
  std::vector<Layer> layers(6);
  layers[1].type = XNodeUnion::XNNConvTranspose2d;
  layers[2].type = XNodeUnion::XNNFullyConnected;
  layers[3].is_quantized = true;
  layers[4].type = XNodeUnion::XNNConvTranspose2d;
  layers[4].is_quantized = true;
  layers[5].type = XNodeUnion::XNNFullyConnected;
  layers[5].is_quantized = true;
  return layers;
}

// Looked up, or packed again and found to be there when it is offered.
TEST_F(PackedLayersTest, OfTwoProgramsThatAreTheSameAreOne) {
  for (const Layer& layer : PackingLayers()) {
    SCOPED_TRACE(EnumNameXNodeUnion(layer.type));
    EXPECT_EQ(EntriesOf({layer, layer, layer}), 1u);
    EXPECT_EQ(cache_->Stats().pins, 3u);
  }
}

TEST_F(PackedLayersTest, GiveTheSameResultsWhetherPackedOrFound) {
  for (const Layer& layer : PackingLayers()) {
    loaded_.clear();
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto packed, LoadAndRun(layer));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, LoadAndRun(layer));
    EXPECT_EQ(packed[0].bytes, found[0].bytes) << EnumNameXNodeUnion(layer.type);
  }
}

TEST_F(PackedLayersTest, OfOtherBytesOrNoBiasAreOthers) {
  for (const Layer& layer : PackingLayers()) {
    SCOPED_TRACE(EnumNameXNodeUnion(layer.type));
    Layer other_bytes = layer;
    other_bytes.key = "w2";
    Layer no_bias = layer;
    no_bias.has_bias = false;
    EXPECT_EQ(EntriesOf({layer, other_bytes, no_bias}), 3u);
  }
}

TEST_F(PackedLayersTest, OfAnotherGeometryAreOthers) {
  for (const XNodeUnion type : {XNodeUnion::XNNConv2d, XNodeUnion::XNNConvTranspose2d}) {
    for (const bool is_quantized : {false, true}) {
      Layer layer;
      layer.type = type;
      layer.is_quantized = is_quantized;
      Layer stride = layer;
      stride.stride = 1;
      Layer groups = layer;
      groups.groups = 2;
      EXPECT_EQ(EntriesOf({layer, stride, groups}), 3u) << EnumNameXNodeUnion(type);
    }
  }
}

// The same bytes, once as a convolution and once as a transposed one.
TEST_F(PackedLayersTest, OfOtherOperatorsAreOthers) {
  Layer plain;
  Layer transposed;
  transposed.type = XNodeUnion::XNNConvTranspose2d;
  EXPECT_EQ(EntriesOf({plain, transposed}), 2u);
}

// XNNPACK folds the input's zero point into the bias, and the scales of input, filter and output
// into numbers that it packs.
TEST_F(PackedLayersTest, OfOtherQuantizationOfInputOrOutputAreOthers) {
  for (const XNodeUnion type :
       {XNodeUnion::XNNConv2d, XNodeUnion::XNNConvTranspose2d, XNodeUnion::XNNFullyConnected}) {
    Layer layer;
    layer.type = type;
    layer.is_quantized = true;
    std::vector<Layer> layers(6, layer);
    layers[1].input_zero = -3;
    layers[2].input_scale = 0.75f;
    layers[3].output_zero = -3;
    layers[4].output_scale = 0.75f;
    layers[5].filter_scale = 0.25f;
    EXPECT_EQ(EntriesOf(layers), 6u) << EnumNameXNodeUnion(type);
  }
}

// One filter and bias, two consumers in one graph: with other zero points of their inputs.
TEST_F(PackedLayersTest, OfOneFilterForTwoInputsOfOneGraphGiveEachItsOwnResult) {
  for (const XNodeUnion type :
       {XNodeUnion::XNNConv2d, XNodeUnion::XNNConvTranspose2d, XNodeUnion::XNNFullyConnected}) {
    Layer layer;
    layer.type = type;
    layer.is_quantized = true;
    std::vector<std::vector<uint8_t>> alone;
    for (const int32_t zero : {1, -5}) {
      layer.input_zero = zero;
      ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, LoadAndRun(layer));
      alone.push_back(found[0].bytes);
    }
    ASSERT_NE(alone[0], alone[1]);
    PayloadWriter payload;
    const std::vector<uint32_t> in = InputDims(layer);
    const std::vector<uint32_t> out = OutputDims(layer);
    const uint32_t filter = AddFilter(payload, layer);
    const uint32_t bias = AddBias(payload, layer);
    std::vector<GraphBorder> borders;
    for (const int32_t zero : {1, -5}) {
      const uint32_t x = AddQuantizedValue(payload, XNNDatatype::qint8, in, layer.input_scale, zero,
                                           Place::kInput);
      const uint32_t y = AddQuantizedValue(payload, XNNDatatype::qint8, out, layer.output_scale,
                                           layer.output_zero, Place::kOutput);
      borders.push_back(Input(SizesOf(in), ScalarType::kChar));
      borders.push_back(Output(SizesOf(out), ScalarType::kChar));
      if (IsLinear(layer)) {
        payload.AddFullyConnected(x, filter, y, bias);
      } else {
        const auto node = wire::xnnpack::CreateXNNNodeConv(
            payload.builder(), 0, 0, 0, 0, layer.kernel, layer.kernel, layer.stride, layer.stride,
            1, 1, kChannels, kChannels, 1, 0, 0, x, filter, bias, y);
        payload.AddNode(layer.type, node.Union());
      }
    }
    GraphProgram::Options options;
    options.cache = cache_;
    options.data = Data();
    for (auto& [key, bytes] : options.data) {
      if (key[0] == 'w') bytes.resize(bytes.size() / sizeof(float));
    }
    ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram program,
                                 GraphProgram::Load(payload, borders, options));
    GraphTensor input{ScalarType::kChar, SizesOf(in), {}, {}};
    input.bytes.resize(CountOfDims(in), 1);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, program.Run({input, input}));
    EXPECT_EQ(found[0].bytes, alone[0]) << EnumNameXNodeUnion(type);
    EXPECT_EQ(found[1].bytes, alone[1]) << EnumNameXNodeUnion(type);
  }
}

TEST_F(PackedLayersTest, OfDepthwiseConvolutionsAreInTheCacheUnlessXnnpackKeepsThem) {
  Layer layer;
  layer.type = XNodeUnion::XNNDepthwiseConv2d;
  EXPECT_EQ(EntriesOf({layer, layer}), kDepthwiseKeepsItsFilter ? 0u : 1u);
}

// One constant, found packed for the first node; for the second as well, or packed again without a
// question.
TEST_F(PackedLayersTest, OfAConstantThatANodeFindsAndAnotherMayAlwaysPackAreFoundAndPacked) {
  std::vector<std::vector<float>> results;
  for (const bool is_warm : {false, true}) {
    SCOPED_TRACE(is_warm ? "warm" : "cold");
    PayloadWriter payload;
    const uint32_t constant = payload.AddNamedConstant("w144", 144 * sizeof(float));
    const uint32_t row = payload.AddInput({1, 9});
    const uint32_t image = payload.AddInput({1, 3, 3, 16});
    const uint32_t sums = payload.AddOutput({1, 16});
    const uint32_t pixel = payload.AddOutput({1, 1, 1, 16});
    payload.AddFullyConnected(row, payload.AddConstant({16, 9}, constant), sums);
    const uint32_t filter = payload.AddConstant({1, 3, 3, 16}, constant);
    const auto node =
        wire::xnnpack::CreateXNNNodeConv(payload.builder(), 0, 0, 0, 0, 3, 3, 1, 1, 1, 1, 1, 1, 16,
                                         0, 0, image, filter, PayloadWriter::kNoValue, pixel);
    payload.AddNode(XNodeUnion::XNNDepthwiseConv2d, node.Union());
    GraphProgram::Options options;
    options.cache = cache_;
    options.data = Data();
    LoadProgress progress{};
    options.on_progress = [&](const LoadProgress& now) {
      progress = now;
      return true;
    };
    ONEPACK_ASSERT_OK_AND_ASSIGN(
        GraphProgram program,
        GraphProgram::Load(
            payload, {Input({1, 9}), Input({1, 3, 3, 16}), Output({1, 16}), Output({1, 1, 1, 16})},
            options));
    ONEPACK_ASSERT_OK_AND_ASSIGN(
        const auto found,
        program.Run({Floats({1, 9}, Mixed(9)), Floats({1, 3, 3, 16}, Mixed(144, 2))}));
    EXPECT_EQ(progress.served_bytes, 2 * 144 * sizeof(float));
    EXPECT_EQ(progress.expected_bytes, progress.served_bytes);
    for (const GraphTensor& tensor : found) results.push_back(FloatsOf(tensor));
    loaded_.push_back(std::move(program));
  }
  EXPECT_EQ(results[0], results[2]);
  EXPECT_EQ(results[1], results[3]);
  EXPECT_EQ(cache_->Stats().entries, kDepthwiseKeepsItsFilter ? 1u : 2u);
}

}  // namespace
}  // namespace onepack
