// Nodes of bfloat16 that XNNPACK has no kernel for, and that are made of those it has.

#include <cmath>
#include <limits>
#include <string>

#include "tests/delegate/ops/graph_test.h"

namespace onepack {
namespace {

constexpr auto kBf16 = XNNDatatype::bf16;
constexpr auto kBFloat16 = ScalarType::kBFloat16;

using Dims = std::vector<uint32_t>;

// A graph of one node from bfloat16 to bfloat16, run with `numbers`.
Result<std::vector<float>> RunBfloats(const Dims& in, const Dims& out,
                                      const std::vector<float>& numbers, const AddNode& add) {
  PayloadWriter payload;
  const uint32_t x = AddBorderOf(payload, kBf16, in, false);
  add(payload, x, AddBorderOf(payload, kBf16, out, true));
  ONEPACK_ASSIGN_OR_RETURN(const GraphProgram program,
                           GraphProgram::Load(payload, {Input(SizesOf(in), kBFloat16),
                                                        Output(SizesOf(out), kBFloat16)}));
  ONEPACK_ASSIGN_OR_RETURN(const auto found, program.Run({Bfloats(SizesOf(in), numbers)}));
  return FloatsOf(found[0]);
}

// Moved.

TEST(Bfloat16Test, ElementsAreTransposedAsTheyAre) {
  const Dims perm = {1, 0};
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const auto found, RunBfloats({2, 3}, {3, 2}, {1, 2, -0.0f, INFINITY, 5, -6},
                                   [&](PayloadWriter& payload, uint32_t in, uint32_t out) {
                                     payload.AddNode(XNodeUnion::XNNStaticTranspose,
                                                     wire::xnnpack::CreateXNNStaticTransposeDirect(
                                                         payload.builder(), 2, &perm, in, out)
                                                         .Union());
                                   }));
  EXPECT_EQ(found, (std::vector<float>{1, INFINITY, 2, 5, -0.0f, -6}));
  EXPECT_TRUE(std::signbit(found[4]));
}

TEST(Bfloat16Test, ElementsAreCutOutAsTheyAre) {
  const Dims offsets = {0, 1}, sizes = {2, 2};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found,
                               RunBfloats({2, 4}, {2, 2}, {1, 2, 3, 4, 5, 6, 7, 8},
                                          [&](PayloadWriter& payload, uint32_t in, uint32_t out) {
                                            payload.AddNode(
                                                XNodeUnion::XNNStaticSlice,
                                                wire::xnnpack::CreateXNNStaticSliceDirect(
                                                    payload.builder(), 2, &offsets, &sizes, in, out)
                                                    .Union());
                                          }));
  EXPECT_EQ(found, (std::vector<float>{2, 3, 6, 7}));
}

// 0.1 lies between two numbers of bfloat16, of which the upper one is nearer.
TEST(Bfloat16Test, APaddingIsRoundedToTheNearestNumber) {
  const Dims before = {1}, after = {0};
  for (const auto& [padding, expected] :
       {std::pair{0.1f, 0.10009765625f}, {-0.1f, -0.10009765625f}, {INFINITY, INFINITY}}) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(
        const auto found,
        RunBfloats({2}, {3}, {3, 4},
                   [&, value = padding](PayloadWriter& payload, uint32_t in, uint32_t out) {
                     payload.AddNode(XNodeUnion::XNNStaticConstantPad,
                                     wire::xnnpack::CreateXNNStaticConstantPadDirect(
                                         payload.builder(), &before, &after, value, in, out)
                                         .Union());
                   }));
    EXPECT_EQ(found, (std::vector<float>{expected, 3, 4}));
  }
}

TEST(Bfloat16Test, ElementsAreJoinedAsTheyAre) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found,
                               RunBfloats({2, 2}, {2, 4}, {1, 2, 3, 4},
                                          [&](PayloadWriter& payload, uint32_t in, uint32_t out) {
                                            PayloadTensor tensor;
                                            tensor.datatype = kBf16;
                                            tensor.dims = {2, 2};
                                            const uint32_t negated = payload.AddTensor(tensor);
                                            payload.AddUnary(XNodeUnion::XNNNegate, in, negated);
                                            payload.AddConcatenate2(1, in, negated, out);
                                          }));
  EXPECT_EQ(found, (std::vector<float>{1, 2, -1, -2, 3, 4, -3, -4}));
}

// Clamped.

TEST(Bfloat16Test, ASumIsClampedToItsRange) {
  for (const bool is_relu : {true, false}) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found,
                                 RunBfloats({4}, {4}, {-3, 1, 2, 0.5f},
                                            [&](PayloadWriter& payload, uint32_t in, uint32_t out) {
                                              const float highest = is_relu ? INFINITY : 3.0f;
                                              payload.AddBinary(XNodeUnion::XNNAdd, in, in, out,
                                                                {{0.0f, highest}});
                                            }));
    EXPECT_EQ(found, (std::vector<float>{0, 2, is_relu ? 4.0f : 3.0f, 1}));
  }
}

// Quantized at run time.

constexpr uint32_t kRows = 3;
constexpr uint32_t kInputs = 64;
constexpr uint32_t kOutputs = 5;
constexpr uint32_t kGroup = 32;

struct Quantized {
  uint32_t filter;
  std::vector<float> wide;
};

// Of -8 to 7, or of -128 to 127, times a scale that differs from channel to channel.
Quantized AddFilter(PayloadWriter& payload, XNNDatatype datatype) {
  const auto scale_of = [](uint32_t channel) { return channel % 2 == 0 ? 0.0078125f : 0.015625f; };
  Quantized added{0, {}};
  std::vector<uint8_t> bytes;
  const bool is_int4 = datatype != XNNDatatype::qcint8;
  for (uint32_t i = 0; i < kOutputs * kInputs; ++i) {
    const uint32_t stored = i * 7 % 16;
    added.wide.push_back((static_cast<float>(stored) - 8) * scale_of(i / kInputs));
    if (!is_int4) {
      bytes.push_back(static_cast<uint8_t>(stored - 8));
    } else if (i % 2 == 0) {
      bytes.push_back(static_cast<uint8_t>(stored));
    } else {
      bytes.back() = static_cast<uint8_t>(bytes.back() | stored << 4);
    }
  }
  const uint32_t constant = payload.AddOwnConstant(bytes);
  PayloadScales scales;
  const uint32_t count = datatype == XNNDatatype::qbint4 ? kInputs / kGroup : 1;
  for (uint32_t i = 0; i < kOutputs * count; ++i) {
    scales.inline_scales.push_back(scale_of(i / count));
  }
  const Dims dims = {kOutputs, kInputs};
  if (datatype == XNNDatatype::qbint4) {
    added.filter = payload.AddBlockwiseInt4(dims, constant, scales, kGroup);
  } else if (datatype == XNNDatatype::qcint8) {
    added.filter = payload.AddPerChannelInt8(dims, constant, scales);
  } else {
    PayloadTensor tensor;
    tensor.datatype = datatype;
    tensor.dims = dims;
    tensor.constant = constant;
    added.filter = payload.AddQuantized(
        tensor, wire::xnnpack::XNNQuantParams::PerChannelQuant,
        wire::xnnpack::CreatePerChannelQuantDirect(payload.builder(), &scales.inline_scales, 0)
            .Union());
  }
  return added;
}

TEST(Bfloat16Test, AnInputQuantizedAtRunTimeTimesIntegersIsNearTheSumOfProducts) {
  const std::vector<float> x = Mixed(kRows * kInputs, 1);
  const std::vector<float> bias = Mixed(kOutputs, 3);
  for (const XNNDatatype datatype :
       {XNNDatatype::qbint4, XNNDatatype::qcint4, XNNDatatype::qcint8}) {
    for (const bool has_bias : {true, false}) {
      SCOPED_TRACE(std::string(EnumNameXNNDatatype(datatype)) + (has_bias ? " with a bias" : ""));
      PayloadWriter payload;
      const uint32_t in = AddBorderOf(payload, kBf16, {kRows, kInputs}, false);
      const uint32_t out = AddBorderOf(payload, kBf16, {kRows, kOutputs}, true);
      const uint32_t rounded = payload.AddDynamicInt8({kRows, kInputs});
      payload.AddConvert(in, rounded);
      const Quantized added = AddFilter(payload, datatype);
      payload.AddFullyConnected(
          rounded, added.filter, out,
          has_bias ? payload.AddConstant({kOutputs}, payload.AddOwnConstant(AsBytes(bias)))
                   : PayloadWriter::kNoValue);
      ONEPACK_ASSERT_OK_AND_ASSIGN(
          const GraphProgram program,
          GraphProgram::Load(
              payload, {Input({kRows, kInputs}, kBFloat16), Output({kRows, kOutputs}, kBFloat16)}));
      // Fewer rows, and all of them again.
      for (const int32_t rows : {3, 1, 3}) {
        const std::vector<float> some(x.begin(), x.begin() + rows * int32_t{kInputs});
        ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found,
                                     program.Run({Bfloats({rows, kInputs}, some)}));
        std::vector<float> expected;
        for (uint32_t i = 0; i < static_cast<uint32_t>(rows) * kOutputs; ++i) {
          float sum = has_bias ? bias[i % kOutputs] : 0;
          for (uint32_t k = 0; k < kInputs; ++k) {
            sum += x[i / kOutputs * kInputs + k] * added.wide[i % kOutputs * kInputs + k];
          }
          expected.push_back(sum);
        }
        EXPECT_LT(LargestDifference(FloatsOf(found[0]), expected), 0.02f);
      }
    }
  }
}

// Errors: what ExecuTorch does not run either.

TEST(Bfloat16ErrorsTest, NodesWithoutAKernelAreRefusedByName) {
  const Status status =
      RunBfloats({2, 4}, {2, 4}, Mixed(8), [](PayloadWriter& payload, uint32_t in, uint32_t out) {
        payload.AddUnary(XNodeUnion::XNNSoftmax, in, out);
      }).TakeStatus();
  EXPECT_TRUE(IsError(status, StatusCode::kUnsupported, {"XNNSoftmax", "bf16"}));
}

}  // namespace
}  // namespace onepack
