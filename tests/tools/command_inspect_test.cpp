// onepack inspect, and the command line as such, from the outside.

#include <gtest/gtest.h>

#include "tests/tools/onepack_command.h"

namespace onepack {
namespace {

TEST(InspectTest, AProgramShowsItsMethodsAndHowManyNodesItsDelegatesHave) {
  const CommandResult result = RunOnepack({"inspect", CaseFile("lora0.pte")});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_EQ(result.err, "");
  for (const char* part :
       {"lora0.pte: program", "method 'forward'", "tensor float32 [64, 64] at most",
        "operators outside the delegates: none", "XnnpackBackend",
        "6 Add, 14 FullyConnected, 8 Multiply, 2 Sigmoid", "14 by key, 0 in the payload",
        "14 in place (209 KB), 0 packed (0 B)", "planned memory: 32.8 KB",
        "refers to 14 keys: 0 in the program, 14 in data files"}) {
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

// The option, what was given and what is allowed.
TEST(CommandLineTest, ANumberThatIsNoneIsNamedWithItsOption) {
  const std::vector<std::string> generate = {"generate", "--program", "x.pte"};
  const std::vector<std::string> run = {"run", "x.pte"};
  const std::vector<std::string> stack = {"make-model", "stack", "x"};
  const struct {
    std::vector<std::string> command;
    const char* option;
    const char* text;
    const char* allowed;
  } wrong[] = {
      {run, "--threads", "0", "from 1 to 1024"},
      {run, "--threads", "010", "from 1 to 1024 without leading zeros"},
      {run, "--repeat", "1e3", "from 1 to 1000000"},
      {run, "--shape", "bogus", "as in 0=4x64"},
      {run, "--input", "int:five", "'five': a whole number"},
      {run, "--data", "a,,b", "one is empty"},
      {run, "--data", "", "one is empty"},
      {generate, "--tokens", "", "a whole number from 0"},
      {generate, "--tokens", "3,,17", "a whole number from 0"},
      {generate, "--tokens", "-5", "a whole number from 0"},
      {generate, "--tokens", "{}", "a whole number from 0"},
      {generate, "--stop", "0x10", "a whole number from 0"},
      {generate, "--seed", "-1", "from 0 to 18446744073709551615"},
      {generate, "--seed", "18446744073709551616", "from 0 to 18446744073709551615"},
      {generate, "--top-k", "-1", "from 0"},
      {generate, "--prefill-chunk", "-1", "from 0"},
      {generate, "--max-new-tokens", "+3", "from 1 to 1000000"},
      {generate, "--temperature", "nan", "a number from 0 on"},
      {generate, "--temperature", "-0.5", "a number from 0 on"},
      {generate, "--temperature", "inf", "a number from 0 on"},
      {generate, "--top-p", "0", "above 0 and at most 1"},
      {generate, "--top-p", "1.01", "above 0 and at most 1"},
      {stack, "--width", "-64", "from 1 to 4294967295"},
      {stack, "--width", "4294967296", "from 1 to 4294967295"},
      {stack, "--adapters", "1001", "from 0 to 1000"},
      {stack, "--seed", "0x1", "from 0"},
      {stack, "--group", "33", "32,64,128,256"},
  };
  for (const auto& [command, option, text, allowed] : wrong) {
    SCOPED_TRACE(std::string(option) + " " + text);
    std::vector<std::string> arguments = command;
    arguments.insert(arguments.end(), {option, text});
    const CommandResult result = RunOnepack(arguments);
    EXPECT_EQ(result.exit_status, 2);
    EXPECT_EQ(LinesOf(result.err).size(), 1u) << result.err;
    for (const char* part : {option, text, allowed}) {
      EXPECT_TRUE(Contains(result.err, part)) << result.err;
    }
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
