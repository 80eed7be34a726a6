#include "runtime/data_source.h"

#include <string>

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

using Kinds = testing::Types<MappedKind, MemoryKind>;
TYPED_TEST_SUITE(DataSourceTest, Kinds);

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
  EXPECT_FALSE(this->source_->identity() == FileIdentity());
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

TEST(MemorySourceTest, TwoViewsOfTheSameBytesAreNotTakenForTheSame) {
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
  EXPECT_TRUE(IsOk(source->Load({0, 0})));
  EXPECT_TRUE(IsError(source->Load({0, 1}), StatusCode::kInvalidFile));
}

}  // namespace
}  // namespace onepack
