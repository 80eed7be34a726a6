// Scales that are sound one by one and make a factor together that XNNPACK asserts not to see.

#include <gtest/gtest.h>

#include "tests/delegate/ops/graph_test.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

using wire::xnnpack::CreateXNNLeakyReLU;
using wire::xnnpack::XNodeUnion;

Status LoadBinary(XNodeUnion type, float a_scale, float b_scale, float output_scale) {
  PayloadWriter payload;
  const auto add = [&](float scale, Place place) {
    return AddQuantizedValue(payload, XNNDatatype::qint8, {8}, scale, 0, place);
  };
  const uint32_t a = add(a_scale, Place::kInput);
  const uint32_t b = add(b_scale, Place::kInput);
  payload.AddBinary(type, a, b, add(output_scale, Place::kOutput));
  const auto type_of_all = ScalarType::kChar;
  auto program = GraphProgram::Load(
      payload, {Input({8}, type_of_all), Input({8}, type_of_all), Output({8}, type_of_all)});
  return program.ok() ? Status::Ok() : program.TakeStatus();
}

testing::AssertionResult IsRefused(const Status& status) {
  return IsError(status, StatusCode::kUnsupported, {"graph node 0", "scales", "expected"});
}

TEST(ScaleRatioTest, SumsTakeFactorsFrom2ToTheMinus10ToBelow2ToThe8) {
  for (const XNodeUnion type : {XNodeUnion::XNNAdd, XNodeUnion::XNNSubtract}) {
    EXPECT_TRUE(IsOk(LoadBinary(type, 0x1p-10f, 0x1p-10f, 1)));
    EXPECT_TRUE(IsOk(LoadBinary(type, 255.5f, 1, 1)));
    EXPECT_TRUE(IsRefused(LoadBinary(type, 256, 1, 1)));
    EXPECT_TRUE(IsRefused(LoadBinary(type, 1, 256, 1)));
    EXPECT_TRUE(IsRefused(LoadBinary(type, 0x1.fp-11f, 1, 1)));
    EXPECT_TRUE(IsRefused(LoadBinary(type, 1, 0x1.fp-11f, 1)));
    EXPECT_TRUE(IsRefused(LoadBinary(type, 1e30f, 1, 1e-30f)));  // an infinite one
  }
}

TEST(ScaleRatioTest, ProductsTakeFactorsFrom2ToTheMinus16ToBelow2ToThe8) {
  EXPECT_TRUE(IsOk(LoadBinary(XNodeUnion::XNNMultiply, 0x1p-8f, 0x1p-8f, 1)));
  EXPECT_TRUE(IsRefused(LoadBinary(XNodeUnion::XNNMultiply, 16, 16, 1)));
  EXPECT_TRUE(IsRefused(LoadBinary(XNodeUnion::XNNMultiply, 0x1p-8f, 0x1p-9f, 1)));
}

TEST(ScaleRatioTest, OthersComputeInFloatsAndTakeAny) {
  EXPECT_TRUE(IsOk(LoadBinary(XNodeUnion::XNNMaximum, 1e20f, 1e-20f, 1)));
  EXPECT_TRUE(IsOk(LoadBinary(XNodeUnion::XNNDiv, 1e20f, 1e-20f, 1)));
}

Status LoadUnary(float input_scale, float output_scale, float slope) {
  PayloadWriter payload;
  const uint32_t x =
      AddQuantizedValue(payload, XNNDatatype::qint8, {8}, input_scale, 0, Place::kInput);
  const uint32_t y =
      AddQuantizedValue(payload, XNNDatatype::qint8, {8}, output_scale, 0, Place::kOutput);
  if (slope == 1) {
    payload.AddConvert(x, y);
  } else {
    payload.AddNode(XNodeUnion::XNNLeakyReLU,
                    CreateXNNLeakyReLU(payload.builder(), slope, x, y, 0).Union());
  }
  auto program =
      GraphProgram::Load(payload, {Input({8}, ScalarType::kChar), Output({8}, ScalarType::kChar)});
  return program.ok() ? Status::Ok() : program.TakeStatus();
}

TEST(ScaleRatioTest, ConversionsTakeFactorsFrom2ToTheMinus8To2ToThe7) {
  EXPECT_TRUE(IsOk(LoadUnary(0x1p-8f, 1, 1)));
  EXPECT_TRUE(IsOk(LoadUnary(0x1p+7f, 1, 1)));
  EXPECT_TRUE(IsRefused(LoadUnary(0x1.fp-9f, 1, 1)));
  EXPECT_TRUE(IsRefused(LoadUnary(129, 1, 1)));
}

TEST(ScaleRatioTest, ASlopeCountsWithTheScales) {
  EXPECT_TRUE(IsOk(LoadUnary(1, 1, 0.01f)));
  EXPECT_TRUE(IsOk(LoadUnary(1, 1, -0.5f)));
  EXPECT_TRUE(IsRefused(LoadUnary(1, 1, 0.001f)));
  EXPECT_TRUE(IsRefused(LoadUnary(1, 1, 0)));
  EXPECT_TRUE(IsRefused(LoadUnary(1, 1, 200)));
  EXPECT_TRUE(IsRefused(LoadUnary(1, 1, -128)));
  EXPECT_TRUE(IsRefused(LoadUnary(129, 1, 0.5f)));
}

// One input channel and one output channel.
Status LoadWeighted(XNodeUnion type, float input_scale, float filter_scale, float output_scale) {
  PayloadWriter payload;
  const std::vector<uint32_t> one = {1, 1, 1, 1};
  const auto add = [&](float scale, Place place) {
    return AddQuantizedValue(payload, XNNDatatype::quint8, one, scale, 128, place);
  };
  const uint32_t x = add(input_scale, Place::kInput);
  const uint32_t y = add(output_scale, Place::kOutput);
  PayloadTensor tensor;
  tensor.datatype = XNNDatatype::quint8;
  tensor.dims = type == XNodeUnion::XNNFullyConnected ? std::vector<uint32_t>{1, 1} : one;
  tensor.constant = payload.AddOwnConstant(std::vector<uint8_t>(1));
  const uint32_t filter = payload.AddQuantized(
      tensor, wire::xnnpack::XNNQuantParams::PerTensorQuant,
      wire::xnnpack::CreatePerTensorQuant(payload.builder(), filter_scale, 128).Union());
  if (type == XNodeUnion::XNNFullyConnected) {
    payload.AddFullyConnected(x, filter, y);
  } else {
    const auto node =
        wire::xnnpack::CreateXNNNodeConv(payload.builder(), 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                         0, 0, x, filter, PayloadWriter::kNoValue, y);
    payload.AddNode(type, node.Union());
  }
  const auto type_of_all = ScalarType::kByte;
  auto program = GraphProgram::Load(
      payload, {Input({1, 1, 1, 1}, type_of_all), Output({1, 1, 1, 1}, type_of_all)});
  return program.ok() ? Status::Ok() : program.TakeStatus();
}

TEST(ScaleRatioTest, WeightsTakeFactorsFrom2ToTheMinus32ToBelow2ToThe8) {
  for (const XNodeUnion type : {XNodeUnion::XNNFullyConnected, XNodeUnion::XNNConv2d,
                                XNodeUnion::XNNDepthwiseConv2d, XNodeUnion::XNNConvTranspose2d}) {
    EXPECT_TRUE(IsOk(LoadWeighted(type, 0x1p-16f, 0x1p-16f, 1))) << EnumNameXNodeUnion(type);
    EXPECT_TRUE(IsOk(LoadWeighted(type, 255.5f, 1, 1))) << EnumNameXNodeUnion(type);
    EXPECT_TRUE(IsRefused(LoadWeighted(type, 0x1p-20f, 0x1p-20f, 1)));
    EXPECT_TRUE(IsRefused(LoadWeighted(type, 16, 16, 1)));
  }
}

}  // namespace
}  // namespace onepack
