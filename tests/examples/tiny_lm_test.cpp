// The trained models of examples/tiny_lm over notes that were kept from their training: each does
// its task, and none does another's.

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
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

TEST_P(TinyLmTest, EachProgramDoesItsTaskAndNoOther) {
  ASSERT_EQ(notes_.size(), 60u);
  ASSERT_EQ(models_->models().size(), GetParam().at_least.size());
  for (size_t i = 0; i < models_->models().size(); ++i) {
    const std::string& own = models_->models()[i].name;
    const std::vector<std::string> answers = AnswersOf(i);
    for (const auto& [task, at_least] : GetParam().at_least) {
      const int right = CountRight(answers, task);
      if (task == own) {
        RecordProperty(task, right);
        EXPECT_GE(right, at_least) << task;
      } else {
        EXPECT_EQ(right, 0) << own << " does " << task;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Weights, TinyLmTest,
    testing::Values(Weights{"fp32", {{"base", 54}, {"json", 54}, {"quiz", 54}, {"spanish", 50}}},
                    Weights{"8da4w", {{"base", 54}, {"json", 54}, {"quiz", 54}, {"spanish", 50}}}),
    [](const auto& test) { return "Of" + std::string(test.param.folder); });

TEST(TextModelsTest, AFolderWithoutABaseIsNamed) {
  const std::string folder = kFolder + "/files";  // the models are one level below
  ONEPACK_ASSERT_OK_AND_ASSIGN(std::unique_ptr<Tokenizer> tokenizer,
                               Tokenizer::Open(folder + "/tokenizer.model"));
  const auto models = TextModels::Open(folder, std::move(tokenizer));
  EXPECT_EQ(models.status().code(), StatusCode::kNotFound);
  EXPECT_EQ(std::string(models.status().message()), folder + ": no base.pte");
}

}  // namespace
}  // namespace onepack
