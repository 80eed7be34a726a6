// The trained models of examples/tiny_lm over notes that were kept from their training: each
// adapter does its task, and the base does none of them.

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "examples/demo/text_models.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

const std::string kFolder = ONEPACK_TINY_LM_DIR;

// How many answers must be right to the letter, by program. examples/tiny_lm/README.md has what was
// measured, which is more: another processor or XNNPACK adds numbers in another order.
using RightAnswers = std::map<std::string, int>;

struct Weights {
  const char* folder;
  RightAnswers at_least;
};

void PrintTo(const Weights& weights, std::ostream* out) { *out << weights.folder; }

class TinyLmTest : public testing::TestWithParam<Weights> {
 protected:
  void SetUp() override {
    std::ifstream file(kFolder + "/held_out.json");
    notes_ = nlohmann::json::parse(file);
    ONEPACK_ASSERT_OK_AND_ASSIGN(std::unique_ptr<Tokenizer> tokenizer,
                                 Tokenizer::Open(kFolder + "/files/tokenizer.model"));
    ONEPACK_ASSERT_OK_AND_ASSIGN(
        models_, TextModels::Open(kFolder + "/files/" + GetParam().folder, std::move(tokenizer)));
  }

  std::vector<std::string> AnswersOf(size_t model) {
    std::vector<std::string> answers;
    for (const auto& note : notes_) {
      auto answer = models_->Answer(model, note["prompt"].get<std::string>());
      EXPECT_TRUE(IsOk(answer));
      answers.push_back(answer.ok() ? *answer : "");
    }
    return answers;
  }

  // Of these answers, those that are right for `task`.
  int CountRight(const std::vector<std::string>& answers, const std::string& task) const {
    int right = 0;
    for (size_t i = 0; i < answers.size(); ++i) {
      if (answers[i] == notes_[i][task].get<std::string>()) ++right;
    }
    return right;
  }

  nlohmann::json notes_;
  std::unique_ptr<TextModels> models_;
};

TEST_P(TinyLmTest, EachAdapterDoesItsTaskAndTheBaseDoesNone) {
  ASSERT_EQ(notes_.size(), 60u);
  ASSERT_EQ(models_->models().size(), GetParam().at_least.size());
  const std::vector<std::string> base_answers = AnswersOf(0);
  for (size_t i = 0; i < models_->models().size(); ++i) {
    const std::string& task = models_->models()[i].name;
    const bool is_base = i == 0;
    const int right = CountRight(is_base ? base_answers : AnswersOf(i), task);
    RecordProperty(task, right);
    EXPECT_GE(right, GetParam().at_least.at(task)) << task;
    EXPECT_EQ(CountRight(base_answers, task), is_base ? right : 0) << task;
  }
}

TEST_P(TinyLmTest, AdaptersFindTheFoundationPacked) {
  const std::vector<TextModel>& models = models_->models();
  for (size_t i = 1; i < models.size(); ++i) {
    EXPECT_EQ(models[i].found_bytes, models[0].packed_bytes) << models[i].name;
    EXPECT_LT(models[i].packed_bytes, models[0].packed_bytes) << models[i].name;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Weights, TinyLmTest,
    testing::Values(Weights{"fp32", {{"base", 54}, {"json", 54}, {"quiz", 54}, {"spanish", 50}}},
                    Weights{"8da4w", {{"base", 54}, {"json", 54}, {"quiz", 54}, {"spanish", 50}}}),
    [](const auto& test) { return "Of" + std::string(test.param.folder); });

}  // namespace
}  // namespace onepack
