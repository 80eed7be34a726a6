// onepack generate with a tokenizer.json, from the outside.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/files.h"
#include "tests/tools/onepack_command.h"

namespace onepack {
namespace {

std::vector<std::string> Generate(const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {"generate", "--program",
                                        TestData("language_models/state_recurrent.pte"),
                                        "--max-new-tokens", "8"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

const std::string& TokenizerFile() {
  static const std::string path = TestData("tokenizers/of_32_tokens.json");
  return path;
}

// 2 21 30 19 21 14 23 23: the é is two tokens, the last two are special, and one byte is alone.
TEST(GenerateCommandJsonTest, TheAnswerIsText) {
  const CommandResult result =
      RunOnepack(Generate({"--tokenizer", TokenizerFile(), "--prompt", "many one"}));
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_EQ(LinesOf(result.out)[0], "programs\xC3\xA9 share\xEF\xBF\xBDx");
}

// As where the head of a model is padded to a round size.
TEST(GenerateCommandJsonTest, WhatTheTokenizerLacksHasNoText) {
  const std::vector<uint8_t> bytes = ReadFile(TokenizerFile());
  nlohmann::json document = nlohmann::json::parse(std::string(bytes.begin(), bytes.end()));
  nlohmann::json& vocabulary = document["model"]["vocab"];
  vocabulary.erase(vocabulary.begin() + 30, vocabulary.end());
  const TempFolder folder;
  WriteFile(folder.File("of_30_tokens.json"), AsBytes(document.dump()));
  const CommandResult result = RunOnepack(
      Generate({"--tokenizer", folder.File("of_30_tokens.json"), "--prompt", "many one"}));
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_EQ(LinesOf(result.out)[0], "programs\xEF\xBF\xBD share\xEF\xBF\xBDx");
  EXPECT_TRUE(Contains(result.out, "stopped: as many tokens as asked for")) << result.out;
}

// The file of this tokenizer says that <s> begins a text.
TEST(GenerateCommandJsonTest, WhatBeginsATextIsReadWhereAContextBegins) {
  const TempFolder folder;
  const std::string context = folder.File("context");
  const CommandResult first = RunOnepack(Generate(
      {"--tokenizer", TokenizerFile(), "--prompt", "many one", "--save-context", context}));
  EXPECT_TRUE(Contains(first.out, "  3 tokens  ")) << first.out;
  std::vector<std::string> go_on =
      Generate({"--tokenizer", TokenizerFile(), "--load-context", context});
  go_on[4] = "2";
  std::vector<std::string> by_ids = go_on;
  go_on.insert(go_on.end(), {"--prompt", "many one"});
  by_ids.insert(by_ids.end(), {"--tokens", "3,5"});
  const CommandResult second = RunOnepack(go_on);
  EXPECT_TRUE(Contains(second.out, "  2 tokens  ")) << second.out << second.err;
  EXPECT_FALSE(Contains(second.out, "  3 tokens  ")) << second.out;
  EXPECT_EQ(LinesOf(second.out)[0], LinesOf(RunOnepack(by_ids).out)[0]);
}

TEST(GenerateCommandJsonTest, ABadFileIsNamed) {
  const TempFolder folder;
  WriteFile(folder.File("bad.json"), AsBytes("{\"model\": {}"));
  ExpectFailed(RunOnepack(Generate({"--tokenizer", folder.File("bad.json"), "--prompt", "one"})),
               "bad.json: not a tokenizer.json: ");
}

}  // namespace
}  // namespace onepack
