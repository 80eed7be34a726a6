#include "weight_cache/digest.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/files.h"
#include "weight_cache/content_identity.h"

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
  const uint64_t one = 1;
  std::string imitation(reinterpret_cast<const char*>(&one), sizeof(one));
  imitation += "b";
  EXPECT_NE(OfTexts({"a", "b"}), OfTexts({"a" + imitation}));
}

TEST(DigestTest, OrderCounts) { EXPECT_NE(OfTexts({"a", "b"}), OfTexts({"b", "a"})); }

TEST(DigestTest, PurposesAreKeptApart) {
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

// The value that `printf '\5\0\0\0\0\0\0\0hello' | sha256sum` prints: it is the hash it says it is,
// and over the length and the bytes.
TEST(DigestTest, IsTheSha256OfLengthsAndBytes) {
  const Digest digest = DigestBuilder("hello").Finish();
  const std::vector<uint8_t> start(digest.bytes.begin(), digest.bytes.begin() + 4);
  EXPECT_EQ(start, (std::vector<uint8_t>{0xfe, 0x74, 0x55, 0x03}));
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

TEST(ContentIdentityTest, EveryPartOfAFileRangeCounts) {
  FileIdentity file;
  file.device = 1;
  file.inode = 2;
  file.size_bytes = 3;
  file.modified_ns = 4;
  file.changed_ns = 5;
  const Digest whole = IdentityOfFileRange(file, 6, 7);
  EXPECT_EQ(IdentityOfFileRange(file, 6, 7), whole);
  EXPECT_NE(IdentityOfFileRange(file, 7, 7), whole);
  EXPECT_NE(IdentityOfFileRange(file, 6, 8), whole);
  FileIdentity other = file;
  other.device = 9;
  EXPECT_NE(IdentityOfFileRange(other, 6, 7), whole);
  other = file;
  other.inode = 9;
  EXPECT_NE(IdentityOfFileRange(other, 6, 7), whole);
  other = file;
  other.size_bytes = 9;
  EXPECT_NE(IdentityOfFileRange(other, 6, 7), whole);
  other = file;
  other.modified_ns = 9;
  EXPECT_NE(IdentityOfFileRange(other, 6, 7), whole);
  other = file;
  other.changed_ns = 9;
  EXPECT_NE(IdentityOfFileRange(other, 6, 7), whole);
}

TEST(ContentIdentityTest, NothingDiffersFromNoBytes) {
  EXPECT_NE(IdentityOfNothing(), IdentityOfBytes({}));
  EXPECT_EQ(IdentityOfNothing(), IdentityOfNothing());
}

}  // namespace
}  // namespace onepack
