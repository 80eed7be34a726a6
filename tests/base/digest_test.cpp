#include "base/digest.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <array>
#include <fstream>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapping.h"
#include "tests/support/child_process.h"
#include "tests/support/files.h"
#include "tests/support/sanitizers.h"
#include "tests/support/status_matchers.h"
#include "tests/support/threads.h"

namespace onepack {
namespace {

Digest OfTexts(const std::vector<std::string_view>& parts) {
  DigestBuilder builder("texts");
  for (const std::string_view part : parts) builder.AddBytes(AsBytes(part));
  return builder.Finish();
}

TEST(DigestTest, EqualPartsGiveEqualDigests) {
  EXPECT_EQ(OfTexts({"ab", "c"}), OfTexts({"ab", "c"}));
}

TEST(DigestTest, PartsAreLengthPrefixedSoThatTheirBordersCount) {
  EXPECT_NE(OfTexts({"ab", "c"}), OfTexts({"a", "bc"}));
  EXPECT_NE(OfTexts({"ab", "c"}), OfTexts({"abc"}));
}

TEST(DigestTest, AnEmptyPartCounts) {
  EXPECT_NE(OfTexts({}), OfTexts({""}));
  EXPECT_NE(OfTexts({"a"}), OfTexts({"a", ""}));
  EXPECT_NE(OfTexts({"a", ""}), OfTexts({"", "a"}));
}

TEST(DigestTest, APartCannotImitateTheLengthOfAnother) {
  EXPECT_NE(OfTexts({"a", "b"}), OfTexts({"a\1b"}));
  // What a long part has for its length, and the long part itself.
  const std::string many(200, 'b');
  EXPECT_NE(OfTexts({"a", many}), OfTexts({"a\xc8\1" + many}));
  // Without a mark for what goes on, a length of 200 would be one of 72, and the rest empty parts.
  std::vector<std::string> imitations = {"\1" + std::string(71, '\0')};
  imitations.resize(130);
  EXPECT_NE(OfTexts({std::string(200, '\0')}), OfTexts({imitations.begin(), imitations.end()}));
}

// The builder has a place for as many as descriptions need, and another one for more.
TEST(DigestTest, OneLongPartMoreOrLessCountsWhereverItIsKept) {
  std::set<std::string> digests;
  for (size_t size = 490; size < 530; ++size) {
    const Digest digest = OfTexts({std::string(size, 'a'), "b", "c"});
    EXPECT_EQ(digest, OfTexts({std::string(size, 'a'), "b", "c"}));
    digests.emplace(digest.bytes.begin(), digest.bytes.end());
    const Digest in_another_order = OfTexts({"b", "c", std::string(size, 'a')});
    digests.emplace(in_another_order.bytes.begin(), in_another_order.bytes.end());
  }
  EXPECT_EQ(digests.size(), 80u);
}

TEST(DigestTest, OrderCounts) { EXPECT_NE(OfTexts({"a", "b"}), OfTexts({"b", "a"})); }

TEST(DigestTest, DigestsOfTwoPurposesDiffer) {
  EXPECT_NE(DigestBuilder("one").Add(1).Finish(), DigestBuilder("two").Add(1).Finish());
  EXPECT_NE(DigestBuilder("one").Finish(), DigestBuilder("two").Finish());
}

TEST(DigestTest, NumbersOfDifferentWidthsDiffer) {
  EXPECT_NE(DigestBuilder("n").Add(uint32_t{1}).Finish(),
            DigestBuilder("n").Add(uint64_t{1}).Finish());
}

TEST(DigestTest, FloatsCountByTheirBits) {
  const auto of = [](float number) { return DigestBuilder("f").Add(number).Finish(); };
  EXPECT_NE(of(0.0f), of(-0.0f));
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(of(nan), of(nan));
  EXPECT_NE(of(1.0f), of(1.0f + std::numeric_limits<float>::epsilon()));
}

// The values that `printf '\5hello' | sha256sum` prints, and `(printf '\210\4'; head -c 520
// /dev/zero) | sha256sum`: it is the hash it says it is, and over the lengths and the bytes.
TEST(DigestTest, IsTheSha256OfLengthsAndBytes) {
  const auto start_of = [](const std::string& purpose) {
    const Digest digest = DigestBuilder(purpose).Finish();
    return std::vector<uint8_t>(digest.bytes.begin(), digest.bytes.begin() + 4);
  };
  EXPECT_EQ(start_of("hello"), (std::vector<uint8_t>{0xad, 0x35, 0xaf, 0x52}));
  EXPECT_EQ(start_of(std::string(520, '\0')), (std::vector<uint8_t>{0x76, 0x1e, 0xcc, 0x84}));
}

// Some digests are kept. Those of other descriptions take their places in between.
TEST(DigestTest, ADescriptionThatComesAgainHasTheSameDigest) {
  for (int round = 0; round < 3; ++round) {
    for (size_t size = 0; size < 120; ++size) {
      for (const char what : {'a', 'b'}) {
        const std::string purpose(size, what);
        const std::string parts = static_cast<char>(size) + purpose;
        EXPECT_EQ(DigestBuilder(purpose).Finish(), Sha256Of(AsBytes(parts)).value());
        EXPECT_EQ(DigestBuilder(purpose).Finish(), Sha256Of(AsBytes(parts)).value());
      }
    }
  }
}

// Of two bytes for its length, and the purpose.
std::string DescriptionOf(const std::string& purpose) {
  const auto first = static_cast<char>((purpose.size() & 0x7f) | 0x80);
  return std::string{first, static_cast<char>(purpose.size() >> 7)} + purpose;
}

// Around the longest that is kept, and the longest that is hashed in one go. Those that differ in
// their last byte alone must not be taken for each other.
TEST(DigestTest, DescriptionsOfAnySizeHaveTheirOwnDigests) {
  for (const size_t size : {213, 214, 215, 216, 217, 218, 510, 511, 512, 513, 514}) {
    for (int round = 0; round < 2; ++round) {
      for (const char last : {'a', 'b'}) {
        const std::string purpose = std::string(size - 3, 'x') + last;
        const std::string description = DescriptionOf(purpose);
        ASSERT_EQ(description.size(), size);
        EXPECT_EQ(DigestBuilder(purpose).Finish(), Sha256Of(AsBytes(description)).value()) << size;
      }
    }
  }
}

TEST(DigestTest, ThreadsThatHashTheSameDescriptionsGetTheSameDigests) {
  std::vector<Digest> expected;
  for (size_t size = 128; size < 228; ++size) {
    expected.push_back(Sha256Of(AsBytes(DescriptionOf(std::string(size, 'a')))).value());
  }
  Barrier start(2);
  RunInThreads(2, [&](int) {
    start.Wait();
    for (int round = 0; round < 20; ++round) {
      for (size_t i = 0; i < expected.size(); ++i) {
        EXPECT_EQ(DigestBuilder(std::string(128 + i, 'a')).Finish(), expected[i]);
      }
    }
  });
}

TEST(DigestTest, WhatIsUnlikeAllEqualsItsCopiesAlone) {
  const Digest unlike = Digest::UnlikeAll();
  EXPECT_EQ(unlike, Digest(unlike));
  EXPECT_NE(unlike, Digest::UnlikeAll());
  EXPECT_NE(unlike, Digest());
}

TEST(DigestTest, OfTwoThreadsAndManyCallsNoTwoAreUnlikeAllInTheSameWay) {
  constexpr int kThreads = 2;
  constexpr int kCalls = 1000;
  std::vector<std::vector<Digest>> digests(kThreads);
  RunInThreads(kThreads, [&](int thread) {
    for (int i = 0; i < kCalls; ++i) digests[thread].push_back(Digest::UnlikeAll());
  });
  std::set<std::array<uint8_t, 32>> different;
  for (const auto& of_thread : digests) {
    for (const Digest& digest : of_thread) different.insert(digest.bytes);
  }
  EXPECT_EQ(different.size(), size_t{kThreads * kCalls});
}

// Both count from the same number on. What is after the number tells the processes apart.
TEST(DigestTest, AForkedChildIsUnlikeItsParentAndItsSiblings) {
  Digest::UnlikeAll();
  void* const memory =
      mmap(nullptr, sizeof(Digest), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  const auto of_child = [&] {
    EXPECT_EQ(ExitStatusOfChild([&] {
                const Digest digest = Digest::UnlikeAll();
                memcpy(memory, &digest, sizeof(digest));
                return true;
              }),
              0);
    Digest digest;
    memcpy(&digest, memory, sizeof(digest));
    return digest;
  };
  const Digest first = of_child();
  const Digest second = of_child();
  const Digest own = Digest::UnlikeAll();
  munmap(memory, sizeof(Digest));
  EXPECT_NE(first, Digest());
  EXPECT_NE(first, second);
  EXPECT_NE(first, own);
  EXPECT_NE(second, own);
}

// A program that was started for itself has other ones than this: no number is the process' first.
TEST(DigestTest, NoNumberIsSmallAndNoneEndsAsASha256) {
  for (int i = 0; i < 4; ++i) {
    const Digest digest = Digest::UnlikeAll();
    uint64_t words[4];
    memcpy(words, digest.bytes.data(), sizeof(words));
    EXPECT_GT(words[0], 1u << 20);
    EXPECT_NE(words[1], 0u);
    EXPECT_EQ(words[2] | words[3], 0u);
  }
}

TEST(DigestTest, AnyNumberOfPartsIsHashedWithTheirLengths) {
  std::string parts = std::string("\7purpose", 8);
  DigestBuilder builder("purpose");
  for (const size_t size : {0, 1, 127, 128, 300, 1, 700, 5, 40000}) {
    const std::string part(size, static_cast<char>('a' + size % 26));
    for (size_t rest = size;; rest >>= 7) {
      parts += static_cast<char>(rest > 0x7f ? rest | 0x80 : rest);
      if (rest <= 0x7f) break;
    }
    parts += part;
    builder.AddBytes(AsBytes(part));
  }
  EXPECT_EQ(builder.Finish(), Sha256Of(AsBytes(parts)).value());
}

// The largest resident size since it was reset, from /proc/self/status.
size_t PeakResident() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmHWM:", 0) == 0) return std::stoul(line.substr(6)) * 1024;
  }
  return 0;
}

// Pages that were never written take no memory when they are read; a copy of them does.
TEST(DigestTest, TheBytesOfAWeightAreHashedWhereTheyAre) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's own memory would be measured";
  constexpr size_t kSize = size_t{64} << 20;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Mapping weight, Mapping::OfZeros(kSize));
  EXPECT_NE(IdentityOfBytes({weight.data(), 4096}), IdentityOfBytes({}));
  std::ofstream clear("/proc/self/clear_refs");
  clear << "5" << std::flush;
  if (!clear.good()) GTEST_SKIP() << "this kernel does not reset VmHWM";
  const size_t before = PeakResident();
  EXPECT_NE(IdentityOfBytes(weight.bytes()), IdentityOfBytes({}));
  EXPECT_LT(PeakResident(), before + kSize / 4);
}

TEST(DigestHashTest, EqualDigestsHashEqualAndOthersSpread) {
  std::set<size_t> hashes;
  for (int i = 0; i < 1000; ++i) {
    const Digest digest = DigestBuilder("n").Add(i).Finish();
    EXPECT_EQ(DigestHash()(digest), DigestHash()(DigestBuilder("n").Add(i).Finish()));
    hashes.insert(DigestHash()(digest));
  }
  EXPECT_EQ(hashes.size(), 1000u);
}

}  // namespace
}  // namespace onepack
