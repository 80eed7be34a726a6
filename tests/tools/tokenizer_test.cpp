// The tokenizer is trained here, on a few sentences.

#include "tools/tokenizer.h"

#include <gtest/gtest.h>
#include <sentencepiece_trainer.h>

#include <string>
#include <vector>

#include "tests/support/files.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

class TokenizerTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string corpus;
    for (int i = 0; i < 50; ++i) {
      corpus += "one foundation, many programs\nprograms share what is packed once\nna\xC3\xAFve\n";
    }
    WriteFile(folder_.File("corpus.txt"), AsBytes(corpus));
    // Bytes stand for characters that the corpus lacks.
    const std::string arguments =
        "--minloglevel=2 --byte_fallback=true --vocab_size=300 --hard_vocab_limit=false --input=" +
        folder_.File("corpus.txt") + " --model_prefix=" + folder_.File("tokenizer");
    ASSERT_TRUE(sentencepiece::SentencePieceTrainer::Train(arguments).ok());
    auto opened = Tokenizer::Open(folder_.File("tokenizer.model"));
    ASSERT_TRUE(IsOk(opened));
    tokenizer_ = std::move(opened).value();
  }

  const TempFolder folder_;
  std::unique_ptr<Tokenizer> tokenizer_;
};

TEST_F(TokenizerTest, TextBecomesTokensAndTextAgain) {
  for (const std::string text :
       {"many programs share one foundation", "na\xC3\xAFve", "Z\xE2\x82\xAC"}) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const std::vector<int64_t> tokens, tokenizer_->Encode(text));
    EXPECT_FALSE(tokens.empty());
    ONEPACK_ASSERT_OK_AND_ASSIGN(const std::string again, tokenizer_->Decode(tokens));
    EXPECT_EQ(again, text);
  }
}

// The euro sign is three tokens, one for each byte: none of them is a character.
TEST_F(TokenizerTest, AStreamShowsWholeCharactersOnly) {
  const std::string text = "programs \xE2\x82\xAC share";
  ONEPACK_ASSERT_OK_AND_ASSIGN(const std::vector<int64_t> tokens, tokenizer_->Encode(text));
  TextStream stream(*tokenizer_);
  std::string shown;
  bool withheld = false;
  for (const int64_t token : tokens) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const std::string added, stream.Add(token));
    withheld |= added.empty();
    EXPECT_EQ(added.find("\xEF\xBF\xBD"), std::string::npos);
    shown += added;
  }
  EXPECT_TRUE(withheld);
  EXPECT_EQ(shown, text);
}

TEST_F(TokenizerTest, TokensItDoesNotHaveAreNamed) {
  EXPECT_TRUE(IsError(tokenizer_->Decode({-1}), StatusCode::kInvalidArgument, {"token -1"}));
  EXPECT_TRUE(
      IsError(tokenizer_->Decode({100000}), StatusCode::kInvalidArgument, {"token 100000"}));
}

TEST_F(TokenizerTest, FilesThatAreNoModelAreNamed) {
  EXPECT_TRUE(IsError(Tokenizer::Open(folder_.File("none")), StatusCode::kNotFound, {"none"}));
  EXPECT_TRUE(IsError(Tokenizer::Open(folder_.File("corpus.txt")), StatusCode::kInvalidFile,
                      {"corpus.txt", "not a SentencePiece model"}));
  EXPECT_TRUE(IsError(Tokenizer::Open(folder_.path()), StatusCode::kIoError,
                      {folder_.path(), "directory"}));
}

}  // namespace
}  // namespace onepack
