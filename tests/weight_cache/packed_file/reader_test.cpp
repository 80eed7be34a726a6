#include "weight_cache/packed_file/reader.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <random>
#include <thread>

#include "base/endian.h"
#include "tests/weight_cache/packed_file/packed_file_fixture.h"

namespace onepack {
namespace {

class PackedFileReaderTest : public testing::Test {
 protected:
  // Three states, one after the other: {1}, {1, 2}, {1, 2, 3}.
  void SetUp() override {
    PackedFileChange first = ChangeOf({1});
    first.hashes.push_back({DigestOf(10), DigestOf(11)});
    Write(path_, first);
    ends_.push_back(OpenFile(path_)->end());
    for (const int number : {2, 3}) {
      Write(path_, ChangeOf({number}));
      ends_.push_back(OpenFile(path_)->end());
    }
  }

  const TempFolder folder_;
  const std::string path_ = folder_.File("packed.bin");
  const std::string broken_ = folder_.File("broken.bin");
  std::vector<uint64_t> ends_;
};

TEST_F(PackedFileReaderTest, NamesWhatIsWrong) {
  EXPECT_TRUE(
      IsError(PackedFileReader::Open(folder_.File("none")), StatusCode::kNotFound, {"none"}));
  WriteFile(broken_, AsBytes("short"));
  EXPECT_TRUE(IsError(PackedFileReader::Open(broken_), StatusCode::kInvalidFile,
                      {broken_, "59 more bytes expected"}));
  std::vector<uint8_t> bytes = ReadFile(path_);
  bytes[8] = 9;
  WriteFile(broken_, {bytes.data(), bytes.size()});
  EXPECT_TRUE(IsError(PackedFileReader::Open(broken_), StatusCode::kUnsupported,
                      {broken_, "version 9, 1 expected"}));
  EXPECT_TRUE(IsError(PackedFileReader::Open(folder_.path()), StatusCode::kInvalidArgument,
                      {"not a regular file"}));
}

// Whatever was being appended when the machine stopped: the last whole state counts.
TEST_F(PackedFileReaderTest, TruncatedAtEveryLengthItHasTheLastWholeState) {
  const std::vector<uint8_t> whole = ReadFile(path_);
  ASSERT_EQ(whole.size(), ends_.back());
  for (size_t size = 0; size <= whole.size(); ++size) {
    WriteFile(broken_, {whole.data(), size});
    auto file = PackedFileReader::Open(broken_);
    if (size < ends_.front()) {
      ASSERT_TRUE(IsError(file, StatusCode::kInvalidFile, {broken_})) << size;
      continue;
    }
    ASSERT_TRUE(IsOk(file)) << size;
    for (int number = 1; number <= 3; ++number) {
      const bool is_there = size >= ends_[static_cast<size_t>(number - 1)];
      ASSERT_EQ(Serves(**file, number), is_there) << size << " " << number;
    }
  }
}

TEST_F(PackedFileReaderTest, AFlippedBitNeverServesWrongBytes) {
  std::vector<uint8_t> bytes = ReadFile(path_);
  std::mt19937 random(7);
  for (size_t i = 0; i < bytes.size(); ++i) {
    const auto flip = static_cast<uint8_t>(1u << (random() % 8));
    bytes[i] ^= flip;
    WriteFile(broken_, {bytes.data(), bytes.size()});
    auto file = PackedFileReader::Open(broken_);
    ASSERT_TRUE(!file.ok() || ServesNothingWrong(**file)) << i;
    // And it is of use again after the next change.
    if (i % 64 == 0) {
      PackedFileChange change = ChangeOf({1, 4});
      if (file.ok()) {
        for (const PackedFileEntry& entry : (*file)->directory().entries) {
          if (!(*file)->IsIntact(entry)) change.damaged.push_back(entry);
        }
      }
      ASSERT_TRUE(IsOk(WritePackedFile(broken_, change, {}))) << i;
      const auto mended = OpenFile(broken_);
      ASSERT_TRUE(Serves(*mended, 1) && Serves(*mended, 4)) << i;
    }
    bytes[i] ^= flip;
  }
}

// An entry that points anywhere, in a directory whose checksum is right.
TEST_F(PackedFileReaderTest, EntriesOutsideTheFileAreRefused) {
  const auto file = OpenFile(path_);
  const uint64_t offset = file->end();
  for (const auto& [entry_offset, size] : {std::pair<uint64_t, uint64_t>{0, 64},
                                           {100, 64},
                                           {64, UINT64_MAX},
                                           {UINT64_MAX - 63, 128},
                                           {offset, 64},
                                           {64, 1 << 20},
                                           {64, offset}}) {
    PackedFileDirectory directory = file->directory();
    directory.entries.front().offset = entry_offset;
    directory.entries.front().size = size;
    const std::vector<uint8_t> encoded = EncodePackedFileDirectory(directory, file->id(), offset);
    std::vector<uint8_t> bytes = ReadFile(path_);
    bytes.insert(bytes.end(), encoded.begin(), encoded.end());
    WriteFile(broken_, {bytes.data(), bytes.size()});
    const auto opened = OpenFile(broken_);
    ASSERT_NE(opened, nullptr);
    EXPECT_EQ(opened->end(), offset) << "the state before it counts";
  }
}

TEST_F(PackedFileReaderTest, CountsAreLimitedByTheBytesThereAre) {
  std::vector<uint8_t> directory(16 + 224, 0);
  PackedFileFooter footer;
  footer.directory_offset = 4096;
  footer.directory_size = directory.size();
  for (const auto& [entries, hashes] : {std::pair<uint64_t, uint64_t>{2, 0},
                                        {UINT64_MAX, 0},
                                        {0, UINT64_MAX},
                                        {0, 4},
                                        {1, 1},
                                        {uint64_t{1} << 59, uint64_t{1} << 61}}) {
    StoreLittleEndian(entries, directory.data());
    StoreLittleEndian(hashes, directory.data() + 8);
    footer.directory_checksum = ChecksumOf({directory.data(), directory.size()});
    EXPECT_TRUE(IsError(DecodePackedFileDirectory({directory.data(), directory.size()}, footer),
                        StatusCode::kInvalidFile, {"entries"}));
  }
}

// What the format says, whatever instructions compute it: the value is that of the xxhsum command.
TEST(ChecksumTest, IsXxh3Of128Bits) {
  std::vector<uint8_t> bytes(100000);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * i >> 3);
  EXPECT_EQ(ChecksumOf({}), (Checksum{0x6001c324468d497f, 0x99aa06d3014798d8}));
  EXPECT_EQ(ChecksumOf({bytes.data(), bytes.size()}),
            (Checksum{0xde7b34649650c701, 0xbb34bf7b2426abab}));
}

TEST_F(PackedFileReaderTest, AFooterOfAnotherFileMeansNothing) {
  const std::string other = folder_.File("other.bin");
  Write(other, ChangeOf({5}));
  std::vector<uint8_t> bytes = ReadFile(path_);
  const std::vector<uint8_t> tail = ReadFile(other);
  bytes.insert(bytes.end(), tail.begin(), tail.end());
  WriteFile(broken_, {bytes.data(), bytes.size()});
  EXPECT_EQ(OpenFile(broken_)->end(), ends_.back());
}

// One process reads while another one appends and compacts.
TEST_F(PackedFileReaderTest, ReadsBesideAWriter) {
  const pid_t writer = fork();
  if (writer == 0) {
    for (int i = 0; i < 1000; ++i) {
      PackedFileLimits limits;
      limits.compacts = i % 9 == 0;
      static_cast<void>(WritePackedFile(path_, ChangeOf({i % 60}), limits));
    }
    _exit(0);
  }
  int status = 0;
  int looks = 0;
  while (waitpid(writer, &status, WNOHANG) == 0) {
    const auto file = OpenFile(path_);
    ASSERT_NE(file, nullptr);
    ASSERT_TRUE(Serves(*file, 1));
    ASSERT_TRUE(ServesNothingWrong(*file));
    ++looks;
  }
  EXPECT_EQ(status, 0);
  EXPECT_GT(looks, 0);
}

TEST_F(PackedFileReaderTest, TwoWritersLoseNothing) {
  const auto write_all = [this](int first) {
    for (int i = first; i < first + 20; ++i) {
      for (;;) {
        auto outcome = WritePackedFile(path_, ChangeOf({i}), {});
        if (!outcome.ok()) return false;
        if (outcome->outcome != WriteOutcome::kBusy) break;
        usleep(100);
      }
    }
    return true;
  };
  const pid_t other = fork();
  if (other == 0) _exit(write_all(10) ? 0 : 1);
  EXPECT_TRUE(write_all(30));
  int status = 1;
  waitpid(other, &status, 0);
  EXPECT_EQ(status, 0);
  const auto file = OpenFile(path_);
  for (int i = 10; i < 50; ++i) EXPECT_TRUE(Serves(*file, i)) << i;
}

// A writer that is killed, at whatever point of appending or compacting it is: what was there
// before is there, and the next one writes.
TEST_F(PackedFileReaderTest, AWriterMayBeKilledAtAnyPoint) {
  std::mt19937 random(2026);
  for (int round = 0; round < 200; ++round) {
    const pid_t writer = fork();
    if (writer == 0) {
      for (int i = 4;; ++i) {
        PackedFileLimits limits;
        limits.compacts = i % 3 == 0;
        static_cast<void>(WritePackedFile(path_, ChangeOf({i % 60}, 300), limits));
      }
    }
    usleep(static_cast<useconds_t>(random() % 3000));
    kill(writer, SIGKILL);
    waitpid(writer, nullptr, 0);
    const auto file = OpenFile(path_);
    ASSERT_NE(file, nullptr) << round;
    for (const int number : {1, 2, 3}) ASSERT_TRUE(Serves(*file, number)) << round;
    ASSERT_TRUE(ServesNothingWrong(*file)) << round;
    const int number = 60 + round % 4;
    PackedFileChange change = ChangeOf({number});
    ASSERT_NE(Write(path_, change), WriteOutcome::kBusy) << round;
    ASSERT_TRUE(Serves(*OpenFile(path_), number)) << round;
    ASSERT_EQ(FilesIn(folder_.path()), std::vector<std::string>{"packed.bin"}) << round;
  }
}

}  // namespace
}  // namespace onepack
