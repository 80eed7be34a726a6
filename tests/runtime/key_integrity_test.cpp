#include "onepack/key_integrity.h"

#include <array>
#include <string>
#include <vector>

#include "aot/ptd_writer.h"
#include "tests/support/content_key.h"
#include "tests/support/counted_file.h"
#include "tests/support/files.h"
#include "tests/support/sources.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

std::string HashOf(const char* text) { return ContentKeyOf(AsBytes(text)); }

CountedFile FileOf(const std::vector<std::pair<std::string, const char*>>& entries) {
  PtdWriter writer;
  for (const auto& [key, text] : entries) writer.AddBytes(key, AsBytes(text));
  return CountedFile(writer);
}

TEST(KeyIntegrityTest, AContentKeyIs64DigitsInLowerCaseAfterScaleOrNothing) {
  const std::string digits(64, 'a');
  for (const std::string& key : {digits, "scale_" + digits, HashOf("bytes")}) {
    EXPECT_TRUE(IsContentKey(key)) << key;
  }
  for (const std::string& key :
       {std::string(), digits.substr(1), digits + "a", "bias_" + digits, std::string("scale_"),
        "scale_scale_" + digits, std::string(64, 'A'), std::string(64, 'g'),
        digits.substr(1) + '\0'}) {
    EXPECT_FALSE(IsContentKey(key)) << key;
  }
}

TEST(KeyIntegrityTest, KeysThatAreTheHashOfTheirBytesOrNoHashAreAccepted) {
  const CountedFile file = FileOf(
      {{HashOf("weight"), "weight"}, {"scale_" + HashOf("scales"), "scales"}, {"bias", "any"}});
  for (const NamedData& data : file.map()->entries()) EXPECT_TRUE(IsOk(VerifyKey(data)));
  EXPECT_EQ(file.loads(), 2u);  // of the bias nothing
}

TEST(KeyIntegrityTest, AKeyOfOtherBytesIsNamedWithTheFileAndTheHashOfWhatIsThere) {
  for (const char* prefix : {"", "scale_"}) {
    const std::string key = prefix + HashOf("weight");
    const CountedFile file = FileOf({{key, "forged"}});
    EXPECT_TRUE(IsError(VerifyKey(file.map()->entries()[0]), StatusCode::kInvalidFile,
                        {"test.ptd", key, "6 bytes", HashOf("forged")}));
  }
}

TEST(KeyIntegrityTest, AContentKeyNamesItsHash) {
  const std::string digits = "00ff" + std::string(58, '1') + "a0";
  for (const std::string& key : {digits, "scale_" + digits}) {
    std::array<uint8_t, 32> hash{};
    EXPECT_TRUE(ParseContentKey(key, hash.data())) << key;
    EXPECT_EQ(hash[0], 0x00);
    EXPECT_EQ(hash[1], 0xff);
    EXPECT_EQ(hash[2], 0x11);
    EXPECT_EQ(hash[31], 0xa0);
  }
  uint8_t untouched = 7;
  EXPECT_FALSE(ParseContentKey("bias", &untouched));
  EXPECT_EQ(untouched, 7);
}

}  // namespace
}  // namespace onepack
