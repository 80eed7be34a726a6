// onepack inspect, and the command line as such, from the outside.

#include <gtest/gtest.h>

#include "tests/tools/onepack_command.h"

namespace onepack {
namespace {

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(InspectTest, AProgramShowsItsMethodsAndHowManyNodesItsDelegatesHave) {
  const CommandResult result = RunOnepack({"inspect", CaseFile("lora0.pte")});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_EQ(result.err, "");
  for (const char* part :
       {"lora0.pte: program", "method 'forward'", "tensor float32 [64, 64] at most",
        "operators outside the delegates: none", "XnnpackBackend",
        "6 Add, 14 FullyConnected, 8 Multiply, 2 Sigmoid", "14 by key, 0 in the payload",
        "planned memory: 32.8 KB", "refers to 14 keys: 0 in the program, 14 in data files"}) {
    EXPECT_TRUE(Contains(result.out, part)) << part << " is not in\n" << result.out;
  }
  EXPECT_FALSE(Contains(result.out, "together"));
}

TEST(InspectTest, ADataFileShowsItsKeysWithTheirSizes) {
  const CommandResult result = RunOnepack({"inspect", CaseFile("foundation.ptd")});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_TRUE(Contains(result.out, "foundation.ptd: data file, 198 KB")) << result.out;
  EXPECT_TRUE(Contains(result.out, "holds 6 keys")) << result.out;
  EXPECT_TRUE(Contains(result.out,
                       "11cb4cbb935fbe9292be75f5269d84b07e20f525b7b728a8cdb279b44d374c8b  32.8 KB"))
      << result.out;
}

TEST(InspectTest, SeveralFilesShowWhatTheyShareAndWhatThatSaves) {
  const CommandResult result = RunOnepack({"inspect", CaseFile("base.pte"), CaseFile("lora0.pte"),
                                           CaseFile("lora1.pte"), CaseFile("foundation.ptd")});
  EXPECT_EQ(result.exit_status, 0);
  for (const char* part :
       {"3 programs refer to 6 keys of foundation.ptd: 197 KB once instead of 3 times saves 393 KB",
        "base.pte, lora0.pte and lora1.pte", "lora0.pte refers to 8 keys that no data file here"}) {
    EXPECT_TRUE(Contains(result.out, part)) << part << " is not in\n" << result.out;
  }
}

TEST(InspectTest, ABadFileIsTheOnlyThingToRead) {
  for (const std::string& bad : {std::string("no_such.pte"), CaseFile("base.json")}) {
    const CommandResult result = RunOnepack({"inspect", CaseFile("base.pte"), bad});
    EXPECT_EQ(result.exit_status, 1);
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(LinesOf(result.err).size(), 1u) << result.err;
    EXPECT_TRUE(Contains(result.err, bad)) << result.err;
  }
}

TEST(CommandLineTest, BadUsageIsOneLineOnStandardErrorAndStatusTwo) {
  const std::vector<std::string> wrong[] = {
      {"nonsense"},
      {"--nonsense"},
      {"check"},
      {"check", "--nonsense", "x.json"},
      {"check", "--order", "sideways", "x.json"},
      {"check", "--threads", "0", "x.json"},
      {"check", "--threads", "many", "x.json"},
      {"check", "--jobs", "-1", "x.json"},
      {"run"},
      {"run", "x.pte", "y.pte"},
      {"run", "x.pte", "--repeat", "0"},
      {"run", "x.pte", "--data"},
      {"run", "x.pte", "--no-cache", "--huge-pages"},
      {"inspect"},
      {"check", "run", "--jobs"},
  };
  for (const std::vector<std::string>& arguments : wrong) {
    std::string line = "onepack";
    for (const std::string& word : arguments) line += " " + word;
    SCOPED_TRACE(line);
    const CommandResult result = RunOnepack(arguments);
    EXPECT_EQ(result.exit_status, 2);
    EXPECT_EQ(result.out, "");
    ASSERT_EQ(LinesOf(result.err).size(), 1u) << result.err;
    EXPECT_EQ(result.err.rfind("onepack: ", 0), 0u) << result.err;
    EXPECT_EQ(result.err.back(), '\n');
  }
}

TEST(CommandLineTest, WithoutACommandTheHelpIsPrintedAndTheStatusIsTwo) {
  const CommandResult result = RunOnepack({});
  EXPECT_EQ(result.exit_status, 2);
  EXPECT_TRUE(Contains(result.out, "Usage: onepack")) << result.out;
}

TEST(CommandLineTest, HelpOfEachCommandGoesToStandardOutput) {
  const std::vector<std::string> helps[] = {
      {"--help"}, {"-h"}, {"check", "--help"}, {"run", "--help"}, {"inspect", "--help"}};
  for (const std::vector<std::string>& arguments : helps) {
    const CommandResult result = RunOnepack(arguments);
    EXPECT_EQ(result.exit_status, 0);
    EXPECT_EQ(result.err, "");
    for (const char* part : {"Usage:", "Options:", "Examples:"}) {
      EXPECT_TRUE(Contains(result.out, part)) << part << " is not in\n" << result.out;
    }
  }
}

TEST(CommandLineTest, VersionIsOneLine) {
  const CommandResult result = RunOnepack({"--version"});
  EXPECT_EQ(result.exit_status, 0);
  ASSERT_EQ(LinesOf(result.out).size(), 1u);
  EXPECT_EQ(result.out.rfind("onepack ", 0), 0u) << result.out;
}

}  // namespace
}  // namespace onepack
