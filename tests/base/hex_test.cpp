#include "base/hex.h"

#include <gtest/gtest.h>

#include <string>

namespace onepack {
namespace {

TEST(HexTest, TheUpperHalfOfAByteComesFirst) {
  const HexText<4> text({0x00, 0x1f, 0xa0, 0xff});
  EXPECT_STREQ(text.c_str(), "001fa0ff");
  EXPECT_EQ(text.view(), "001fa0ff");
}

TEST(HexTest, DigitsAreThoseInLowerCase) {
  std::string digits;
  for (int c = 0; c < 256; ++c) {
    if (IsHexDigit(static_cast<char>(c))) digits += static_cast<char>(c);
  }
  EXPECT_EQ(digits, "0123456789abcdef");
  for (unsigned value = 0; value < 16; ++value) EXPECT_EQ(HexDigit(value), digits[value]);
}

TEST(HexTest, WritingReturnsWhereTheNextDigitsGo) {
  char text[5] = {};
  EXPECT_EQ(WriteHex(0x0b, WriteHex(0xc5, text)), text + 4);
  EXPECT_STREQ(text, "c50b");
}

}  // namespace
}  // namespace onepack
