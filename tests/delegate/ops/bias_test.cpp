// What a bias may look like: a run of one number for each channel, whatever dims of 1 stand before
// it.

#include <string>

#include "tests/delegate/ops/graph_test.h"
#include "weight_cache/packed_weight_cache.h"

namespace onepack {
namespace {

constexpr uint32_t kRows = 2;
constexpr uint32_t kInputs = 8;
constexpr uint32_t kOutputs = 3;
constexpr uint32_t kTransposed = 1;

using Dims = std::vector<uint32_t>;

uint32_t AddConstantOf(PayloadWriter& payload, XNNDatatype datatype, const Dims& dims,
                       const std::vector<uint8_t>& bytes) {
  PayloadTensor tensor;
  tensor.datatype = datatype;
  tensor.dims = dims;
  tensor.constant = payload.AddOwnConstant(bytes);
  return payload.AddTensor(tensor);
}

// The identity, three times three of it, so that a layer gives its first inputs back.
std::vector<float> FirstInputs() {
  std::vector<float> filter(kOutputs * kInputs);
  for (uint32_t i = 0; i < kOutputs; ++i) filter[i * kInputs + i] = 1;
  return filter;
}

std::vector<float> FirstInputsPlus(const std::vector<float>& x, const std::vector<float>& bias) {
  std::vector<float> y;
  for (uint32_t row = 0; row < kRows; ++row) {
    for (uint32_t i = 0; i < kOutputs; ++i) y.push_back(x[row * kInputs + i] + bias[i]);
  }
  return y;
}

Status LoadWithBias(const Dims& dims) {
  return LoadOne(
      {kRows, kInputs}, {kRows, kOutputs}, [&](PayloadWriter& payload, uint32_t in, uint32_t out) {
        const uint32_t w = payload.AddConstant({kOutputs, kInputs},
                                               payload.AddOwnConstant(AsBytes(FirstInputs())));
        const uint32_t bias =
            payload.AddConstant(dims, payload.AddOwnConstant(AsBytes(Mixed(CountOfDims(dims)))));
        payload.AddFullyConnected(in, w, out, bias);
      });
}

TEST(BiasTest, OfALinearLayerMayHaveDimsOf1BeforeItsChannels) {
  const std::vector<float> x = Mixed(kRows * kInputs, 1);
  const std::vector<float> bias = Mixed(kOutputs, 3);
  for (const Dims& dims : {Dims{kOutputs}, {1, kOutputs}, {1, 1, kOutputs}}) {
    for (const XNNDatatype border : {XNNDatatype::fp32, XNNDatatype::fp16, XNNDatatype::bf16}) {
      SCOPED_TRACE(std::string(EnumNameXNNDatatype(border)) + " of rank " +
                   std::to_string(dims.size()));
      const bool is_half = border == XNNDatatype::fp16, is_wide = border == XNNDatatype::fp32;
      const ScalarType type = is_half   ? ScalarType::kHalf
                              : is_wide ? ScalarType::kFloat
                                        : ScalarType::kBFloat16;
      const auto tensor_of = [&](const std::vector<float>& numbers) {
        const std::vector<int32_t> sizes = {static_cast<int32_t>(numbers.size())};
        if (is_half) return Halves(sizes, numbers);
        return is_wide ? Floats(sizes, numbers) : Bfloats(sizes, numbers);
      };
      PayloadWriter payload;
      const uint32_t in = AddBorderOf(payload, border, {kRows, kInputs}, false);
      const uint32_t out = AddBorderOf(payload, border, {kRows, kOutputs}, true);
      const uint32_t w =
          AddConstantOf(payload, border, {kOutputs, kInputs}, tensor_of(FirstInputs()).bytes);
      payload.AddFullyConnected(in, w, out,
                                AddConstantOf(payload, border, dims, tensor_of(bias).bytes));
      ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram program,
                                   GraphProgram::Load(payload, {Input({kRows, kInputs}, type),
                                                                Output({kRows, kOutputs}, type)}));
      GraphTensor input = tensor_of(x);
      input.sizes = {kRows, kInputs};
      ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, program.Run({input}));
      EXPECT_LT(LargestDifference(FloatsOf(found[0]), FirstInputsPlus(x, bias)),
                is_wide ? 1e-6f : 0.01f);
    }
  }
}

TEST(BiasTest, OfALayerOfTransposedWeightsMayHaveDimsOf1BeforeItsChannels) {
  const std::vector<float> x = Mixed(kRows * kInputs, 1);
  const std::vector<float> bias = Mixed(kOutputs, 3);
  std::vector<float> transposed(kInputs * kOutputs);
  for (uint32_t i = 0; i < kOutputs; ++i) transposed[i * kOutputs + i] = 1;
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const auto found,
      RunOne({kRows, kInputs}, {kRows, kOutputs}, x,
             [&](PayloadWriter& payload, uint32_t in, uint32_t out) {
               const uint32_t w = payload.AddConstant({kInputs, kOutputs},
                                                      payload.AddOwnConstant(AsBytes(transposed)));
               const uint32_t b =
                   payload.AddConstant({1, kOutputs}, payload.AddOwnConstant(AsBytes(bias)));
               payload.AddFullyConnected(in, w, out, b, kTransposed);
             }));
  EXPECT_LT(LargestDifference(FloatsOf(found[0]), FirstInputsPlus(x, bias)), 1e-6f);
}

TEST(BiasTest, ThatTheCallerGivesMayHaveDimsOf1BeforeItsChannels) {
  const std::vector<float> x = Mixed(kRows * kInputs, 1);
  const std::vector<float> bias = Mixed(kOutputs, 3);
  PayloadWriter payload;
  const uint32_t in = payload.AddInput({kRows, kInputs});
  const uint32_t b = payload.AddInput({1, kOutputs});
  const uint32_t w =
      payload.AddConstant({kOutputs, kInputs}, payload.AddOwnConstant(AsBytes(FirstInputs())));
  payload.AddFullyConnected(in, w, payload.AddOutput({kRows, kOutputs}), b);
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const GraphProgram program,
      GraphProgram::Load(
          payload, {Input({kRows, kInputs}), Input({1, kOutputs}), Output({kRows, kOutputs})}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const auto found, program.Run({Floats({kRows, kInputs}, x), Floats({1, kOutputs}, bias)}));
  EXPECT_LT(LargestDifference(FloatsOf(found[0]), FirstInputsPlus(x, bias)), 1e-6f);
}

TEST(BiasTest, OfConvolutionsMayHaveDimsOf1BeforeItsChannels) {
  const std::vector<float> x = {1, 2, 3, 4};
  const std::vector<float> bias = {10, 20};
  for (const XNodeUnion type :
       {XNodeUnion::XNNConv2d, XNodeUnion::XNNDepthwiseConv2d, XNodeUnion::XNNConvTranspose2d}) {
    const bool is_depthwise = type == XNodeUnion::XNNDepthwiseConv2d;
    ONEPACK_ASSERT_OK_AND_ASSIGN(
        const auto found,
        RunOne(
            {1, 2, 2, 1}, {1, 2, 2, 2}, x, [&](PayloadWriter& payload, uint32_t in, uint32_t out) {
              const std::vector<float> factors = {1, -1};
              const uint32_t w =
                  payload.AddConstant(is_depthwise ? Dims{1, 1, 1, 2} : Dims{2, 1, 1, 1},
                                      payload.AddOwnConstant(AsBytes(factors)));
              const uint32_t b = payload.AddConstant({1, 2}, payload.AddOwnConstant(AsBytes(bias)));
              const auto node = wire::xnnpack::CreateXNNNodeConv(
                  payload.builder(), 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 2, 1, 0, 0, in, w, b, out);
              payload.AddNode(type, node.Union());
            }));
    EXPECT_EQ(FloatsOf(found[0]), (std::vector<float>{11, 19, 12, 18, 13, 17, 14, 16}))
        << EnumNameXNodeUnion(type);
  }
}

// What is packed is the same, so it is found under the same key.
TEST(BiasTest, OfEqualNumbersMakesOneWeightWhateverItsRank) {
  const std::shared_ptr<PackedWeightCache> cache = PackedWeightCache::Create();
  GraphProgram::Options options;
  options.cache = cache;
  const std::vector<float> filter = FirstInputs();
  const std::vector<float> bias = Mixed(kOutputs, 3);
  options.data["w"] = {AsBytes(filter).begin(), AsBytes(filter).end()};
  options.data["b"] = {AsBytes(bias).begin(), AsBytes(bias).end()};
  std::vector<GraphProgram> programs;
  for (const Dims& dims : {Dims{kOutputs}, {1, kOutputs}, {1, 1, kOutputs}}) {
    PayloadWriter payload;
    const uint32_t in = payload.AddInput({kRows, kInputs});
    const uint32_t w = payload.AddConstant({kOutputs, kInputs},
                                           payload.AddNamedConstant("w", AsBytes(filter).size()));
    const uint32_t b =
        payload.AddConstant(dims, payload.AddNamedConstant("b", kOutputs * sizeof(float)));
    payload.AddFullyConnected(in, w, payload.AddOutput({kRows, kOutputs}), b);
    ONEPACK_ASSERT_OK_AND_ASSIGN(
        GraphProgram program,
        GraphProgram::Load(payload, {Input({kRows, kInputs}), Output({kRows, kOutputs})}, options));
    const std::vector<float> x = Mixed(kRows * kInputs, 1);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, program.Run({Floats({kRows, kInputs}, x)}));
    EXPECT_LT(LargestDifference(FloatsOf(found[0]), FirstInputsPlus(x, bias)), 1e-6f);
    programs.push_back(std::move(program));
  }
  EXPECT_EQ(cache->Stats().entries, 1u);
  EXPECT_EQ(cache->Stats().pins, 3u);
}

// Errors. XNNPACK would read past the end of some, and the first channels alone of others.

TEST(BiasErrorsTest, WithoutANumberForEachChannelItIsNamed) {
  EXPECT_TRUE(IsOk(LoadWithBias({1, kOutputs})));
  for (const Dims& dims : {Dims{},
                           {1},
                           {1, 1},
                           {kOutputs, 1},
                           {2, kOutputs},
                           {kRows, 1},
                           {kOutputs, kOutputs},
                           {kOutputs + 1}}) {
    EXPECT_TRUE(IsError(LoadWithBias(dims), StatusCode::kInvalidFile,
                        {"graph node 0 (XNNFullyConnected)", "bias", "[3] expected"}));
  }
}

// XNNPACK's convolutions take no other.
TEST(BiasErrorsTest, QuantizedPerChannelInMoreThanOneDimItIsRefusedByName) {
  PayloadWriter payload;
  const uint32_t in =
      AddQuantizedValue(payload, XNNDatatype::qint8, {1, 1, 1, 1}, 1, 0, Place::kInput);
  const uint32_t out =
      AddQuantizedValue(payload, XNNDatatype::qint8, {1, 1, 1, 2}, 1, 0, Place::kOutput);
  PayloadScales scales;
  scales.inline_scales = {0.5f, 0.25f};
  const uint32_t w = payload.AddPerChannelInt8(
      {2, 1, 1, 1}, payload.AddOwnConstant(std::vector<uint8_t>{1, 1}), scales);
  PayloadTensor tensor;
  tensor.datatype = XNNDatatype::qcint32;
  tensor.dims = {1, 2};
  tensor.constant = payload.AddOwnConstant(std::vector<uint8_t>(2 * sizeof(int32_t)));
  const uint32_t bias = payload.AddQuantized(
      tensor, wire::xnnpack::XNNQuantParams::PerChannelQuant,
      wire::xnnpack::CreatePerChannelQuantDirect(payload.builder(), &scales.inline_scales, 1)
          .Union());
  payload.AddNode(XNodeUnion::XNNConv2d,
                  wire::xnnpack::CreateXNNNodeConv(payload.builder(), 0, 0, 0, 0, 1, 1, 1, 1, 1, 1,
                                                   1, 2, 1, 0, 0, in, w, bias, out)
                      .Union());
  EXPECT_TRUE(IsError(GraphProgram::Load(payload, {Input({1, 1, 1, 1}, ScalarType::kChar),
                                                   Output({1, 1, 1, 2}, ScalarType::kChar)}),
                      StatusCode::kUnsupported, {"XNNConv2d", "bias of rank 2", "per channel"}));
}

}  // namespace
}  // namespace onepack
