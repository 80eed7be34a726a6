// Files that are no tokenizer.json, or one that was altered: an error that names the file, or a
// tokenizer that works or says why not. Nothing ends the process.

#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "tests/support/files.h"
#include "tests/support/status_matchers.h"
#include "tools/hugging_face_tokenizer.h"

namespace onepack {
namespace {

constexpr const char* kFiles[] = {"byte_level_bpe.json", "byte_fallback_bpe.json", "unigram.json",
                                  "word_piece.json", "of_32_tokens.json"};

std::string Recorded(const std::string& name) {
  const std::vector<uint8_t> bytes = ReadFile(TestData("tokenizers/" + name));
  return std::string(bytes.begin(), bytes.end());
}

// How many of the files that a test made were refused.
class Outcome {
 public:
  void Try(const std::string& json) {
    ++count_;
    auto opened = OpenHuggingFaceTokenizer("altered.json", json);
    if (!opened.ok()) {
      ++refused_;
      EXPECT_TRUE(
          IsError(opened, StatusCode::kInvalidFile, {"altered.json: not a tokenizer.json"}));
      return;
    }
    auto tokens = (*opened)->Encode("one <s> na\xC3\xAFve \xF0\x9F\x91\x8D", true);
    if (!tokens.ok()) {
      EXPECT_TRUE(IsError(tokens, StatusCode::kInvalidArgument, {"altered.json: "}));
    }
    auto text = (*opened)->Decode(tokens.ok() ? *tokens : std::vector<int64_t>{0, 1, 2, 259});
    if (!text.ok()) {
      const StatusCode code = text.status().code();
      const bool has_token = code != StatusCode::kInvalidArgument;
      EXPECT_TRUE(IsError(text, has_token ? StatusCode::kInvalidFile : code,
                          {has_token ? "altered.json: " : "altered.json: no such token: "}));
    }
  }
  size_t count() const { return count_; }
  size_t refused() const { return refused_; }

 private:
  size_t count_ = 0;
  size_t refused_ = 0;
};

TEST(BadTokenizerJsonTest, OtherFilesAreNamedWithTheReason) {
  const TempFolder folder;
  for (const char* content : {"{", "{}", " \n{\"model\": 1}", "{\"version\": \"2.0\"}", "{\xFF}"}) {
    WriteFile(folder.File("t.json"), AsBytes(content));
    EXPECT_TRUE(IsError(Tokenizer::Open(folder.File("t.json")), StatusCode::kInvalidFile,
                        {"t.json: not a tokenizer.json: "}))
        << content;
  }
  const std::string deep = "{\"model\":" + std::string(1000000, '[');
  EXPECT_TRUE(IsError(OpenHuggingFaceTokenizer("deep.json", deep), StatusCode::kInvalidFile,
                      {"deep.json", "recursion limit"}));
}

// The library does not look, when it opens a file, that every token of a template is there.
TEST(BadTokenizerJsonTest, WhatPanicsInTheLibraryIsAnError) {
  nlohmann::json document = nlohmann::json::parse(Recorded("byte_fallback_bpe.json"));
  document["post_processor"]["special_tokens"] = nlohmann::json::object();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Tokenizer> tokenizer,
                               OpenHuggingFaceTokenizer("altered.json", document.dump()));
  testing::internal::CaptureStderr();
  EXPECT_TRUE(IsError(tokenizer->Encode("one", true), StatusCode::kInvalidArgument,
                      {"altered.json: no entry found for key"}));
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_TRUE(IsOk(tokenizer->Encode("one", false)));
}

TEST(BadTokenizerJsonTest, TruncatedFilesAreRefused) {
  for (const char* name : kFiles) {
    const std::string json = Recorded(name);
    Outcome outcome;
    for (size_t size = 0; size + 1 < json.size(); size += 7) outcome.Try(json.substr(0, size));
    EXPECT_EQ(outcome.refused(), outcome.count()) << name;
  }
}

TEST(BadTokenizerJsonTest, AlteredBytesEndNothing) {
  std::mt19937 random(1);
  for (const char* name : kFiles) {
    const std::string json = Recorded(name);
    Outcome outcome;
    for (int round = 0; round < 1000; ++round) {
      std::string altered = json;
      for (int i = round % 4; i >= 0; --i) {
        // Printable: other bytes end most files at once.
        altered[random() % altered.size()] = static_cast<char>(' ' + random() % 95);
      }
      outcome.Try(altered);
    }
    EXPECT_GT(outcome.refused(), 0u) << name;
    EXPECT_LT(outcome.refused(), outcome.count()) << name;
  }
}

// Calls `change` for every value of a document outside of long lists, of which it gets the first.
template <typename Change>
void ForEachValue(nlohmann::json& value, const Change& change) {
  change(value);
  if (!value.is_structured()) return;
  size_t count = 0;
  for (nlohmann::json& inner : value) {
    if (++count > 6) break;
    ForEachValue(inner, change);
  }
}

TEST(BadTokenizerJsonTest, WrongValuesEndNothing) {
  const std::vector<nlohmann::json> wrong = {nullptr,
                                             true,
                                             0,
                                             -1,
                                             4294967295,
                                             18446744073709551615u,
                                             1e300,
                                             "",
                                             "(((",
                                             "\u2581",
                                             nlohmann::json::array(),
                                             nlohmann::json::object(),
                                             {"a", "a"},
                                             {{{"type", "ByteLevel"}}}};
  for (const char* name : kFiles) {
    nlohmann::json document = nlohmann::json::parse(Recorded(name));
    Outcome outcome;
    ForEachValue(document, [&](nlohmann::json& value) {
      const nlohmann::json right = value;
      for (const nlohmann::json& other : wrong) {
        value = other;
        outcome.Try(document.dump());
      }
      value = right;
    });
    EXPECT_GT(outcome.refused(), 100u) << name;
    EXPECT_LT(outcome.refused(), outcome.count()) << name;
  }
}

}  // namespace
}  // namespace onepack
