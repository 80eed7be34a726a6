#include "onepack/data_source.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/support/files.h"
#include "tests/support/sources.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

// How each kind of source is made of the same bytes.
struct MappedKind {
  static Ref<DataSource> Open(const TempFolder& folder, const std::vector<uint8_t>& bytes) {
    WriteFile(folder.File("data"), bytes);
    auto source = OpenMappedFile(folder.File("data").c_str());
    EXPECT_TRUE(IsOk(source));
    return source.ok() ? *source : nullptr;
  }
};

struct MemoryKind {
  static Ref<DataSource> Open(const TempFolder&, const std::vector<uint8_t>& bytes) {
    auto source = WrapMemory(bytes, "memory");
    EXPECT_TRUE(IsOk(source));
    return source.ok() ? *source : nullptr;
  }
};

// In the middle of a file, at no page's beginning.
struct PartKind {
  static Ref<DataSource> Open(const TempFolder& folder, const std::vector<uint8_t>& bytes) {
    std::vector<uint8_t> file(4099 + bytes.size() + 5000, 0xee);
    std::copy(bytes.begin(), bytes.end(), file.begin() + 4099);
    WriteFile(folder.File("package"), file);
    auto source = OpenMappedFilePart(folder.File("package").c_str(), {4099, bytes.size()});
    EXPECT_TRUE(IsOk(source));
    return source.ok() ? *source : nullptr;
  }
};

template <typename Kind>
class DataSourceTest : public testing::Test {
 protected:
  DataSourceTest() : bytes_(10000) {
    for (size_t i = 0; i < bytes_.size(); ++i) bytes_[i] = static_cast<uint8_t>(i * 7);
    source_ = Kind::Open(folder_, bytes_);
  }

  const TempFolder folder_;
  std::vector<uint8_t> bytes_;
  Ref<DataSource> source_;
};

using Kinds = testing::Types<MappedKind, MemoryKind, PartKind>;
TYPED_TEST_SUITE(DataSourceTest, Kinds, );  // the comma: C++17 wants an argument for "..."

TYPED_TEST(DataSourceTest, ServesAnyRange) {
  EXPECT_EQ(this->source_->size(), this->bytes_.size());
  for (const Segment& range : {Segment{0, 10000}, Segment{1, 7}, Segment{9999, 1}}) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Buffer buffer, this->source_->Load(range));
    const Bytes expected = Bytes(this->bytes_).subspan(range.offset, range.size);
    EXPECT_EQ(std::vector<uint8_t>(buffer.bytes.begin(), buffer.bytes.end()),
              std::vector<uint8_t>(expected.begin(), expected.end()));
  }
}

TYPED_TEST(DataSourceTest, ServesEmptyRangesEvenAtTheEnd) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Buffer buffer, this->source_->Load({10000, 0}));
  EXPECT_TRUE(buffer.bytes.empty());
}

TYPED_TEST(DataSourceTest, RefusesRangesOutsideWithItsName) {
  for (const Segment& range :
       {Segment{0, 10001}, Segment{10001, 0}, Segment{UINT64_MAX, 2}, Segment{2, UINT64_MAX}}) {
    EXPECT_TRUE(IsError(this->source_->Load(range), StatusCode::kInvalidFile,
                        {this->source_->name(), "10000 bytes"}));
    uint8_t unused[4];
    EXPECT_TRUE(IsError(this->source_->Read(range, unused), StatusCode::kInvalidFile));
  }
}

TYPED_TEST(DataSourceTest, ReadsIntoPlace) {
  std::vector<uint8_t> destination(100);
  ASSERT_TRUE(IsOk(this->source_->Read({500, 100}, destination.data())));
  EXPECT_EQ(destination[99], this->bytes_[599]);
}

TYPED_TEST(DataSourceTest, ABufferKeepsItsSource) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Buffer buffer, this->source_->Load({100, 50}));
  this->source_ = nullptr;
  EXPECT_EQ(buffer.bytes[49], this->bytes_[149]);
}

TYPED_TEST(DataSourceTest, PaddingThatIsPromisedCanBeRead) {
  for (const Segment& range : {Segment{0, 100}, Segment{9000, 1000}}) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Buffer buffer, this->source_->Load(range));
    const volatile uint8_t* after = buffer.bytes.end();
    int sum = 0;
    for (size_t i = 0; i < buffer.readable_padding && i < 64; ++i) sum += after[i];
    EXPECT_GE(sum, 0);
  }
}

TYPED_TEST(DataSourceTest, MappedBytesAreServedWithoutCopies) {
  EXPECT_TRUE(this->source_->is_mapped());
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Buffer first, this->source_->Load({100, 50}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Buffer second, this->source_->Load({120, 50}));
  EXPECT_EQ(first.bytes.data() + 20, second.bytes.data());
}

TYPED_TEST(DataSourceTest, DiscardedBytesAreStillThere) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Buffer buffer, this->source_->Load({0, 10000}));
  this->source_->Discard({0, 10000});
  this->source_->Discard({5000, UINT64_MAX});
  EXPECT_EQ(std::vector<uint8_t>(buffer.bytes.begin(), buffer.bytes.end()), this->bytes_);
}

TYPED_TEST(DataSourceTest, AnotherSourceOfOtherBytesHasAnotherIdentity) {
  const TempFolder folder;
  const std::vector<uint8_t> bytes(10000, 1);
  const Ref<DataSource> other = TypeParam::Open(folder, bytes);
  EXPECT_TRUE(this->source_->identity() == this->source_->identity());
  EXPECT_FALSE(this->source_->identity() == other->identity());
}

TEST(MappedSourceTest, IsNamedByItsPathAndAMissingOneToo) {
  const TempFolder folder;
  WriteFile(folder.File("a.ptd"), AsBytes("x"));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<DataSource> source,
                               OpenMappedFile(folder.File("a.ptd").c_str()));
  EXPECT_EQ(source->name(), folder.File("a.ptd"));
  EXPECT_TRUE(IsError(OpenMappedFile(folder.File("b.ptd").c_str()), StatusCode::kNotFound,
                      {folder.File("b.ptd")}));
}

// "aaaabbbbcccc", whose parts stand for assets.
class FilePartTest : public testing::Test {
 protected:
  FilePartTest() : path_(folder_.File("package")) { WriteFile(path_, AsBytes("aaaabbbbcccc")); }

  Ref<DataSource> Open(const Segment& part) const {
    auto source = OpenMappedFilePart(path_.c_str(), part);
    EXPECT_TRUE(IsOk(source));
    return source.ok() ? *source : nullptr;
  }
  static std::string TextOf(const DataSource& source) {
    auto buffer = source.Load({0, source.size()});
    EXPECT_TRUE(IsOk(buffer));
    return buffer.ok() ? std::string(buffer->bytes.begin(), buffer->bytes.end()) : "";
  }

  const TempFolder folder_;
  const std::string path_;
};

TEST_F(FilePartTest, TwoPartsHaveTwoIdentitiesAndOnePartHasOneHoweverItIsOpened) {
  EXPECT_EQ(TextOf(*Open({4, 4})), "bbbb");
  EXPECT_FALSE(Open({0, 4})->identity() == Open({4, 4})->identity());
  EXPECT_TRUE(Open({4, 4})->identity() == Open({4, 4})->identity());
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<DataSource> whole, OpenMappedFile(path_.c_str()));
  EXPECT_TRUE(whole->identity().At(4) == Open({4, 4})->identity());
  EXPECT_FALSE(whole->identity() == Open({4, 4})->identity());
}

TEST_F(FilePartTest, PartsThatOverlapAgreeOnTheBytesThatTheyShare) {
  EXPECT_TRUE(Open({2, 6})->identity().At(3) == Open({4, 8})->identity().At(1));
}

TEST_F(FilePartTest, TheCallerKeepsTheDescriptorAndMayCloseIt) {
  const int descriptor = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(descriptor, 0);
  lseek(descriptor, 7, SEEK_SET);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<DataSource> part,
                               MapFilePart(descriptor, {4, 4}, "assets/model.ptd"));
  EXPECT_EQ(lseek(descriptor, 0, SEEK_CUR), 7) << "open, and where it was";
  EXPECT_EQ(close(descriptor), 0);
  EXPECT_EQ(TextOf(*part), "bbbb");
  EXPECT_STREQ(part->name(), "assets/model.ptd");
  EXPECT_TRUE(part->identity() == Open({4, 4})->identity());
}

TEST_F(FilePartTest, WhatIsOutsideTheFileIsRefusedWithItsNumbers) {
  for (const Segment& part : {Segment{0, 13}, Segment{13, 0}, Segment{4, UINT64_MAX},
                              Segment{UINT64_MAX, 4}, Segment{UINT64_MAX, UINT64_MAX}}) {
    EXPECT_TRUE(IsError(OpenMappedFilePart(path_.c_str(), part), StatusCode::kInvalidFile,
                        {path_, "12 bytes",
                         std::to_string(part.size) + " bytes at " + std::to_string(part.offset)}));
  }
}

TEST_F(FilePartTest, AFileThatWasCutShortIsRefused) {
  ASSERT_EQ(truncate(path_.c_str(), 7), 0);
  EXPECT_TRUE(IsError(OpenMappedFilePart(path_.c_str(), {4, 4}), StatusCode::kInvalidFile,
                      {path_, "7 bytes"}));
  EXPECT_EQ(TextOf(*Open({4, 3})), "bbb");
}

TEST_F(FilePartTest, APartOfNoBytesIsEmpty) {
  for (const uint64_t offset : {0, 5, 12}) EXPECT_EQ(Open({offset, 0})->size(), 0u);
}

TEST_F(FilePartTest, IsNamedByPathAndOffset) {
  EXPECT_EQ(Open({4, 4})->name(), path_ + " at 4");
  EXPECT_TRUE(IsError(Open({4, 4})->Load({0, 5}), StatusCode::kInvalidFile, {path_ + " at 4"}));
}

TEST_F(FilePartTest, WhatCannotBeMappedIsRefusedByName) {
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const int write_only = open(path_.c_str(), O_WRONLY | O_CLOEXEC);
  EXPECT_TRUE(IsError(MapFilePart(pipe_ends[0], {0, 4}, "a pipe"), StatusCode::kInvalidArgument,
                      {"a pipe", "not a regular file"}));
  EXPECT_TRUE(
      IsError(MapFilePart(-1, {0, 4}, "no file"), StatusCode::kInvalidArgument, {"no file", "-1"}));
  EXPECT_TRUE(IsError(MapFilePart(write_only, {0, 4}, "w"), StatusCode::kIoError, {"w: "}));
  EXPECT_TRUE(IsError(MapFilePart(write_only, {0, 4}, nullptr), StatusCode::kInvalidArgument));
  EXPECT_TRUE(IsError(OpenMappedFilePart(nullptr, {0, 4}), StatusCode::kInvalidArgument));
  EXPECT_TRUE(IsError(OpenMappedFilePart(folder_.File("b").c_str(), {0, 4}), StatusCode::kNotFound,
                      {folder_.File("b")}));
  for (const int descriptor : {pipe_ends[0], pipe_ends[1], write_only}) close(descriptor);
}

TEST(MemorySourceTest, TwoViewsOfTheSameBytesHaveTwoIdentities) {
  const std::vector<uint8_t> bytes(10);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<DataSource> a, WrapMemory(bytes, "a"));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<DataSource> b, WrapMemory(bytes, "b"));
  EXPECT_FALSE(a->identity() == b->identity());
}

TEST(MemorySourceTest, CopiesItsName) {
  std::string name = "first";
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<DataSource> source, WrapMemory({}, name.c_str()));
  name = "other";
  EXPECT_STREQ(source->name(), "first");
}

TEST(BaseSourceTest, IsEmpty) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<DataSource> source, MakeRef<DataSource>(HeapAllocator()));
  EXPECT_EQ(source->size(), 0u);
  EXPECT_FALSE(source->is_mapped());
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<DataSource> other, MakeRef<DataSource>(HeapAllocator()));
  EXPECT_FALSE(source->identity() == other->identity());
  EXPECT_TRUE(IsOk(source->Load({0, 0})));
  EXPECT_TRUE(IsError(source->Load({0, 1}), StatusCode::kInvalidFile));
}

}  // namespace
}  // namespace onepack
