// onepack run, from the outside.

#include <gtest/gtest.h>
#include <string.h>

#include "tests/support/file_size_limit.h"
#include "tests/support/files.h"
#include "tests/tools/onepack_command.h"

namespace onepack {
namespace {

// run base.pte --data foundation.ptd ...
CommandResult RunBase(const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {"run", CaseFile("base.pte"), "--data",
                                        CaseFile("foundation.ptd")};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return RunOnepack(arguments);
}

TEST(RunTest, ZerosOfTheUpperBoundAreTheDefault) {
  const CommandResult result = RunBase({});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_EQ(result.err, "");
  EXPECT_TRUE(Contains(result.out, "output 0  float32 [64, 64]: 0 0 0")) << result.out;
  EXPECT_TRUE(Contains(result.out, "\nload ")) << result.out;
  EXPECT_TRUE(Contains(result.out, "\nrun ")) << result.out;
}

TEST(RunTest, ShapeSetsTheSizesOfADynamicInput) {
  const CommandResult result = RunBase({"--shape", "0=2x64", "--input", "zeros"});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_TRUE(Contains(result.out, "output 0  float32 [2, 64]")) << result.out;
}

// The first call of the recorded case: the input is the first 256 bytes of its tensors, the output
// the next.
TEST(RunTest, AFileOfInputGivesTheRecordedOutput) {
  const TempFolder folder;
  const std::vector<uint8_t> bin = ReadFile(CaseFile("base.bin"));
  WriteFile(folder.File("x.bin"), Bytes(bin.data(), 256));
  for (const std::string& input : {folder.File("x.bin"), "file:" + folder.File("x.bin")}) {
    const CommandResult result = RunBase(
        {"--shape", "0=1x64", "--input", input, "--output-dir", folder.File("out"), "--full"});
    ASSERT_EQ(result.exit_status, 0) << result.err;
    const std::vector<uint8_t> output = ReadFile(folder.File("out/output0.bin"));
    ASSERT_EQ(output.size(), 256u);
    for (size_t i = 0; i < output.size(); i += sizeof(float)) {
      float found;
      float expected;
      memcpy(&found, output.data() + i, sizeof(found));
      memcpy(&expected, bin.data() + 256 + i, sizeof(expected));
      ASSERT_NEAR(found, expected, 1e-3);
    }
  }
}

TEST(RunTest, ALoraProgramTakesBothOfItsDataFilesSeparatedByACommaOrRepeated) {
  const std::string both = CaseFile("foundation.ptd") + "," + CaseFile("lora0.ptd");
  const CommandResult comma = RunOnepack({"run", CaseFile("lora0.pte"), "--data", both});
  EXPECT_EQ(comma.exit_status, 0) << comma.err;
  const CommandResult repeated =
      RunOnepack({"run", CaseFile("lora0.pte"), "--data", CaseFile("foundation.ptd"), "--data",
                  CaseFile("lora0.ptd"), "--threads", "4", "--no-cache"});
  EXPECT_EQ(repeated.exit_status, 0) << repeated.err;
}

TEST(RunTest, APathMayHaveCommasWhereItHasADataOfItsOwn) {
  const TempFolder folder;
  WriteFile(folder.File("f,1.ptd"), ReadFile(CaseFile("foundation.ptd")));
  WriteFile(folder.File("l,0.ptd"), ReadFile(CaseFile("lora0.ptd")));
  const CommandResult result =
      RunOnepack({"run", CaseFile("lora0.pte"), "--data", folder.File("f,1.ptd"), "--data",
                  folder.File("l,0.ptd")});
  EXPECT_EQ(result.exit_status, 0) << result.err;
}

TEST(RunTest, OutputsThatCannotBeWrittenReplaceNothing) {
  const TempFolder folder;
  ASSERT_EQ(RunBase({"--output-dir", folder.path()}).exit_status, 0);
  const std::vector<uint8_t> old = ReadFile(folder.File("output0.bin"));
  {
    const FileSizeLimit limit(1000);
    const CommandResult result = RunBase({"--output-dir", folder.path()});
    EXPECT_NE(result.exit_status, 0);
  }
  EXPECT_EQ(ReadFile(folder.File("output0.bin")), old);
  EXPECT_EQ(FilesIn(folder.path()), std::vector<std::string>{"output0.bin"});
}

TEST(RunTest, HugePagesChangeNoOutput) {
  TempFolder folder;
  const CommandResult small = RunBase({"--output-dir", folder.File("small")});
  EXPECT_EQ(small.exit_status, 0) << small.err;
  const CommandResult huge = RunBase({"--output-dir", folder.File("huge"), "--huge-pages"});
  EXPECT_EQ(huge.exit_status, 0) << huge.err;
  const std::vector<uint8_t> output = ReadFile(folder.File("small/output0.bin"));
  EXPECT_FALSE(output.empty());
  EXPECT_EQ(ReadFile(folder.File("huge/output0.bin")), output);
}

TEST(RunTest, RepeatPrintsHowLongTheRunsTook) {
  const CommandResult result = RunBase({"--repeat", "3"});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_TRUE(Contains(result.out, "median")) << result.out;
  EXPECT_TRUE(Contains(result.out, "of 3 runs")) << result.out;
}

TEST(RunTest, StatsSayWhatTheCacheHolds) {
  const CommandResult result = RunBase({"--stats"});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_GT(LinesOf(result.out).size(), 3u) << result.out;
}

TEST(RunTest, AMissingProgramIsNamed) {
  ExpectFailed(RunOnepack({"run", "no_such.pte"}), "no_such.pte: No such file");
}

TEST(RunTest, AMissingDataFileIsNamed) {
  ExpectFailed(RunOnepack({"run", CaseFile("base.pte"), "--data", "no_such.ptd"}),
               "no_such.ptd: No such file");
}

TEST(RunTest, AMissingKeyIsNamed) {
  ExpectFailed(RunOnepack({"run", CaseFile("base.pte")}), "base.pte: method 'forward'");
  ExpectFailed(RunOnepack({"run", CaseFile("base.pte"), "--data", CaseFile("lora0.ptd")}),
               "lora0.ptd");
}

TEST(RunTest, FilesOfAnotherKindAreNamed) {
  ExpectFailed(RunOnepack({"run", CaseFile("foundation.ptd")}), "FT01");
  ExpectFailed(RunOnepack({"run", CaseFile("base.pte"), "--data", CaseFile("base.pte")}), "ET12");
}

TEST(RunTest, AMethodThatIsNotThereIsNamedWithThoseThereAre) {
  ExpectFailed(RunBase({"--method", "backward"}), "no method 'backward'; it has 'forward'");
}

TEST(RunTest, BadInputsAreNamed) {
  ExpectFailed(RunBase({"--input", "no_such.bin"}), "input 0: no_such.bin");
  ExpectFailed(RunBase({"--input", "int:5"}), "input 0: int given, float32 [64, 64] expected");
  ExpectFailed(RunBase({"--input", "zeros", "--input", "zeros"}), "2 inputs are given");
  ExpectFailed(RunBase({"--input", CaseFile("base.json")}), "takes 16384");
}

TEST(RunTest, BadShapesAreNamed) {
  ExpectFailed(RunBase({"--shape", "7=1x64"}), "there is no tensor 7");
  ExpectFailed(RunBase({"--shape", "0=65x64"}), "[65, 64] given, at most float32 [64, 64]");
  ExpectFailed(RunBase({"--shape", "0=1x1x64"}), "[1, 1, 64]");
}

}  // namespace
}  // namespace onepack
