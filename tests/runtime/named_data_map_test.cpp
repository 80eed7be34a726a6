#include "onepack/named_data_map.h"

#include <algorithm>
#include <string>
#include <vector>

#include "aot/ptd_writer.h"
#include "tests/support/files.h"
#include "tests/support/sources.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

Result<Ref<NamedDataMap>> OpenWritten(const PtdWriter& writer, const char* name = "test.ptd") {
  ONEPACK_ASSIGN_OR_RETURN(std::vector<uint8_t> bytes, writer.ToBytes());
  return OpenData(std::move(bytes), name);
}

std::string TextOf(const NamedData& data) {
  auto buffer = data.Load();
  EXPECT_TRUE(IsOk(buffer));
  return buffer.ok() ? std::string(buffer->bytes.begin(), buffer->bytes.end()) : "";
}

PtdWriter OneKey(const char* key, const char* text) {
  PtdWriter writer;
  writer.AddBytes(key, AsBytes(text));
  return writer;
}

TEST(NamedDataMapTest, FindsEveryKeyAndNoOther) {
  PtdWriter writer;
  writer.AddBytes("b", AsBytes("bee"));
  writer.AddBytes("a", AsBytes("ay"));
  writer.AddBytes("ab", AsBytes(""));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> map, OpenWritten(writer));
  ASSERT_NE(map->Find("b"), nullptr);
  EXPECT_EQ(TextOf(*map->Find("b")), "bee");
  EXPECT_EQ(TextOf(*map->Find("a")), "ay");
  EXPECT_EQ(TextOf(*map->Find("ab")), "");
  EXPECT_EQ(map->Find(""), nullptr);
  EXPECT_EQ(map->Find("abc"), nullptr);
  EXPECT_EQ(map->Find(std::string_view("a\0", 2)), nullptr);
}

TEST(NamedDataMapTest, EntriesAreSorted) {
  PtdWriter writer;
  for (const char* key : {"m", "z", "a", "k"}) writer.AddBytes(key, AsBytes(key));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> map, OpenWritten(writer));
  std::string keys;
  for (const NamedData& entry : map->entries()) keys += entry.key;
  EXPECT_EQ(keys, "akmz");
}

TEST(NamedDataMapTest, LayoutsAreThoseOfTheFile) {
  PtdWriter writer;
  writer.AddBytes("w", std::vector<uint8_t>(24),
                  PtdTensorLayout{ScalarType::kFloat, {2, 3}, {1, 0}});
  writer.AddBytes("blob", std::vector<uint8_t>(3));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> map, OpenWritten(writer));
  ASSERT_TRUE(map->Find("w")->is_tensor);
  EXPECT_STREQ(LayoutText(map->Find("w")->layout).c_str(), "float32 [2, 3] dim_order [1, 0]");
  EXPECT_FALSE(map->Find("blob")->is_tensor);
  EXPECT_EQ(map->Find("blob")->segment.size, 3u);
}

TEST(NamedDataMapTest, AFileWithoutKeysIsAnEmptyMap) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> map, OpenWritten(PtdWriter()));
  EXPECT_TRUE(map->entries().empty());
  EXPECT_EQ(map->Find("a"), nullptr);
}

TEST(NamedDataMapTest, RealFilesOpenAndHoldAlignedSegments) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<DataSource> source,
                               OpenMappedFile(TestData("cases/lora_fp32/foundation.ptd").c_str()));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> map, NamedDataMap::Open(source));
  EXPECT_EQ(map->entries().size(), 6u);
  for (const NamedData& entry : map->entries()) {
    EXPECT_EQ(entry.key.size(), 64u);
    EXPECT_EQ(entry.segment.size, 32768u);
    EXPECT_EQ(entry.segment.offset % 128, 0u);
  }
}

TEST(NamedDataMapTest, ErrorsNameTheFile) {
  EXPECT_TRUE(IsError(OpenData({1, 2, 3}, "broken.ptd"), StatusCode::kInvalidFile, {"broken.ptd"}));
}

// Remembers how much was taken at most.
struct PeakAllocator {
  static void* Allocate(void* context, size_t size, size_t alignment) {
    auto& self = *static_cast<PeakAllocator*>(context);
    self.bytes += size;
    self.peak = std::max(self.peak, self.bytes);
    return HeapAllocator().Allocate(size, alignment);
  }
  static void Deallocate(void* context, void* pointer, size_t size) {
    static_cast<PeakAllocator*>(context)->bytes -= size;
    HeapAllocator().Deallocate(pointer, size);
  }
  Allocator allocator() { return {Allocate, Deallocate, this}; }

  size_t bytes = 0;
  size_t peak = 0;
};

TEST(NamedDataMapTest, AMillionKeysAreAllFoundAndTakeAFewTimesTheFile) {
  constexpr int64_t kCount = 1000000;
  const auto key = [](int64_t i) { return "key" + std::to_string(kCount + i); };
  PtdWriter writer;
  const uint32_t segment = writer.AddBytes("first", AsBytes("x"));
  for (int64_t i = 0; i < kCount; ++i) writer.AddKey(key(i * 7919 % kCount), segment);
  ONEPACK_ASSERT_OK_AND_ASSIGN(std::vector<uint8_t> file, writer.ToBytes());
  const size_t file_size = file.size();
  PeakAllocator memory;
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const Ref<NamedDataMap> map,
      NamedDataMap::Open(SourceOf(std::move(file), "million.ptd"), memory.allocator()));
  EXPECT_EQ(map->entries().size(), size_t{kCount} + 1);
  EXPECT_LT(memory.peak, 5 * file_size);
  int64_t found = 0;
  for (int64_t i = 0; i < kCount; ++i) {
    const NamedData* entry = map->Find(key(i));
    if (entry != nullptr && entry->key == key(i)) ++found;
  }
  EXPECT_EQ(found, kCount);
}

TEST(NamedDataMapTest, AKeyTwiceInOneFileIsOneWhenTheDataAreEqual) {
  PtdWriter writer;
  writer.AddBytes("k", AsBytes("same"));
  writer.AddBytes("k", AsBytes("same"));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> map, OpenWritten(writer));
  EXPECT_EQ(map->entries().size(), 1u);
}

TEST(NamedDataMapTest, LayoutsThatDifferOnlyInThePlaceOfDimensionsOfSizeOneAreEqual) {
  PtdWriter writer;
  const uint32_t segment = writer.AddBytes("other", AsBytes("12345678"));
  const ScalarType type = ScalarType::kFloat;
  writer.AddKey("k", segment, PtdTensorLayout{type, {1, 2}, std::vector<uint8_t>{0, 1}});
  writer.AddKey("k", segment, PtdTensorLayout{type, {1, 2}, std::vector<uint8_t>{1, 0}});
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> map, OpenWritten(writer));
  EXPECT_EQ(map->entries().size(), 2u);
}

TEST(NamedDataMapTest, AKeyTwiceInOneFileWithOtherDataIsRefused) {
  PtdWriter writer;
  writer.AddBytes("twin", AsBytes("this"));
  writer.AddBytes("twin", AsBytes("that"));
  EXPECT_TRUE(
      IsError(OpenWritten(writer, "one.ptd"), StatusCode::kInvalidFile, {"'twin'", "one.ptd"}));
}

class MergeTest : public testing::Test {
 protected:
  Result<Ref<NamedDataMap>> Merge(const PtdWriter& a, const PtdWriter& b) {
    ONEPACK_ASSIGN_OR_RETURN(const Ref<NamedDataMap> first, OpenWritten(a, "first.ptd"));
    ONEPACK_ASSIGN_OR_RETURN(const Ref<NamedDataMap> second, OpenWritten(b, "second.ptd"));
    const std::vector<Ref<NamedDataMap>> maps = {first, second};
    return NamedDataMap::Merge(maps);
  }
};

TEST_F(MergeTest, HoldsTheKeysOfAllAndKeepsTheirFiles) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> map,
                               Merge(OneKey("b", "bee"), OneKey("a", "ay")));
  EXPECT_STREQ(map->names(), "first.ptd, second.ptd");
  EXPECT_EQ(map->entries()[0].key, "a");
  EXPECT_EQ(TextOf(*map->Find("a")), "ay");
  EXPECT_STREQ(map->Find("a")->source->name(), "second.ptd");
  EXPECT_EQ(TextOf(*map->Find("b")), "bee");
}

TEST_F(MergeTest, OfNothingIsEmpty) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> map, NamedDataMap::Merge({}));
  EXPECT_TRUE(map->entries().empty());
  EXPECT_STREQ(map->names(), "");
}

TEST_F(MergeTest, EqualDataUnderOneKeyAreOneEntry) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> map,
                               Merge(OneKey("k", "same"), OneKey("k", "same")));
  EXPECT_EQ(map->entries().size(), 1u);
}

TEST_F(MergeTest, OtherBytesUnderOneKeyAreRefusedWithKeyAndBothFiles) {
  EXPECT_TRUE(IsError(Merge(OneKey("twin", "this"), OneKey("twin", "that")), StatusCode::kMismatch,
                      {"'twin'", "first.ptd", "second.ptd"}));
}

TEST_F(MergeTest, OtherSizesUnderOneKeyAreRefusedWithBoth) {
  EXPECT_TRUE(IsError(Merge(OneKey("twin", "long one"), OneKey("twin", "short")),
                      StatusCode::kMismatch,
                      {"'twin'", "8 bytes", "5 bytes", "first.ptd", "second.ptd"}));
}

TEST_F(MergeTest, OtherLayoutsUnderOneKeyAreRefusedWithBoth) {
  PtdWriter flat;
  flat.AddBytes("w", std::vector<uint8_t>(16), PtdTensorLayout{ScalarType::kFloat, {4}, {}});
  PtdWriter square;
  square.AddBytes("w", std::vector<uint8_t>(16), PtdTensorLayout{ScalarType::kFloat, {2, 2}, {}});
  EXPECT_TRUE(IsError(Merge(flat, square), StatusCode::kMismatch,
                      {"'w'", "float32 [4]", "float32 [2, 2]", "first.ptd", "second.ptd"}));
  PtdWriter blob;
  blob.AddBytes("w", std::vector<uint8_t>(16));
  EXPECT_TRUE(IsError(Merge(flat, blob), StatusCode::kMismatch, {"'w'", "no tensor"}));
}

TEST_F(MergeTest, TheSameFileTwiceIsThatFile) {
  const std::string path = TestData("cases/lora_fp32/lora0.ptd");
  std::vector<Ref<NamedDataMap>> maps;
  for (int i = 0; i < 2; ++i) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<DataSource> source, OpenMappedFile(path.c_str()));
    ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<NamedDataMap> map, NamedDataMap::Open(source));
    maps.push_back(std::move(map));
  }
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> merged, NamedDataMap::Merge(maps));
  EXPECT_EQ(merged->entries().size(), maps[0]->entries().size());
}

}  // namespace
}  // namespace onepack
