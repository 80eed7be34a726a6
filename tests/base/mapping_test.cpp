#include "base/mapping.h"

#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "tests/support/files.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

size_t PageSize() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

TEST(MappingTest, AFileIsMappedWhole) {
  const TempFolder folder;
  WriteFile(folder.File("a"), AsBytes("some bytes"));
  FileIdentity identity;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Mapping mapping,
                               Mapping::OfFile(folder.File("a").c_str(), &identity));
  EXPECT_EQ(std::string(mapping.bytes().begin(), mapping.bytes().end()), "some bytes");
  EXPECT_EQ(identity.size_bytes, 10u);
  EXPECT_NE(identity.inode, 0u);
}

TEST(MappingTest, BytesAfterAFileOfWholePagesCanBeReadAsZeros) {
  const TempFolder folder;
  const std::vector<uint8_t> bytes(PageSize() * 2, 0xab);
  WriteFile(folder.File("a"), bytes);
  FileIdentity identity;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Mapping mapping,
                               Mapping::OfFile(folder.File("a").c_str(), &identity));
  ASSERT_EQ(mapping.size(), bytes.size());
  EXPECT_EQ(mapping.data()[bytes.size() - 1], 0xab);
  const volatile uint8_t* after = mapping.data() + bytes.size();
  for (size_t i = 0; i < Mapping::kReadablePadding; ++i) EXPECT_EQ(after[i], 0);
}

TEST(MappingTest, AnEmptyFileIsAnEmptyMapping) {
  const TempFolder folder;
  WriteFile(folder.File("a"), {});
  FileIdentity identity;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Mapping mapping,
                               Mapping::OfFile(folder.File("a").c_str(), &identity));
  EXPECT_EQ(mapping.size(), 0u);
}

TEST(MappingTest, AMissingFileIsNamed) {
  const TempFolder folder;
  FileIdentity identity;
  EXPECT_TRUE(IsError(Mapping::OfFile(folder.File("missing.pte").c_str(), &identity),
                      StatusCode::kNotFound, {folder.File("missing.pte")}));
}

TEST(MappingTest, AFolderIsRefused) {
  const TempFolder folder;
  FileIdentity identity;
  EXPECT_TRUE(IsError(Mapping::OfFile(folder.path().c_str(), &identity),
                      StatusCode::kInvalidArgument, {folder.path(), "not a regular file"}));
}

// Who opens a pipe to read it waits for somebody to write: here nobody ever does.
TEST(MappingTest, APipeAndADeviceAreRefusedAtOnce) {
  const TempFolder folder;
  const std::string pipe = folder.File("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  for (const std::string& path : {pipe, std::string("/dev/zero")}) {
    FileIdentity identity;
    EXPECT_TRUE(IsError(Mapping::OfFile(path.c_str(), &identity), StatusCode::kInvalidArgument,
                        {path, "not a regular file"}));
  }
}

TEST(MappingTest, IdentityChangesWithTheFileAndOnlyThen) {
  const TempFolder folder;
  FileIdentity first;
  FileIdentity again;
  FileIdentity replaced;
  WriteFile(folder.File("a"), AsBytes("1"));
  EXPECT_TRUE(IsOk(Mapping::OfFile(folder.File("a").c_str(), &first)));
  EXPECT_TRUE(IsOk(Mapping::OfFile(folder.File("a").c_str(), &again)));
  EXPECT_TRUE(first == again);
  WriteFile(folder.File("b"), AsBytes("2"));
  ASSERT_EQ(rename(folder.File("b").c_str(), folder.File("a").c_str()), 0);
  EXPECT_TRUE(IsOk(Mapping::OfFile(folder.File("a").c_str(), &replaced)));
  EXPECT_FALSE(first == replaced);
}

TEST(MappingTest, ZerosArePageAlignedAndWritable) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Mapping mapping, Mapping::OfZeros(100));
  EXPECT_EQ(mapping.size(), 100u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(mapping.data()) % PageSize(), 0u);
  EXPECT_EQ(mapping.data()[99], 0);
  mapping.data()[99] = 1;
}

TEST(MappingTest, ZeroBytesMapNothing) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Mapping mapping, Mapping::OfZeros(0));
  EXPECT_EQ(mapping.data(), nullptr);
  EXPECT_TRUE(mapping.bytes().empty());
}

TEST(MappingTest, TooManyBytesAreAnError) {
  EXPECT_TRUE(IsError(Mapping::OfZeros(SIZE_MAX), StatusCode::kResourceExhausted));
  EXPECT_TRUE(IsError(Mapping::OfZeros(SIZE_MAX / 2), StatusCode::kResourceExhausted));
}

TEST(MappingTest, MovingLeavesNothingBehind) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(Mapping first, Mapping::OfZeros(100));
  const uint8_t* data = first.data();
  const Mapping second = std::move(first);
  EXPECT_EQ(second.data(), data);
  EXPECT_EQ(first.data(), nullptr);  // NOLINT: what is left is the point
  EXPECT_EQ(first.size(), 0u);
}

}  // namespace
}  // namespace onepack
