// The tokenizer is trained here, on a few sentences.

#include "tools/sentence_piece_tokenizer.h"

#include <gtest/gtest.h>
#include <sentencepiece_trainer.h>

#include <chrono>
#include <random>
#include <string>
#include <vector>

#include "tests/support/files.h"
#include "tests/support/status_matchers.h"
#include "tools/text_stream.h"

namespace onepack {
namespace {

class SentencePieceTokenizerTest : public testing::Test {
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

TEST_F(SentencePieceTokenizerTest, TextBecomesTokensAndTextAgain) {
  for (const std::string text :
       {"many programs share one foundation", "na\xC3\xAFve", "Z\xE2\x82\xAC"}) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const std::vector<int64_t> tokens, tokenizer_->Encode(text, true));
    EXPECT_FALSE(tokens.empty());
    ONEPACK_ASSERT_OK_AND_ASSIGN(const std::string again, tokenizer_->Decode(tokens));
    EXPECT_EQ(again, text);
  }
}

// The euro sign is three tokens, one for each byte: none of them is a character.
TEST_F(SentencePieceTokenizerTest, AStreamShowsWholeCharactersOnly) {
  const std::string text = "programs \xE2\x82\xAC share";
  ONEPACK_ASSERT_OK_AND_ASSIGN(const std::vector<int64_t> tokens, tokenizer_->Encode(text, true));
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

// Whatever comes, the pieces of a stream are the text of all its tokens.
TEST_F(SentencePieceTokenizerTest, AStreamGivesTheTextOfAllItsTokens) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const std::vector<int64_t> nul,
                               tokenizer_->Encode(std::string(1, '\0'), true));
  const int64_t first_byte = nul.back();  // "<0x00>"; the others follow
  ONEPACK_ASSERT_OK_AND_ASSIGN(const std::string letter, tokenizer_->Decode({first_byte + 'a'}));
  ASSERT_EQ(letter, "a");
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    std::vector<int64_t> tokens;
    for (int i = 0; i < 40; ++i) {
      const bool is_byte = round % 3 != 0 && random() % 2 == 0;
      // Many of them may begin, or go on with, a character.
      tokens.push_back(is_byte ? first_byte + 0x70 + random() % 0x90
                               : random() % (first_byte + 276));
    }
    if (round % 5 == 0) tokens[random() % tokens.size()] = first_byte;
    TextStream stream(*tokenizer_);
    std::string shown;
    for (const int64_t token : tokens) {
      ONEPACK_ASSERT_OK_AND_ASSIGN(const std::string added, stream.Add(token));
      shown += added;
    }
    ONEPACK_ASSERT_OK_AND_ASSIGN(const std::string rest, stream.Finish());
    ONEPACK_ASSERT_OK_AND_ASSIGN(const std::string text, tokenizer_->Decode(tokens));
    EXPECT_EQ(shown + rest, text) << round;
  }
}

TEST_F(SentencePieceTokenizerTest, AStreamShowsWhatFollowsNul) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const std::vector<int64_t> tokens,
                               tokenizer_->Encode(std::string("many\0programs", 13), true));
  TextStream stream(*tokenizer_);
  std::string shown;
  for (const int64_t token : tokens) shown += std::move(stream.Add(token)).value();
  EXPECT_EQ(shown, std::string("many\0programs", 13));
}

TEST_F(SentencePieceTokenizerTest, BytesOfACharacterThatNeverEndsAreShownAtTheEnd) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(std::vector<int64_t> tokens,
                               tokenizer_->Encode("one\xE2\x82\xAC", true));
  tokens.pop_back();
  TextStream stream(*tokenizer_);
  std::string shown;
  for (const int64_t token : tokens) shown += std::move(stream.Add(token)).value();
  EXPECT_EQ(shown, "one");
  ONEPACK_ASSERT_OK_AND_ASSIGN(const std::string rest, stream.Finish());
  EXPECT_EQ(rest, "\xEF\xBF\xBD\xEF\xBF\xBD");
  ONEPACK_ASSERT_OK_AND_ASSIGN(const std::string nothing, stream.Finish());
  EXPECT_EQ(nothing, "");
}

// Making the text of all tokens again for each would take a minute.
TEST_F(SentencePieceTokenizerTest, AStreamTakesNoLongerTheLongerItGets) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const std::vector<int64_t> tokens,
                               tokenizer_->Encode("programs share \xE2\x82\xAC", true));
  TextStream stream(*tokenizer_);
  const auto seconds_for = [&](int count) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < count; ++i) {
      for (const int64_t token : tokens) EXPECT_TRUE(IsOk(stream.Add(token)));
    }
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  const double first = seconds_for(2000);
  seconds_for(4000);
  EXPECT_LT(seconds_for(2000), 4 * first + 0.2);
}

TEST_F(SentencePieceTokenizerTest, TheEndOfTextIsKnown) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const std::string text, tokenizer_->Decode({tokenizer_->eos_id()}));
  EXPECT_GE(tokenizer_->eos_id(), 0);
  EXPECT_EQ(text, "");
}

TEST_F(SentencePieceTokenizerTest, TokensItDoesNotHaveAreNamed) {
  EXPECT_TRUE(IsError(tokenizer_->Decode({-1}), StatusCode::kInvalidArgument, {"token -1"}));
  EXPECT_TRUE(
      IsError(tokenizer_->Decode({100000}), StatusCode::kInvalidArgument, {"token 100000"}));
}

TEST_F(SentencePieceTokenizerTest, FilesThatAreNoModelAreNamed) {
  EXPECT_TRUE(IsError(Tokenizer::Open(folder_.File("none")), StatusCode::kNotFound, {"none"}));
  EXPECT_TRUE(IsError(Tokenizer::Open(folder_.File("corpus.txt")), StatusCode::kInvalidFile,
                      {"corpus.txt", "neither a tokenizer.json nor a SentencePiece model"}));
  WriteFile(folder_.File("empty"), {});
  EXPECT_TRUE(IsError(Tokenizer::Open(folder_.File("empty")), StatusCode::kInvalidFile, {"empty"}));
  EXPECT_TRUE(IsError(Tokenizer::Open(folder_.path()), StatusCode::kIoError,
                      {folder_.path(), "directory"}));
}

}  // namespace
}  // namespace onepack
