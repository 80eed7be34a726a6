#include "weight_cache/packed_file/writer.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <set>

#include "tests/support/file_size_limit.h"
#include "tests/weight_cache/packed_file/packed_file_fixture.h"
#include "weight_cache/packed_file/locked_file.h"

namespace onepack {
namespace {

class PackedFileWriterTest : public testing::Test {
 protected:
  uint64_t FileSize() const { return std::filesystem::file_size(path_); }
  // A number that no other file at the path has while this one is open.
  ino_t Inode() const {
    struct stat info{};
    EXPECT_EQ(stat(path_.c_str(), &info), 0);
    return info.st_ino;
  }

  const TempFolder folder_;
  const std::string path_ = folder_.File("packed.bin");
};

TEST_F(PackedFileWriterTest, WhatIsWrittenIsThere) {
  PackedFileChange change = ChangeOf({1, 2, 3});
  change.hashes.push_back({DigestOf(10), DigestOf(11)});
  EXPECT_EQ(Write(path_, change), WriteOutcome::kWritten);
  const auto file = OpenFile(path_);
  ASSERT_NE(file, nullptr);
  for (const int number : {1, 2, 3}) EXPECT_TRUE(Serves(*file, number));
  EXPECT_EQ(file->Find(KeyOf(4).weight), nullptr);
  ASSERT_NE(file->FindHash(DigestOf(10)), nullptr);
  EXPECT_EQ(*file->FindHash(DigestOf(10)), DigestOf(11));
  EXPECT_EQ(file->FindHash(DigestOf(11)), nullptr);
  EXPECT_EQ(FilesIn(folder_.path()), std::vector<std::string>{"packed.bin"});
}

TEST_F(PackedFileWriterTest, TheFileIsItsOwnersAlone) {
  const mode_t mask = umask(0);
  Write(path_, ChangeOf({1}));
  umask(mask);
  struct stat info{};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(PackedFileWriterTest, EntriesAreAlignedAndLargeOnesHavePagesOfTheirOwn) {
  PackedFileChange change = ChangeOf({1, 2});
  change.additions.push_back(AdditionOf(3, kPackedFileLargeEntry));
  Write(path_, change);
  const auto file = OpenFile(path_);
  ASSERT_NE(file, nullptr);
  for (const int number : {1, 2}) {
    EXPECT_EQ(file->Find(KeyOf(number).weight)->offset % kPackedFileAlignment, 0u);
  }
  EXPECT_EQ(file->Find(KeyOf(3).weight)->offset % kPackedFileLargeAlignment, 0u);
  EXPECT_TRUE(Serves(*file, 3, kPackedFileLargeEntry));
}

TEST_F(PackedFileWriterTest, AppendingChangesNoByteOfWhatWasThere) {
  Write(path_, ChangeOf({1, 2}));
  const std::vector<uint8_t> before = ReadFile(path_);
  const auto reader = OpenFile(path_);
  const ino_t inode = Inode();
  EXPECT_EQ(Write(path_, ChangeOf({3})), WriteOutcome::kWritten);
  EXPECT_EQ(Inode(), inode);
  const std::vector<uint8_t> after = ReadFile(path_);
  ASSERT_GT(after.size(), before.size());
  EXPECT_TRUE(std::equal(before.begin(), before.end(), after.begin()));
  for (const int number : {1, 2, 3}) EXPECT_TRUE(Serves(*OpenFile(path_), number));
  for (const int number : {1, 2}) EXPECT_TRUE(Serves(*reader, number));
}

TEST_F(PackedFileWriterTest, WhatIsThereAlreadyIsNotWrittenAgain) {
  Write(path_, ChangeOf({1, 2}));
  const std::vector<uint8_t> before = ReadFile(path_);
  EXPECT_EQ(Write(path_, ChangeOf({2, 1})), WriteOutcome::kNothingNew);
  EXPECT_EQ(ReadFile(path_), before);
  EXPECT_EQ(Write(folder_.File("other.bin"), {}), WriteOutcome::kNothingNew);
  EXPECT_FALSE(std::filesystem::exists(folder_.File("other.bin")));
}

// After an update of what packs, the file has what is packed from then on, and nothing else.
TEST_F(PackedFileWriterTest, AnotherLayoutTakesThePlaceOfAllThatWasThere) {
  Write(path_, ChangeOf({1, 2, 3}, 40000));
  PackedFileChange change = ChangeOf({2});
  change.additions.front().key.layout = DigestOf(77);
  EXPECT_EQ(Write(path_, change), WriteOutcome::kWritten);
  const auto file = OpenFile(path_);
  ASSERT_EQ(file->directory().entries.size(), 1u);
  EXPECT_EQ(file->directory().entries.front().key.layout, DigestOf(77));
  EXPECT_EQ(DeadBytes(*file), 0u);
  EXPECT_LT(FileSize(), 40000u);
}

TEST_F(PackedFileWriterTest, ADamagedEntryIsReplaced) {
  Write(path_, ChangeOf({1, 2}));
  std::vector<uint8_t> bytes = ReadFile(path_);
  bytes[OpenFile(path_)->Find(KeyOf(1).weight)->offset + 9] ^= 4;
  WriteFile(path_, {bytes.data(), bytes.size()});
  auto file = OpenFile(path_);
  ASSERT_FALSE(Serves(*file, 1));
  EXPECT_TRUE(Serves(*file, 2));
  EXPECT_EQ(Write(path_, ChangeOf({1})), WriteOutcome::kNothingNew) << "nobody said it is damaged";
  PackedFileChange change = ChangeOf({1});
  change.damaged.push_back(*file->Find(KeyOf(1).weight));
  EXPECT_EQ(Write(path_, change), WriteOutcome::kWritten);
  file = OpenFile(path_);
  EXPECT_TRUE(Serves(*file, 1));
  EXPECT_TRUE(Serves(*file, 2));
}

// One adapter after the other, each used once.
TEST_F(PackedFileWriterTest, TheFileStaysBelowItsLimitAndKeepsWhatWasUsedLast) {
  constexpr size_t kSize = 20000;
  PackedFileLimits limits;
  limits.max_bytes = 10 * kSize;
  Write(path_, ChangeOf({0, 1}, kSize), limits);
  for (int adapter = 2; adapter < 40; ++adapter) {
    PackedFileChange change = ChangeOf({adapter}, kSize);
    change.used_kernels = {KeyOf(0).weight.kernel, KeyOf(1).weight.kernel};
    EXPECT_EQ(Write(path_, change, limits), WriteOutcome::kWritten);
    ASSERT_LE(FileSize(), limits.max_bytes);
    const auto file = OpenFile(path_);
    for (const int number : {0, 1, adapter}) ASSERT_TRUE(Serves(*file, number, kSize)) << number;
  }
  EXPECT_FALSE(Serves(*OpenFile(path_), 2, kSize));
}

// What does not fit is not written at every start either.
TEST_F(PackedFileWriterTest, MoreThanTheLimitIsWrittenInPartAndOnce) {
  PackedFileLimits limits;
  limits.max_bytes = 64 << 10;
  std::vector<int> all(40);
  for (int i = 0; i < 40; ++i) all[static_cast<size_t>(i)] = i;
  const PackedFileChange change = ChangeOf(all, 4000);
  EXPECT_EQ(Write(path_, change, limits), WriteOutcome::kWritten);
  EXPECT_LE(FileSize(), limits.max_bytes);
  const auto file = OpenFile(path_);
  EXPECT_GT(file->directory().entries.size(), 5u);
  PackedFileChange again;
  for (const PackedFileChange::Addition& addition : change.additions) {
    again.used_kernels.insert(addition.key.weight.kernel);
    if (file->Find(addition.key.weight) == nullptr) again.additions.push_back(addition);
  }
  EXPECT_EQ(Write(path_, again, limits), WriteOutcome::kNothingNew);
}

// Without a limit, too, as each change of adapters leaves a directory behind.
TEST_F(PackedFileWriterTest, DeadBytesAreAQuarterOfTheFileAtMost) {
  std::set<ino_t> files;
  std::vector<std::shared_ptr<const PackedFileReader>> open;  // so that no inode comes again
  for (int i = 0; i < 64; ++i) {
    Write(path_, ChangeOf({i}));
    open.push_back(OpenFile(path_));
    files.insert(Inode());
    EXPECT_LE(DeadBytes(*open.back()), std::max<uint64_t>(64 << 10, FileSize() / 4));
  }
  EXPECT_GT(files.size(), 1u);
  EXPECT_LT(files.size(), 20u);
  for (int i = 0; i < 64; ++i) {
    EXPECT_TRUE(Serves(*open.back(), i));
    EXPECT_TRUE(Serves(*open[static_cast<size_t>(i)], i)) << "of a file that was replaced";
  }
}

TEST_F(PackedFileWriterTest, CompactionKeepsWhatIsRightAndDropsTheRest) {
  Write(path_, ChangeOf({1, 2}));
  Write(path_, ChangeOf({3}));
  std::vector<uint8_t> bytes = ReadFile(path_);
  bytes[OpenFile(path_)->Find(KeyOf(2).weight)->offset] ^= 1;
  WriteFile(path_, {bytes.data(), bytes.size()});
  PackedFileLimits limits;
  limits.compacts = true;
  EXPECT_EQ(Write(path_, {}, limits), WriteOutcome::kWritten);
  const auto file = OpenFile(path_);
  EXPECT_EQ(file->directory().entries.size(), 2u);
  EXPECT_TRUE(Serves(*file, 1));
  EXPECT_TRUE(Serves(*file, 3));
  EXPECT_EQ(DeadBytes(*file), 0u);
  EXPECT_EQ(FilesIn(folder_.path()), std::vector<std::string>{"packed.bin"});
}

// Hashes of files that are gone do not stay for good.
TEST_F(PackedFileWriterTest, HashesAreBounded) {
  Write(path_, ChangeOf({1}));
  for (int i = 0; i < 30; ++i) {
    PackedFileChange change;
    for (int j = 0; j < 10; ++j) change.hashes.push_back({DigestOf(10 * i + j), DigestOf(0)});
    EXPECT_EQ(Write(path_, change), WriteOutcome::kWritten);
  }
  const auto file = OpenFile(path_);
  EXPECT_LE(file->directory().hashes.size(), 80u);
  EXPECT_NE(file->FindHash(DigestOf(299)), nullptr);
  EXPECT_EQ(file->FindHash(DigestOf(0)), nullptr);
}

TEST_F(PackedFileWriterTest, AnotherWriterIsNotWaitedFor) {
  Write(path_, ChangeOf({1}));
  const int other = open(path_.c_str(), O_RDONLY);
  ASSERT_EQ(flock(other, LOCK_EX), 0);
  EXPECT_EQ(Write(path_, ChangeOf({2})), WriteOutcome::kBusy);
  EXPECT_TRUE(Serves(*OpenFile(path_), 1));
  close(other);
  EXPECT_EQ(Write(path_, ChangeOf({2})), WriteOutcome::kWritten);
  // One that makes the file.
  const std::string made = folder_.File("made.bin");
  const int maker = open((made + ".onepack-new").c_str(), O_RDWR | O_CREAT, 0600);
  ASSERT_EQ(flock(maker, LOCK_EX), 0);
  EXPECT_EQ(Write(made, ChangeOf({2})), WriteOutcome::kBusy);
  close(maker);
  EXPECT_EQ(Write(made, ChangeOf({2})), WriteOutcome::kWritten);
}

TEST_F(PackedFileWriterTest, WhatAKilledWriterLeftIsRemovedOrWrittenOver) {
  Write(path_, ChangeOf({1}));
  const std::vector<uint8_t> whole = ReadFile(path_);
  std::vector<uint8_t> longer = whole;
  longer.resize(whole.size() + 100001, 0xab);
  WriteFile(path_, {longer.data(), longer.size()});
  WriteFile(path_ + ".onepack-new", {longer.data(), 5000});
  EXPECT_TRUE(Serves(*OpenFile(path_), 1));
  EXPECT_EQ(Write(path_, ChangeOf({2})), WriteOutcome::kWritten);
  EXPECT_LT(FileSize(), longer.size());
  EXPECT_TRUE(Serves(*OpenFile(path_), 1));
  EXPECT_TRUE(Serves(*OpenFile(path_), 2));
  EXPECT_EQ(FilesIn(folder_.path()), std::vector<std::string>{"packed.bin"});
}

TEST_F(PackedFileWriterTest, AFileOfAnotherKindIsLeftAlone) {
  const std::vector<uint8_t> model(10000, 'm');
  WriteFile(path_, {model.data(), model.size()});
  EXPECT_TRUE(IsError(WritePackedFile(path_, ChangeOf({1}), {}), StatusCode::kInvalidFile,
                      {path_, "not a packed file"}));
  EXPECT_EQ(ReadFile(path_), model);
  EXPECT_TRUE(IsError(WritePackedFile(folder_.path(), ChangeOf({1}), {}), StatusCode::kIoError));
  const std::string link = folder_.File("link");
  ASSERT_EQ(symlink(path_.c_str(), link.c_str()), 0);
  EXPECT_FALSE(WritePackedFile(link, ChangeOf({1}), {}).ok());
  EXPECT_FALSE(PackedFileReader::Open(link).ok());
  EXPECT_EQ(ReadFile(path_), model);
}

// Where a new file is written first may be something of somebody else's.
TEST_F(PackedFileWriterTest, WhatIsInTheWayOfANewFileIsLeftAlone) {
  const std::string way = path_ + ".onepack-new";
  const std::vector<uint8_t> other(5000, 'x');
  WriteFile(way, {other.data(), other.size()});
  EXPECT_TRUE(IsError(WritePackedFile(path_, ChangeOf({1}), {}), StatusCode::kFailedPrecondition,
                      {way, "in the way"}));
  EXPECT_EQ(ReadFile(way), other);
  // A second name of another file.
  ASSERT_EQ(unlink(way.c_str()), 0);
  const std::string linked = folder_.File("linked");
  Write(linked, ChangeOf({5}));
  const std::vector<uint8_t> before = ReadFile(linked);
  ASSERT_EQ(link(linked.c_str(), way.c_str()), 0);
  EXPECT_FALSE(WritePackedFile(path_, ChangeOf({1}), {}).ok());
  EXPECT_EQ(ReadFile(linked), before);
}

// A process that is forked off has the file open, too, and must not keep the lock.
TEST_F(PackedFileWriterTest, AForkedProcessDoesNotKeepTheLock) {
  Write(path_, ChangeOf({1}));
  int end[2];
  ASSERT_EQ(pipe(end), 0);
  pid_t child = -1;
  {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const std::optional<LockedFile> file, LockedFile::Open(path_, 0));
    ASSERT_TRUE(file.has_value());
    child = fork();
    if (child == 0) {
      close(end[1]);
      char byte;
      _exit(read(end[0], &byte, 1) == 0 ? 0 : 1);  // until the parent closes its end
    }
    EXPECT_EQ(Write(path_, ChangeOf({2})), WriteOutcome::kBusy);
  }
  EXPECT_EQ(Write(path_, ChangeOf({2})), WriteOutcome::kWritten);
  close(end[0]);
  close(end[1]);
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

// Large entries have pages of their own: what lies between counts.
TEST_F(PackedFileWriterTest, TheLimitHoldsForEntriesOfAnySize) {
  constexpr size_t kLarge = kPackedFileLargeEntry;
  for (uint64_t limit = 4096; limit < 6 * kLarge; limit += 16384) {
    PackedFileLimits limits;
    limits.max_bytes = limit;
    PackedFileChange change = ChangeOf({1, 2, 3}, kLarge);
    change.additions.push_back(AdditionOf(4, 100));
    Write(path_, change, limits);
    if (!std::filesystem::exists(path_)) continue;
    ASSERT_LE(FileSize(), limit);
    ASSERT_EQ(unlink(path_.c_str()), 0);
  }
}

// A directory that was right when others read it, and is damaged now: what they have mapped stays.
TEST_F(PackedFileWriterTest, BytesOfADamagedStateAreNotCutOff) {
  Write(path_, ChangeOf({1}));
  Write(path_, ChangeOf({2}));
  const auto reader = OpenFile(path_);
  ASSERT_TRUE(Serves(*reader, 2));
  const int descriptor = open(path_.c_str(), O_WRONLY);
  const uint8_t wrong = 0xee;
  ASSERT_EQ(pwrite(descriptor, &wrong, 1, static_cast<off_t>(reader->end() - 20)), 1);
  close(descriptor);
  EXPECT_EQ(Write(path_, ChangeOf({3})), WriteOutcome::kWritten);
  EXPECT_TRUE(IsPackedOf(2, reader->BytesOf(*reader->Find(KeyOf(2).weight))));
  EXPECT_TRUE(Serves(*OpenFile(path_), 1));
  EXPECT_TRUE(Serves(*OpenFile(path_), 3));
}

// A damaged one, an empty one and one of another version are made again.
TEST_F(PackedFileWriterTest, WhatWasAPackedFileIsReplaced) {
  Write(path_, ChangeOf({1}));
  const std::vector<uint8_t> whole = ReadFile(path_);
  std::vector<std::vector<uint8_t>> broken(4, whole);
  broken[0][0] ^= 1;   // not even the name of the format
  broken[1][8] ^= 2;   // the version
  broken[2][60] ^= 2;  // its checksum
  broken[3].clear();
  for (const std::vector<uint8_t>& bytes : broken) {
    WriteFile(path_, {bytes.data(), bytes.size()});
    EXPECT_FALSE(PackedFileReader::Open(path_).ok());
    EXPECT_EQ(Write(path_, ChangeOf({2})), WriteOutcome::kWritten);
    EXPECT_TRUE(Serves(*OpenFile(path_), 2));
    EXPECT_FALSE(Serves(*OpenFile(path_), 1));
  }
}

TEST_F(PackedFileWriterTest, AFullDiskLeavesTheFileAsItWas) {
  Write(path_, ChangeOf({1}));
  const std::vector<uint8_t> before = ReadFile(path_);
  const auto reader = OpenFile(path_);
  for (uint64_t room = 0; room < 24000; room += 3001) {
    {
      const FileSizeLimit limit(before.size() + room);
      EXPECT_TRUE(IsError(WritePackedFile(path_, ChangeOf({2, 3}, 20000), {}), StatusCode::kIoError,
                          {path_}));
    }
    EXPECT_EQ(ReadFile(path_), before);
    {
      const FileSizeLimit limit(room);
      EXPECT_FALSE(WritePackedFile(folder_.File("new.bin"), ChangeOf({2, 3}, 20000), {}).ok());
    }
    EXPECT_EQ(FilesIn(folder_.path()), std::vector<std::string>{"packed.bin"});
  }
  EXPECT_TRUE(Serves(*reader, 1));
}

// The same on a file system that is full.
TEST_F(PackedFileWriterTest, ASmallFileSystemDoesNotOverflow) {
  const std::string mounted = folder_.File("small");
  std::filesystem::create_directory(mounted);
  if (mount("tmpfs", mounted.c_str(), "tmpfs", 0, "size=256k") != 0) {
    GTEST_SKIP() << "nothing can be mounted here";
  }
  const std::string path = mounted + "/packed.bin";
  EXPECT_EQ(Write(path, ChangeOf({1}, 100000)), WriteOutcome::kWritten);
  {
    const auto reader = OpenFile(path);
    EXPECT_TRUE(IsError(WritePackedFile(path, ChangeOf({2}, 200000), {}), StatusCode::kIoError,
                        {path, "No space left"}));
    EXPECT_TRUE(Serves(*reader, 1, 100000));
    EXPECT_EQ(FilesIn(mounted), std::vector<std::string>{"packed.bin"});
    EXPECT_EQ(Write(path, ChangeOf({3}, 1000)), WriteOutcome::kWritten);
    EXPECT_TRUE(Serves(*OpenFile(path), 3, 1000));
  }
  EXPECT_EQ(umount(mounted.c_str()), 0);
}

TEST_F(PackedFileWriterTest, WhereNothingMayBeWrittenTheErrorSaysSo) {
  EXPECT_TRUE(IsError(WritePackedFile(folder_.File("none/packed.bin"), ChangeOf({1}), {}),
                      StatusCode::kNotFound, {"none/packed.bin"}));
  EXPECT_TRUE(IsOk(SyncPackedFile((Write(path_, ChangeOf({1})), path_))));
  EXPECT_TRUE(IsError(SyncPackedFile(folder_.File("none")), StatusCode::kNotFound, {"none"}));
}

}  // namespace
}  // namespace onepack
