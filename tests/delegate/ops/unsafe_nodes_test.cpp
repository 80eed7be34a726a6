// Nodes whose numbers look sound, and for which XNNPACK would read or write what is not theirs or
// compute something else. Beside each the nearest one that works.

#include "delegate/ops/op.h"
#include "tests/delegate/ops/graph_test.h"

namespace onepack {
namespace {

using wire::xnnpack::CreateXNNNodeConv;
using wire::xnnpack::CreateXNNPooling2D;

// In one direction; in the other there is one element of everything.
struct Axis {
  uint32_t size = 1;
  uint32_t stride = 1;
  uint32_t dilation = 1;
  uint32_t before = 0;
  uint32_t after = 0;
};

std::vector<uint32_t> ImageOf(uint32_t rows, uint32_t columns) { return {1, rows, columns, 1}; }

std::vector<float> OnesLike(const std::vector<uint32_t>& dims) {
  return std::vector<float>(CountOfDims(dims), 1.0f);
}

// Transposed convolutions.

AddNode Transposed(const Axis& y, const Axis& x) {
  return [=](PayloadWriter& payload, uint32_t in, uint32_t out) {
    const std::vector<uint32_t> dims = {1, y.size, x.size, 1};
    std::vector<float> numbers;
    for (uint32_t i = 0; i < y.size * x.size; ++i) numbers.push_back(static_cast<float>(i + 1));
    const uint32_t filter = payload.AddConstant(dims, payload.AddOwnConstant(AsBytes(numbers)));
    const auto node = CreateXNNNodeConv(payload.builder(), y.before, x.after, y.after, x.before,
                                        y.size, x.size, y.stride, x.stride, y.dilation, x.dilation,
                                        1, 1, 1, 0, 0, in, filter, PayloadWriter::kNoValue, out);
    payload.AddNode(XNodeUnion::XNNConvTranspose2d, node.Union());
  };
}

TEST(UnsafeNodesTest, ATransposedConvolutionWithAPhaseBeyondItsOutputIsRefused) {
  const Axis cut = {4, 4, 1, 1, 2};
  EXPECT_TRUE(IsError(LoadOne(ImageOf(1, 1), ImageOf(1, 1), Transposed({}, cut)),
                      StatusCode::kUnsupported,
                      {"graph node 0 (XNNConvTranspose2d)", "output of 1", "stride of 4"}));
  EXPECT_TRUE(IsError(LoadOne(ImageOf(1, 1), ImageOf(1, 1), Transposed(cut, {})),
                      StatusCode::kUnsupported,
                      {"graph node 0 (XNNConvTranspose2d)", "output of 1", "stride of 4"}));
}

TEST(UnsafeNodesTest, ATransposedConvolutionOfWhichOnePhaseIsEmptyWorks) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const auto found, RunOne(ImageOf(1, 1), ImageOf(1, 3), {2}, Transposed({}, {4, 4, 1, 0, 1})));
  EXPECT_EQ(FloatsOf(found[0]), (std::vector<float>{2, 4, 6}));
}

// XNNPACK does not compute it in phases.
TEST(UnsafeNodesTest, ATransposedConvolutionWithAStrideBeyondItsWindowWorks) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const auto found, RunOne(ImageOf(1, 1), ImageOf(1, 1), {2}, Transposed({}, {2, 4, 1, 1, 0})));
  EXPECT_EQ(FloatsOf(found[0]), (std::vector<float>{4}));
}

TEST(UnsafeNodesTest, AnInputOfACallThatIsTooSmallForATransposedConvolutionIsRefusedThen) {
  PayloadWriter payload;
  const uint32_t in = payload.AddInput(ImageOf(1, 2));
  Transposed({}, {4, 4, 1, 1, 2})(payload, in, payload.AddOutput(ImageOf(1, 5)));
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const GraphProgram program,
      GraphProgram::Load(payload, {Input({1, 1, 2, 1}), Output({1, 1, 5, 1})}));
  EXPECT_TRUE(IsError(program.Run({Floats({1, 1, 1, 1}, {1})}), StatusCode::kMismatch,
                      {"XNNConvTranspose2d", "output of 1", "stride of 4"}));
  EXPECT_TRUE(IsOk(program.Run({Floats({1, 1, 2, 1}, {1, 1})})));
}

// The filter alone takes 4 GiB, so nothing but shapes is made here.
Status InferTransposed(uint32_t height, uint32_t width, uint32_t group_inputs) {
  flatbuffers::FlatBufferBuilder builder;
  const auto conv = CreateXNNNodeConv(builder, 0, 0, 0, 0, height, width, 1, 1, 1, 1, group_inputs,
                                      1, 1, 0, 0, 0, 1, PayloadWriter::kNoValue, 2);
  builder.Finish(wire::xnnpack::CreateXNode(builder, XNodeUnion::XNNConvTranspose2d, conv.Union()));
  const auto& node = *flatbuffers::GetRoot<wire::xnnpack::XNode>(builder.GetBufferPointer());
  Shapes shapes;
  shapes.Add(0, {1, 1, 1, group_inputs});
  shapes.Add(1, {1, height, width, group_inputs});
  auto inference = FindOp(XNodeUnion::XNNConvTranspose2d)->infer(shapes, node);
  return inference.ok() ? Status::Ok() : inference.TakeStatus();
}

TEST(UnsafeNodesTest, ATransposedConvolutionWithMoreWeightsThan32BitsCanCountIsRefused) {
  EXPECT_TRUE(IsOk(InferTransposed(2048, 2048, 64)));
  EXPECT_TRUE(IsError(InferTransposed(4096, 4095, 65), StatusCode::kUnsupported, {"bytes"}));
}

// Poolings.

AddNode Pool(XNodeUnion type, const Axis& y, const Axis& x) {
  return [=](PayloadWriter& payload, uint32_t in, uint32_t out) {
    const auto node =
        CreateXNNPooling2D(payload.builder(), y.before, x.after, y.after, x.before, y.size, x.size,
                           y.stride, x.stride, y.dilation, x.dilation, in, out);
    payload.AddNode(type, node.Union());
  };
}

TEST(UnsafeNodesTest, AnAverageWithMoreRowsOfPaddingBelowThanOfOutputIsRefused) {
  const auto average = XNodeUnion::XNNAvgPooling2d;
  EXPECT_TRUE(IsError(LoadOne(ImageOf(2, 1), ImageOf(2, 1), Pool(average, {4, 1, 1, 0, 3}, {})),
                      StatusCode::kUnsupported,
                      {"graph node 0 (XNNAvgPooling2d)", "padding of 3", "2 rows"}));
  // To the right it may be.
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, RunOne(ImageOf(1, 2), ImageOf(1, 2), {1, 3},
                                                        Pool(average, {}, {4, 1, 1, 0, 3})));
  EXPECT_EQ(FloatsOf(found[0]), (std::vector<float>{2, 3}));
}

TEST(UnsafeNodesTest, AnAverageWithMuchPaddingAboveAndBelowWorks) {
  const Axis axis = {8, 1, 1, 4, 4};
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const auto found,
      RunOne(ImageOf(1, 1), ImageOf(2, 2), {3}, Pool(XNodeUnion::XNNAvgPooling2d, axis, axis)));
  EXPECT_EQ(FloatsOf(found[0]), (std::vector<float>{3, 3, 3, 3}));
}

TEST(UnsafeNodesTest, AnInputOfACallThatIsTooSmallForAnAverageIsRefusedThen) {
  PayloadWriter payload;
  const uint32_t in = payload.AddInput(ImageOf(8, 1));
  Pool(XNodeUnion::XNNAvgPooling2d, {4, 1, 1, 0, 3}, {})(payload, in,
                                                         payload.AddOutput(ImageOf(8, 1)));
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const GraphProgram program,
      GraphProgram::Load(payload, {Input({1, 8, 1, 1}), Output({1, 8, 1, 1})}));
  EXPECT_TRUE(IsError(program.Run({Floats({1, 2, 1, 1}, {1, 1})}), StatusCode::kMismatch,
                      {"XNNAvgPooling2d", "padding of 3", "2 rows"}));
  EXPECT_TRUE(IsOk(program.Run({Floats({1, 3, 1, 1}, {1, 1, 1})})));
}

TEST(UnsafeNodesTest, ADilatedMaximumThatWouldReadBeyondItsInputIsRefused) {
  const auto refused = [](const std::vector<uint32_t>& in, const std::vector<uint32_t>& out,
                          const Axis& y, const Axis& x) {
    return IsError(LoadOne(in, out, Pool(XNodeUnion::XNNMaxPooling2d, y, x)),
                   StatusCode::kUnsupported, {"graph node 0 (XNNMaxPooling2d)", "dilation"});
  };
  EXPECT_TRUE(refused(ImageOf(4, 4), ImageOf(5, 4), {2, 1, 1, 1, 1}, {2, 1, 2, 1, 1}));
  EXPECT_TRUE(refused(ImageOf(2, 2), ImageOf(1, 1), {2, 1, 3, 1, 1}, {2, 1, 3, 1, 1}));
  EXPECT_TRUE(refused(ImageOf(1, 1), ImageOf(101, 2), {2, 1, 100, 100, 100}, {2, 1, 1, 1, 1}));
}

TEST(UnsafeNodesTest, ADilatedMaximumWhosePaddingIsWithinReachWorks) {
  const Axis axis = {2, 1, 2, 1, 1};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found,
                               RunOne(ImageOf(2, 2), ImageOf(2, 2), {1, 2, 3, 4},
                                      Pool(XNodeUnion::XNNMaxPooling2d, axis, axis)));
  EXPECT_EQ(FloatsOf(found[0]), (std::vector<float>{4, 3, 2, 1}));
}

TEST(UnsafeNodesTest, AnInputOfACallThatIsTooSmallForADilatedMaximumIsRefusedThen) {
  const Axis axis = {2, 1, 3, 1, 1};
  PayloadWriter payload;
  const uint32_t in = payload.AddInput(ImageOf(8, 8));
  Pool(XNodeUnion::XNNMaxPooling2d, axis, axis)(payload, in, payload.AddOutput(ImageOf(7, 7)));
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const GraphProgram program,
      GraphProgram::Load(payload, {Input({1, 8, 8, 1}), Output({1, 7, 7, 1})}));
  EXPECT_TRUE(IsError(program.Run({Floats({1, 2, 8, 1}, OnesLike(ImageOf(2, 8)))}),
                      StatusCode::kMismatch, {"XNNMaxPooling2d", "dilation of 3", "input of 2"}));
  EXPECT_TRUE(IsOk(program.Run({Floats({1, 3, 8, 1}, OnesLike(ImageOf(3, 8)))})));
}

// Linear layers.

constexpr uint32_t kTransposedWeights = 1;

// [inputs, outputs]. XNNPACK has no function to pack it for an input that is not rounded, and reads
// one row too many if there is an odd number of them.
TEST(UnsafeNodesTest, ALinearLayerOfTransposed4BitWeightsIsTheSumOfProducts) {
  constexpr uint32_t kOutputs = 6;
  for (const uint32_t inputs : {7u, 8u}) {
    for (const bool rounds_input : {false, true}) {
      SCOPED_TRACE(std::to_string(inputs) + (rounds_input ? ", rounded" : ""));
      std::vector<uint8_t> bytes;
      std::vector<float> expected(kOutputs);
      const std::vector<float> x = Mixed(inputs);
      for (uint32_t i = 0; i < inputs; ++i) {
        for (uint32_t j = 0; j < kOutputs; j += 2) {
          const uint32_t low = (i * 5 + j * 3) % 16, high = (i * 7 + j) % 16;
          bytes.push_back(static_cast<uint8_t>(low | high << 4));
          expected[j] += x[i] * (static_cast<float>(low) - 8);
          expected[j + 1] += x[i] * (static_cast<float>(high) - 8);
        }
      }
      ONEPACK_ASSERT_OK_AND_ASSIGN(
          const auto found,
          RunOne({1, inputs}, {1, kOutputs}, x,
                 [&](PayloadWriter& payload, uint32_t in, uint32_t out) {
                   if (rounds_input) {
                     const uint32_t rounded = payload.AddDynamicInt8({1, inputs});
                     payload.AddConvert(in, rounded);
                     in = rounded;
                   }
                   PayloadTensor tensor;
                   tensor.datatype = XNNDatatype::qcint4;
                   tensor.dims = {inputs, kOutputs};
                   tensor.constant = payload.AddOwnConstant(bytes);
                   const std::vector<float> ones(kOutputs, 1.0f);
                   const uint32_t filter = payload.AddQuantized(
                       tensor, wire::xnnpack::XNNQuantParams::PerChannelQuant,
                       wire::xnnpack::CreatePerChannelQuantDirect(payload.builder(), &ones, 1)
                           .Union());
                   payload.AddFullyConnected(in, filter, out, PayloadWriter::kNoValue,
                                             kTransposedWeights);
                 }));
      EXPECT_LT(LargestDifference(FloatsOf(found[0]), expected), rounds_input ? 0.3f : 1e-4f);
    }
  }
}

// Zero points.

uint32_t AddInt8Filter(PayloadWriter& payload, const std::vector<uint32_t>& dims,
                       int32_t zero_point) {
  PayloadTensor tensor;
  tensor.datatype = XNNDatatype::qint8;
  tensor.dims = dims;
  tensor.constant = payload.AddOwnConstant(std::vector<uint8_t>(CountOfDims(dims)));
  return payload.AddQuantized(
      tensor, wire::xnnpack::XNNQuantParams::PerTensorQuant,
      wire::xnnpack::CreatePerTensorQuant(payload.builder(), 0.5f, zero_point).Union());
}

// One input channel and one output channel.
Status LoadInt8(XNodeUnion type, int32_t zero_point) {
  PayloadWriter payload;
  const uint32_t in =
      AddQuantizedValue(payload, XNNDatatype::qint8, {1, 1, 1, 1}, 1, 0, Place::kInput);
  const uint32_t out =
      AddQuantizedValue(payload, XNNDatatype::qint8, {1, 1, 1, 1}, 1, 0, Place::kOutput);
  if (type == XNodeUnion::XNNFullyConnected) {
    payload.AddFullyConnected(in, AddInt8Filter(payload, {1, 1}, zero_point), out);
  } else {
    const uint32_t filter = AddInt8Filter(payload, {1, 1, 1, 1}, zero_point);
    const auto node = CreateXNNNodeConv(payload.builder(), 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0,
                                        0, in, filter, PayloadWriter::kNoValue, out);
    payload.AddNode(type, node.Union());
  }
  const ScalarType scalar = ScalarType::kChar;
  auto program =
      GraphProgram::Load(payload, {Input({1, 1, 1, 1}, scalar), Output({1, 1, 1, 1}, scalar)});
  return program.ok() ? Status::Ok() : program.TakeStatus();
}

TEST(UnsafeNodesTest, AZeroPointOfAnInt8FilterThatXnnpackWouldTakeForZeroIsRefused) {
  for (const XNodeUnion type : {XNodeUnion::XNNFullyConnected, XNodeUnion::XNNConv2d,
                                XNodeUnion::XNNDepthwiseConv2d, XNodeUnion::XNNConvTranspose2d}) {
    EXPECT_TRUE(IsOk(LoadInt8(type, 0))) << EnumNameXNodeUnion(type);
    EXPECT_TRUE(IsError(LoadInt8(type, 3), StatusCode::kUnsupported,
                        {"graph node 0", EnumNameXNodeUnion(type), "zero point 3"}));
  }
}

}  // namespace
}  // namespace onepack
