// Language models of both exporters, from their files to their answers.

#include "tests/llm/exported_model.h"

#include <gtest/gtest.h>

#include "onepack/generate.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

using Model = std::unique_ptr<LanguageModel>;
using Tokens = std::vector<int64_t>;

TEST(ExportedModelTest, StopsAtAnyOfTheEndsThatItNamesByEitherName) {
  for (const char* name : {"eos_ids", "eos_id"}) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Model model, LoadExported(name));
    EXPECT_EQ(model->info().eos_ids[0], 58) << name;
    ONEPACK_ASSERT_OK_AND_ASSIGN(const GenerateResult result, Generate(*model, Tokens{9}, {}));
    EXPECT_EQ(result.tokens, (Tokens{7, 0, 58})) << name;
    EXPECT_EQ(result.stop_reason, StopReason::kStopToken) << name;
  }
}

TEST(ExportedModelTest, HalfLogitsAndInt32IdsGiveTheSameAsFloatsAndInt64) {
  for (const char* name : {"eos_ids", "eos_id", "half_logits", "int32_ids"}) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Model model, LoadExported(name));
    EXPECT_EQ(Answer(*model, {0}, 8, /*ignore_eos=*/true), (Tokens{58, 50, 32, 62, 2, 28, 24, 24}))
        << name;
  }
}

// All of them compute the same, wherever they keep what they read.
TEST(ExportedModelTest, EveryKvCacheGivesTheSameAnswers) {
  for (const char* name :
       {"state_update_cache", "state_index_copy", "state_all_positions", "state_index_put"}) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Model model, LoadExported(name));
    EXPECT_EQ(Answer(*model, {3, 5}, 8), (Tokens{8, 8, 8, 8, 8, 8, 8, 6})) << name;
    EXPECT_EQ(model->max_context(), 16u);
  }
}

}  // namespace
}  // namespace onepack
