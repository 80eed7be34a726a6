#include "weight_cache/content_registry.h"

#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/stat.h>

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/support/status_matchers.h"
#include "tests/support/threads.h"
#include "tests/weight_cache/cache_helpers.h"

namespace onepack {
namespace {

// Bytes in memory that count how often they are read, and fail when told to.
class FakeRawBytes final : public RawBytes {
 public:
  explicit FakeRawBytes(std::string bytes) : bytes_(std::move(bytes)) {}

  Status Read(const std::function<void(Bytes)>& use) const override {
    ++reads;
    if (fails) return Status::Error(StatusCode::kIoError, "the disk is gone");
    use({reinterpret_cast<const uint8_t*>(bytes_.data()), bytes_.size()});
    return Status::Ok();
  }

  const uint8_t* FindHash() const override { return hash ? hash->bytes.data() : nullptr; }

  mutable std::atomic<int> reads{0};
  bool fails = false;
  std::optional<Digest> hash;

 private:
  const std::string bytes_;
};

std::shared_ptr<FakeRawBytes> Raw(std::string bytes) {
  return std::make_shared<FakeRawBytes>(std::move(bytes));
}

Bytes AsBytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// Which know their hash.
std::shared_ptr<FakeRawBytes> Promised(const std::string& bytes) {
  auto raw = Raw(bytes);
  raw->hash = Sha256Of(AsBytes(bytes));
  return raw;
}

// The first bytes of the test's file number `file`.
DataRange RangeOf(int file, uint64_t size) {
  struct stat info = {};
  info.st_dev = 1;
  info.st_ino = static_cast<ino_t>(file) + 1;
  info.st_ctim.tv_sec = 1;
  return {DataIdentity(FileIdentity(info), 0), 0, size};
}

class ContentRegistryTest : public testing::Test {
 protected:
  // The content of the test's file number `file`, or null with a failure.
  std::shared_ptr<Content> Register(const std::string& name, int file,
                                    const std::shared_ptr<FakeRawBytes>& raw, uint64_t size = 4) {
    auto content = registry_.Register(name, RangeOf(file, size), raw);
    EXPECT_TRUE(IsOk(content));
    return content.ok() ? std::move(content).value() : nullptr;
  }

  ContentRegistry registry_;
};

TEST_F(ContentRegistryTest, TheSameRangeIsTheSameContentAndNothingIsRead) {
  const auto first = Raw("abcd");
  const auto second = Raw("abcd");
  const auto content = Register("weight", 1, first);
  EXPECT_EQ(Register("weight", 1, second), content);
  EXPECT_FALSE(content->has_namesake());
  EXPECT_EQ(first->reads, 0);
  EXPECT_EQ(second->reads, 0);
}

TEST_F(ContentRegistryTest, TheSameRangeIsTheSameContentWhateverItIsCalled) {
  const auto first = Raw("abcd");
  const auto second = Raw("abcd");
  EXPECT_EQ(Register("weight", 1, first), Register("other name", 1, second));
  EXPECT_EQ(first->reads + second->reads, 0);
}

TEST_F(ContentRegistryTest, EqualBytesOfTheSameNameInAnotherFileAreTheSameContent) {
  const auto first = Raw("abcd");
  const auto second = Raw("abcd");
  const auto content = Register("weight", 1, first);
  EXPECT_EQ(Register("weight", 2, second), content);
  EXPECT_FALSE(content->has_namesake());
  EXPECT_EQ(first->reads, 1);
  EXPECT_EQ(second->reads, 1);
}

TEST_F(ContentRegistryTest, ARangeThatWasComparedIsKnownFromThenOn) {
  const auto first = Raw("abcd");
  const auto second = Raw("abcd");
  const auto third = Raw("abcd");
  const auto content = Register("weight", 1, first);
  Register("weight", 2, second);
  EXPECT_EQ(Register("weight", 2, third), content);
  EXPECT_EQ(third->reads, 0);
  EXPECT_EQ(first->reads, 1);
}

TEST_F(ContentRegistryTest, OtherBytesUnderTheSameNameAreAnotherContent) {
  const auto first = Raw("abcd");
  const auto second = Raw("abcX");
  const auto content = Register("weight", 1, first);
  const auto other = Register("weight", 2, second);
  ASSERT_NE(other, content);
  EXPECT_NE(other->id(), content->id());
  EXPECT_FALSE(content->has_namesake());
  EXPECT_TRUE(other->has_namesake());
}

TEST_F(ContentRegistryTest, BothContentsOfOneNameAreFoundAgain) {
  const auto first = Raw("abcd");
  const auto second = Raw("abcX");
  const auto content = Register("weight", 1, first);
  const auto other = Register("weight", 2, second);
  const auto like_first = Raw("abcd");
  const auto like_second = Raw("abcX");
  EXPECT_EQ(Register("weight", 3, like_first), content);
  EXPECT_EQ(Register("weight", 4, like_second), other);
}

TEST_F(ContentRegistryTest, AnotherSizeIsNeverRead) {
  const auto first = Raw("abcd");
  const auto second = Raw("abcde");
  const auto content = Register("weight", 1, first, 4);
  const auto other = Register("weight", 2, second, 5);
  EXPECT_NE(other, content);
  EXPECT_FALSE(other->has_namesake());
  EXPECT_EQ(first->reads + second->reads, 0);
}

TEST_F(ContentRegistryTest, AnotherNameIsNeverRead) {
  const auto first = Raw("abcd");
  const auto second = Raw("abcd");
  EXPECT_NE(Register("weight", 1, first), Register("other", 2, second));
  EXPECT_EQ(first->reads + second->reads, 0);
}

TEST_F(ContentRegistryTest, WithoutANameNothingIsReadAndNothingIsShared) {
  const auto first = Raw("abcd");
  const auto second = Raw("abcd");
  const auto content = Register("", 1, first);
  const auto other = Register("", 2, second);
  EXPECT_NE(other, content);
  EXPECT_FALSE(other->has_namesake());
  EXPECT_EQ(first->reads + second->reads, 0);
}

TEST_F(ContentRegistryTest, WithoutAWitnessEqualBytesArePackedApart) {
  auto first = Raw("abcd");
  const auto second = Raw("abcd");
  const auto content = Register("weight", 1, first);
  first.reset();
  const auto other = Register("weight", 2, second);
  EXPECT_NE(other, content);
  EXPECT_NE(other->id(), content->id());
  EXPECT_TRUE(other->has_namesake());
}

TEST_F(ContentRegistryTest, WithoutAWitnessARecordedHashDecides) {
  auto first = Raw("abcd");
  const auto content = Register("weight", 1, first);
  registry_.Record(*content, AsBytes(std::string("abcd")));
  first.reset();
  const auto equal = Raw("abcd");
  const auto different = Raw("abcX");
  EXPECT_EQ(Register("weight", 2, equal), content);
  EXPECT_EQ(equal->reads, 1);
  EXPECT_NE(Register("weight", 3, different), content);
}

TEST_F(ContentRegistryTest, OfBytesThatKnowTheirHashTheOthersAreReadAlone) {
  for (const bool knows_first : {true, false}) {
    const int file = knows_first ? 1 : 3;
    const std::string bytes = knows_first ? "abcd" : "efgh";
    const auto first = knows_first ? Promised(bytes) : Raw(bytes);
    const auto second = knows_first ? Raw(bytes) : Promised(bytes);
    const auto content = Register("weight", file, first);
    EXPECT_EQ(Register("weight", file + 1, second), content);
    const auto& [silent, read] = knows_first ? std::pair(first, second) : std::pair(second, first);
    EXPECT_EQ(silent->reads, 0);
    EXPECT_EQ(read->reads, 1);
  }
}

TEST_F(ContentRegistryTest, OfTwoThatKnowTheirHashesNothingIsRead) {
  const auto first = Promised("abcd");
  const auto same = Promised("abcd");
  const auto other = Promised("efgh");
  const auto content = Register("weight", 1, first);
  EXPECT_EQ(Register("weight", 2, same), content);
  EXPECT_NE(Register("weight", 3, other), content);
  EXPECT_EQ(first->reads + same->reads + other->reads, 0);
}

TEST_F(ContentRegistryTest, AnyWitnessIsEnough) {
  auto first = Raw("abcd");
  const auto second = Raw("abcd");
  const auto third = Raw("abcd");
  const auto content = Register("weight", 1, first);
  Register("weight", 2, second);
  first.reset();
  EXPECT_EQ(Register("weight", 3, third), content);
}

TEST_F(ContentRegistryTest, AWitnessThatCannotBeReadDoesNotFailTheRegistration) {
  const auto broken = Raw("abcd");
  broken->fails = true;
  const auto content = Register("weight", 1, broken);
  const auto other = Register("weight", 2, Raw("abcd"));
  EXPECT_NE(other, nullptr);
  EXPECT_NE(other, content);
}

TEST_F(ContentRegistryTest, AfterAWitnessThatCannotBeReadTheNextIsAsked) {
  const auto broken = Raw("abcd");
  const auto sound = Raw("abcd");
  const auto content = Register("weight", 1, broken);
  Register("weight", 2, sound);
  broken->fails = true;
  EXPECT_EQ(Register("weight", 3, Raw("abcd")), content);
}

TEST_F(ContentRegistryTest, AfterAWitnessThatCannotBeReadTheHashDecides) {
  const auto broken = Raw("abcd");
  broken->fails = true;
  const auto content = Register("weight", 1, broken);
  registry_.Record(*content, AsBytes(std::string("abcd")));
  EXPECT_EQ(Register("weight", 2, Raw("abcd")), content);
}

TEST_F(ContentRegistryTest, OurOwnBytesThatCannotBeReadAreAnError) {
  const auto first = Raw("abcd");
  const auto content = Register("weight", 1, first);
  const auto broken = Raw("abcd");
  broken->fails = true;
  EXPECT_TRUE(IsError(registry_.Register("weight", RangeOf(2, 4), broken), StatusCode::kIoError,
                      {"the disk is gone"}));
  // Nothing was left behind: a second try, with a disk, succeeds.
  EXPECT_EQ(Register("weight", 2, Raw("abcd")), content);
}

TEST_F(ContentRegistryTest, ADroppedContentIsForgotten) {
  Register("weight", 1, Raw("abcd"));
  const auto second = Raw("abcX");
  const auto content = Register("weight", 2, second);
  EXPECT_FALSE(content->has_namesake());
  EXPECT_EQ(second->reads, 0);
}

TEST_F(ContentRegistryTest, AnIdIsNotUsedAgainAfterItsContentIsGone) {
  std::set<std::array<uint8_t, 32>> ids;
  for (int i = 0; i < 100; ++i) ids.insert(Register("weight", 1, Raw("abcd"))->id().bytes);
  EXPECT_EQ(ids.size(), 100u);
}

// Of names that begin and end alike and differ in between, whether they are kept whole or not.
TEST_F(ContentRegistryTest, LongNamesCountInFull) {
  int file = 0;
  for (const size_t size : {31, 32, 33, 63, 64, 65, 1000}) {
    std::string name(size, 'n');
    const auto content = Register(name, ++file, Raw("abcd"));
    const auto same = Raw("abcd");
    name[size / 2] = 'm';
    const auto other = Register(name, ++file, same);
    EXPECT_NE(other, content) << size;
    EXPECT_FALSE(other->has_namesake()) << size;
    EXPECT_EQ(same->reads, 0) << size;
    EXPECT_EQ(Register(name, ++file, Raw("abcd")), other) << size;
  }
}

// What 20,000 registrations may leave on the heap: a hundred bytes each would be 8 times this.
constexpr size_t kSlack = 1 << 18;

// What the C heap has handed out and not got back. Always 0 where the heap does not say: under a
// sanitizer, and of other C libraries than glibc. The tests then only run the code.
size_t HeapInUse() {
#if defined(__GLIBC__)
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
#else
  return 0;
#endif
}

TEST_F(ContentRegistryTest, DroppedContentsOfManyFilesDoNotPileUp) {
  const size_t before = HeapInUse();
  for (int i = 0; i < 20'000; ++i) Register("weight", i, Raw("abcd"));
  EXPECT_LT(HeapInUse(), before + kSlack);
}

TEST_F(ContentRegistryTest, DroppedContentsOfOneFileDoNotPileUp) {
  const size_t before = HeapInUse();
  for (int i = 0; i < 20'000; ++i) Register("weight", 1, Raw("abcd"));
  EXPECT_LT(HeapInUse(), before + kSlack);
}

TEST_F(ContentRegistryTest, DroppedContentsOfOneFileUnderManyNamesDoNotPileUp) {
  const size_t before = HeapInUse();
  for (int i = 0; i < 20'000; ++i) Register(std::to_string(i), 1, Raw("abcd"));
  EXPECT_LT(HeapInUse(), before + kSlack);
}

// A file may have names as long as itself. A sweep comes after some hundred of them.
TEST_F(ContentRegistryTest, LongNamesOfDroppedContentsDoNotPileUp) {
  std::string name(size_t{1} << 20, 'n');
  const size_t before = HeapInUse();
  for (int i = 0; i < 50; ++i) {
    name[static_cast<size_t>(i)] = 'm';
    Register(name, i, Raw("abcd"));
  }
  EXPECT_LT(HeapInUse(), before + kSlack);
}

TEST_F(ContentRegistryTest, WitnessesThatAreGoneDoNotPileUp) {
  const auto first = Raw("abcd");
  const auto content = Register("weight", 1, first);
  const size_t before = HeapInUse();
  for (int i = 0; i < 20'000; ++i) Register("weight", 1, Raw("abcd"));
  EXPECT_LT(HeapInUse(), before + kSlack);
}

// As the constants of a payload, which may be as many as it has room for, all of one range.
TEST_F(ContentRegistryTest, OneOwnerIsOneWitnessHoweverOftenItRegisters) {
  struct Owner {
    FakeRawBytes first{"abcd"};
    FakeRawBytes second{"abcd"};
  };
  const auto owner = std::make_shared<Owner>();
  const auto content = Register("weight", 1, std::shared_ptr<FakeRawBytes>(owner, &owner->first));
  const size_t before = HeapInUse();
  for (int i = 0; i < 20'000; ++i) {
    Register("weight", 1, std::shared_ptr<FakeRawBytes>(owner, &owner->second));
  }
  EXPECT_LT(HeapInUse(), before + 4096);
  EXPECT_EQ(Register("weight", 2, Raw("abcd")), content);
  EXPECT_EQ(owner->first.reads, 1);
  EXPECT_EQ(owner->second.reads, 0);
}

constexpr int kThreads = 8;

TEST_F(ContentRegistryTest, ThreadsThatRegisterOneRangeGetOneContent) {
  for (int round = 0; round < 50; ++round) {
    Barrier start(kThreads);
    std::vector<std::shared_ptr<Content>> contents(kThreads);
    RunInThreads(kThreads, [&](int i) {
      start.Wait();
      contents[i] = Register("weight", round, Raw("abcd"));
    });
    EXPECT_EQ(std::set<std::shared_ptr<Content>>(contents.begin(), contents.end()).size(), 1u);
  }
}

TEST_F(ContentRegistryTest, ThreadsThatRegisterEqualBytesOfDifferentFilesGetOneContent) {
  for (int round = 0; round < 50; ++round) {
    Barrier start(kThreads);
    std::vector<std::shared_ptr<Content>> contents(kThreads);
    std::vector<std::shared_ptr<FakeRawBytes>> raw;
    for (int i = 0; i < kThreads; ++i) raw.push_back(Raw("abcd"));
    RunInThreads(kThreads, [&](int i) {
      start.Wait();
      contents[i] = Register("weight", i, raw[i]);
    });
    EXPECT_EQ(std::set<std::shared_ptr<Content>>(contents.begin(), contents.end()).size(), 1u);
  }
}

TEST_F(ContentRegistryTest, ThreadsThatRegisterDifferentBytesGetDifferentContents) {
  for (int round = 0; round < 50; ++round) {
    Barrier start(kThreads);
    std::vector<std::shared_ptr<Content>> contents(kThreads);
    std::vector<std::shared_ptr<FakeRawBytes>> raw;
    for (int i = 0; i < kThreads; ++i) raw.push_back(Raw("abc" + std::to_string(i)));
    RunInThreads(kThreads, [&](int i) {
      start.Wait();
      contents[i] = Register("weight", i, raw[i]);
    });
    EXPECT_EQ(std::set<std::shared_ptr<Content>>(contents.begin(), contents.end()).size(),
              size_t{kThreads});
  }
}

}  // namespace
}  // namespace onepack
