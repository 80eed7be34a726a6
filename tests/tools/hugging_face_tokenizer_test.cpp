// Over the files in tests/data/tokenizers, beside what Python's library tokenizers made of the same
// texts.

#include "tools/hugging_face_tokenizer.h"

#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/files.h"
#include "tests/support/status_matchers.h"
#include "tools/text_stream.h"

namespace onepack {
namespace {

using Tokens = std::vector<int64_t>;

std::unique_ptr<Tokenizer> OpenRecorded(const std::string& name) {
  auto tokenizer = Tokenizer::Open(TestData("tokenizers/" + name));
  EXPECT_TRUE(IsOk(tokenizer));
  return std::move(tokenizer).value();
}

nlohmann::json ExpectedTexts() {
  const std::vector<uint8_t> bytes = ReadFile(TestData("tokenizers/expected.json"));
  return nlohmann::json::parse(std::string(bytes.begin(), bytes.end()));
}

bool IsUtf8(const std::string& text) {
  try {
    static_cast<void>(nlohmann::json(text).dump());  // which is strict
    return true;
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

// What a stream shows, piece by piece; each is UTF-8 by itself.
std::vector<std::string> Streamed(const Tokenizer& tokenizer, const Tokens& tokens) {
  TextStream stream(tokenizer);
  std::vector<std::string> pieces;
  for (const int64_t token : tokens) pieces.push_back(std::move(stream.Add(token)).value());
  pieces.push_back(std::move(stream.Finish()).value());
  for (const std::string& piece : pieces) EXPECT_TRUE(IsUtf8(piece)) << piece;
  return pieces;
}

std::string Joined(const std::vector<std::string>& pieces) {
  std::string text;
  for (const std::string& piece : pieces) text += piece;
  return text;
}

TEST(HuggingFaceTokenizerTest, TextsBecomeTheTokensThatPythonMakesOfThem) {
  const nlohmann::json expected = ExpectedTexts();
  EXPECT_GE(expected.size(), 60u);
  for (const nlohmann::json& entry : expected) {
    SCOPED_TRACE(entry.dump());
    const auto tokenizer = OpenRecorded(entry.at("tokenizer"));
    const std::string text = entry.at("text");
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Tokens first, tokenizer->Encode(text, true));
    EXPECT_EQ(first, entry.at("ids").get<Tokens>());
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Tokens later, tokenizer->Encode(text, false));
    EXPECT_EQ(later, entry.at("ids_without_special").get<Tokens>());
  }
}

TEST(HuggingFaceTokenizerTest, TokensBecomeTheTextThatPythonMakesOfThemAtOnceAndOneByOne) {
  for (const nlohmann::json& entry : ExpectedTexts()) {
    SCOPED_TRACE(entry.dump());
    const auto tokenizer = OpenRecorded(entry.at("tokenizer"));
    const Tokens tokens = entry.at("ids");
    ONEPACK_ASSERT_OK_AND_ASSIGN(const std::string text, tokenizer->Decode(tokens));
    EXPECT_EQ(text, entry.at("decoded").get<std::string>());
    EXPECT_EQ(Joined(Streamed(*tokenizer, tokens)), text);
  }
}

// An emoji of four bytes, in several tokens.
TEST(HuggingFaceTokenizerTest, AStreamShowsACharacterWithItsLastByte) {
  for (const char* name : {"byte_level_bpe.json", "byte_fallback_bpe.json", "unigram.json"}) {
    SCOPED_TRACE(name);
    const auto tokenizer = OpenRecorded(name);
    ONEPACK_ASSERT_OK_AND_ASSIGN(Tokens tokens, tokenizer->Encode("\xF0\x9F\x91\x8D", false));
    ASSERT_GE(tokens.size(), 3u);
    const std::vector<std::string> pieces = Streamed(*tokenizer, tokens);
    EXPECT_EQ(pieces[pieces.size() - 2], "\xF0\x9F\x91\x8D");
    EXPECT_EQ(pieces[pieces.size() - 3], "");
    tokens.pop_back();
    EXPECT_TRUE(IsUtf8(Streamed(*tokenizer, tokens).back()));
    EXPECT_NE(Streamed(*tokenizer, tokens).back().find("\xEF\xBF\xBD"), std::string::npos);
  }
}

TEST(HuggingFaceTokenizerTest, AStreamOfAnyTokensIsTheTextOfAllOfThem) {
  std::mt19937 random(1);
  for (const char* name : {"byte_level_bpe.json", "word_piece.json"}) {
    const auto tokenizer = OpenRecorded(name);
    for (int round = 0; round < 300; ++round) {
      Tokens tokens;
      for (int i = 0; i < 60; ++i) tokens.push_back(random() % 70 + (round % 2 == 0 ? 0 : 1));
      // Bytes of characters, of which few are complete.
      for (int i = 0; round % 3 != 0 && name[0] == 'b' && i < 60; ++i) {
        tokens.push_back(94 + random() % 160);
      }
      ONEPACK_ASSERT_OK_AND_ASSIGN(const std::string text, tokenizer->Decode(tokens));
      EXPECT_EQ(Joined(Streamed(*tokenizer, tokens)), text) << name << " " << round;
    }
  }
}

// Here the decoder may take back what was a character (text_stream.h); half of one is never shown.
TEST(HuggingFaceTokenizerTest, AStreamOfAnyTokensIsUtf8) {
  std::mt19937 random(1);
  for (const char* name : {"byte_fallback_bpe.json", "unigram.json"}) {
    const auto tokenizer = OpenRecorded(name);
    for (int round = 0; round < 300; ++round) {
      Tokens tokens;
      for (int i = 0; i < 60; ++i) tokens.push_back(random() % 290);
      EXPECT_FALSE(Joined(Streamed(*tokenizer, tokens)).empty());
    }
  }
}

TEST(HuggingFaceTokenizerTest, SpecialTokensAreNotShownAndAddedOnesAre) {
  const auto tokenizer = OpenRecorded("byte_level_bpe.json");
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const Tokens tokens,
      tokenizer->Encode("<|im_start|>user<|im_end|><think>one</think><|endoftext|>", true));
  EXPECT_EQ(Joined(Streamed(*tokenizer, tokens)), "user<think>one</think>");
}

TEST(HuggingFaceTokenizerTest, ItSaysWhatBeginsATextAndNotWhatEndsAnAnswer) {
  const auto tokenizer = OpenRecorded("byte_fallback_bpe.json");
  EXPECT_TRUE(tokenizer->begins_texts());
  EXPECT_EQ(tokenizer->eos_id(), -1);
}

TEST(HuggingFaceTokenizerTest, TokensItDoesNotHaveAreNamedAndChangeNothing) {
  const auto tokenizer = OpenRecorded("byte_level_bpe.json");
  for (const int64_t token : {int64_t{-1}, int64_t{100000}, int64_t{1} << 32, INT64_MAX}) {
    EXPECT_TRUE(IsError(tokenizer->Decode({token}), StatusCode::kInvalidArgument,
                        {"byte_level_bpe.json", "no such token: " + std::to_string(token)}));
  }
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Tokens tokens, tokenizer->Encode("\xE2\x82\xAC", true));
  TextStream stream(*tokenizer);
  std::string text;
  for (const int64_t token : tokens) {
    EXPECT_FALSE(stream.Add(100000).ok());
    text += std::move(stream.Add(token)).value();
  }
  EXPECT_EQ(text, "\xE2\x82\xAC");
}

TEST(HuggingFaceTokenizerTest, ATextThatIsNotUtf8IsRefused) {
  const auto tokenizer = OpenRecorded("byte_level_bpe.json");
  for (const char* text : {"\x80", "one \xE2\x82", "\xED\xA0\x80"}) {
    EXPECT_TRUE(IsError(tokenizer->Encode(text, true), StatusCode::kInvalidArgument,
                        {"byte_level_bpe.json", "the text is not UTF-8"}));
  }
}

}  // namespace
}  // namespace onepack
