// onepack generate, from the outside.

#include <gtest/gtest.h>
#include <sentencepiece_trainer.h>

#include "tests/support/files.h"
#include "tests/tools/onepack_command.h"

namespace onepack {
namespace {

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

CommandResult Generate(const std::string& program, const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {"generate", "--program", program};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return RunOnepack(arguments);
}

std::string Model(const std::string& name) { return TestData("language_models/" + name + ".pte"); }

TEST(GenerateCommandTest, StopsAtTheEndThatTheModelNames) {
  for (const char* name : {"eos_ids", "eos_id"}) {
    const CommandResult result = Generate(Model(name), {"--tokens", "9"});
    EXPECT_EQ(result.exit_status, 0) << result.err;
    EXPECT_EQ(LinesOf(result.out)[0], "7 0 58") << name;
    EXPECT_TRUE(Contains(result.out, "stopped: a stop token")) << result.out;
  }
}

TEST(GenerateCommandTest, HalfLogitsAndInt32IdsAreFine) {
  for (const char* name : {"half_logits", "int32_ids"}) {
    const CommandResult result = Generate(Model(name), {"--tokens", "0", "--max-new-tokens", "8"});
    EXPECT_EQ(result.exit_status, 0) << result.err;
    EXPECT_EQ(LinesOf(result.out)[0], "58 50 32 62 2 28 24 24") << name;
  }
}

TEST(GenerateCommandTest, AContextGoesOnInAnotherProcess) {
  const TempFolder folder;
  const std::string context = folder.File("context");
  const std::string model = Model("state_update_cache");
  const CommandResult whole = Generate(model, {"--tokens", "3,5,1,2", "--max-new-tokens", "5"});
  EXPECT_EQ(Generate(model, {"--tokens", "3,5", "--max-new-tokens", "1", "--save-context", context})
                .exit_status,
            0);
  const CommandResult rest =
      Generate(model, {"--tokens", "1,2", "--max-new-tokens", "5", "--load-context", context});
  EXPECT_EQ(rest.exit_status, 0) << rest.err;
  EXPECT_EQ(LinesOf(rest.out)[0], LinesOf(whole.out)[0]);
  const CommandResult other =
      Generate(Model("state_index_copy"), {"--tokens", "1", "--load-context", context});
  EXPECT_EQ(other.exit_status, 1);
  EXPECT_TRUE(Contains(other.err, context + ": a context of a model of another program"))
      << other.err;
}

TEST(GenerateCommandTest, AMethodOfAnotherNameIsAskedFor) {
  const CommandResult result = Generate(Model("eos_id"), {"--tokens", "9", "--method", "backward"});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_TRUE(Contains(result.err, "no method 'backward'; it has 'forward'")) << result.err;
}

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

TEST(GenerateCommandTest, TheTokenizersEndOfTextCountsToo) {
  const TempFolder folder;
  const std::string tokenizer = TrainTokenizer(folder);
  std::vector<std::string> numbers = {"--tokens", "3,5", "--max-new-tokens", "8"};
  EXPECT_EQ(LinesOf(Generate(Model("state_recurrent"), numbers).out)[0], "2 21 30 19 21 14 23 23");
  numbers.insert(numbers.end(), {"--tokenizer", tokenizer});
  const CommandResult stopped = Generate(Model("state_recurrent"), numbers);
  EXPECT_TRUE(Contains(stopped.out, "stopped: a stop token")) << stopped.out;
  numbers.emplace_back("--ignore-eos");
  const CommandResult ignored = Generate(Model("state_recurrent"), numbers);
  EXPECT_TRUE(Contains(ignored.out, "stopped: as many tokens as asked for")) << ignored.out;
}

}  // namespace
}  // namespace onepack
