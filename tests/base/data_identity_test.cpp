#include "onepack/data_identity.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <array>
#include <string>
#include <type_traits>

#include "base/fd.h"
#include "tests/support/files.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

// There is no other way to one than those that these tests use.
static_assert(!std::is_default_constructible_v<DataIdentity>);
static_assert(!std::is_convertible_v<FileIdentity, DataIdentity>);

DataIdentity IdentityOf(const std::string& path, uint64_t offset) {
  auto file = Fd::OpenForReading(path.c_str());
  if (!file.ok()) return DataIdentity::Unique();
  auto identity = DataIdentity::OfFile(file->get(), offset, path.c_str());
  EXPECT_TRUE(IsOk(identity));
  return identity.ok() ? *identity : DataIdentity::Unique();
}

struct stat SomeFile() {
  struct stat info = {};
  info.st_dev = 1;
  info.st_ino = 2;
  info.st_size = 3;
  info.st_mtim.tv_nsec = 4;
  info.st_ctim.tv_sec = 5;
  return info;
}

TEST(FileIdentityTest, OfNoFileEqualsNothingAndNotItself) {
  const FileIdentity none;
  const FileIdentity some(SomeFile());
  EXPECT_FALSE(none == none);  // NOLINT: that is the point
  EXPECT_FALSE(none == FileIdentity());
  EXPECT_FALSE(none == some);
  EXPECT_FALSE(some == none);
  EXPECT_TRUE(some == FileIdentity(SomeFile()));
}

TEST(FileIdentityTest, EveryPartOfItCounts) {
  const FileIdentity some(SomeFile());
  struct stat other = SomeFile();
  other.st_dev = 9;
  EXPECT_FALSE(some == FileIdentity(other));
  other = SomeFile();
  other.st_ino = 9;
  EXPECT_FALSE(some == FileIdentity(other));
  other = SomeFile();
  other.st_size = 9;
  EXPECT_FALSE(some == FileIdentity(other));
  other = SomeFile();
  other.st_mtim.tv_nsec = 9;
  EXPECT_FALSE(some == FileIdentity(other));
  other = SomeFile();
  other.st_ctim.tv_nsec = 9;
  EXPECT_FALSE(some == FileIdentity(other));
}

// A file system that numbers no files, or keeps no times.
TEST(FileIdentityTest, WhereTheSystemDoesNotSayWhichFileItIsNothingIsEqual) {
  struct stat no_device = SomeFile();
  no_device.st_dev = 0;
  struct stat no_inode = SomeFile();
  no_inode.st_ino = 0;
  struct stat no_times = SomeFile();
  no_times.st_mtim = no_times.st_ctim = {};
  for (const struct stat& info : {no_device, no_inode, no_times}) {
    EXPECT_FALSE(FileIdentity(info) == FileIdentity(info));
    const DataIdentity one(FileIdentity(info), 0);
    const DataIdentity other(FileIdentity(info), 0);
    EXPECT_TRUE(one == one);
    EXPECT_FALSE(one == other);
  }
}

// Kept for later processes: only what a later change would show.
TEST(FileIdentityTest, IsSettledWhenTheClockOfTheFileSystemHasTickedSince) {
  constexpr uint64_t kMillisecond = 1000000;
  struct stat info = SomeFile();
  info.st_ctim = {100, 7 * int64_t{kMillisecond}};
  const uint64_t changed = (100000 + 7) * kMillisecond;
  const FileIdentity file(info);
  for (const uint64_t later : {uint64_t{0}, uint64_t{1}, 20 * kMillisecond, 50 * kMillisecond}) {
    EXPECT_FALSE(file.IsSettled(changed + later)) << later;
  }
  EXPECT_TRUE(file.IsSettled(changed + 51 * kMillisecond));
  EXPECT_FALSE(file.IsSettled(changed - 51 * kMillisecond)) << "from the future";
  EXPECT_FALSE(FileIdentity().IsSettled(changed));
  // Whole seconds: a coarse clock, or an image whose files have one time, build after build.
  info.st_ctim = {100, 0};
  EXPECT_FALSE(FileIdentity(info).IsSettled(changed * 2));
}

TEST(DataIdentityTest, AUniqueOneIsNotLasting) { EXPECT_FALSE(DataIdentity::Unique().IsLasting()); }

TEST(DataIdentityTest, UniqueIdentitiesEqualOnlyTheirCopies) {
  const DataIdentity one = DataIdentity::Unique();
  const DataIdentity other = DataIdentity::Unique();
  const DataIdentity copy = one;
  EXPECT_TRUE(one == copy);
  EXPECT_FALSE(one == other);
  EXPECT_TRUE(one.At(5) == copy.At(5));
  EXPECT_TRUE(one.At(5).At(2) == copy.At(7));
  EXPECT_FALSE(one.At(5) == one);
  EXPECT_FALSE(one.At(5) == other.At(5));
}

TEST(DataIdentityTest, OfAHashItEqualsAllOfThatHash) {
  std::array<uint8_t, 32> hash;
  for (size_t i = 0; i < hash.size(); ++i) hash[i] = static_cast<uint8_t>(i + 1);
  const DataIdentity one = DataIdentity::OfSha256(hash.data());
  EXPECT_TRUE(one == DataIdentity::OfSha256(hash.data()));
  EXPECT_TRUE(one.At(5) == DataIdentity::OfSha256(hash.data()).At(5));
  EXPECT_FALSE(one.At(5) == one);
  EXPECT_FALSE(one.IsLasting());
  EXPECT_FALSE(one == DataIdentity::Unique());
  EXPECT_FALSE(one == DataIdentity(FileIdentity(SomeFile()), 0));
  for (size_t i = 0; i < hash.size(); ++i) {
    std::array<uint8_t, 32> other = hash;
    other[i] ^= 0x80;
    EXPECT_FALSE(one == DataIdentity::OfSha256(other.data())) << "byte " << i;
  }
}

TEST(DataIdentityTest, IsOfAFileAndAPlaceInIt) {
  const TempFolder folder;
  const std::string path = folder.File("a");
  WriteFile(path, AsBytes("some bytes"));
  WriteFile(folder.File("b"), AsBytes("some bytes"));
  EXPECT_TRUE(IdentityOf(path, 3) == IdentityOf(path, 3));
  EXPECT_FALSE(IdentityOf(path, 3) == IdentityOf(path, 4));
  EXPECT_TRUE(IdentityOf(path, 3).At(4) == IdentityOf(path, 5).At(2));
  EXPECT_FALSE(IdentityOf(path, 3) == IdentityOf(folder.File("b"), 3));
  EXPECT_FALSE(IdentityOf(path, 3) == DataIdentity::Unique().At(3));
}

TEST(DataIdentityTest, ChangesWithTheFileAndOnlyThen) {
  const TempFolder folder;
  const std::string path = folder.File("a");
  WriteFile(path, AsBytes("1"));
  const DataIdentity first = IdentityOf(path, 0);
  EXPECT_TRUE(first == IdentityOf(path, 0));
  WriteFile(folder.File("b"), AsBytes("2"));
  ASSERT_EQ(rename(folder.File("b").c_str(), path.c_str()), 0);
  EXPECT_FALSE(first == IdentityOf(path, 0));
}

TEST(DataIdentityTest, APlaceThatNoFileHasEqualsNothing) {
  const TempFolder folder;
  WriteFile(folder.File("a"), AsBytes("some bytes"));
  const DataIdentity identity = IdentityOf(folder.File("a"), 8);
  EXPECT_FALSE(identity.At(UINT64_MAX) == identity.At(UINT64_MAX));
  EXPECT_FALSE(identity.At(UINT64_MAX - 7) == IdentityOf(folder.File("a"), 0));
}

TEST(DataIdentityTest, WhatIsNoOpenFileIsRefusedByName) {
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  EXPECT_TRUE(IsError(DataIdentity::OfFile(pipe_ends[0], 0, "a pipe"), StatusCode::kInvalidArgument,
                      {"a pipe", "not a regular file"}));
  close(pipe_ends[0]);
  close(pipe_ends[1]);
  EXPECT_TRUE(IsError(DataIdentity::OfFile(-1, 0, "nothing"), StatusCode::kInvalidArgument,
                      {"nothing", "descriptor -1 is not open"}));
}

}  // namespace
}  // namespace onepack
