#include "schema/payload_header.h"

#include <string.h>

#include <vector>

#include "aot/payload_writer.h"
#include "tests/support/files.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

std::vector<uint8_t> Payload(const PayloadOptions& options = {}) {
  PayloadWriter writer(options);
  writer.AddOwnConstant(AsBytes("constant"));
  writer.AddSigmoid(writer.AddInput({2, 3}), writer.AddOutput({2, 3}));
  return writer.Finish();
}

template <typename T>
std::vector<uint8_t> With(std::vector<uint8_t> payload, size_t offset, T value) {
  memcpy(payload.data() + offset, &value, sizeof(value));
  return payload;
}

TEST(PayloadHeaderTest, BothPartsAreFound) {
  const std::vector<uint8_t> payload = Payload();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const PayloadHeader header, ParsePayloadHeader(payload));
  EXPECT_EQ(header.flatbuffer.offset, 32u);
  EXPECT_EQ(header.constant_data.size, 8u);
  EXPECT_EQ(header.constant_data.offset + header.constant_data.size, payload.size());
}

TEST(PayloadHeaderTest, BothIdentifiersAreRead) {
  PayloadOptions options;
  options.identifier = "XN00";
  EXPECT_TRUE(IsOk(ParsePayloadHeader(Payload(options))));
  options.has_header = false;
  EXPECT_TRUE(IsOk(ParsePayloadHeader(Payload(options))));
}

TEST(PayloadHeaderTest, WithoutHeaderAllIsFlatbuffer) {
  PayloadOptions options;
  options.has_header = false;
  const std::vector<uint8_t> payload = Payload(options);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const PayloadHeader header, ParsePayloadHeader(payload));
  EXPECT_EQ(header.flatbuffer.offset, 0u);
  EXPECT_EQ(header.flatbuffer.size, payload.size());
  EXPECT_EQ(header.constant_data.size, 0u);
}

TEST(PayloadHeaderTest, AnotherIdentifierIsNamedWithTheExpectedOne) {
  PayloadOptions options;
  options.identifier = "VK00";
  EXPECT_TRUE(IsError(ParsePayloadHeader(Payload(options)), StatusCode::kInvalidFile,
                      {"\"VK00\"", "\"XN01\""}));
  options.has_header = false;
  EXPECT_TRUE(IsError(ParsePayloadHeader(Payload(options)), StatusCode::kInvalidFile,
                      {"\"VK00\"", "\"XN01\""}));
}

TEST(PayloadHeaderTest, EveryTruncationIsRefused) {
  const std::vector<uint8_t> payload = Payload();
  for (size_t size = 0; size < payload.size(); ++size) {
    EXPECT_TRUE(IsError(ParsePayloadHeader({payload.data(), size}), StatusCode::kInvalidFile))
        << size;
  }
}

TEST(PayloadHeaderTest, PartsOutsideThePayloadAreRefused) {
  const std::vector<uint8_t> payload = Payload();
  const StatusCode code = StatusCode::kInvalidFile;
  EXPECT_TRUE(IsError(ParsePayloadHeader(With<uint16_t>(payload, 8, 29)), code, {"29", "30"}));
  EXPECT_TRUE(IsError(ParsePayloadHeader(With<uint32_t>(payload, 10, UINT32_MAX)), code));
  EXPECT_TRUE(IsError(ParsePayloadHeader(With<uint32_t>(payload, 14, UINT32_MAX)), code));
  EXPECT_TRUE(IsError(ParsePayloadHeader(With<uint32_t>(payload, 18, UINT32_MAX)), code));
  EXPECT_TRUE(IsError(ParsePayloadHeader(With<uint64_t>(payload, 22, 9)), code, {"9 bytes"}));
  EXPECT_TRUE(IsError(ParsePayloadHeader(With<uint64_t>(payload, 22, UINT64_MAX)), code));
  EXPECT_TRUE(IsError(ParsePayloadHeader(With<uint32_t>(payload, 14, 7)), code));
}

}  // namespace
}  // namespace onepack
