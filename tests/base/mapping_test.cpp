#include "base/mapping.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <ios>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/page_size.h"
#include "tests/support/files.h"
#include "tests/support/resident_bytes.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

TEST(MappingTest, AFileIsMappedWhole) {
  const TempFolder folder;
  WriteFile(folder.File("a"), AsBytes("some bytes"));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Mapping mapping, Mapping::OfFile(folder.File("a").c_str()));
  EXPECT_EQ(std::string(mapping.bytes().begin(), mapping.bytes().end()), "some bytes");
  EXPECT_EQ(mapping.size(), 10u);
}

TEST(MappingTest, BytesAfterAFileOfWholePagesCanBeReadAsZeros) {
  const TempFolder folder;
  const std::vector<uint8_t> bytes(PageSize() * 2, 0xab);
  WriteFile(folder.File("a"), bytes);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Mapping mapping, Mapping::OfFile(folder.File("a").c_str()));
  ASSERT_EQ(mapping.size(), bytes.size());
  EXPECT_EQ(mapping.data()[bytes.size() - 1], 0xab);
  const volatile uint8_t* after = mapping.data() + bytes.size();
  for (size_t i = 0; i < Mapping::kReadablePadding; ++i) EXPECT_EQ(after[i], 0);
}

TEST(MappingTest, AnEmptyFileIsAnEmptyMapping) {
  const TempFolder folder;
  WriteFile(folder.File("a"), {});
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Mapping mapping, Mapping::OfFile(folder.File("a").c_str()));
  EXPECT_EQ(mapping.size(), 0u);
}

TEST(MappingTest, AMissingFileIsNamed) {
  const TempFolder folder;
  EXPECT_TRUE(IsError(Mapping::OfFile(folder.File("missing.pte").c_str()), StatusCode::kNotFound,
                      {folder.File("missing.pte")}));
}

TEST(MappingTest, AFolderIsRefused) {
  const TempFolder folder;
  EXPECT_TRUE(IsError(Mapping::OfFile(folder.path().c_str()), StatusCode::kInvalidArgument,
                      {folder.path(), "not a regular file"}));
}

// Opening a pipe to read it waits for a writer: here there is none.
TEST(MappingTest, APipeAndADeviceAreRefusedAtOnce) {
  const TempFolder folder;
  const std::string pipe = folder.File("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  for (const std::string& path : {pipe, std::string("/dev/zero")}) {
    EXPECT_TRUE(IsError(Mapping::OfFile(path.c_str()), StatusCode::kInvalidArgument,
                        {path, "not a regular file"}));
  }
}

// Parts that begin and end in, at and across the bounds of pages, and at the end of the file.
TEST(MappingTest, AnyPartOfAFileIsMappedWithReadablePadding) {
  const size_t page = PageSize();
  std::vector<uint8_t> bytes(3 * page);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i % 251);
  const TempFolder folder;
  WriteFile(folder.File("a"), bytes);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Fd file, Fd::OpenForReading(folder.File("a").c_str()));
  for (const size_t offset : {size_t{0}, size_t{1}, page - 1, page, page + 7, 3 * page}) {
    for (const size_t end : {offset, page - 16, page - 15, page - 1, page, 2 * page - 16,
                             2 * page - 15, 2 * page - 1, 2 * page, 3 * page}) {
      if (end < offset) continue;
      ONEPACK_ASSERT_OK_AND_ASSIGN(const Mapping mapping,
                                   Mapping::OfFilePart(file.get(), offset, end - offset, "a"));
      EXPECT_EQ(std::vector<uint8_t>(mapping.bytes().begin(), mapping.bytes().end()),
                std::vector<uint8_t>(bytes.begin() + static_cast<ptrdiff_t>(offset),
                                     bytes.begin() + static_cast<ptrdiff_t>(end)));
      const volatile uint8_t* after = mapping.data() + mapping.size();
      int sum = 0;
      for (size_t i = 0; i < Mapping::kReadablePadding; ++i) sum += after[i];
      EXPECT_GE(sum, 0);
    }
  }
}

// How many areas of this process' memory have a byte of [data, data + size).
int AreasOf(const uint8_t* data, size_t size) {
  const auto begin = reinterpret_cast<uintptr_t>(data);
  std::ifstream maps("/proc/self/maps");
  int count = 0;
  for (std::string line; std::getline(maps, line);) {
    const size_t dash = line.find('-');
    const uintptr_t first = std::stoull(line, nullptr, 16);
    const uintptr_t last = std::stoull(line.substr(dash + 1), nullptr, 16);
    if (first < begin + size && begin < last) ++count;
  }
  return count;
}

// One where the last page has room for the padding, else the file's and the zeros behind it. The
// mappings stay, because the system puts the next one right before them: what is read behind its
// end must not be theirs.
TEST(MappingTest, ThereIsASecondAreaOnlyWhereTheLastPageHasNoRoom) {
  const size_t page = PageSize();
  const TempFolder folder;
  std::vector<Mapping> mappings;
  for (const size_t size : {3 * page, size_t{1}, page - 16, page - 15, page - 1, page, page + 1,
                            3 * page - 16, 3 * page - 15, 3 * page - 1, 3 * page}) {
    const std::string path = folder.File(std::to_string(mappings.size()));
    WriteFile(path, std::vector<uint8_t>(size, 0xab));
    ONEPACK_ASSERT_OK_AND_ASSIGN(Mapping made, Mapping::OfFile(path.c_str()));
    const Mapping& mapping = mappings.emplace_back(std::move(made));
    const size_t rest = size % page;
    const bool has_room = rest != 0 && rest <= page - Mapping::kReadablePadding;
    EXPECT_EQ(AreasOf(mapping.data(), size + Mapping::kReadablePadding), has_room ? 1 : 2) << size;
    EXPECT_EQ(mapping.data()[size - 1], 0xab);
    const volatile uint8_t* after = mapping.data() + size;
    for (size_t i = 0; i < Mapping::kReadablePadding; ++i) ASSERT_EQ(after[i], 0) << size;
  }
}

TEST(MappingTest, PagesOfASmallMappingStay) {
  const TempFolder folder;
  const std::string path = folder.File("a");
  for (const size_t kilobytes : {13, 64}) {
    WriteFile(path, std::vector<uint8_t>(kilobytes << 10, 1));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Mapping mapping, Mapping::OfFile(path.c_str()));
    size_t sum = 0;
    for (const uint8_t byte : mapping.bytes()) sum += byte;
    EXPECT_EQ(sum, mapping.size());
    const size_t read = ResidentBytesOf(path);
    EXPECT_GE(read, mapping.size());
    mapping.Discard(0, mapping.size());
    EXPECT_EQ(ResidentBytesOf(path), kilobytes == 13 ? read : 0);
  }
}

TEST(MappingTest, APartIsReadAgainAfterItsPagesWereDropped) {
  const size_t page = PageSize();
  const std::vector<uint8_t> bytes(8 * page, 0xab);
  const TempFolder folder;
  WriteFile(folder.File("a"), bytes);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Fd file, Fd::OpenForReading(folder.File("a").c_str()));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Mapping mapping,
                               Mapping::OfFilePart(file.get(), 100, 7 * page, "a"));
  for (const size_t offset : {size_t{0}, size_t{1}, page - 100, page}) {
    mapping.Prefetch(offset, mapping.size() - offset);
    mapping.Discard(offset, mapping.size() - offset);
    mapping.Discard(offset, page);
    for (const uint8_t byte : mapping.bytes()) ASSERT_EQ(byte, 0xab);
  }
}

TEST(MappingTest, ZerosArePageAlignedAndWritable) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Mapping mapping, Mapping::OfZeros(100));
  EXPECT_EQ(mapping.size(), 100u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(mapping.data()) % PageSize(), 0u);
  EXPECT_EQ(mapping.data()[99], 0);
  mapping.data()[99] = 1;
}

TEST(MappingTest, SetToZeroForgetsWhatWasWritten) {
  const size_t size = PageSize() * 3 + 100;
  ONEPACK_ASSERT_OK_AND_ASSIGN(Mapping mapping, Mapping::OfZeros(size));
  memset(mapping.data(), 0xab, size);
  mapping.SetToZero();
  for (size_t i = 0; i < size; ++i) ASSERT_EQ(mapping.data()[i], 0) << i;
  EXPECT_TRUE(IsOk(Mapping::OfZeros(0)));
}

// As under mlockall: the system does not take back what is locked.
TEST(MappingTest, SetToZeroForgetsWhatIsLockedIntoMemoryToo) {
  const size_t size = PageSize() * 3;
  ONEPACK_ASSERT_OK_AND_ASSIGN(Mapping mapping, Mapping::OfZeros(size));
  memset(mapping.data(), 0xab, size);
  // Only the page in the middle: part of the range can be given back.
  if (mlock(mapping.data() + PageSize(), PageSize()) != 0) GTEST_SKIP() << "mlock is not allowed";
  mapping.SetToZero();
  for (size_t i = 0; i < size; ++i) ASSERT_EQ(mapping.data()[i], 0) << i;
}

TEST(MappingTest, AFileIsShownInItUntilItIsWrittenToOrSetToZero) {
  const size_t page = PageSize();
  ONEPACK_ASSERT_OK_AND_ASSIGN(Mapping mapping, Mapping::OfZeros(4 * page));
  {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Fd file, Fd::InMemory("test"));
    const std::vector<uint8_t> bytes(4 * page, 7);
    ASSERT_EQ(pwrite(file.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(4 * page));
    memset(mapping.data(), 1, 4 * page);
    ASSERT_TRUE(IsOk(mapping.ShowFile(file.get(), page, 2 * page)));
    mapping.data()[2 * page] = 2;
    uint8_t in_file = 0;
    ASSERT_EQ(pread(file.get(), &in_file, 1, static_cast<off_t>(2 * page)), 1);
    EXPECT_EQ(in_file, 7);
    EXPECT_TRUE(IsError(mapping.ShowFile(-1, 0, page), StatusCode::kResourceExhausted, {"map"}));
  }
  EXPECT_EQ(mapping.data()[page - 1], 1);
  EXPECT_EQ(mapping.data()[page], 7);
  EXPECT_EQ(mapping.data()[2 * page], 2);
  EXPECT_EQ(mapping.data()[2 * page + 1], 7);
  EXPECT_EQ(mapping.data()[3 * page], 1);
  for (int i = 0; i < 2; ++i) {
    mapping.SetToZero();
    for (size_t at = 0; at < 4 * page; ++at) ASSERT_EQ(mapping.data()[at], 0) << at;
    memset(mapping.data(), 1, 4 * page);
  }
}

// Of a file that can be read and not mapped the system says so after it has unmapped the range.
TEST(MappingTest, ARangeThatTheSystemHasUnmappedHasTheBytesOfTheFile) {
  const size_t page = PageSize();
  ONEPACK_ASSERT_OK_AND_ASSIGN(Mapping mapping, Mapping::OfZeros(3 * page));
  memset(mapping.data(), 1, 3 * page);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Fd file, Fd::OpenForReading("/proc/version"));
  ASSERT_EQ(munmap(mapping.data(), page), 0);  // whatever the system does
  EXPECT_TRUE(IsError(mapping.ShowFile(file.get(), 0, page), StatusCode::kResourceExhausted,
                      {"cannot map"}));
  EXPECT_EQ(mapping.data()[0], 'L');
  EXPECT_EQ(mapping.data()[page - 1], 0);
  EXPECT_EQ(mapping.data()[page], 1);
}

TEST(MappingTest, ZeroBytesMapNothing) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(Mapping mapping, Mapping::OfZeros(0));
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
