#include "schema/verify_payload.h"

#include <string>
#include <vector>

#include "aot/payload_writer.h"
#include "tests/support/files.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNDatatype;
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
