// What XNNPACK takes besides the values of a graph counts against the limit, for all nodes together
// where it is kept.

#include "delegate/ops/op.h"
#include "delegate/plan/activations.h"
#include "delegate/plan/shape_inference.h"
#include "delegate/xnn/differences.h"
#include "tests/delegate/ops/graph_test.h"

namespace onepack {
namespace {

using wire::xnnpack::XNode;

constexpr uint64_t kMegabyte = 1u << 20;

// A node that `make` makes, alone.
class LoneNode {
 public:
  template <typename Make>
  LoneNode(XNodeUnion type, Make make) {
    const auto node = make(builder_);
    builder_.Finish(wire::xnnpack::CreateXNode(builder_, type, node.Union()));
  }
  const XNode& get() const { return *flatbuffers::GetRoot<XNode>(builder_.GetBufferPointer()); }

 private:
  flatbuffers::FlatBufferBuilder builder_;
};

// Adds it `times` times under a limit. Values have the ids 0, 1 and so on.
Status Add(const LoneNode& node, const std::vector<Shape>& shapes, uint64_t limit, int times = 1) {
  ShapeInference inference;
  for (size_t i = 0; i < shapes.size(); ++i) {
    inference.AddValue(static_cast<uint32_t>(i), shapes[i]);
  }
  const Op& op = *FindOp(node.get().xnode_union_type());
  for (int i = 0; i < times; ++i) {
    ONEPACK_RETURN_IF_ERROR(inference.AddNode(static_cast<size_t>(i), op, node.get(), limit));
  }
  return Status::Ok();
}

testing::AssertionResult IsTooMuch(const Status& status) {
  return IsError(status, StatusCode::kResourceExhausted, {"bytes", "allowed"});
}

// 64 pointers for each of 2^16 positions.
TEST(MemoryNeedsTest, WhatIsKeptForEachNodeAddsUp) {
  const LoneNode node(XNodeUnion::XNNMaxPooling2d, [](auto& builder) {
    return wire::xnnpack::CreateXNNPooling2D(builder, 0, 0, 0, 0, 8, 8, 1, 1, 1, 1, 0, 1);
  });
  const std::vector<Shape> shapes = {{1, 263, 263, 1}, {1, 256, 256, 1}};
  EXPECT_TRUE(IsTooMuch(Add(node, shapes, 32 * kMegabyte - 1)));
  EXPECT_TRUE(IsOk(Add(node, shapes, 40 * kMegabyte)));
  EXPECT_TRUE(IsTooMuch(Add(node, shapes, 40 * kMegabyte, 2)));
  EXPECT_TRUE(IsOk(Add(node, shapes, 80 * kMegabyte, 2)));
}

// Two rows of output, but pointers for 2^12 of them.
TEST(MemoryNeedsTest, TheRowsOfAnAverageThatReachIntoItsPaddingCountWhetherThereAreAnyOrNot) {
  constexpr uint32_t kSize = 4096;
  const LoneNode node(XNodeUnion::XNNAvgPooling2d, [](auto& builder) {
    return wire::xnnpack::CreateXNNPooling2D(builder, kSize / 2, 0, kSize / 2, 0, kSize, 1, 1, 1, 1,
                                             1, 0, 1);
  });
  const std::vector<Shape> shapes = {{1, 1, 1, 1}, {1, 2, 1, 1}};
  EXPECT_TRUE(IsTooMuch(Add(node, shapes, uint64_t{kSize} * kSize * sizeof(void*))));
  EXPECT_TRUE(IsOk(Add(node, shapes, uint64_t{kSize} * kSize * sizeof(void*) * 2)));
}

// A column is packed as if it were a matrix of many.
TEST(MemoryNeedsTest, AProductsPackedMatrixCounts) {
  constexpr size_t kInner = 1u << 16;
  const LoneNode node(XNodeUnion::XNNBatchMatrixMultiply, [](auto& builder) {
    return wire::xnnpack::CreateXNNNode2x1(builder, 0, 1, 2);
  });
  const std::vector<Shape> shapes = {{1, kInner}, {kInner, 1}, {1, 1}};
  EXPECT_TRUE(IsTooMuch(Add(node, shapes, kInner * 16 * sizeof(float))));
  EXPECT_TRUE(IsOk(Add(node, shapes, kInner * 64 * sizeof(float))));
  EXPECT_TRUE(IsOk(Add(node, shapes, kInner * 64 * sizeof(float), 3)));  // of one at a time
}

TEST(MemoryNeedsTest, AFilterOfFewOutputsCountsAsItIsPacked) {
  constexpr size_t kInner = 1u << 16;
  const LoneNode node(XNodeUnion::XNNFullyConnected, [](auto& builder) {
    return wire::xnnpack::CreateXNNFullyConnected(builder, 0, 1, PayloadWriter::kNoValue, 2);
  });
  const std::vector<Shape> shapes = {{1, kInner}, {1, kInner}, {1, 1}};
  EXPECT_TRUE(IsTooMuch(Add(node, shapes, kInner * 16 * sizeof(float))));
  EXPECT_TRUE(IsOk(Add(node, shapes, kInner * 128 * sizeof(float))));
}

TEST(MemoryNeedsTest, AttentionsPackedKeysAndValuesCount) {
  constexpr size_t kTokens = 1u << 12, kChannels = 64;
  const LoneNode node(XNodeUnion::XNNScaledDotProductAttention, [](auto& builder) {
    return wire::xnnpack::CreateXNNScaledDotProductAttention(builder, 0, 1, 2, 3, 4, 5);
  });
  const Shape all = {1, 1, kTokens, kChannels};
  const std::vector<Shape> shapes = {all, all, all, {kChannels}, {kTokens, kTokens}, all};
  EXPECT_TRUE(IsTooMuch(Add(node, shapes, 2 * kTokens * kChannels * sizeof(float))));
  // Where attention is made of other nodes, it has memory for every logit.
  constexpr size_t kLogits = kComposesAttention ? kTokens * kTokens : 0;
  EXPECT_TRUE(IsOk(Add(node, shapes, (32 * kTokens * kChannels + 4 * kLogits) * sizeof(float))));
  EXPECT_TRUE(kLogits == 0 || IsTooMuch(Add(node, shapes, 2 * kLogits * sizeof(float))));
}

const wire::xnnpack::XNNGraph& GraphOf(const std::vector<uint8_t>& payload) {
  uint32_t offset;
  memcpy(&offset, payload.data() + 10, sizeof(offset));
  return *flatbuffers::GetRoot<wire::xnnpack::XNNGraph>(payload.data() + offset);
}

// The indices of an arg-max are read by nothing and yet written: they have a place as long as the
// runtime lives.
TEST(MemoryNeedsTest, AnOutputThatNothingReadsIsKeptBesidesAllOthers) {
  constexpr uint32_t kSide = 64;
  PayloadWriter payload;
  const uint32_t x = payload.AddInput({1, kSide * 2, kSide * 2, 1});
  const std::vector<uint32_t> dims = {1, kSide, kSide, 1};
  for (int i = 0; i < 4; ++i) {
    PayloadTensor indices;
    indices.datatype = XNNDatatype::int32;
    indices.dims = dims;
    const auto node = wire::xnnpack::CreateXNNArgMaxPooling2d(payload.builder(), 0, 0, 0, 0, 2, 2,
                                                              x, payload.AddOutput(dims),
                                                              payload.AddTensor(indices));
    payload.AddNode(XNodeUnion::XNNArgMaxPooling2d, node.Union());
  }
  const std::vector<uint8_t> bytes = payload.Finish();
  const wire::xnnpack::XNNGraph& graph = GraphOf(bytes);
  EXPECT_TRUE(IsTooMuch(CheckActivations(graph, 4 * kSide * kSide * sizeof(int32_t) - 1)));
  EXPECT_TRUE(IsOk(CheckActivations(graph, 4 * kSide * kSide * sizeof(int32_t))));
}

// `values` of 4 << `log2_elements` bytes each that are alive together, and their sum.
Status CheckSumOf(int values, int log2_elements) {
  PayloadWriter payload;
  const std::vector<uint32_t> dims = {1u << (log2_elements - 30), 1u << 30};
  const uint32_t x = payload.AddInput(dims);
  std::vector<uint32_t> ids;
  for (int i = 0; i < values; ++i) {
    ids.push_back(payload.AddInternal(dims));
    payload.AddSigmoid(x, ids.back());
  }
  const uint32_t y = payload.AddOutput(dims);
  for (const uint32_t id : ids) payload.AddAdd(id, id, y);
  return CheckActivations(GraphOf(payload.Finish()), UINT64_MAX);
}

// The sums are of 2^63, 2^64 and 2^65 bytes: none may be taken for less.
TEST(MemoryNeedsTest, WithoutALimitNoMoreThanAnAddressSpaceIsAllowed) {
  EXPECT_TRUE(IsTooMuch(CheckSumOf(1, 61)));
  EXPECT_TRUE(IsTooMuch(CheckSumOf(2, 60)));
  EXPECT_TRUE(IsTooMuch(CheckSumOf(4, 60)));
  EXPECT_TRUE(IsTooMuch(CheckSumOf(8, 60)));
  EXPECT_TRUE(IsOk(CheckSumOf(1, 60)));
  EXPECT_TRUE(IsOk(CheckSumOf(1, 30)));
}

}  // namespace
}  // namespace onepack
