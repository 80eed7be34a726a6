#include "aot/ptd_writer.h"

#include <map>
#include <string>

#include "onepack/named_data_map.h"
#include "tests/support/files.h"
#include "tests/support/sources.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

TEST(PtdWriterTest, RealEntriesWrittenAgainAreReadBackEqual) {
  for (const char* name : {"cases/lora_8da4w/foundation.ptd", "cases/lora_fp32/lora0.ptd"}) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<DataSource> source,
                                 OpenMappedFile(TestData(name).c_str()));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> original, NamedDataMap::Open(source));
    PtdWriter writer;
    for (const NamedData& entry : original->entries()) {
      ONEPACK_ASSERT_OK_AND_ASSIGN(const Buffer buffer, entry.Load());
      writer.AddBytes(std::string(entry.key), buffer.bytes);
    }
    ONEPACK_ASSERT_OK_AND_ASSIGN(std::vector<uint8_t> bytes, writer.ToBytes());
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> copy, OpenData(std::move(bytes)));
    ASSERT_EQ(copy->entries().size(), original->entries().size());
    for (const NamedData& entry : original->entries()) {
      ASSERT_NE(copy->Find(entry.key), nullptr);
      EXPECT_TRUE(IsOk(CheckSameData(entry, *copy->Find(entry.key))));
    }
  }
}

TEST(PtdWriterTest, FrontIsLaidOutAsTheExporterDoes) {
  const std::vector<uint8_t> real = ReadFile(TestData("cases/lora_fp32/foundation.ptd"));
  PtdWriter writer;
  for (int i = 0; i < 6; ++i) writer.AddBytes(std::string(64, static_cast<char>('a' + i)), real);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const std::vector<uint8_t> ours, writer.ToBytes());
  // Identifiers, header length, flatbuffer offset.
  EXPECT_EQ(std::vector<uint8_t>(ours.begin() + 4, ours.begin() + 24),
            std::vector<uint8_t>(real.begin() + 4, real.begin() + 24));
}

TEST(PtdWriterTest, SegmentsAreAlignedAndKeysMayShareOne) {
  PtdWriter writer;
  const uint32_t first = writer.AddBytes("a", AsBytes("12345"));
  writer.AddBytes("b", AsBytes("678"));
  writer.AddKey("c", first);
  ONEPACK_ASSERT_OK_AND_ASSIGN(std::vector<uint8_t> bytes, writer.ToBytes());
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> map, OpenData(std::move(bytes)));
  EXPECT_EQ(map->Find("a")->segment.offset % 128, 0u);
  EXPECT_EQ(map->Find("b")->segment.offset, map->Find("a")->segment.offset + 128);
  EXPECT_EQ(map->Find("c")->segment.offset, map->Find("a")->segment.offset);
}

// `count` pieces of `piece`, one after the other.
DataBytes Repeated(std::vector<uint8_t> piece, int count, uint64_t announced) {
  return DataBytes::Produced(announced, [piece = std::move(piece), count](const Append& append) {
    for (int i = 0; i < count; ++i) ONEPACK_RETURN_IF_ERROR(append(piece));
    return Status::Ok();
  });
}

TEST(PtdWriterTest, StreamsSegmentsPieceByPieceToAFile) {
  const TempFolder folder;
  PtdWriter writer;
  writer.AddKey("numbers", writer.AddSegment(Repeated(std::vector<uint8_t>(100, 1), 10, 1000)));
  writer.AddKey("more", writer.AddSegment(Repeated({2}, 10, 10)));
  ASSERT_TRUE(IsOk(writer.ToFile(folder.File("a.ptd"))));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const std::vector<uint8_t> bytes, writer.ToBytes());
  EXPECT_EQ(ReadFile(folder.File("a.ptd")), bytes);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> map, OpenData(bytes));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Buffer buffer, map->Find("numbers")->Load());
  EXPECT_EQ(std::vector<uint8_t>(buffer.bytes.begin(), buffer.bytes.end()),
            std::vector<uint8_t>(1000, 1));
}

TEST(PtdWriterTest, ASegmentOfAnotherSizeThanAnnouncedIsAnErrorAndLeavesTheFile) {
  const TempFolder folder;
  WriteFile(folder.File("a.ptd"), AsBytes("before"));
  PtdWriter writer;
  writer.AddKey("k", writer.AddSegment(Repeated({1, 2, 3, 4, 5}, 1, 10)));
  EXPECT_TRUE(IsError(writer.ToFile(folder.File("a.ptd")), StatusCode::kInvalidArgument,
                      {"segment 0", "10 bytes", "5"}));
  EXPECT_EQ(ReadFile(folder.File("a.ptd")).size(), 6u);
  EXPECT_EQ(FilesIn(folder.path()), std::vector<std::string>{"a.ptd"});
}

TEST(PtdWriterTest, ASegmentIsAlignedAsItAsks) {
  PtdWriter writer;
  writer.AddBytes("a", AsBytes("1"));
  writer.AddKey("b", writer.AddSegment(DataBytes::Copied(AsBytes("2")), 4096));
  writer.AddKey("c", writer.AddSegment(DataBytes::Copied(AsBytes("3")), 96));
  ONEPACK_ASSERT_OK_AND_ASSIGN(std::vector<uint8_t> bytes, writer.ToBytes());
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> map, OpenData(std::move(bytes)));
  EXPECT_EQ(map->Find("b")->segment.offset % 4096, 0u);
  EXPECT_EQ(map->Find("c")->segment.offset % 384, 0u);
}

TEST(PtdWriterTest, AFolderThatIsNotThereIsNamed) {
  EXPECT_TRUE(IsError(PtdWriter().ToFile("/nowhere/at/all.ptd"), StatusCode::kNotFound,
                      {"/nowhere/at/all.ptd"}));
}

}  // namespace
}  // namespace onepack
