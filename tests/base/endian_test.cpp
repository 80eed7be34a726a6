#include "base/endian.h"

#include <gtest/gtest.h>

namespace onepack {
namespace {

TEST(EndianTest, TheLeastByteStandsFirstAtAnyAddress) {
  uint8_t bytes[9] = {};
  StoreLittleEndian(uint32_t{0x01020304}, bytes + 1);
  const uint8_t expected[] = {0, 4, 3, 2, 1, 0, 0, 0, 0};
  EXPECT_EQ(memcmp(bytes, expected, sizeof(bytes)), 0);
  EXPECT_EQ(LoadLittleEndian<uint32_t>(bytes + 1), 0x01020304u);
  EXPECT_EQ(LoadLittleEndian<uint16_t>(bytes + 3), 0x0102u);
}

}  // namespace
}  // namespace onepack
