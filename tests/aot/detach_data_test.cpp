#include "aot/detach_data.h"

#include <filesystem>
#include <string>
#include <vector>

#include "aot/ptd_writer.h"
#include "base/digest.h"
#include "base/hex.h"
#include "onepack/key_integrity.h"
#include "runtime/detached_source.h"
#include "tests/support/files.h"
#include "tests/support/sources.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

std::vector<uint8_t> BytesFor(uint8_t value, size_t size) {
  return std::vector<uint8_t>(size, value);
}

class DetachDataTest : public testing::Test {
 protected:
  void SetUp() override {
    PtdWriter writer;
    writer.AddBytes("kept", AsBytes(BytesFor(1, 300)));
    const PtdTensorLayout layout{ScalarType::kFloat, {4, 25}, {1, 0}};
    const uint32_t shared = writer.AddBytes("gone", AsBytes(BytesFor(2, 400)), layout);
    writer.AddKey("gone too", shared);
    const uint32_t half = writer.AddBytes("half", AsBytes(BytesFor(3, 500)));
    writer.AddKey("other half", half);
    ASSERT_TRUE(IsOk(writer.ToFile(raw_)));
  }

  Result<DetachReport> Detach(ExistingFile existing = ExistingFile::kRefuse) const {
    ONEPACK_ASSIGN_OR_RETURN(const Ref<DataSource> source, OpenMappedFile(raw_.c_str()));
    ONEPACK_ASSIGN_OR_RETURN(const Ref<NamedDataMap> data, NamedDataMap::Open(source));
    DetachOptions options;
    options.path = detached_;
    options.existing = existing;
    options.where = "raw.ptd";
    options.is_detached = [](const NamedData& entry) {
      return entry.key.substr(0, 4) == "gone" || entry.key == "half";
    };
    return WriteDetachedData(*data, options);
  }
  static Result<Ref<NamedDataMap>> Open(const std::string& path) {
    ONEPACK_ASSIGN_OR_RETURN(const Ref<DataSource> source, OpenMappedFile(path.c_str()));
    return NamedDataMap::Open(source);
  }

  const TempFolder folder_;
  const std::string raw_ = folder_.File("raw.ptd");
  const std::string detached_ = folder_.File("detached.ptd");
};

TEST_F(DetachDataTest, KeysLayoutsAndHashesStayAndTheBytesGo) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const DetachReport report, Detach());
  EXPECT_EQ(report.detached_keys, 2u);
  EXPECT_EQ(report.detached_bytes, 400u);
  EXPECT_EQ(report.kept_bytes, 800u);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> data, Open(detached_));
  ASSERT_EQ(data->entries().size(), 5u);
  for (const char* key : {"kept", "half", "other half"}) {
    const NamedData* entry = data->Find(key);
    ASSERT_NE(entry, nullptr) << key;
    EXPECT_EQ(entry->source->FindHash(entry->segment), nullptr);
    ASSERT_TRUE(IsOk(entry->Load())) << key;
  }
  for (const char* key : {"gone", "gone too"}) {
    const NamedData* entry = data->Find(key);
    ASSERT_NE(entry, nullptr) << key;
    EXPECT_EQ(entry->segment.size, 400u);
    const uint8_t* hash = entry->source->FindHash(entry->segment);
    ASSERT_NE(hash, nullptr);
    const Digest expected = *Sha256Of(AsBytes(BytesFor(2, 400)));
    EXPECT_TRUE(std::equal(expected.bytes.begin(), expected.bytes.end(), hash));
    EXPECT_EQ(entry->source->FindHash({entry->segment.offset, 399}), nullptr);
    EXPECT_TRUE(IsError(entry->Load(), StatusCode::kNotFound,
                        {detached_, "400 bytes", "detached", "'raw.ptd'"}));
  }
  EXPECT_TRUE(data->Find("gone")->is_tensor);
  EXPECT_EQ(std::string(LayoutText(data->Find("gone")->layout).c_str()),
            "float32 [4, 25] dim_order [1, 0]");
  EXPECT_FALSE(data->Find("gone too")->is_tensor);
}

// Where a file says that data was detached from it, is no key of its own.
TEST_F(DetachDataTest, TheEntryThatSaysSoIsNotAmongTheKeys) {
  ASSERT_TRUE(IsOk(Detach()));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> data, Open(detached_));
  EXPECT_EQ(data->Find(kDetachedKey), nullptr);
}

TEST_F(DetachDataTest, WhatIsThereIsReplacedOnlyWhenToldSo) {
  ASSERT_TRUE(IsOk(Detach()));
  EXPECT_TRUE(IsError(Detach(), StatusCode::kFailedPrecondition, {detached_}));
  EXPECT_TRUE(IsOk(Detach(ExistingFile::kReplace)));
  EXPECT_EQ(FilesIn(folder_.path()), (std::vector<std::string>{"detached.ptd", "raw.ptd"}));
}

// Two data files that both have a key are compared by its hash, and what has the bytes is used.
TEST_F(DetachDataTest, BesideTheRawFileTheBytesAreTheRawFiles) {
  ASSERT_TRUE(IsOk(Detach()));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> raw, Open(raw_));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> detached, Open(detached_));
  for (const bool is_raw_first : {false, true}) {
    const Ref<NamedDataMap> both[] = {is_raw_first ? raw : detached, is_raw_first ? detached : raw};
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> merged, NamedDataMap::Merge(both));
    EXPECT_EQ(merged->entries().size(), 5u);
    for (const NamedData& entry : merged->entries()) EXPECT_TRUE(IsOk(entry.Load()));
  }
}

TEST_F(DetachDataTest, OtherBytesUnderADetachedKeyAreRefused) {
  ASSERT_TRUE(IsOk(Detach()));
  PtdWriter writer;
  writer.AddBytes("gone too", AsBytes(BytesFor(9, 400)));
  const std::string other = folder_.File("other.ptd");
  ASSERT_TRUE(IsOk(writer.ToFile(other)));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> first, Open(other));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> detached, Open(detached_));
  const Ref<NamedDataMap> both[] = {first, detached};
  EXPECT_TRUE(IsError(NamedDataMap::Merge(both), StatusCode::kMismatch,
                      {"'gone too'", "other bytes", "other.ptd", "detached.ptd"}));
}

TEST_F(DetachDataTest, KeysThatAreHashesAreChecked) {
  const std::vector<uint8_t> bytes = BytesFor(7, 100);
  const std::string right(HexText<32>(Sha256Of(AsBytes(bytes))->bytes).view());
  PtdWriter writer;
  writer.AddBytes(right, AsBytes(bytes));
  writer.AddBytes(std::string(64, 'a'), AsBytes(BytesFor(8, 100)));
  ASSERT_TRUE(IsOk(writer.ToFile(raw_)));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> raw, Open(raw_));
  DetachOptions options;
  options.path = detached_;
  options.is_detached = [](const NamedData&) { return true; };
  ASSERT_TRUE(IsOk(WriteDetachedData(*raw, options)));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> data, Open(detached_));
  EXPECT_TRUE(IsOk(VerifyKey(*data->Find(right))));
  EXPECT_TRUE(IsError(VerifyKey(*data->Find(std::string(64, 'a'))), StatusCode::kInvalidFile));
}

// Opens or is refused; what opens is inside what it says.
void ExpectSound(std::vector<uint8_t> bytes) {
  auto data = OpenData(std::move(bytes));
  if (!data.ok()) {
    EXPECT_STRNE(data.status().message(), "");
    return;
  }
  for (const NamedData& entry : (*data)->entries()) {
    EXPECT_LE(entry.segment.size, entry.source->size());
    static_cast<void>(entry.source->FindHash(entry.segment));
    static_cast<void>(entry.Load());
  }
}

TEST_F(DetachDataTest, DamagedFilesAreRefusedOrSound) {
  ASSERT_TRUE(IsOk(Detach()));
  const std::vector<uint8_t> whole = ReadFile(detached_);
  for (size_t i = 0; i < whole.size(); ++i) {
    ExpectSound({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(i)});
    for (const uint8_t flip : {uint8_t{0x01}, uint8_t{0x80}, uint8_t{0xff}}) {
      std::vector<uint8_t> bytes = whole;
      bytes[i] ^= flip;
      ExpectSound(std::move(bytes));
    }
  }
}

}  // namespace
}  // namespace onepack
