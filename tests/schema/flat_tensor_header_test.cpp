#include "schema/flat_tensor_header.h"

#include <string.h>

#include <vector>

#include "tests/support/files.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

constexpr size_t kHead = FlatTensorHeader::kHeadSize;

std::vector<uint8_t> RealHead() {
  std::vector<uint8_t> bytes = ReadFile(TestData("cases/lora_fp32/foundation.ptd"));
  bytes.resize(kHead);
  return bytes;
}

std::vector<uint8_t> Head(const std::vector<uint64_t>& numbers, uint32_t length = 40) {
  std::vector<uint8_t> bytes(kHead);
  memcpy(bytes.data() + 4, "FT01FH01", 8);
  memcpy(bytes.data() + 12, &length, sizeof(length));
  memcpy(bytes.data() + 16, numbers.data(), numbers.size() * sizeof(uint64_t));
  return bytes;
}

TEST(FlatTensorHeaderTest, ARealHeaderIsUnderstood) {
  const uint64_t file_size = ReadFile(TestData("cases/lora_fp32/foundation.ptd")).size();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const FlatTensorHeader header,
                               ParseFlatTensorHeader(RealHead(), file_size));
  EXPECT_EQ(header.flatbuffer.offset, 48u);
  EXPECT_EQ(header.segments.offset + header.segments.size, file_size);
}

TEST(FlatTensorHeaderTest, EveryTruncationOfARealHeadIsRefused) {
  const std::vector<uint8_t> head = RealHead();
  for (size_t size = 0; size <= head.size(); ++size) {
    EXPECT_TRUE(IsError(ParseFlatTensorHeader({head.data(), size}, size), StatusCode::kInvalidFile))
        << size;
  }
}

TEST(FlatTensorHeaderTest, AnotherIdentifierIsNamedWithTheExpectedOne) {
  std::vector<uint8_t> head = RealHead();
  memcpy(head.data() + 4, "ET12", 4);
  EXPECT_TRUE(IsError(ParseFlatTensorHeader(head, 1 << 20), StatusCode::kInvalidFile,
                      {"\"ET12\"", "\"FT01\""}));
  head = RealHead();
  memcpy(head.data() + 8, "FH99", 4);
  EXPECT_TRUE(IsError(ParseFlatTensorHeader(head, 1 << 20), StatusCode::kInvalidFile,
                      {"\"FH99\"", "\"FH01\""}));
}

TEST(FlatTensorHeaderTest, AShortHeaderIsRefused) {
  EXPECT_TRUE(IsError(ParseFlatTensorHeader(Head({48, 10, 64, 10}, 39), 1000),
                      StatusCode::kInvalidFile, {"39", "40"}));
}

TEST(FlatTensorHeaderTest, PartsOutsideTheFileAreRefused) {
  EXPECT_TRUE(IsError(ParseFlatTensorHeader(Head({48, 53, 64, 0}), 100), StatusCode::kInvalidFile,
                      {"a directory of 53 bytes at 48", "100 bytes"}));
  EXPECT_TRUE(IsError(ParseFlatTensorHeader(Head({48, 10, 64, 37}), 100), StatusCode::kInvalidFile,
                      {"segments of 37 bytes at 64", "truncated"}));
  EXPECT_TRUE(IsError(ParseFlatTensorHeader(Head({8, 10, 64, 10}), 100), StatusCode::kInvalidFile,
                      {"inside the header"}));
}

TEST(FlatTensorHeaderTest, SumsThatWrapAreRefused) {
  EXPECT_TRUE(IsError(ParseFlatTensorHeader(Head({48, UINT64_MAX - 10, 64, 10}), 100),
                      StatusCode::kInvalidFile, {"a directory"}));
  EXPECT_TRUE(IsError(ParseFlatTensorHeader(Head({48, 10, UINT64_MAX - 1, 10}), 100),
                      StatusCode::kInvalidFile, {"segments"}));
}

}  // namespace
}  // namespace onepack
