// What is printed gets somewhere, or the command fails.

#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

#include "tests/support/files.h"
#include "tests/tools/onepack_command.h"

namespace onepack {
namespace {

using Words = std::vector<std::string>;

std::string LlmFile(const char* name) { return TestData(std::string("cases/llm_fp32/") + name); }

// Every command that prints; those that write files do so in `folder`.
std::vector<Words> Commands(const TempFolder& folder) {
  const std::string whole = folder.File("whole.pte");
  const std::string slim = folder.File("slim");
  std::filesystem::create_directory(slim);
  return {
      {"--help"},
      {"--version"},
      {"split", "--help"},
      {"inspect", CaseFile("base.pte")},
      {"verify", CaseFile("base.pte")},
      {"check", CaseFile("base.json")},
      {"diff", CaseFile("foundation.ptd"), CaseFile("foundation.ptd")},
      {"run", CaseFile("base.pte"), "--data", CaseFile("foundation.ptd"), "--stats", "--full"},
      {"generate", "--program", LlmFile("base.pte"), "--data", LlmFile("foundation.ptd"),
       "--tokens", "1,2", "--max-new-tokens", "3"},
      {"merge", CaseFile("base.pte"), "--data", CaseFile("foundation.ptd"), "--output", whole,
       "--replace"},
      {"split", whole, "--foundation", folder.File("f.ptd"), "--output", slim, "--replace"},
      {"make-model", "stack", folder.File("stack"), "--replace"},
      {"make-model", "llm", folder.File("llm"), "--replace"},
  };
}

TEST(StandardOutputTest, AFullOrClosedOneIsAMessageAndAStatus) {
  const TempFolder folder;
  for (const Words& command : Commands(folder)) {
    SCOPED_TRACE(command[0] + " " + command.back());
    EXPECT_EQ(RunOnepack(command).exit_status, 0);
    for (const StandardOutput output : {StandardOutput::kFull, StandardOutput::kClosed}) {
      const CommandResult result = RunOnepack(command, output);
      EXPECT_EQ(result.exit_status, 1);
      EXPECT_EQ(result.err.rfind("onepack: standard output: ", 0), 0u) << result.err;
      EXPECT_EQ(LinesOf(result.err).size(), 1u) << result.err;
    }
  }
}

TEST(StandardOutputTest, AStatusThatSaysMoreStays) {
  EXPECT_EQ(RunOnepack({}, StandardOutput::kFull).exit_status, 2);
  EXPECT_EQ(RunOnepack({"run"}, StandardOutput::kFull).exit_status, 2);
}

// A file must not get the number of standard output.
TEST(StandardOutputTest, NothingIsPrintedIntoFilesWhenItIsClosed) {
  const TempFolder folder;
  for (const char* name : {"a.pte", "b.pte"}) {
    RunOnepack({"merge", CaseFile("base.pte"), "--data", CaseFile("foundation.ptd"), "--output",
                folder.File(name)},
               name[0] == 'a' ? StandardOutput::kTaken : StandardOutput::kClosed);
  }
  EXPECT_EQ(ReadFile(folder.File("a.pte")), ReadFile(folder.File("b.pte")));
}

TEST(StandardOutputTest, APipeWithoutAReaderEndsTheCommandAsItDoesOthers) {
  EXPECT_EQ(SignalOfOnepackWithoutReader({"inspect", CaseFile("base.pte")}), SIGPIPE);
}

}  // namespace
}  // namespace onepack
