// Built without SentencePiece: its models are refused by name, and before anything is loaded.

#include <gtest/gtest.h>

#include "tests/support/files.h"
#include "tests/tools/onepack_command.h"

namespace onepack {
namespace {

TEST(NoSentencePieceTokenizerTest, TheCommandSaysSo) {
  const TempFolder folder;
  WriteFile(folder.File("a.model"), AsBytes("\n\x0b\n\x05<unk>"));
  const CommandResult result =
      RunOnepack({"generate", "--program", TestData("language_models/eos_id.pte"), "--tokens", "9",
                  "--tokenizer", folder.File("a.model")});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_TRUE(Contains(result.err, "a.model: no tokenizer.json")) << result.err;
  EXPECT_TRUE(Contains(result.err, "built without SentencePiece")) << result.err;
}

}  // namespace
}  // namespace onepack
