// Linear layers of every pair of datatypes, against plain loops.

#include <cmath>
#include <string>

#include "tests/delegate/ops/graph_test.h"

namespace onepack {
namespace {

constexpr uint32_t kRows = 3;
constexpr uint32_t kInputs = 32;
constexpr uint32_t kOutputs = 67;  // a whole tile of the widest kernels, and a part of one
constexpr uint32_t kTransposed = 1;

std::vector<float> ExpectedOf(const std::vector<float>& x, const std::vector<float>& filter,
                              const std::vector<float>& bias) {
  std::vector<float> y;
  for (size_t row = 0; row < x.size() / kInputs; ++row) {
    for (size_t output = 0; output < kOutputs; ++output) {
      float sum = bias.empty() ? 0 : bias[output];
      for (size_t i = 0; i < kInputs; ++i) {
        sum += x[row * kInputs + i] * filter[output * kInputs + i];
      }
      y.push_back(sum);
    }
  }
  return y;
}

ScalarType TypeOf(XNNDatatype datatype) {
  if (datatype == XNNDatatype::fp16) return ScalarType::kHalf;
  return datatype == XNNDatatype::bf16 ? ScalarType::kBFloat16 : ScalarType::kFloat;
}

GraphTensor TensorOf(XNNDatatype datatype, std::vector<int32_t> sizes,
                     const std::vector<float>& numbers) {
  if (datatype == XNNDatatype::fp16) return Halves(std::move(sizes), numbers);
  if (datatype == XNNDatatype::bf16) return Bfloats(std::move(sizes), numbers);
  return Floats(std::move(sizes), numbers);
}

uint32_t AddFloats(PayloadWriter& payload, XNNDatatype datatype, const std::vector<uint32_t>& dims,
                   const std::vector<float>& numbers) {
  PayloadTensor tensor;
  tensor.datatype = datatype;
  tensor.dims = dims;
  tensor.constant = payload.AddOwnConstant(
      TensorOf(datatype, {static_cast<int32_t>(numbers.size())}, numbers).bytes);
  return payload.AddTensor(tensor);
}

struct FloatKind {
  XNNDatatype border, filter, bias;
  float tolerance;
};

TEST(FullyConnectedTest, OfFloatsOfAnyWidthIsTheSumOfProducts) {
  constexpr auto k32 = XNNDatatype::fp32, k16 = XNNDatatype::fp16, kB16 = XNNDatatype::bf16;
  const FloatKind kinds[] = {{k32, k32, k32, 1e-5f},   {k32, k16, k16, 1e-5f},
                             {k32, kB16, k32, 1e-5f},  {k16, k16, k16, 0.02f},
                             {k16, k32, k32, 0.02f},   {k16, k16, k32, 0.02f},
                             {k16, k32, k16, 0.02f},   {kB16, kB16, kB16, 0.05f},
                             {kB16, kB16, k32, 0.05f}, {kB16, k32, k32, 0.05f}};
  const std::vector<float> x = Mixed(kRows * kInputs, 1);
  const std::vector<float> filter = Mixed(kOutputs * kInputs, 2);
  const std::vector<float> bias = Mixed(kOutputs, 3);
  for (const FloatKind& kind : kinds) {
    SCOPED_TRACE(std::string(EnumNameXNNDatatype(kind.border)) + " with " +
                 EnumNameXNNDatatype(kind.filter) + " and " + EnumNameXNNDatatype(kind.bias));
    PayloadWriter payload;
    const uint32_t in = AddBorderOf(payload, kind.border, {kRows, kInputs}, false);
    const uint32_t out = AddBorderOf(payload, kind.border, {kRows, kOutputs}, true);
    const uint32_t w = AddFloats(payload, kind.filter, {kOutputs, kInputs}, filter);
    payload.AddFullyConnected(in, w, out, AddFloats(payload, kind.bias, {kOutputs}, bias));
    const ScalarType type = TypeOf(kind.border);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram program,
                                 GraphProgram::Load(payload, {Input({kRows, kInputs}, type),
                                                              Output({kRows, kOutputs}, type)}));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found,
                                 program.Run({TensorOf(kind.border, {kRows, kInputs}, x)}));
    EXPECT_LT(LargestDifference(FloatsOf(found[0]), ExpectedOf(x, filter, bias)), kind.tolerance);
  }
}

TEST(FullyConnectedTest, OfAFilterThatStandsTheOtherWayRound) {
  const std::vector<float> x = Mixed(kRows * kInputs, 1);
  const std::vector<float> filter = Mixed(kOutputs * kInputs, 2);
  std::vector<float> transposed(filter.size());
  for (size_t i = 0; i < filter.size(); ++i) {
    transposed[i % kInputs * kOutputs + i / kInputs] = filter[i];
  }
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const auto found,
      RunOne({kRows, kInputs}, {kRows, kOutputs}, x,
             [&](PayloadWriter& payload, uint32_t in, uint32_t out) {
               const uint32_t w =
                   AddFloats(payload, XNNDatatype::fp32, {kInputs, kOutputs}, transposed);
               payload.AddFullyConnected(in, w, out, PayloadWriter::kNoValue, kTransposed);
             }));
  EXPECT_LT(LargestDifference(FloatsOf(found[0]), ExpectedOf(x, filter, {})), 1e-5f);
}

// The filter, the bias, or both; floats of any width. What is a constant besides is read in place.
TEST(FullyConnectedTest, OfAFilterOrBiasThatTheCallerGives) {
  const std::vector<float> x = Mixed(kRows * kInputs, 1);
  const std::vector<float> filter = Mixed(kOutputs * kInputs, 2);
  const std::vector<float> bias = Mixed(kOutputs, 3);
  for (const XNNDatatype datatype : {XNNDatatype::fp32, XNNDatatype::fp16, XNNDatatype::bf16}) {
    for (const bool gives_filter : {true, false}) {
      for (const bool gives_bias : {true, false}) {
        SCOPED_TRACE(std::string(EnumNameXNNDatatype(datatype)) + (gives_filter ? " filter" : "") +
                     (gives_bias ? " bias" : ""));
        const ScalarType type = TypeOf(datatype);
        PayloadWriter payload;
        std::vector<GraphBorder> borders = {Input({kRows, kInputs}, type),
                                            Output({kRows, kOutputs}, type)};
        std::vector<GraphTensor> inputs = {TensorOf(datatype, {kRows, kInputs}, x)};
        const uint32_t in = AddBorderOf(payload, datatype, {kRows, kInputs}, false);
        const uint32_t out = AddBorderOf(payload, datatype, {kRows, kOutputs}, true);
        const auto add = [&](bool gives, const std::vector<uint32_t>& dims,
                             const std::vector<float>& numbers) {
          if (!gives) return AddFloats(payload, datatype, dims, numbers);
          borders.push_back(Input(SizesOf(dims), type));
          inputs.push_back(TensorOf(datatype, SizesOf(dims), numbers));
          return AddBorderOf(payload, datatype, dims, false);
        };
        const uint32_t w = add(gives_filter, {kOutputs, kInputs}, filter);
        payload.AddFullyConnected(in, w, out, add(gives_bias, {kOutputs}, bias));
        ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram program,
                                     GraphProgram::Load(payload, borders));
        ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, program.Run(inputs));
        EXPECT_LT(LargestDifference(FloatsOf(found[0]), ExpectedOf(x, filter, bias)),
                  datatype == XNNDatatype::fp32 ? 1e-5f : 0.05f);
      }
    }
  }
}

// Quantized weights: 8 bits, or 4 bits in the lower half of a byte first, with 8 for zero.

struct IntWeights {
  std::vector<uint8_t> bytes;
  std::vector<float> wide;  // without scales
};

IntWeights Int8Weights() {
  IntWeights weights;
  for (uint32_t i = 0; i < kOutputs * kInputs; ++i) {
    const int number = static_cast<int>(i * 37 % 255) - 127;
    weights.bytes.push_back(static_cast<uint8_t>(number));
    weights.wide.push_back(static_cast<float>(number));
  }
  return weights;
}

IntWeights Int4Weights() {
  IntWeights weights;
  for (uint32_t i = 0; i < kOutputs * kInputs; i += 2) {
    const uint32_t low = i * 7 % 16, high = (i * 5 + 3) % 16;
    weights.bytes.push_back(static_cast<uint8_t>(low | high << 4));
    weights.wide.push_back(static_cast<float>(low) - 8);
    weights.wide.push_back(static_cast<float>(high) - 8);
  }
  return weights;
}

const std::vector<float>& Scales() {
  static const std::vector<float> scales = [] {
    std::vector<float> all;
    for (size_t i = 0; i < kOutputs; ++i)
      all.push_back(std::ldexp(1.0f, -4 - static_cast<int>(i * 3 % 4)));
    return all;
  }();
  return scales;
}

std::vector<float> Scaled(const IntWeights& weights) {
  std::vector<float> scaled = weights.wide;
  for (size_t i = 0; i < scaled.size(); ++i) scaled[i] *= Scales()[i / kInputs];
  return scaled;
}

enum class ScalePlace { kInline, kConstant };

uint32_t AddPerChannel(PayloadWriter& payload, XNNDatatype datatype, const IntWeights& weights,
                       ScalePlace place) {
  PayloadTensor tensor;
  tensor.datatype = datatype;
  tensor.dims = {kOutputs, kInputs};
  tensor.constant = payload.AddOwnConstant(weights.bytes);
  const std::vector<float>& scales = Scales();
  const uint32_t constant =
      place == ScalePlace::kConstant ? payload.AddOwnConstant(AsBytes(scales)) : 0;
  const auto params = wire::xnnpack::CreatePerChannelQuantDirect(
      payload.builder(), place == ScalePlace::kInline ? &scales : nullptr, 0, constant,
      constant != 0 ? kOutputs : 0);
  return payload.AddQuantized(tensor, wire::xnnpack::XNNQuantParams::PerChannelQuant,
                              params.Union());
}

// fp32 or fp16 in and out, weights of 4 or 8 bits, the input quantized for each row or not at all.
TEST(FullyConnectedTest, OfIntegerWeightsIsNearTheSumOfProducts) {
  const std::vector<float> x = Mixed(kRows * kInputs, 1);
  for (const XNNDatatype border : {XNNDatatype::fp32, XNNDatatype::fp16}) {
    for (const XNNDatatype filter : {XNNDatatype::qcint8, XNNDatatype::qcint4}) {
      for (const ScalePlace place : {ScalePlace::kInline, ScalePlace::kConstant}) {
        for (const bool rounds_input : {true, false}) {
          if (!rounds_input && border == XNNDatatype::fp16) continue;  // no such kernel
          SCOPED_TRACE(std::string(EnumNameXNNDatatype(border)) + " with " +
                       EnumNameXNNDatatype(filter) + (rounds_input ? ", rounded" : ""));
          const IntWeights weights = filter == XNNDatatype::qcint8 ? Int8Weights() : Int4Weights();
          PayloadWriter payload;
          uint32_t in = AddBorderOf(payload, border, {kRows, kInputs}, false);
          const uint32_t out = AddBorderOf(payload, border, {kRows, kOutputs}, true);
          if (rounds_input) {
            const uint32_t rounded = payload.AddDynamicInt8({kRows, kInputs});
            payload.AddConvert(in, rounded);
            in = rounded;
          }
          const uint32_t w = AddPerChannel(payload, filter, weights, place);
          const std::vector<float> bias = rounds_input ? Mixed(kOutputs, 3) : std::vector<float>();
          payload.AddFullyConnected(in, w, out,
                                    rounds_input
                                        ? AddFloats(payload, XNNDatatype::fp32, {kOutputs}, bias)
                                        : PayloadWriter::kNoValue);
          ONEPACK_ASSERT_OK_AND_ASSIGN(
              const GraphProgram program,
              GraphProgram::Load(payload, {Input({kRows, kInputs}, TypeOf(border)),
                                           Output({kRows, kOutputs}, TypeOf(border))}));
          ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found,
                                       program.Run({TensorOf(border, {kRows, kInputs}, x)}));
          EXPECT_LT(LargestDifference(FloatsOf(found[0]), ExpectedOf(x, Scaled(weights), bias)),
                    filter == XNNDatatype::qcint8 ? 0.25f : 0.03f);
        }
      }
    }
  }
}

// Rows of 4-bit weights begin at a whole byte.
TEST(FullyConnectedTest, OfRowsOfAnOddNumberOf4BitWeightsIsNearTheSumOfProducts) {
  constexpr uint32_t kOdd = 7;
  std::vector<uint8_t> bytes;
  std::vector<float> filter;
  for (uint32_t output = 0; output < kOutputs; ++output) {
    for (uint32_t i = 0; i < kOdd; i += 2) {
      const uint32_t low = (output * 5 + i * 3) % 16, high = i + 1 < kOdd ? (output + i) % 16 : 8;
      bytes.push_back(static_cast<uint8_t>(low | high << 4));
      filter.push_back((static_cast<float>(low) - 8) * Scales()[output]);
      if (i + 1 < kOdd) filter.push_back((static_cast<float>(high) - 8) * Scales()[output]);
    }
  }
  const std::vector<float> x = Mixed(kRows * kOdd, 1);
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const auto found,
      RunOne({kRows, kOdd}, {kRows, kOutputs}, x,
             [&](PayloadWriter& payload, uint32_t in, uint32_t out) {
               const uint32_t rounded = payload.AddDynamicInt8({kRows, kOdd});
               payload.AddConvert(in, rounded);
               PayloadTensor tensor;
               tensor.datatype = XNNDatatype::qcint4;
               tensor.dims = {kOutputs, kOdd};
               tensor.constant = payload.AddOwnConstant(bytes);
               const std::vector<float>& scales = Scales();
               const auto params =
                   wire::xnnpack::CreatePerChannelQuantDirect(payload.builder(), &scales, 0);
               const uint32_t w = payload.AddQuantized(
                   tensor, wire::xnnpack::XNNQuantParams::PerChannelQuant, params.Union());
               payload.AddFullyConnected(rounded, w, out);
             }));
  const std::vector<float> y = FloatsOf(found[0]);
  for (size_t i = 0; i < y.size(); ++i) {
    float sum = 0;
    for (size_t k = 0; k < kOdd; ++k) {
      sum += x[i / kOutputs * kOdd + k] * filter[i % kOutputs * kOdd + k];
    }
    EXPECT_NEAR(y[i], sum, 0.02f);
  }
}

TEST(FullyConnectedTest, TheOldSpellingOfARoundedInputGivesTheSameAsTheNewOne) {
  const std::vector<float> x = Mixed(kRows * kInputs, 1);
  for (const XNNDatatype border : {XNNDatatype::fp32, XNNDatatype::fp16}) {
    std::vector<std::vector<float>> results;
    for (const bool is_old : {false, true}) {
      PayloadWriter payload;
      PayloadTensor input;
      input.datatype = border;
      input.dims = {kRows, kInputs};
      if (is_old) input.dq_datatype = XNNDatatype::qint8;
      uint32_t in = payload.AddBorder(input, false);
      const uint32_t out = AddBorderOf(payload, border, {kRows, kOutputs}, true);
      if (!is_old) {
        const uint32_t rounded = payload.AddDynamicInt8({kRows, kInputs});
        payload.AddConvert(in, rounded);
        in = rounded;
      }
      const uint32_t w =
          AddPerChannel(payload, XNNDatatype::qcint8, Int8Weights(), ScalePlace::kInline);
      payload.AddFullyConnected(in, w, out);
      ONEPACK_ASSERT_OK_AND_ASSIGN(
          const GraphProgram program,
          GraphProgram::Load(payload, {Input({kRows, kInputs}, TypeOf(border)),
                                       Output({kRows, kOutputs}, TypeOf(border))}));
      ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found,
                                   program.Run({TensorOf(border, {kRows, kInputs}, x)}));
      results.push_back(FloatsOf(found[0]));
    }
    EXPECT_EQ(results[0], results[1]);
  }
}

// Quantized statically.

struct Static {
  XNNDatatype border = XNNDatatype::qint8;
  XNNDatatype filter = XNNDatatype::qcint8;
};

constexpr float kInScale = 0.03125f, kOutScale = 0.5f, kFilterScale = 0.03125f;

uint32_t AddStaticFilter(PayloadWriter& payload, XNNDatatype datatype, const IntWeights& weights) {
  if (datatype == XNNDatatype::qcint8 || datatype == XNNDatatype::qcint4) {
    return AddPerChannel(payload, datatype, weights, ScalePlace::kInline);
  }
  PayloadTensor tensor;
  tensor.datatype = datatype;
  tensor.dims = {kOutputs, kInputs};
  tensor.constant = payload.AddOwnConstant(weights.bytes);
  const int32_t zero_point = datatype == XNNDatatype::quint8 ? 128 : 0;
  return payload.AddQuantized(
      tensor, wire::xnnpack::XNNQuantParams::PerTensorQuant,
      wire::xnnpack::CreatePerTensorQuant(payload.builder(), kFilterScale, zero_point).Union());
}

TEST(FullyConnectedTest, OfQuantizedNumbersIsWithinAStepOfTheSum) {
  const Static kinds[] = {{XNNDatatype::qint8, XNNDatatype::qcint8},
                          {XNNDatatype::qint8, XNNDatatype::qcint4},
                          {XNNDatatype::qint8, XNNDatatype::qint8},
                          {XNNDatatype::quint8, XNNDatatype::quint8}};
  for (const Static& kind : kinds) {
    SCOPED_TRACE(EnumNameXNNDatatype(kind.filter));
    const bool is_unsigned = kind.border == XNNDatatype::quint8;
    const int32_t zero = is_unsigned ? 130 : 5;
    const ScalarType type = is_unsigned ? ScalarType::kByte : ScalarType::kChar;
    IntWeights weights = kind.filter == XNNDatatype::qcint4 ? Int4Weights() : Int8Weights();
    const bool per_channel =
        kind.filter == XNNDatatype::qcint8 || kind.filter == XNNDatatype::qcint4;
    std::vector<float> wide = Scaled(weights);
    if (!per_channel) {
      for (size_t i = 0; i < wide.size(); ++i) wide[i] = weights.wide[i] * kFilterScale;
    }
    if (is_unsigned) {
      for (uint8_t& byte : weights.bytes) byte = static_cast<uint8_t>(byte + 128);
    }
    PayloadWriter payload;
    const uint32_t in =
        AddQuantizedValue(payload, kind.border, {kRows, kInputs}, kInScale, zero, Place::kInput);
    const uint32_t out =
        AddQuantizedValue(payload, kind.border, {kRows, kOutputs}, kOutScale, zero, Place::kOutput);
    payload.AddFullyConnected(in, AddStaticFilter(payload, kind.filter, weights), out);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram program,
                                 GraphProgram::Load(payload, {Input({kRows, kInputs}, type),
                                                              Output({kRows, kOutputs}, type)}));
    std::vector<uint8_t> stored;
    std::vector<float> numbers;
    for (uint32_t i = 0; i < kRows * kInputs; ++i) {
      const int number = static_cast<int>(i * 29 % 61) - 30;
      stored.push_back(static_cast<uint8_t>(number + zero));
      numbers.push_back(static_cast<float>(number) * kInScale);
    }
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found,
                                 program.Run({TensorOfNumbers(type, {kRows, kInputs}, stored)}));
    const std::vector<float> expected = ExpectedOf(numbers, wide, {});
    for (size_t i = 0; i < expected.size(); ++i) {
      const int result = is_unsigned ? found[0].bytes[i] : static_cast<int8_t>(found[0].bytes[i]);
      ASSERT_NEAR(static_cast<float>(result - zero) * kOutScale, expected[i], 0.51f * kOutScale);
    }
  }
}

// Errors.

// XNNPACK would multiply the bias by the scales.
// The filter is packed as fp32, and read in place as bf16.
TEST(FullyConnectedTest, AConstantMayBeNeededInTwoWidths) {
  PayloadWriter payload;
  const uint32_t in = AddBorderOf(payload, XNNDatatype::bf16, {kRows, kInputs}, false);
  const uint32_t out = AddBorderOf(payload, XNNDatatype::bf16, {kRows, kOutputs}, true);
  const uint32_t sum = AddBorderOf(payload, XNNDatatype::bf16, {kOutputs, kInputs}, true);
  const std::vector<float> weights = Mixed(kOutputs * kInputs);
  const uint32_t w = AddFloats(payload, XNNDatatype::bf16, {kOutputs, kInputs}, weights);
  payload.AddFullyConnected(in, w, out);
  payload.AddAdd(w, w, sum);
  const ScalarType type = ScalarType::kBFloat16;
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const GraphProgram program,
      GraphProgram::Load(payload, {Input({kRows, kInputs}, type), Output({kRows, kOutputs}, type),
                                   Output({kOutputs, kInputs}, type)}));
  const std::vector<float> input = Mixed(kRows * kInputs, 2);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto outputs, program.Run({Bfloats({kRows, kInputs}, input)}));
  for (size_t row = 0; row < kRows; ++row) {
    for (size_t output = 0; output < kOutputs; ++output) {
      float expected = 0;
      for (size_t i = 0; i < kInputs; ++i) {
        expected += input[row * kInputs + i] * weights[output * kInputs + i];
      }
      const float found = FloatsOf(outputs[0])[row * kOutputs + output];
      EXPECT_NEAR(found, expected, 0.01f + std::abs(expected) / 128);
    }
  }
  for (size_t i = 0; i < weights.size(); ++i) {
    EXPECT_EQ(FloatsOf(outputs[1])[i], 2 * weights[i]);
  }
}

TEST(FullyConnectedErrorsTest, ABiasBesidesIntegerWeightsOfAFloatInputIsRefusedByName) {
  const Status status = LoadOne(
      {kRows, kInputs}, {kRows, kOutputs}, [](PayloadWriter& payload, uint32_t in, uint32_t out) {
        const uint32_t w =
            AddPerChannel(payload, XNNDatatype::qcint8, Int8Weights(), ScalePlace::kInline);
        payload.AddFullyConnected(
            in, w, out, AddFloats(payload, XNNDatatype::fp32, {kOutputs}, Mixed(kOutputs)));
      });
  EXPECT_TRUE(IsError(status, StatusCode::kUnsupported,
                      {"graph node 0 (XNNFullyConnected)", "bias", "qcint8"}));
}

TEST(FullyConnectedErrorsTest, ScalesAndZeroPointsThatAreNoneAreNamed) {
  const auto load = [](float scale, int32_t zero_point) {
    PayloadWriter payload;
    const uint32_t in =
        AddQuantizedValue(payload, XNNDatatype::qint8, {4}, scale, zero_point, Place::kInput);
    payload.AddConvert(in, payload.AddOutput({4}));
    auto program = GraphProgram::Load(payload, {Input({4}, ScalarType::kChar), Output({4})});
    return program.ok() ? Status::Ok() : program.TakeStatus();
  };
  EXPECT_TRUE(IsOk(load(0.5f, -128)));
  EXPECT_TRUE(IsError(load(0.5f, 128), StatusCode::kInvalidFile, {"zero point 128", "qint8"}));
  for (const float scale : {0.0f, -1.0f, NAN, INFINITY, 1e-40f}) {
    EXPECT_TRUE(IsError(load(scale, 0), StatusCode::kInvalidFile, {"graph value 0", "scale"}));
  }
}

TEST(FullyConnectedErrorsTest, AnOldSpellingOnAnythingButAFloatInputIsRefused) {
  PayloadWriter payload;
  PayloadTensor input;
  input.datatype = XNNDatatype::bf16;
  input.dims = {kRows, kInputs};
  input.dq_datatype = XNNDatatype::qint8;
  const uint32_t in = payload.AddBorder(input, false);
  payload.AddConvert(in, payload.AddOutput({kRows, kInputs}));
  EXPECT_TRUE(IsError(GraphProgram::Load(payload, {Input({kRows, kInputs}, ScalarType::kBFloat16),
                                                   Output({kRows, kInputs})}),
                      StatusCode::kUnsupported, {"graph value 0", "bf16", "dq_datatype"}));
}

}  // namespace
}  // namespace onepack
