// A program of the exporter's share_mutable_buffers: "prefill" fills the cache that "decode" reads.

#include <gtest/gtest.h>
#include <string.h>

#include "tests/support/files.h"
#include "tests/tools/onepack_command.h"

namespace onepack {
namespace {

std::string File(const std::string& name) { return TestData("cases/shared_state/" + name); }

std::vector<float> FloatsIn(const std::string& path) {
  const std::vector<uint8_t> bytes = ReadFile(path);
  std::vector<float> numbers(bytes.size() / sizeof(float));
  if (!numbers.empty()) memcpy(numbers.data(), bytes.data(), numbers.size() * sizeof(float));
  return numbers;
}

// y is the sum of all rows of the cache: three of prefill's, then one more of decode's.
TEST(SharedStateProgramTest, DecodeFindsWhatPrefillLeft) {
  const TempFolder folder;
  const CommandResult result =
      RunOnepack({"run", File("m.pte"), "--method", "prefill", "--input", File("x3.bin"), "--input",
                  File("p3.bin"), "--method", "decode", "--input", File("x1.bin"), "--input",
                  File("p1.bin"), "--output-dir", folder.File("out")});
  ASSERT_EQ(result.exit_status, 0) << result.err;
  EXPECT_TRUE(Contains(result.out, "method 'prefill'\noutput 0")) << result.out;
  const std::vector<float> prefill = FloatsIn(folder.File("out/method0/output0.bin"));
  const std::vector<float> decode = FloatsIn(folder.File("out/method1/output0.bin"));
  ASSERT_EQ(prefill.size(), 4u);
  ASSERT_EQ(decode.size(), 4u);
  for (size_t i = 0; i < decode.size(); ++i) {
    EXPECT_NE(prefill[i], 0);
    EXPECT_NEAR(decode[i], prefill[i] * 4 / 3, 1e-5f);
  }
}

TEST(SharedStateProgramTest, AMethodAloneIsRefusedWithTheReasonAndWhatToDo) {
  const CommandResult result = RunOnepack({"run", File("m.pte"), "--method", "decode", "--input",
                                           File("x1.bin"), "--input", File("p1.bin")});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_EQ(result.out, "");
  EXPECT_TRUE(Contains(result.err, "method 'decode': it shares its state with 'prefill'"))
      << result.err;
  EXPECT_TRUE(Contains(result.err, "--method")) << result.err;
}

TEST(SharedStateProgramTest, InspectAndVerifyTakeIt) {
  const CommandResult inspected = RunOnepack({"inspect", File("m.pte")});
  EXPECT_TRUE(Contains(inspected.out, "shares state with 'prefill'")) << inspected.out;
  EXPECT_TRUE(Contains(inspected.out, "shares state with 'decode'")) << inspected.out;
  const CommandResult verified = RunOnepack({"verify", File("m.pte")});
  EXPECT_EQ(verified.exit_status, 0) << verified.out;
}

TEST(SharedStateProgramTest, ShapesAndInputsAreCountedThroughAllMethods) {
  const CommandResult many = RunOnepack(
      {"run", File("m.pte"), "--method", "prefill", "--method", "decode", "--shape", "4=1"});
  EXPECT_TRUE(Contains(many.err, "no tensor 4 among the 4 inputs")) << many.err;
  const CommandResult wrong = RunOnepack(
      {"run", File("m.pte"), "--method", "prefill", "--method", "decode", "--shape", "2=1x5"});
  EXPECT_EQ(wrong.exit_status, 1);
  EXPECT_TRUE(Contains(wrong.err, "method 'decode'")) << wrong.err;
}

}  // namespace
}  // namespace onepack
