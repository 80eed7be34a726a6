// Going back to an earlier token, with models that the exporter wrote.

#include <gtest/gtest.h>

#include <cmath>

#include "onepack/generate.h"
#include "tests/llm/exported_model.h"
#include "tests/llm/sum_model.h"
#include "tests/support/delegate_fixture.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

using Model = std::unique_ptr<LanguageModel>;
using Tokens = std::vector<int64_t>;

// The logits after the first parts and others than were read before, against those of a model that
// never read anything else, but these parts as such: one row and several may be summed in other
// orders (by linears in place, and by XNNPACK on Arm).
void ExpectRewindsExactly(const ModelFiles& files) {
  const std::vector<Tokens> parts = {{3, 5}, {9}, {30}, {7}, {8}};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Model rewound, LoadExported(files));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Model fresh, LoadExported(files));
  for (const Tokens& part : parts) LogitsAfter(*rewound, part);
  for (size_t kept = parts.size(); kept-- > 0;) {
    ASSERT_TRUE(IsOk(fresh->Reset()));
    for (size_t i = 0; i < kept; ++i) LogitsAfter(*fresh, parts[i]);
    const Tokens context = fresh->context();
    ASSERT_TRUE(IsOk(rewound->Rewind(context.size()))) << files.program;
    EXPECT_EQ(rewound->context(), context);
    EXPECT_EQ(LogitsAfter(*rewound, {7, 8}), LogitsAfter(*fresh, {7, 8})) << files.program << kept;
    ASSERT_TRUE(IsOk(rewound->Rewind(context.size())));
  }
}

// Into the middle of a part: as near to what one token gives as no other token comes.
void ExpectRewindsIntoAPart(const ModelFiles& files) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Model rewound, LoadExported(files));
  LogitsAfter(*rewound, {3, 5, 9});
  ASSERT_TRUE(IsOk(rewound->Rewind(1)));
  const std::vector<float> found = LogitsAfter(*rewound, {7, 8});
  const auto difference_after = [&](int64_t token) {
    auto fresh = LoadExported(files);
    if (!fresh.ok()) return HUGE_VALF;
    LogitsAfter(*fresh.value(), {token});
    return LargestDifference(found, LogitsAfter(*fresh.value(), {7, 8}));
  };
  EXPECT_LT(difference_after(3) * 10, difference_after(5)) << files.program;
}

TEST(RewindTest, WhatFollowsIsAsIfTheRestHadNeverBeenRead) {
  for (const char* name : {"state_update_cache", "state_index_copy", "state_all_positions"}) {
    const ModelFiles files = {
        std::string("language_models/") + name + ".pte", {}, LinearLayout::kPacked};
    ExpectRewindsExactly(files);
    ExpectRewindsIntoAPart(files);
  }
  ExpectRewindsExactly(kPackedAdapter);
  ExpectRewindsIntoAPart(kPackedAdapter);
}

TEST(RewindTest, AnAnswerCanBeGeneratedAgainAfterRewind) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Model model, LoadExported(kPackedAdapter));
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
