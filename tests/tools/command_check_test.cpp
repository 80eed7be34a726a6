// onepack check, from the outside.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/files.h"
#include "tests/tools/onepack_command.h"

namespace onepack {
namespace {

std::string LastLine(const CommandResult& result) {
  const std::vector<std::string> lines = LinesOf(result.out);
  return lines.empty() ? "" : lines.back();
}

// A copy of the case lora_fp32/base in a folder of its own, to be damaged.
class CheckedCopy : public testing::Test {
 protected:
  CheckedCopy() {
    for (const char* name : {"base.json", "base.bin", "base.pte", "foundation.ptd"}) {
      std::filesystem::copy_file(CaseFile(name), folder_.File(name));
    }
  }

  CommandResult Check() const { return RunOnepack({"check", folder_.File("base.json")}); }
  void Replace(const std::string& from, const std::string& to) const {
    const std::vector<uint8_t> bytes = ReadFile(folder_.File("base.json"));
    std::string text(bytes.begin(), bytes.end());
    const size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos);
    text.replace(at, from.size(), to);
    WriteFile(folder_.File("base.json"), AsBytes(text));
  }
  void Overwrite(const std::string& name, const std::string& text) const {
    WriteFile(folder_.File(name), AsBytes(text));
  }
  // One case that did not pass, for this reason.
  static void ExpectFailed(const CommandResult& result, const std::string& reason) {
    EXPECT_EQ(result.exit_status, 1);
    EXPECT_EQ(LastLine(result), "0 passed, 1 failed");
    EXPECT_EQ(result.out.rfind("FAIL", 0), 0u) << result.out;
    EXPECT_TRUE(Contains(result.out, reason)) << result.out;
    EXPECT_EQ(LinesOf(result.out).size(), 2u) << result.out;
    EXPECT_EQ(result.err, "");
  }

  const TempFolder folder_;
};

struct CheckRun {
  const char* order;
  const char* threads;
  const char* jobs;
  bool has_cache;
};

class EveryCase : public testing::TestWithParam<CheckRun> {};

TEST_P(EveryCase, PassesInOneProcess) {
  const CheckRun& run = GetParam();
  std::vector<std::string> arguments = {"check",     "--order", run.order, "--threads",
                                        run.threads, "--jobs",  run.jobs};
  if (!run.has_cache) arguments.emplace_back("--no-cache");
  const std::vector<std::string> cases = RecordedCases();
  arguments.insert(arguments.end(), cases.begin(), cases.end());
  const CommandResult result = RunOnepack(arguments);
  EXPECT_EQ(result.exit_status, 0) << result.out;
  EXPECT_EQ(result.err, "");
  const std::vector<std::string> lines = LinesOf(result.out);
  ASSERT_EQ(lines.size(), cases.size() + 1) << result.out;
  EXPECT_EQ(lines.back(), std::to_string(cases.size()) + " passed, 0 failed");
  const bool is_reverse = std::string(run.order) == "reverse";
  EXPECT_TRUE(Contains(lines[is_reverse ? cases.size() - 1 : 0], "lora_fp32/base")) << result.out;
  for (size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(lines[i].rfind("ok ", 0), 0u) << lines[i];
    EXPECT_TRUE(Contains(lines[i], "of the tolerance")) << lines[i];
  }
}

std::vector<CheckRun> AllRuns() {
  std::vector<CheckRun> runs;
  for (const char* order : {"given", "reverse"}) {
    for (const char* threads : {"1", "4"}) {
      for (const char* jobs : {"1", "4"}) {
        for (const bool has_cache : {true, false})
          runs.push_back({order, threads, jobs, has_cache});
      }
    }
  }
  return runs;
}

INSTANTIATE_TEST_SUITE_P(Check, EveryCase, testing::ValuesIn(AllRuns()), [](const auto& run) {
  return std::string(run.param.order) + "_threads" + run.param.threads + "_jobs" + run.param.jobs +
         (run.param.has_cache ? "_cache" : "_nocache");
});

TEST(CheckTest, TheCacheIsUsedUnlessItIsSwitchedOff) {
  std::vector<std::string> arguments = {"check", "--stats", CaseFile("base.json"),
                                        CaseFile("lora0.json")};
  const CommandResult with = RunOnepack(arguments);
  EXPECT_EQ(with.exit_status, 0);
  arguments.emplace_back("--no-cache");
  const CommandResult without = RunOnepack(arguments);
  EXPECT_EQ(without.exit_status, 0);
  EXPECT_NE(with.out, without.out);
  EXPECT_EQ(LastLine(with), "2 passed, 0 failed");
  EXPECT_EQ(LastLine(without), "2 passed, 0 failed");
}

TEST(CheckTest, ACaseThatIsGivenTwiceIsCheckedTwice) {
  const CommandResult result = RunOnepack({"check", CaseFile("base.json"), CaseFile("base.json")});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_EQ(LastLine(result), "2 passed, 0 failed");
}

TEST(CheckTest, AFailureAmongOthersIsCountedAndTheOthersPass) {
  const CommandResult result =
      RunOnepack({"check", CaseFile("base.json"), "no_such.json", CaseFile("lora0.json")});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_EQ(LastLine(result), "2 passed, 1 failed");
  EXPECT_TRUE(Contains(result.out, "no_such.json"));
}

TEST_F(CheckedCopy, PassesAsItIs) {
  const CommandResult result = Check();
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_EQ(LastLine(result), "1 passed, 0 failed");
}

TEST_F(CheckedCopy, FailsWithOneExpectedByteChanged) {
  std::vector<uint8_t> bin = ReadFile(folder_.File("base.bin"));
  // The sign and exponent of the first output's first element: bytes 256 to 259.
  bin[259] = static_cast<uint8_t>(bin[259] ^ 0x40);
  WriteFile(folder_.File("base.bin"), bin);
  ExpectFailed(Check(), "call 0: output 0: 1 of 64 elements differ, most of all number 0");
}

TEST_F(CheckedCopy, FailsForAMissingProgramByItsName) {
  std::filesystem::remove(folder_.File("base.pte"));
  ExpectFailed(Check(), folder_.File("base.pte") + ": No such file");
}

TEST_F(CheckedCopy, FailsForAMissingDataFileByItsName) {
  std::filesystem::remove(folder_.File("foundation.ptd"));
  ExpectFailed(Check(), folder_.File("foundation.ptd") + ": No such file");
}

TEST_F(CheckedCopy, FailsForMissingTensorsByTheirName) {
  std::filesystem::remove(folder_.File("base.bin"));
  ExpectFailed(Check(), folder_.File("base.bin") + ": No such file");
}

TEST_F(CheckedCopy, FailsForBadJson) {
  Overwrite("base.json", "{\"name\": ");
  ExpectFailed(Check(), folder_.File("base.json") + ": not valid JSON");
}

TEST_F(CheckedCopy, FailsForAFieldThatIsMissing) {
  Replace("\"method\"", "\"other\"");
  ExpectFailed(Check(), "field method is missing");
}

TEST_F(CheckedCopy, FailsForADataFileOfAnotherKind) {
  Replace("foundation.ptd", "base.pte");
  ExpectFailed(Check(), "not a data file");
}

TEST_F(CheckedCopy, FailsForAMethodThatIsNotThere) {
  Replace("forward", "backward");
  ExpectFailed(Check(), "no method 'backward'; it has 'forward'");
}

}  // namespace
}  // namespace onepack
