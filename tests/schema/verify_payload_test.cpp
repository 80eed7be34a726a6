#include "schema/verify_payload.h"

#include <string.h>

#include <string>
#include <vector>

#include "aot/payload_writer.h"
#include "tests/support/files.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNDatatype;
using wire::xnnpack::XNNGraph;
using wire::xnnpack::XNNQuantParams;
using wire::xnnpack::XNodeUnion;

Status Verify(PayloadWriter& writer) {
  const std::vector<uint8_t> payload = writer.Finish();
  ONEPACK_ASSIGN_OR_RETURN(const PayloadHeader header, ParsePayloadHeader(payload));
  const Bytes graph = Bytes(payload).subspan(header.flatbuffer.offset, header.flatbuffer.size);
  auto verified = VerifyPayload(graph, header);
  return verified.ok() ? Status::Ok() : verified.TakeStatus();
}

TEST(VerifyPayloadTest, AGraphWithEveryKindOfValuePasses) {
  PayloadWriter writer;
  const uint32_t own = writer.AddOwnConstant(std::vector<uint8_t>(64));
  const uint32_t named = writer.AddNamedConstant("key", 1000);
  const uint32_t x = writer.AddInput({2, 8});
  const uint32_t converted = writer.AddDynamicInt8({2, 8});
  writer.AddConvert(x, converted);
  const uint32_t filter = writer.AddPerChannelInt8({8, 8}, own, {std::vector<float>(8, 1), 0, 0});
  writer.AddBlockwiseInt4({8, 32}, named, {{}, own, 8}, 32);
  const uint32_t y = writer.AddOutput({2, 8});
  writer.AddFullyConnected(converted, filter, y);
  EXPECT_TRUE(IsOk(Verify(writer)));
}

TEST(VerifyPayloadTest, AGraphWithoutAnythingPasses) {
  PayloadWriter writer;
  EXPECT_TRUE(IsOk(Verify(writer)));
}

TEST(VerifyPayloadTest, OldPayloadsWithConstantBufferPass) {
  PayloadOptions options;
  options.has_header = false;
  PayloadWriter writer(options);
  writer.AddConstant({4}, writer.AddOwnConstant(std::vector<uint8_t>(16)));
  EXPECT_TRUE(IsOk(Verify(writer)));
}

TEST(VerifyPayloadTest, AConstantThatIsNotThereIsRefused) {
  PayloadWriter writer;
  writer.AddOwnConstant(std::vector<uint8_t>(16));
  writer.AddInput({4});
  writer.AddConstant({4}, 2);
  EXPECT_TRUE(
      IsError(Verify(writer), StatusCode::kInvalidFile, {"graph value 1", "constant 2 of 2"}));
}

TEST(VerifyPayloadTest, ScalesThatAreNotThereAreRefused) {
  PayloadWriter per_channel;
  per_channel.AddPerChannelInt8({4, 4}, 0, {{}, 9, 4});
  EXPECT_TRUE(
      IsError(Verify(per_channel), StatusCode::kInvalidFile, {"graph value 0", "constant 9"}));
  PayloadWriter blockwise;
  blockwise.AddBlockwiseInt4({4, 32}, 0, {{}, 9, 4}, 32);
  EXPECT_TRUE(
      IsError(Verify(blockwise), StatusCode::kInvalidFile, {"graph value 0", "constant 9"}));
}

TEST(VerifyPayloadTest, TooManyDimensionsAreRefused) {
  PayloadWriter six;
  six.AddInput({1, 1, 1, 1, 1, 1});
  EXPECT_TRUE(IsOk(Verify(six)));
  PayloadWriter seven;
  seven.AddInput({1, 1, 1, 1, 1, 1, 1});
  EXPECT_TRUE(
      IsError(Verify(seven), StatusCode::kInvalidFile, {"graph value 0", "num_dims 7", "6"}));
}

TEST(VerifyPayloadTest, QuantizationOfNoKindIsRefused) {
  PayloadWriter none;
  none.AddQuantized({}, XNNQuantParams::NONE, 0);
  EXPECT_TRUE(IsError(Verify(none), StatusCode::kInvalidFile, {"graph value 0", "parameters"}));
  PayloadWriter unknown;
  const auto params = wire::xnnpack::CreatePerTensorQuant(unknown.builder(), 1.0f, 0).Union();
  unknown.AddQuantized({}, static_cast<XNNQuantParams>(77), params);
  EXPECT_TRUE(
      IsError(Verify(unknown), StatusCode::kInvalidFile, {"graph value 0", "unknown kind 77"}));
}

TEST(VerifyPayloadTest, NodesOfNoKindAreRefused) {
  PayloadWriter none;
  none.AddSigmoid(none.AddInput({1}), none.AddOutput({1}));
  none.AddNode(XNodeUnion::NONE, 0);
  EXPECT_TRUE(IsError(Verify(none), StatusCode::kInvalidFile, {"graph node 1", "kind 0"}));
  PayloadWriter unknown;
  unknown.AddUnary(static_cast<XNodeUnion>(200), 0, 0);
  EXPECT_TRUE(IsError(Verify(unknown), StatusCode::kInvalidFile, {"graph node 0", "kind 200"}));
}

TEST(VerifyPayloadTest, DamagedGraphsAreRefused) {
  PayloadWriter writer;
  writer.AddSigmoid(writer.AddInput({1}), writer.AddOutput({1}));
  std::vector<uint8_t> payload = writer.Finish();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const PayloadHeader header, ParsePayloadHeader(payload));
  payload[header.flatbuffer.offset + 2] = 0xff;  // the root offset
  const Bytes graph = Bytes(payload).subspan(header.flatbuffer.offset, header.flatbuffer.size);
  EXPECT_TRUE(IsError(VerifyPayload(graph, header), StatusCode::kInvalidFile, {"damaged"}));
}

// A graph of which a test needs the list of constants alone, and bytes to damage.
class ConstantListTest : public testing::Test {
 protected:
  using Entry = flatbuffers::Offset<wire::xnnpack::ConstantDataOffset>;

  // Behind the one that stands for none. `region_size` bytes are in the payload.
  void MakeGraph(std::vector<Entry> constants, uint64_t region_size = 0) {
    constants.insert(constants.begin(), wire::xnnpack::CreateConstantDataOffset(builder_, 0, 0));
    const std::vector<flatbuffers::Offset<wire::xnnpack::XNode>> nodes;
    builder_.Finish(wire::xnnpack::CreateXNNGraphDirect(builder_, "0", &nodes, nullptr, 0, nullptr,
                                                        nullptr, nullptr, nullptr, &constants),
                    "XN01");
    TakeBytes(region_size);
  }
  void TakeBytes(uint64_t region_size = 0) {
    const flatbuffers::span<uint8_t> finished = builder_.GetBufferSpan();
    bytes_.assign(finished.begin(), finished.end());
    header_.flatbuffer.size = bytes_.size();
    header_.constant_data.size = region_size;
  }
  Entry Named(const char* key, size_t size) {
    return wire::xnnpack::CreateConstantDataOffset(builder_, UINT64_MAX, 4,
                                                   builder_.CreateString(key, size));
  }
  // Of the graph's root, which is there.
  void SetField(flatbuffers::voffset_t field, uint32_t offset) {
    const auto* root = flatbuffers::GetRoot<flatbuffers::Table>(bytes_.data());
    const uint8_t* at = root->GetAddressOf(field);
    ASSERT_NE(at, nullptr);
    memcpy(bytes_.data() + (at - bytes_.data()), &offset, sizeof(offset));
  }
  Status VerifyList() const {
    auto list = VerifyConstantList(bytes_, header_);
    return list.ok() ? Status::Ok() : list.TakeStatus();
  }

  flatbuffers::FlatBufferBuilder builder_;
  std::vector<uint8_t> bytes_;
  PayloadHeader header_;
};

TEST_F(ConstantListTest, IsThatOfTheGraph) {
  MakeGraph({Named("one", 3), wire::xnnpack::CreateConstantDataOffset(builder_, 16, 48)}, 64);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const ConstantList* list, VerifyConstantList(bytes_, header_));
  ASSERT_EQ(list->size(), 3u);
  EXPECT_EQ(list->Get(1)->named_key()->str(), "one");
  EXPECT_EQ(list->Get(2)->size(), 48u);
}

TEST_F(ConstantListTest, NoListAtAllIsNone) {
  builder_.Finish(wire::xnnpack::CreateXNNGraph(builder_), "XN01");
  TakeBytes();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const ConstantList* list, VerifyConstantList(bytes_, header_));
  EXPECT_EQ(list, nullptr);
}

TEST_F(ConstantListTest, ADamagedRootIsRefused) {
  MakeGraph({Named("one", 3)});
  bytes_[2] = 0xff;
  EXPECT_TRUE(IsError(VerifyList(), StatusCode::kInvalidFile, {"damaged"}));
}

TEST_F(ConstantListTest, AListOutsideIsRefused) {
  MakeGraph({Named("one", 3)});
  SetField(XNNGraph::VT_CONSTANT_DATA, static_cast<uint32_t>(bytes_.size()));
  EXPECT_TRUE(IsError(VerifyList(), StatusCode::kInvalidFile, {"damaged"}));
}

TEST_F(ConstantListTest, AListThatIsCutAnywhereIsRefused) {
  MakeGraph({Named("one", 3), Named("two", 3)});
  const std::vector<uint8_t> intact = bytes_;
  // What is written first ends the buffer: the keys.
  for (size_t size = 0; size < intact.size(); ++size) {
    bytes_.assign(intact.begin(), intact.begin() + static_cast<ptrdiff_t>(size));
    EXPECT_TRUE(IsError(VerifyList(), StatusCode::kInvalidFile, {"damaged"})) << size;
  }
}

TEST_F(ConstantListTest, OneKeyInVeryManyPlacesIsRefused) {
  const auto key = builder_.CreateString(std::string(10'000, 'k'));
  std::vector<Entry> constants;
  for (int i = 0; i < 10; ++i) {
    constants.push_back(wire::xnnpack::CreateConstantDataOffset(builder_, 0, 4, key));
  }
  MakeGraph(constants);
  EXPECT_TRUE(IsError(VerifyList(), StatusCode::kInvalidFile, {"too many places"}));
}

TEST_F(ConstantListTest, AKeyWithNulIsRefused) {
  MakeGraph({Named("one", 3), Named("t\0o", 3)});
  EXPECT_TRUE(IsError(VerifyList(), StatusCode::kInvalidFile, {"constant 2 has no usable key"}));
}

TEST_F(ConstantListTest, AConstantOutsideThePayloadIsRefused) {
  MakeGraph({wire::xnnpack::CreateConstantDataOffset(builder_, 16, 49)}, 64);
  EXPECT_TRUE(IsError(VerifyList(), StatusCode::kInvalidFile,
                      {"constant 1: 49 bytes at 16, but the payload carries 64 bytes"}));
}

TEST_F(ConstantListTest, WhatElseIsDamagedIsForVerifyPayload) {
  MakeGraph({Named("one", 3)});
  SetField(XNNGraph::VT_XNODES, 0x7ffffff0);
  EXPECT_TRUE(IsOk(VerifyList()));
  EXPECT_TRUE(IsError(VerifyPayload(bytes_, header_), StatusCode::kInvalidFile, {"damaged"}));
}

TEST(VerifyPayloadTest, TensorAndConstantCountAreReadInEitherSpelling) {
  PayloadWriter writer;
  writer.AddOwnConstant(AsBytes("x"));
  writer.AddInput({2});
  writer.AddDynamicInt8({3, 4});
  const std::vector<uint8_t> payload = writer.Finish();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const PayloadHeader header, ParsePayloadHeader(payload));
  const Bytes bytes = Bytes(payload).subspan(header.flatbuffer.offset, header.flatbuffer.size);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto* graph, VerifyPayload(bytes, header));
  EXPECT_EQ(ConstantCount(*graph), 2u);
  EXPECT_EQ(TensorOf(*graph->xvalues()->Get(0)).datatype(), XNNDatatype::fp32);
  EXPECT_EQ(TensorOf(*graph->xvalues()->Get(1)).datatype(), XNNDatatype::qdint8);
}

}  // namespace
}  // namespace onepack
