#include "tools/format.h"

#include <gtest/gtest.h>

namespace onepack {
namespace {

TEST(FormatTest, BytesHaveThreeDigitsAndTheUnitThatFits) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(999), "999 B");
  EXPECT_EQ(FormatBytes(1000), "1.00 KB");
  EXPECT_EQ(FormatBytes(12345), "12.3 KB");
  EXPECT_EQ(FormatBytes(123456789), "123 MB");
  EXPECT_EQ(FormatBytes(4560000000), "4.56 GB");
}

TEST(FormatTest, BytesJustBelowAUnitAreNotRoundedToAThousand) {
  EXPECT_EQ(FormatBytes(999499), "999 KB");
  EXPECT_EQ(FormatBytes(999999), "1.00 MB");
}

TEST(FormatTest, SecondsHaveTheUnitThatFits) {
  EXPECT_EQ(FormatSeconds(850e-9), "850 ns");
  EXPECT_EQ(FormatSeconds(12.3e-6), "12.3 us");
  EXPECT_EQ(FormatSeconds(4.56e-3), "4.56 ms");
  EXPECT_EQ(FormatSeconds(1.2), "1.20 s");
}

TEST(FormatTest, CountsKnowTheSingular) {
  EXPECT_EQ(FormatCount(0, "key", "keys"), "0 keys");
  EXPECT_EQ(FormatCount(1, "key", "keys"), "1 key");
  EXPECT_EQ(FormatCount(12, "key", "keys"), "12 keys");
}

TEST(FormatTest, SizesAreAList) {
  const int32_t sizes[] = {1, 64};
  EXPECT_EQ(FormatSizes(sizes), "[1, 64]");
  EXPECT_EQ(FormatSizes({}), "[]");
}

TEST(FormatTest, ATableAlignsItsColumnsWithoutTrailingSpaces) {
  TextTable table(2);
  table.AddRow({"a", "long", "x"});
  table.AddRow({"bbb", "c", ""});
  table.AddRow({"d"});
  EXPECT_EQ(table.ToString(), "  a    long  x\n  bbb  c\n  d\n");
}

}  // namespace
}  // namespace onepack
