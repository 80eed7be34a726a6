#include "schema/program_header.h"

#include <string.h>

#include <vector>

#include "tests/support/files.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

constexpr size_t kHead = ProgramHeader::kHeadSize;

std::vector<uint8_t> RealHead() {
  std::vector<uint8_t> bytes = ReadFile(TestData("cases/lora_fp32/base.pte"));
  bytes.resize(kHead);
  return bytes;
}

template <typename T>
void Put(std::vector<uint8_t>& bytes, size_t offset, T value) {
  memcpy(bytes.data() + offset, &value, sizeof(value));
}

// A long header with these numbers.
std::vector<uint8_t> Head(uint64_t flatbuffer, uint64_t base, uint64_t size, uint32_t length = 32) {
  std::vector<uint8_t> bytes(kHead);
  memcpy(bytes.data() + 4, "ET12eh00", 8);
  Put<uint32_t>(bytes, 12, length);
  Put<uint64_t>(bytes, 16, flatbuffer);
  Put<uint64_t>(bytes, 24, base);
  Put<uint64_t>(bytes, 32, size);
  return bytes;
}

TEST(ProgramHeaderTest, ARealHeaderIsUnderstood) {
  const uint64_t file_size = ReadFile(TestData("cases/lora_fp32/base.pte")).size();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const ProgramHeader header,
                               ParseProgramHeader(RealHead(), file_size));
  EXPECT_GT(header.flatbuffer_size, kHead);
  EXPECT_GE(header.segment_base, header.flatbuffer_size);
  EXPECT_EQ(header.segment_end, file_size);
}

TEST(ProgramHeaderTest, EveryTruncationOfARealHeadIsRefused) {
  const std::vector<uint8_t> head = RealHead();
  for (size_t size = 0; size < head.size(); ++size) {
    EXPECT_TRUE(IsError(ParseProgramHeader({head.data(), size}, size), StatusCode::kInvalidFile) ||
                (size >= 8 && size < 32))
        << size;
    // With fewer bytes than a header needs, all of the file counts as flatbuffer, and that is for
    // its verifier.
  }
}

TEST(ProgramHeaderTest, AnotherIdentifierIsNamedWithTheExpectedOne) {
  std::vector<uint8_t> head = RealHead();
  memcpy(head.data() + 4, "FT01", 4);
  EXPECT_TRUE(
      IsError(ParseProgramHeader(head, 1000), StatusCode::kInvalidFile, {"\"FT01\"", "\"ET12\""}));
  memcpy(head.data() + 4, "\x01\x02\x03\x04", 4);
  EXPECT_TRUE(
      IsError(ParseProgramHeader(head, 1000), StatusCode::kInvalidFile, {"\\x01\\x02\\x03\\x04"}));
}

TEST(ProgramHeaderTest, WithoutExtendedHeaderAllIsFlatbuffer) {
  std::vector<uint8_t> head = RealHead();
  memset(head.data() + 8, 0, 32);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const ProgramHeader header, ParseProgramHeader(head, 5000));
  EXPECT_EQ(header.flatbuffer_size, 5000u);
  EXPECT_EQ(header.segment_base, 0u);
  EXPECT_EQ(header.segment_end, 0u);
}

TEST(ProgramHeaderTest, AShortHeaderLeavesTheSegmentSizeToTheFile) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const ProgramHeader header,
                               ParseProgramHeader(Head(100, 128, 7, 24), 500));
  EXPECT_EQ(header.segment_base, 128u);
  EXPECT_EQ(header.segment_end, 500u);
}

TEST(ProgramHeaderTest, NoSegmentsIsSaidWithBaseZero) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const ProgramHeader header,
                               ParseProgramHeader(Head(100, 0, 0), 100));
  EXPECT_EQ(header.segment_end, 0u);
}

TEST(ProgramHeaderTest, PartsOutsideTheFileAreRefused) {
  EXPECT_TRUE(
      IsError(ParseProgramHeader(Head(101, 0, 0), 100), StatusCode::kInvalidFile, {"101", "100"}));
  EXPECT_TRUE(IsError(ParseProgramHeader(Head(7, 0, 0), 100), StatusCode::kInvalidFile, {"7"}));
  EXPECT_TRUE(IsError(ParseProgramHeader(Head(100, 99, 1), 200), StatusCode::kInvalidFile,
                      {"99", "inside the program"}));
  EXPECT_TRUE(IsError(ParseProgramHeader(Head(100, 128, 73), 200), StatusCode::kInvalidFile,
                      {"201", "200", "truncated"}));
  EXPECT_TRUE(
      IsError(ParseProgramHeader(Head(100, 300, 0), 200), StatusCode::kInvalidFile, {"200"}));
}

TEST(ProgramHeaderTest, SumsThatWrapAreRefused) {
  EXPECT_TRUE(IsError(ParseProgramHeader(Head(100, 128, UINT64_MAX - 100), 200),
                      StatusCode::kInvalidFile, {"overflow"}));
  EXPECT_TRUE(IsError(ParseProgramHeader(Head(UINT64_MAX, 0, 0), 200), StatusCode::kInvalidFile));
}

TEST(ProgramHeaderTest, AHeaderLengthThatCannotBeIsRefused) {
  EXPECT_TRUE(IsError(ParseProgramHeader(Head(100, 128, 1, 23), 200), StatusCode::kInvalidFile,
                      {"23 bytes", "24"}));
  EXPECT_TRUE(IsError(ParseProgramHeader(Head(100, 128, 1, 4000), 200), StatusCode::kInvalidFile,
                      {"4000"}));
}

}  // namespace
}  // namespace onepack
