// Built without Hugging Face's tokenizers: a tokenizer.json is refused by name, and before anything
// is loaded.

#include <gtest/gtest.h>

#include "tests/support/files.h"
#include "tests/tools/onepack_command.h"

namespace onepack {
namespace {

TEST(NoHuggingFaceTokenizerTest, TheCommandSaysHowToGetThem) {
  const CommandResult result =
      RunOnepack({"generate", "--program", TestData("language_models/eos_id.pte"), "--tokens", "9",
                  "--tokenizer", TestData("tokenizers/word_piece.json")});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_TRUE(
      Contains(result.err, "word_piece.json: this onepack was built without Hugging Face's"))
      << result.err;
  EXPECT_TRUE(Contains(result.err, "scripts/setup.sh --rust")) << result.err;
}

}  // namespace
}  // namespace onepack
