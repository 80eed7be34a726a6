// Going back to an earlier token, with models that the exporter wrote.

#include <gtest/gtest.h>

#include <algorithm>

#include "onepack/generate.h"
#include "tests/llm/exported_model.h"
#include "tests/llm/sum_model.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

using Model = std::unique_ptr<LanguageModel>;
using Tokens = std::vector<int64_t>;

const ModelFiles kAdapter = {"cases/llm_8da4w/a0.pte",
                             {"cases/llm_8da4w/foundation.ptd", "cases/llm_8da4w/a0.ptd"},
                             LinearLayout::kPacked};

std::vector<float> LogitsAfter(LanguageModel& model, const Tokens& tokens) {
  auto logits = model.Append(tokens);
  EXPECT_TRUE(IsOk(logits));
  return logits.ok() ? std::vector<float>(logits->begin(), logits->end()) : std::vector<float>();
}

// The logits after the first tokens and others than were read before, against those of a model that
// never read anything else. Linears in place sum few tokens and many in another order, so that what
// was read in parts would be equal to rounding only.
void ExpectRewindsExactly(const ModelFiles& files) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Model rewound, LoadExported(files));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Model fresh, LoadExported(files));
  LogitsAfter(*rewound, {3, 5});
  LogitsAfter(*rewound, {9});
  Answer(*rewound, {30}, 6, /*ignore_eos=*/true);
  for (const size_t count : {size_t{5}, size_t{2}, size_t{1}, size_t{0}}) {
    ASSERT_TRUE(IsOk(rewound->Rewind(count))) << files.program;
    EXPECT_EQ(rewound->context().size(), count);
    ASSERT_TRUE(IsOk(fresh->Reset()));
    const Tokens kept = rewound->context();
    if (count > 0) LogitsAfter(*fresh, kept);
    EXPECT_EQ(LogitsAfter(*rewound, {7, 8}), LogitsAfter(*fresh, {7, 8})) << files.program << count;
    ASSERT_TRUE(IsOk(rewound->Rewind(count)));
  }
}

TEST(RewindTest, WhatFollowsIsAsIfTheRestHadNeverBeenRead) {
  for (const char* name : {"state_update_cache", "state_index_copy", "state_all_positions"}) {
    ExpectRewindsExactly(
        {std::string("language_models/") + name + ".pte", {}, LinearLayout::kPacked});
  }
  ExpectRewindsExactly(kAdapter);
}

TEST(RewindTest, AnAnswerCanBeGeneratedAgainAfterRewind) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Model model, LoadExported(kAdapter));
  const Tokens prompt = {3, 17, 99};
  const Tokens first = Answer(*model, prompt, 5);
  ASSERT_TRUE(IsOk(model->Rewind(prompt.size() - 1)));
  EXPECT_EQ(Answer(*model, {prompt.back()}, 5), first);
}

TEST(RewindTest, AModelWithoutACacheGoesBackAnywhere) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Model model, LoadExported("int32_ids"));
  Answer(*model, {0}, 6, /*ignore_eos=*/true);
  ASSERT_TRUE(IsOk(model->Rewind(3)));
  EXPECT_EQ(model->context(), (Tokens{0, 58, 50}));
  EXPECT_EQ(Answer(*model, {32}, 2, /*ignore_eos=*/true), (Tokens{62, 2}));
}

TEST(RewindTest, OtherStateGoesBackToTheStartOnly) {
  for (const char* name : {"state_ring", "state_recurrent"}) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Model model, LoadExported(name));
    const std::vector<float> first = LogitsAfter(*model, {1, 2});
    EXPECT_TRUE(IsError(model->Rewind(1), StatusCode::kUnsupported,
                        {std::string(name) + ".pte", "no way back to 1 tokens"}));
    EXPECT_EQ(model->context(), (Tokens{1, 2}));
    ASSERT_TRUE(IsOk(model->Rewind(2)));
    ASSERT_TRUE(IsOk(model->Rewind(0)));
    EXPECT_EQ(LogitsAfter(*model, {1, 2}), first);
  }
}

TEST(RewindTest, ThereIsNoWayForward) {
  auto model = LanguageModel::Load(SumModel().program(), SumModel::LoadOptions());
  ASSERT_TRUE(IsOk(model));
  LogitsAfter(**model, {1, 2});
  EXPECT_TRUE(
      IsError((*model)->Rewind(3), StatusCode::kInvalidArgument, {"sum.pte", "3 tokens", "has 2"}));
}

}  // namespace
}  // namespace onepack
