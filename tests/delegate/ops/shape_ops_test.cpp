// Nodes that move elements: transpose, reshape, slice, pad, resize.

#include <string>

#include "tests/delegate/ops/graph_test.h"

namespace onepack {
namespace {

using wire::xnnpack::CreateXNNStaticConstantPadDirect;
using wire::xnnpack::CreateXNNStaticReshapeDirect;
using wire::xnnpack::CreateXNNStaticResizeBilinear2D;
using wire::xnnpack::CreateXNNStaticSliceDirect;
using wire::xnnpack::CreateXNNStaticTransposeDirect;

constexpr uint32_t kAlignCorners = 8;

AddNode Transpose(const std::vector<uint32_t>& perm) {
  return [=](PayloadWriter& payload, uint32_t in, uint32_t out) {
    const auto node = CreateXNNStaticTransposeDirect(
        payload.builder(), static_cast<uint32_t>(perm.size()), &perm, in, out);
    payload.AddNode(XNodeUnion::XNNStaticTranspose, node.Union());
  };
}

AddNode Reshape(const std::vector<uint32_t>& shape) {
  return [=](PayloadWriter& payload, uint32_t in, uint32_t out) {
    const auto node = CreateXNNStaticReshapeDirect(
        payload.builder(), static_cast<uint32_t>(shape.size()), &shape, in, out);
    payload.AddNode(XNodeUnion::XNNStaticReshape, node.Union());
  };
}

AddNode Slice(const std::vector<uint32_t>& offsets, const std::vector<uint32_t>& sizes) {
  return [=](PayloadWriter& payload, uint32_t in, uint32_t out) {
    const auto node = CreateXNNStaticSliceDirect(
        payload.builder(), static_cast<uint32_t>(offsets.size()), &offsets, &sizes, in, out);
    payload.AddNode(XNodeUnion::XNNStaticSlice, node.Union());
  };
}

AddNode Pad(const std::vector<uint32_t>& before, const std::vector<uint32_t>& after, float value) {
  return [=](PayloadWriter& payload, uint32_t in, uint32_t out) {
    const auto node =
        CreateXNNStaticConstantPadDirect(payload.builder(), &before, &after, value, in, out);
    payload.AddNode(XNodeUnion::XNNStaticConstantPad, node.Union());
  };
}

AddNode Resize(uint32_t height, uint32_t width, uint32_t flags = 0) {
  return [=](PayloadWriter& payload, uint32_t in, uint32_t out) {
    const auto node =
        CreateXNNStaticResizeBilinear2D(payload.builder(), height, width, in, out, flags);
    payload.AddNode(XNodeUnion::XNNStaticResizeBilinear2D, node.Union());
  };
}

// Transpose.

TEST(TransposeTest, PutsEachElementWhereThePermutationSays) {
  const std::vector<uint32_t> dims = {2, 3, 4, 5};
  const std::vector<uint32_t> perms[] = {{0, 2, 3, 1}, {0, 3, 1, 2}, {3, 2, 1, 0}, {0, 1, 2, 3}};
  const std::vector<float> x = Mixed(120);
  for (const std::vector<uint32_t>& perm : perms) {
    const std::vector<uint32_t> out = {dims[perm[0]], dims[perm[1]], dims[perm[2]], dims[perm[3]]};
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, RunOne(dims, out, x, Transpose(perm)));
    const std::vector<float> y = FloatsOf(found[0]);
    for (size_t i = 0; i < y.size(); ++i) {
      size_t to[4] = {i / (out[1] * out[2] * out[3]), i / (out[2] * out[3]) % out[1],
                      i / out[3] % out[2], i % out[3]};
      size_t from[4] = {};
      for (size_t d = 0; d < 4; ++d) from[perm[d]] = to[d];
      ASSERT_EQ(y[i], x[((from[0] * 3 + from[1]) * 4 + from[2]) * 5 + from[3]]);
    }
  }
}

TEST(TransposeTest, OfSixDimsReversesThem) {
  const std::vector<float> x = Mixed(64);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, RunOne({2, 2, 2, 2, 2, 2}, {2, 2, 2, 2, 2, 2}, x,
                                                        Transpose({5, 4, 3, 2, 1, 0})));
  const std::vector<float> y = FloatsOf(found[0]);
  for (size_t i = 0; i < 64; ++i) {
    size_t reversed = 0;
    for (size_t bit = 0; bit < 6; ++bit) reversed |= ((i >> bit) & 1) << (5 - bit);
    ASSERT_EQ(y[i], x[reversed]);
  }
}

TEST(TransposeErrorsTest, WhatIsNoPermutationIsNamed) {
  EXPECT_TRUE(IsError(LoadOne({2, 2}, {2, 2}, Transpose({0, 0})), StatusCode::kInvalidFile,
                      {"XNNStaticTranspose", "perm"}));
  EXPECT_TRUE(IsError(LoadOne({2, 2}, {2, 2}, Transpose({0, 2})), StatusCode::kInvalidFile,
                      {"XNNStaticTranspose", "perm"}));
  EXPECT_TRUE(IsError(LoadOne({2, 2}, {2, 2}, Transpose({1})), StatusCode::kInvalidFile,
                      {"XNNStaticTranspose", "rank 2"}));
}

TEST(TransposeErrorsTest, FewerNumbersThanItSaysAreRefused) {
  const AddNode add = [](PayloadWriter& payload, uint32_t in, uint32_t out) {
    const std::vector<uint32_t> perm = {0};
    const auto node = CreateXNNStaticTransposeDirect(payload.builder(), 2, &perm, in, out);
    payload.AddNode(XNodeUnion::XNNStaticTranspose, node.Union());
  };
  EXPECT_TRUE(IsError(LoadOne({2, 2}, {2, 2}, add), StatusCode::kInvalidFile,
                      {"XNNStaticTranspose", "1 dims in perm", "2 expected"}));
}

// Reshape.

TEST(ReshapeTest, KeepsElementsInTheirOrder) {
  const std::vector<float> x = Mixed(24);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, RunOne({2, 3, 4}, {4, 6}, x, Reshape({4, 6})));
  EXPECT_EQ(FloatsOf(found[0]), x);
}

TEST(ReshapeTest, AnOpenDimFollowsTheSizesOfACall) {
  PayloadWriter payload;
  const uint32_t x = payload.AddInput({8, 6});
  Reshape({0, 2, 3})(payload, x, payload.AddOutput({8, 2, 3}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram program,
                               GraphProgram::Load(payload, {Input({8, 6}), Output({8, 2, 3})}));
  for (const int32_t rows : {3, 8, 1, 5}) {
    const std::vector<float> numbers = Mixed(static_cast<size_t>(rows) * 6);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, program.Run({Floats({rows, 6}, numbers)}));
    EXPECT_EQ(found[0].sizes, (std::vector<int32_t>{rows, 2, 3}));
    EXPECT_EQ(FloatsOf(found[0]), numbers);
  }
}

TEST(ReshapeTest, ToAScalarIsOneElementOfWhateverRankTheFileSays) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, RunOne({1, 1}, {1}, {7}, Reshape({})));
  EXPECT_EQ(FloatsOf(found[0]), (std::vector<float>{7}));
}

TEST(ReshapeErrorsTest, AnotherNumberOfElementsIsNamed) {
  EXPECT_TRUE(IsError(LoadOne({2, 3}, {2, 4}, Reshape({2, 4})), StatusCode::kInvalidFile,
                      {"XNNStaticReshape", "[2, 3]", "[2, 4]"}));
  EXPECT_TRUE(IsError(LoadOne({2, 3}, {4, 1}, Reshape({4, 0})), StatusCode::kInvalidFile,
                      {"XNNStaticReshape"}));
  EXPECT_TRUE(IsError(LoadOne({2, 3}, {2, 3}, Reshape({0, 0})), StatusCode::kInvalidFile,
                      {"XNNStaticReshape", "two dims"}));
  EXPECT_TRUE(IsError(LoadOne({2, 3}, {6}, Reshape({6, 1, 1, 1, 1, 1, 1})),
                      StatusCode::kInvalidFile, {"XNNStaticReshape", "rank 7"}));
  EXPECT_TRUE(IsError(LoadOne({2, 3}, {6}, Reshape({0xffffffff, 0xffffffff, 0xffffffff})),
                      StatusCode::kInvalidFile, {"XNNStaticReshape"}));
}

// Slice.

TEST(SliceTest, TakesWhatItSaysOfEachDim) {
  const std::vector<float> x = Mixed(60);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found,
                               RunOne({3, 4, 5}, {2, 2, 3}, x, Slice({1, 2, 0}, {2, 2, 3})));
  const std::vector<float> y = FloatsOf(found[0]);
  for (size_t i = 0; i < y.size(); ++i) {
    EXPECT_EQ(y[i], x[((i / 6 + 1) * 4 + i / 3 % 2 + 2) * 5 + i % 3]);
  }
}

TEST(SliceTest, OfSizeZeroIsAllOfADim) {
  const std::vector<float> x = {1, 2, 3, 4, 5, 6};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, RunOne({2, 3}, {2, 1}, x, Slice({0, 1}, {0, 1})));
  EXPECT_EQ(FloatsOf(found[0]), (std::vector<float>{2, 5}));
}

TEST(SliceErrorsTest, WhatReachesBeyondTheInputIsNamed) {
  EXPECT_TRUE(IsError(LoadOne({4}, {2}, Slice({3}, {2})), StatusCode::kInvalidFile,
                      {"XNNStaticSlice", "2 from 3 on of 4"}));
  EXPECT_TRUE(IsError(LoadOne({4}, {2}, Slice({0xffffffff}, {2})), StatusCode::kInvalidFile,
                      {"XNNStaticSlice"}));
  EXPECT_TRUE(
      IsError(LoadOne({4}, {4}, Slice({1}, {0})), StatusCode::kInvalidFile, {"XNNStaticSlice"}));
  EXPECT_TRUE(IsError(LoadOne({4}, {2}, Slice({0, 0}, {2, 1})), StatusCode::kInvalidFile,
                      {"XNNStaticSlice", "2 dims", "rank 1"}));
  EXPECT_TRUE(IsError(LoadOne({4}, {2}, Slice({0}, {2, 1})), StatusCode::kInvalidFile,
                      {"XNNStaticSlice", "2 sizes"}));
}

TEST(SliceErrorsTest, AnInputThatIsTooShortInACallIsRefusedThen) {
  PayloadWriter payload;
  const uint32_t x = payload.AddInput({8});
  Slice({4}, {2})(payload, x, payload.AddOutput({2}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram program,
                               GraphProgram::Load(payload, {Input({8}), Output({2})}));
  EXPECT_TRUE(IsError(program.Run({Floats({5}, Mixed(5))}), StatusCode::kMismatch,
                      {"graph node 0 (XNNStaticSlice)", "2 from 4 on of 5"}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, program.Run({Floats({6}, {0, 1, 2, 3, 4, 5})}));
  EXPECT_EQ(FloatsOf(found[0]), (std::vector<float>{4, 5}));
}

// Pad.

TEST(PadTest, SurroundsTheInput) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found,
                               RunOne({2, 2}, {3, 5}, {1, 2, 3, 4}, Pad({0, 2}, {1, 1}, -7)));
  EXPECT_EQ(FloatsOf(found[0]),
            (std::vector<float>{-7, -7, 1, 2, -7, -7, -7, 3, 4, -7, -7, -7, -7, -7, -7}));
}

TEST(PadErrorsTest, AnotherNumberOfPaddingsThanDimsIsNamed) {
  EXPECT_TRUE(IsError(LoadOne({2, 2}, {2, 3}, Pad({0}, {0, 1}, 0)), StatusCode::kInvalidFile,
                      {"XNNStaticConstantPad", "1 pre_paddings", "2 expected"}));
  EXPECT_TRUE(IsError(LoadOne({2, 2}, {2, 3}, Pad({0, 0}, {0, 1, 0}, 0)), StatusCode::kInvalidFile,
                      {"XNNStaticConstantPad", "3 post_paddings"}));
}

TEST(PadErrorsTest, PaddingsThatWouldWrapAroundAreRefused) {
  EXPECT_TRUE(IsError(RunOne({2}, {1}, {1, 2}, Pad({0xffffffff}, {0}, 0)), StatusCode::kMismatch,
                      {"XNNStaticConstantPad", "[4294967297]", "[1]"}));
}

// Resize.

TEST(ResizeTest, InterpolatesBetweenCorners) {
  // One image of 2 by 2 with one channel, to 3 by 3.
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, RunOne({1, 2, 2, 1}, {1, 3, 3, 1}, {0, 2, 4, 6},
                                                        Resize(3, 3, kAlignCorners)));
  EXPECT_EQ(FloatsOf(found[0]), (std::vector<float>{0, 1, 2, 2, 3, 4, 4, 5, 6}));
}

TEST(ResizeErrorsTest, ASizeOfNothingOrOfTooMuchIsRefused) {
  EXPECT_TRUE(IsError(LoadOne({1, 2, 2, 1}, {1, 0, 3, 1}, Resize(0, 3)), StatusCode::kInvalidFile,
                      {"XNNStaticResizeBilinear2D", "height of 0"}));
  EXPECT_TRUE(IsError(LoadOne({1, 2, 2, 1}, {1, 3, 3, 1}, Resize(3, 1u << 24)),
                      StatusCode::kInvalidFile, {"XNNStaticResizeBilinear2D", "16777216"}));
  EXPECT_TRUE(IsError(LoadOne({2, 2}, {2, 2}, Resize(2, 2)), StatusCode::kInvalidFile,
                      {"XNNStaticResizeBilinear2D", "[2, 2]", "image"}));
  EXPECT_TRUE(IsError(LoadOne({1, 2, 2, 1}, {1, 3, 3, 1}, Resize(3, 3, 1)),
                      StatusCode::kUnsupported, {"XNNStaticResizeBilinear2D", "flags 0x1"}));
}

// XNNPACK takes an output of any datatype here, and writes as many bytes as the input has.
TEST(ResizeErrorsTest, AnOutputOfAnotherDatatypeIsRefused) {
  PayloadWriter payload;
  const uint32_t x = payload.AddInput({1, 2, 2, 1});
  Resize(3, 3)(payload, x, AddBorderOf(payload, XNNDatatype::fp16, {1, 3, 3, 1}, true));
  EXPECT_TRUE(IsError(
      GraphProgram::Load(payload, {Input({1, 2, 2, 1}), Output({1, 3, 3, 1}, ScalarType::kHalf)}),
      StatusCode::kUnsupported, {"XNNStaticResizeBilinear2D", "fp32", "fp16"}));
}

}  // namespace
}  // namespace onepack
