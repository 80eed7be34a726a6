#include "base/printable.h"

#include <gtest/gtest.h>

#include <string>

namespace onepack {
namespace {

TEST(PrintableTest, PlainTextStaysAsItIs) {
  EXPECT_STREQ(Printable("layers.0.weight ~").c_str(), "layers.0.weight ~");
  EXPECT_STREQ(Printable("").c_str(), "");
}

TEST(PrintableTest, OtherBytesAreEscaped) {
  EXPECT_STREQ(Printable(std::string_view("a\n\0\x7f\xff", 5)).c_str(), "a\\x0a\\x00\\x7f\\xff");
}

TEST(PrintableTest, LongTextIsTruncatedWithAnEllipsis) {
  const std::string shown = Printable(std::string(1000, 'k')).c_str();
  EXPECT_LT(shown.size(), 160u);
  EXPECT_EQ(shown.substr(shown.size() - 3), "...");
  EXPECT_EQ(shown.substr(0, 100), std::string(100, 'k'));
}

TEST(PrintableTest, EveryLengthOfEscapedTextFits) {
  for (size_t length = 0; length < 300; ++length) {
    const std::string shown = Printable(std::string(length, '\x01')).c_str();
    EXPECT_LT(shown.size(), 160u);
    if (length <= 30) {
      EXPECT_EQ(shown.size(), 4 * length);
    }
  }
}

}  // namespace
}  // namespace onepack
