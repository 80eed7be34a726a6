// Built without SentencePiece: text is refused by name, and before anything is loaded.

#include <gtest/gtest.h>

#include "tests/support/files.h"
#include "tests/support/status_matchers.h"
#include "tests/tools/onepack_command.h"
#include "tools/tokenizer.h"

namespace onepack {
namespace {

TEST(NoTokenizerTest, AModelIsNotOpened) {
  EXPECT_TRUE(IsError(Tokenizer::Open("a.model"), StatusCode::kUnsupported,
                      {"a.model", "built without SentencePiece"}));
}

TEST(NoTokenizerTest, TheCommandSaysSo) {
  const CommandResult result =
      RunOnepack({"generate", "--program", TestData("language_models/eos_id.pte"), "--tokens", "9",
                  "--tokenizer", "a.model"});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_NE(result.err.find("built without SentencePiece"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace onepack
