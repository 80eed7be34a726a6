// onepack generate with a tokenizer, from the outside.

#include <gtest/gtest.h>
#include <sentencepiece_trainer.h>

#include "tests/support/files.h"
#include "tests/tools/onepack_command.h"

namespace onepack {
namespace {

std::string TrainTokenizer(const TempFolder& folder) {
  std::string corpus;
  for (int i = 0; i < 50; ++i) corpus += "many programs share one foundation\n";
  WriteFile(folder.File("corpus.txt"), AsBytes(corpus));
  const std::string arguments =
      "--minloglevel=2 --byte_fallback=true --vocab_size=300 --hard_vocab_limit=false --unk_id=0 "
      "--bos_id=1 --eos_id=2 "
      "--input=" +
      folder.File("corpus.txt") + " --model_prefix=" + folder.File("tokenizer");
  EXPECT_TRUE(sentencepiece::SentencePieceTrainer::Train(arguments).ok());
  return folder.File("tokenizer.model");
}

TEST(GenerateCommandTextTest, TheTokenizersEndOfTextCountsToo) {
  const TempFolder folder;
  const std::string tokenizer = TrainTokenizer(folder);
  std::vector<std::string> arguments = {
      "generate", "--program", TestData("language_models/state_recurrent.pte"),
      "--tokens", "3,5",       "--max-new-tokens",
      "8"};
  EXPECT_EQ(LinesOf(RunOnepack(arguments).out)[0], "2 21 30 19 21 14 23 23");
  arguments.insert(arguments.end(), {"--tokenizer", tokenizer});
  const CommandResult stopped = RunOnepack(arguments);
  EXPECT_NE(stopped.out.find("stopped: a stop token"), std::string::npos) << stopped.out;
  arguments.emplace_back("--ignore-eos");
  const CommandResult ignored = RunOnepack(arguments);
  EXPECT_NE(ignored.out.find("stopped: as many tokens as asked for"), std::string::npos)
      << ignored.out;
}

}  // namespace
}  // namespace onepack
