// The packed file as the cache uses it.

#include "weight_cache/packed_file/store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <string>

#include "tests/support/child_process.h"
#include "tests/support/file_size_limit.h"
#include "tests/support/sanitizers.h"
#include "tests/weight_cache/packed_file/packed_file_fixture.h"

namespace onepack {
namespace {

class PackedFileTest : public testing::Test {
 protected:
  PackedFileOptions Options() {
    PackedFileOptions options;
    options.path = path_;
    options.on_trouble = [this](const Status& status) {
      ++told_;
      trouble_ = status.message();
    };
    return options;
  }
  WeightCacheOptions CacheOptions() {
    WeightCacheOptions options;
    options.packed_file = Options();
    return options;
  }

  // As a load does: finds the weights in memory or in the file, or packs them. The keys of both are
  // the same here.
  static std::vector<PackedWeight> Load(const std::shared_ptr<PackedWeightCache>& cache,
                                        const std::vector<int>& numbers) {
    std::vector<PackedWeight> pins;
    cache->file()->Refresh();
    for (const int number : numbers) {
      PackedWeight pin = cache->FindInFile(KeyOf(number), KeyOf(number), {});
      PackTransaction transaction(cache);
      const LastingKey lasting{KeyOf(number), [] { return true; }};
      if (!pin) pin = transaction.LookUp(KeyOf(number), false, &lasting);
      if (!pin) {
        const std::vector<uint8_t> packed = PackedOf(number);
        uint8_t* space = transaction.Reserve(packed.size());
        EXPECT_NE(space, nullptr);
        std::copy(packed.begin(), packed.end(), space);
        pin = transaction.Commit(TagOf(number));
      }
      EXPECT_TRUE(IsPackedOf(number, pin.bytes()));
      EXPECT_EQ(pin.tag(), TagOf(number));
      pins.push_back(std::move(pin));
    }
    cache->file()->StartWriting();
    return pins;
  }

  const TempFolder folder_;
  const std::string path_ = folder_.File("packed.bin");
  std::atomic<int> told_{0};
  std::string trouble_;
};

TEST_F(PackedFileTest, TheNextCacheFindsWhatTheFirstOnePacked) {
  Load(PackedWeightCache::Create(CacheOptions()), {1, 2, 3});
  const auto cache = PackedWeightCache::Create(CacheOptions());
  const auto pins = Load(cache, {1, 2, 3, 4});
  const WeightCacheStats stats = cache->Stats();
  EXPECT_EQ(stats.file.hits, 3u);
  EXPECT_EQ(stats.file.hit_bytes, 900u);
  EXPECT_EQ(stats.file.misses.absent, 1u);
  EXPECT_EQ(stats.misses.total(), 4u);
  EXPECT_EQ(stats.packed_bytes, 300u);
  EXPECT_EQ(stats.bytes, 1200u);
  EXPECT_EQ(stats.file_bytes, 900u);
  EXPECT_EQ(told_, 0);
}

TEST_F(PackedFileTest, WhatIsServedOutlivesFileAndCache) {
  Load(PackedWeightCache::Create(CacheOptions()), {1});
  auto cache = PackedWeightCache::Create(CacheOptions());
  auto pins = Load(cache, {1});
  EXPECT_EQ(cache->Stats().file.hits, 1u);
  ASSERT_EQ(unlink(path_.c_str()), 0);
  cache = nullptr;
  EXPECT_TRUE(IsPackedOf(1, pins.front().bytes()));
}

TEST_F(PackedFileTest, AfterTheLastPinAnEntryOfTheFileIsGoneAndFoundAgain) {
  Load(PackedWeightCache::Create(CacheOptions()), {1});
  const auto cache = PackedWeightCache::Create(CacheOptions());
  Load(cache, {1});
  ExpectEmpty(*cache);
  EXPECT_EQ(cache->Stats().file_bytes, 0u);
  Load(cache, {1});
  EXPECT_EQ(cache->Stats().file.hits, 2u);
}

// What another process has packed meanwhile is found by one that is running already.
TEST_F(PackedFileTest, ARunningProcessFindsWhatAnotherOneWrites) {
  if (kThreadSanitized) GTEST_SKIP() << "the other process would make a thread";
  const auto cache = PackedWeightCache::Create(CacheOptions());
  const auto pins = Load(cache, {1});
  ASSERT_TRUE(IsOk(cache->Flush()));
  EXPECT_EQ(ExitStatusOfChild([this] {
              const auto other = PackedWeightCache::Create(CacheOptions());
              const auto served = Load(other, {1, 2});
              return other->Stats().file.hits == 1 && other->Flush().ok();
            }),
            0);
  const auto more = Load(cache, {2});
  EXPECT_EQ(cache->Stats().file.hits, 1u);
}

// One that looks while another process is appending: the file has its new size already.
TEST_F(PackedFileTest, WhatWasBeingAppendedIsFoundLater) {
  Write(path_, ChangeOf({1}));
  const std::vector<uint8_t> before = ReadFile(path_);
  Write(path_, ChangeOf({2}));
  const std::vector<uint8_t> after = ReadFile(path_);
  std::vector<uint8_t> meanwhile = before;
  meanwhile.resize(after.size());
  WriteFile(path_, {meanwhile.data(), meanwhile.size()});
  PackedFile file(Options());
  file.Refresh();
  EXPECT_TRUE(file.Find(KeyOf(1)).has_value());
  EXPECT_FALSE(file.Find(KeyOf(2)).has_value());
  const int descriptor = open(path_.c_str(), O_WRONLY);
  ASSERT_EQ(pwrite(descriptor, after.data(), after.size(), 0), static_cast<ssize_t>(after.size()));
  close(descriptor);
  file.Refresh();
  EXPECT_TRUE(file.Find(KeyOf(2)).has_value());
}

// A process that keeps a foundation and changes adapters: what it uses all the time stays.
TEST_F(PackedFileTest, ALimitDropsWhatWasNotUsedAndNotWhatStaysInMemory) {
  WeightCacheOptions options = CacheOptions();
  options.packed_file.max_bytes = 16384;
  {
    const auto cache = PackedWeightCache::Create(options);
    const auto foundation = Load(cache, {0, 1, 2});
    for (int adapter = 10; adapter < 60; ++adapter) {
      Load(cache, {adapter});
      ASSERT_TRUE(IsOk(cache->Flush()));
      ASSERT_LE(std::filesystem::file_size(path_), options.packed_file.max_bytes);
    }
  }
  const auto cache = PackedWeightCache::Create(options);
  Load(cache, {0, 1, 2, 59});
  EXPECT_EQ(cache->Stats().file.hits, 4u);
}

// Bytes that changed between hashing and packing do not stand under the hash of the old ones.
TEST_F(PackedFileTest, WhatIsNoLongerTrueIsNotKept) {
  const auto cache = PackedWeightCache::Create(CacheOptions());
  PackTransaction transaction(cache);
  const LastingKey lasting{KeyOf(1), [] { return false; }};
  EXPECT_FALSE(transaction.LookUp(KeyOf(1), false, &lasting));
  ReserveFilled(transaction, 1);
  const PackedWeight pin = transaction.Commit(kTag);
  ASSERT_TRUE(IsOk(cache->Flush()));
  EXPECT_FALSE(std::filesystem::exists(path_));
}

// What could not be written is said by Flush, once, whatever was written after it.
TEST_F(PackedFileTest, FlushSaysWhatWasLost) {
  const auto cache = PackedWeightCache::Create(CacheOptions());
  {
    const FileSizeLimit limit(0);
    const auto pins = Load(cache, {1});
    while (cache->Stats().file.troubles == 0) usleep(1000);
  }
  const auto pins = Load(cache, {2});
  EXPECT_TRUE(IsError(cache->Flush(), StatusCode::kIoError, {path_}));
  EXPECT_TRUE(IsOk(cache->Flush()));
  EXPECT_EQ(cache->Stats().file.written, 1u);
  EXPECT_TRUE(Serves(*OpenFile(path_), 2));
}

TEST_F(PackedFileTest, AFileOfAnotherUserIsReadOnlyWhereTheApplicationSaysSo) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  Load(PackedWeightCache::Create(CacheOptions()), {1});
  ASSERT_EQ(chown(path_.c_str(), 65534, 65534), 0);
  for (const bool is_read_only : {false, true}) {
    WeightCacheOptions options = CacheOptions();
    options.packed_file.is_read_only = is_read_only;
    const auto cache = PackedWeightCache::Create(options);
    const auto pins = Load(cache, {1});
    EXPECT_EQ(cache->Stats().file.hits, is_read_only ? 1u : 0u);
  }
  EXPECT_NE(trouble_.find("belongs to another user"), std::string::npos) << trouble_;
}

TEST_F(PackedFileTest, FlushWaitsUntilAllIsThere) {
  const auto cache = PackedWeightCache::Create(CacheOptions());
  ASSERT_TRUE(IsOk(cache->Flush())) << "of nothing";
  const auto pins = Load(cache, {1, 2});
  ASSERT_TRUE(IsOk(cache->Flush()));
  EXPECT_TRUE(Serves(*OpenFile(path_), 1));
  EXPECT_TRUE(Serves(*OpenFile(path_), 2));
  EXPECT_EQ(cache->Stats().file.written, 2u);
  EXPECT_EQ(cache->Stats().file.written_bytes, 600u);
  EXPECT_EQ(cache->Stats().file.pending, 0u);
  EXPECT_TRUE(IsOk(PackedWeightCache::Create()->Flush())) << "without a file";
}

TEST_F(PackedFileTest, WhatIsWrittenByAnotherIsTriedLaterAndNotWaitedFor) {
  Load(PackedWeightCache::Create(CacheOptions()), {1});
  const int other = open(path_.c_str(), O_RDONLY);
  ASSERT_EQ(flock(other, LOCK_EX), 0);
  {
    const auto cache = PackedWeightCache::Create(CacheOptions());
    const auto pins = Load(cache, {1, 2});
    EXPECT_EQ(cache->Stats().file.hits, 1u);
    close(other);
    ASSERT_TRUE(IsOk(cache->Flush()));
    EXPECT_TRUE(Serves(*OpenFile(path_), 2));
  }
  // One that ends meanwhile goes without.
  const int again = open(path_.c_str(), O_RDONLY);
  ASSERT_EQ(flock(again, LOCK_EX), 0);
  Load(PackedWeightCache::Create(CacheOptions()), {3});
  close(again);
  EXPECT_FALSE(Serves(*OpenFile(path_), 3));
  EXPECT_EQ(told_, 1);
  EXPECT_NE(trouble_.find("another process is writing"), std::string::npos) << trouble_;
}

TEST_F(PackedFileTest, ReadOnlyUsesWhatIsThereAndWritesNothing) {
  Load(PackedWeightCache::Create(CacheOptions()), {1});
  const std::vector<uint8_t> before = ReadFile(path_);
  WeightCacheOptions options = CacheOptions();
  options.packed_file.is_read_only = true;
  {
    const auto cache = PackedWeightCache::Create(options);
    const auto pins = Load(cache, {1, 2});
    EXPECT_EQ(cache->Stats().file.hits, 1u);
    EXPECT_TRUE(IsError(cache->Flush(), StatusCode::kFailedPrecondition, {path_, "read only"}));
  }
  EXPECT_EQ(ReadFile(path_), before);
  EXPECT_EQ(told_, 0);
}

TEST_F(PackedFileTest, ADamagedEntryIsPackedAgainAndReplaced) {
  Load(PackedWeightCache::Create(CacheOptions()), {1, 2});
  std::vector<uint8_t> bytes = ReadFile(path_);
  bytes[OpenFile(path_)->Find(KeyOf(1).weight)->offset + 5] ^= 1;
  WriteFile(path_, {bytes.data(), bytes.size()});
  {
    const auto cache = PackedWeightCache::Create(CacheOptions());
    const auto pins = Load(cache, {1, 2});
    EXPECT_EQ(cache->Stats().file.misses.damaged, 1u);
    EXPECT_EQ(cache->Stats().file.hits, 1u);
  }
  const auto cache = PackedWeightCache::Create(CacheOptions());
  const auto pins = Load(cache, {1, 2});
  EXPECT_EQ(cache->Stats().file.hits, 2u);
}

TEST_F(PackedFileTest, AllChecksumsOrNoneAreLookedAtWhereTheApplicationSaysSo) {
  Load(PackedWeightCache::Create(CacheOptions()), {1, 2});
  std::vector<uint8_t> bytes = ReadFile(path_);
  bytes[OpenFile(path_)->Find(KeyOf(1).weight)->offset] ^= 1;
  WriteFile(path_, {bytes.data(), bytes.size()});
  WeightCacheOptions options = CacheOptions();
  options.packed_file.is_read_only = true;
  options.packed_file.checksums = ChecksumPolicy::kAtOpen;
  auto cache = PackedWeightCache::Create(options);
  Load(cache, {2});
  // Whoever damages it after that is not noticed: it was looked at.
  const auto file = OpenFile(path_);
  const int descriptor = open(path_.c_str(), O_WRONLY);
  const uint8_t wrong = 0;
  ASSERT_EQ(pwrite(descriptor, &wrong, 1, static_cast<off_t>(file->Find(KeyOf(2).weight)->offset)),
            1);
  close(descriptor);
  EXPECT_TRUE(cache->file()->Find(KeyOf(2)).has_value());
  EXPECT_FALSE(cache->file()->Find(KeyOf(1)).has_value());
  options.packed_file.checksums = ChecksumPolicy::kNever;
  cache = PackedWeightCache::Create(options);
  cache->file()->Refresh();
  EXPECT_TRUE(cache->file()->Find(KeyOf(1)).has_value());
}

TEST_F(PackedFileTest, AnotherLayoutIsAMissAndThenReplaced) {
  PackedFileChange old = ChangeOf({1, 2, 3});
  for (auto& addition : old.additions) addition.key.layout = DigestOf(99);
  Write(path_, old);
  {
    const auto cache = PackedWeightCache::Create(CacheOptions());
    Load(cache, {1});
    EXPECT_EQ(cache->Stats().file.misses.other_layout, 1u);
  }
  const auto file = OpenFile(path_);
  EXPECT_EQ(file->directory().entries.size(), 1u) << "none of the old layout stays";
  EXPECT_TRUE(Serves(*file, 1));
}

TEST_F(PackedFileTest, WhatCannotBeWrittenIsToldOnceAndGoesOnInMemory) {
  const struct {
    std::string path;
    const char* message;
  } cases[] = {{folder_.File("none/packed.bin"), "No such file"},
               {folder_.path(), "not a regular file"}};
  for (const auto& one : cases) {
    told_ = 0;
    WeightCacheOptions options = CacheOptions();
    options.packed_file.path = one.path;
    const auto cache = PackedWeightCache::Create(options);
    for (int i = 0; i < 3; ++i) {
      const auto pins = Load(cache, {1 + i});
      EXPECT_FALSE(cache->Flush().ok());
    }
    EXPECT_EQ(told_, 1);
    EXPECT_NE(trouble_.find(one.message), std::string::npos) << trouble_;
    EXPECT_GE(cache->Stats().file.troubles, 3u);
    EXPECT_EQ(cache->Stats().file.pending, 0u);
  }
}

TEST_F(PackedFileTest, AFullDiskIsToldAndTheFileStaysAsItWas) {
  Load(PackedWeightCache::Create(CacheOptions()), {1});
  const std::vector<uint8_t> before = ReadFile(path_);
  {
    const FileSizeLimit limit(before.size());
    const auto cache = PackedWeightCache::Create(CacheOptions());
    const auto pins = Load(cache, {1, 2});
    EXPECT_EQ(cache->Stats().file.hits, 1u);
    EXPECT_TRUE(IsError(cache->Flush(), StatusCode::kIoError, {path_}));
  }
  EXPECT_EQ(ReadFile(path_), before);
  EXPECT_EQ(told_, 1);
}

// Of another application, or of a package.
TEST_F(PackedFileTest, AFolderWithoutPermissionIsReadAndNotWritten) {
  Load(PackedWeightCache::Create(CacheOptions()), {1});
  const std::vector<uint8_t> before = ReadFile(path_);
  ASSERT_EQ(chmod(path_.c_str(), 0444), 0);
  ASSERT_EQ(chmod(folder_.path().c_str(), 0555), 0);
  EXPECT_EQ(ExitStatusOfChild([this] {
              constexpr uid_t kNobody = 65534;  // root may write everywhere
              if (geteuid() == 0 && setuid(kNobody) != 0) return false;
              for (const std::string& path : {path_, folder_.File("new.bin")}) {
                WeightCacheOptions options = CacheOptions();
                options.packed_file.path = path;
                const auto cache = PackedWeightCache::Create(options);
                const auto pins = Load(cache, {1, 2});
                if (cache->Flush().ok() || cache->Stats().file.hits != (path == path_ ? 1 : 0)) {
                  return false;
                }
              }
              return told_ == 2;
            }),
            0);
  ASSERT_EQ(chmod(folder_.path().c_str(), 0755), 0);
  EXPECT_EQ(ReadFile(path_), before);
  EXPECT_EQ(FilesIn(folder_.path()), std::vector<std::string>{"packed.bin"});
}

TEST_F(PackedFileTest, AForkedChildReadsAndDoesNotWrite) {
  const auto cache = PackedWeightCache::Create(CacheOptions());
  const auto pins = Load(cache, {1});
  ASSERT_TRUE(IsOk(cache->Flush()));
  const std::vector<uint8_t> before = ReadFile(path_);
  EXPECT_EQ(ExitStatusOfChild([&] {
              auto own = cache;
              const auto served = Load(own, {1, 2});
              return !own->Flush().ok() && own->Stats().pins == 3;
            }),
            0);
  EXPECT_EQ(ReadFile(path_), before);
}

TEST_F(PackedFileTest, AForkedChildMayCloseWhatItsParentWrites) {
  if (kThreadSanitized) GTEST_SKIP() << "the parent would be a child that makes a thread";
  EXPECT_EQ(ExitStatusOfChild([&] {
              auto* file = new PackedFile(Options());
              file->Add(AdditionOf(1));
              file->StartWriting();
              const bool is_right = ExitStatusOfChild([file] {
                                      delete file;
                                      return true;
                                    }) == 0;
              delete file;
              return is_right;
            }),
            0);
}

TEST_F(PackedFileTest, ThreadsLoadAndWriteAtOnce) {
  const auto cache = PackedWeightCache::Create(CacheOptions());
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&cache, i] {
      for (int round = 0; round < 10; ++round) {
        const auto pins = Load(cache, {round, round + 1, 20 + i});
        static_cast<void>(cache->Stats());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(IsOk(cache->Flush()));
  const auto file = OpenFile(path_);
  for (int number = 0; number <= 10; ++number) EXPECT_TRUE(Serves(*file, number)) << number;
  EXPECT_EQ(cache->Stats().file.troubles, 0u);
}

}  // namespace
}  // namespace onepack
