// A data file that a program has no use for is named, by every command that is given one.

#include <gtest/gtest.h>

#include "tests/support/files.h"
#include "tests/tools/onepack_command.h"

namespace onepack {
namespace {

constexpr char kLine[] = "lora0.ptd: no key of it is used by ";

// base.pte needs the foundation only.
std::vector<std::string> RunBase() {
  return {"run", CaseFile("base.pte"), "--data",
          CaseFile("foundation.ptd") + "," + CaseFile("lora0.ptd")};
}

std::vector<std::string> With(std::vector<std::string> arguments, const std::string& more) {
  arguments.push_back(more);
  return arguments;
}

TEST(UnusedDataTest, RunNamesItAndRuns) {
  const CommandResult result = RunOnepack(RunBase());
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_EQ(LinesOf(result.err).size(), 1u) << result.err;
  EXPECT_TRUE(Contains(result.err, kLine + CaseFile("base.pte"))) << result.err;
  EXPECT_TRUE(Contains(result.out, "output 0")) << result.out;
}

TEST(UnusedDataTest, StrictMakesItAnError) {
  const CommandResult result = RunOnepack(With(RunBase(), "--strict"));
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_EQ(LinesOf(result.err).size(), 1u) << result.err;
  EXPECT_TRUE(Contains(result.err, kLine)) << result.err;
  EXPECT_EQ(result.out, "");
}

TEST(UnusedDataTest, WhatIsUsedIsNotNamed) {
  const CommandResult result =
      RunOnepack({"run", CaseFile("lora0.pte"), "--strict", "--data",
                  CaseFile("lora0.ptd") + "," + CaseFile("foundation.ptd")});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_EQ(result.err, "");
}

// The second copy's keys are asked for, though their bytes come from the first.
TEST(UnusedDataTest, AFileThatIsGivenTwiceIsUsed) {
  const TempFolder folder;
  const std::string copy = folder.File("copy.ptd");
  WriteFile(copy, ReadFile(CaseFile("foundation.ptd")));
  const CommandResult result = RunOnepack({"run", CaseFile("base.pte"), "--strict", "--data",
                                           CaseFile("foundation.ptd"), "--data", copy});
  EXPECT_EQ(result.exit_status, 0) << result.err;
}

TEST(UnusedDataTest, GenerateNamesIt) {
  const std::string folder = TestData("cases/llm_fp32/");
  const std::vector<std::string> arguments = {
      "generate", "--program", folder + "base.pte",
      "--tokens", "3,17",      "--max-new-tokens",
      "2",        "--data",    folder + "foundation.ptd," + folder + "a0.ptd"};
  const CommandResult result = RunOnepack(arguments);
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_TRUE(Contains(result.err, "a0.ptd: no key of it is used by " + folder + "base.pte"))
      << result.err;
  EXPECT_EQ(RunOnepack(With(arguments, "--strict")).exit_status, 1);
}

TEST(UnusedDataTest, VerifyNamesItUnlessAProgramUsesIt) {
  const std::vector<std::string> base = {"verify", CaseFile("base.pte"), CaseFile("lora0.ptd"),
                                         CaseFile("foundation.ptd")};
  const CommandResult result = RunOnepack(base);
  EXPECT_EQ(result.exit_status, 0) << result.out;
  EXPECT_TRUE(Contains(result.err, kLine + CaseFile("base.pte"))) << result.err;
  const CommandResult strict = RunOnepack(With(base, "--strict"));
  EXPECT_EQ(strict.exit_status, 1);
  EXPECT_TRUE(Contains(strict.out, "2 passed, 1 failed")) << strict.out;
  const CommandResult both = RunOnepack(With(With(base, CaseFile("lora0.pte")), "--strict"));
  EXPECT_EQ(both.exit_status, 0) << both.out;
  EXPECT_EQ(both.err, "");
  EXPECT_EQ(RunOnepack({"verify", CaseFile("lora0.ptd"), "--strict"}).exit_status, 0);
}

TEST(UnusedDataTest, CheckNamesIt) {
  const TempFolder folder;
  for (const char* name : {"base.json", "base.bin", "base.pte", "foundation.ptd", "lora0.ptd"}) {
    WriteFile(folder.File(name), ReadFile(CaseFile(name)));
  }
  const std::vector<uint8_t> bytes = ReadFile(folder.File("base.json"));
  std::string text(bytes.begin(), bytes.end());
  const std::string only = "\"foundation.ptd\"";
  ASSERT_TRUE(Contains(text, only));
  text.replace(text.find(only), only.size(), only + ", \"lora0.ptd\"");
  WriteFile(folder.File("base.json"), AsBytes(text));
  const CommandResult result = RunOnepack({"check", folder.File("base.json")});
  EXPECT_EQ(result.exit_status, 0) << result.out;
  EXPECT_TRUE(Contains(result.err, kLine)) << result.err;
  const CommandResult strict = RunOnepack({"check", folder.File("base.json"), "--strict"});
  EXPECT_EQ(strict.exit_status, 1);
  EXPECT_TRUE(Contains(strict.out, kLine)) << strict.out;
}

}  // namespace
}  // namespace onepack
