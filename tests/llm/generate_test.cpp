#include "onepack/generate.h"

#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <thread>

#include "tests/llm/sum_model.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

using Model = std::unique_ptr<LanguageModel>;
using Tokens = std::vector<int64_t>;

Model LoadSum(const SumModelOptions& options = {}) {
  auto model = LanguageModel::Load(SumModel(options).program(), SumModel::LoadOptions());
  EXPECT_TRUE(IsOk(model));
  return model.ok() ? std::move(model).value() : nullptr;
}

// After 1 come 1, 2, 4, 8, 6, 2, 4, 8, 6, ...: each is the sum of all before it.
TEST(GenerateTest, EachTokenFollowsFromAllBeforeIt) {
  const Model model = LoadSum();
  GenerateOptions options;
  options.max_new_tokens = 6;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const GenerateResult result, Generate(*model, Tokens{1}, options));
  EXPECT_EQ(result.tokens, (Tokens{1, 2, 4, 8, 6, 2}));
  EXPECT_EQ(result.stop_reason, StopReason::kMaxNewTokens);
  EXPECT_EQ(result.prefill_tokens, 1u);
  EXPECT_EQ(result.decode_tokens, 5u);
  EXPECT_GT(result.prefill_seconds, 0);
  EXPECT_GT(result.decode_seconds, 0);
  EXPECT_EQ(model->context(), (Tokens{1, 1, 2, 4, 8, 6}));
}

TEST(GenerateTest, AnAnswerCanBeContinued) {
  const Model model = LoadSum();
  GenerateOptions options;
  options.max_new_tokens = 2;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const GenerateResult first, Generate(*model, Tokens{1}, options));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const GenerateResult second,
                               Generate(*model, Tokens{first.tokens.back()}, options));
  EXPECT_EQ(second.tokens, (Tokens{4, 8}));
}

TEST(GenerateTest, TheModelsEndOfTextStopsUnlessIgnored) {
  const Model model = LoadSum();
  GenerateOptions options;
  options.max_new_tokens = 4;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const GenerateResult stopped,
                               Generate(*model, Tokens{3, 4}, options));
  EXPECT_EQ(stopped.tokens, Tokens{7});
  EXPECT_EQ(stopped.stop_reason, StopReason::kStopToken);
  ASSERT_TRUE(IsOk(model->Reset()));
  options.ignore_eos = true;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const GenerateResult ignored,
                               Generate(*model, Tokens{3, 4}, options));
  EXPECT_EQ(ignored.tokens, (Tokens{7, 4, 8, 6}));
}

TEST(GenerateTest, AStopTokenOfTheCallerStops) {
  const Model model = LoadSum();
  GenerateOptions options;
  options.stop_tokens = {8};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const GenerateResult result, Generate(*model, Tokens{1}, options));
  EXPECT_EQ(result.tokens, (Tokens{1, 2, 4, 8}));
  EXPECT_EQ(result.stop_reason, StopReason::kStopToken);
}

TEST(GenerateTest, AFullContextStops) {
  const Model model = LoadSum();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const GenerateResult result, Generate(*model, Tokens{2}, {}));
  // All 16 places are taken, and the last logits give one token more.
  EXPECT_EQ(result.tokens.size(), 16u);
  EXPECT_EQ(result.stop_reason, StopReason::kContextFull);
}

TEST(GenerateTest, TheCallbackSeesEachTokenAndCancels) {
  const Model model = LoadSum();
  Tokens seen;
  GenerateOptions options;
  options.on_token = [&](int64_t token) {
    seen.push_back(token);
    return seen.size() < 3;
  };
  ONEPACK_ASSERT_OK_AND_ASSIGN(const GenerateResult result, Generate(*model, Tokens{1}, options));
  EXPECT_EQ(seen, (Tokens{1, 2, 4}));
  EXPECT_EQ(result.tokens, seen);
  EXPECT_EQ(result.stop_reason, StopReason::kCancelled);
}

TEST(GenerateTest, APromptIsCancelledAfterAnyOfItsChunks) {
  const Model model = LoadSum();
  size_t asked = 0;
  GenerateOptions options;
  options.prefill_chunk = 2;
  options.should_cancel = [&] { return ++asked == 4; };
  ONEPACK_ASSERT_OK_AND_ASSIGN(const GenerateResult result,
                               Generate(*model, Tokens(12, 1), options));
  EXPECT_EQ(result.stop_reason, StopReason::kCancelled);
  EXPECT_TRUE(result.tokens.empty());
  EXPECT_EQ(result.prefill_tokens, 6u);
  EXPECT_EQ(model->context(), Tokens(6, 1));
}

TEST(GenerateTest, AnAnswerIsCancelledBeforeAnyOfItsTokens) {
  const Model model = LoadSum();
  size_t asked = 0;
  GenerateOptions options;
  options.should_cancel = [&] { return ++asked == 3; };
  ONEPACK_ASSERT_OK_AND_ASSIGN(const GenerateResult result, Generate(*model, Tokens{1}, options));
  EXPECT_EQ(result.tokens, (Tokens{1, 2}));
  EXPECT_EQ(result.stop_reason, StopReason::kCancelled);
}

// Making text of a token may take long.
TEST(GenerateTest, CallbacksAreNotCounted) {
  const Model model = LoadSum();
  GenerateOptions options;
  options.max_new_tokens = 3;
  const auto sleep = [] { std::this_thread::sleep_for(std::chrono::milliseconds(100)); };
  options.on_token = [&](int64_t) { return sleep(), true; };
  options.should_cancel = [&] { return sleep(), false; };
  ONEPACK_ASSERT_OK_AND_ASSIGN(const GenerateResult result, Generate(*model, Tokens{1}, options));
  EXPECT_LT(result.prefill_seconds, 0.05);
  EXPECT_LT(result.decode_seconds, 0.05);
}

TEST(GenerateTest, ACallbackCannotChangeTheModelItIsCalledFor) {
  const Model model = LoadSum();
  const SavedContext saved = std::move(model->Save()).value();
  std::vector<StatusCode> codes;
  GenerateOptions options;
  options.max_new_tokens = 2;
  options.on_token = [&](int64_t) {
    const auto note = [&](const Status& status) { codes.push_back(status.code()); };
    note(Generate(*model, Tokens{1}, {}).status());
    note(model->Append(Tokens{1}).status());
    note(model->Reset());
    note(model->Rewind(0));
    note(model->Save().status());
    note(model->Restore(saved));
    note(model->Digest().status());
    return true;
  };
  ONEPACK_ASSERT_OK_AND_ASSIGN(const GenerateResult result, Generate(*model, Tokens{1}, options));
  EXPECT_EQ(result.tokens, (Tokens{1, 2}));
  EXPECT_EQ(codes, std::vector<StatusCode>(14, StatusCode::kFailedPrecondition));
  EXPECT_TRUE(IsOk(model->Reset()));
}

TEST(GenerateTest, ACallbackThatThrowsEndsItWithAStatus) {
  const Model model = LoadSum();
  GenerateOptions options;
  options.on_token = [](int64_t) -> bool { throw std::runtime_error("no paper"); };
  EXPECT_TRUE(IsError(Generate(*model, Tokens{1}, options), StatusCode::kInternal,
                      {"on_token", "no paper"}));
  options.on_token = [](int64_t) -> bool { throw 7; };
  EXPECT_TRUE(IsError(Generate(*model, Tokens{1}, options), StatusCode::kInternal, {"on_token"}));
  options.on_token = nullptr;
  options.should_cancel = []() -> bool { throw std::bad_alloc(); };
  EXPECT_TRUE(IsError(Generate(*model, Tokens{1}, options), StatusCode::kResourceExhausted,
                      {"should_cancel"}));
  ASSERT_TRUE(IsOk(model->Reset()));
  EXPECT_TRUE(IsOk(Generate(*model, Tokens{1}, {})));
}

TEST(GenerateTest, NoNewTokensOnlyReadsThePrompt) {
  const Model model = LoadSum();
  GenerateOptions options;
  options.max_new_tokens = 0;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const GenerateResult result, Generate(*model, Tokens{1}, options));
  EXPECT_TRUE(result.tokens.empty());
  EXPECT_EQ(model->context(), Tokens{1});
}

TEST(GenerateTest, BadOptionsAndPromptsAreErrors) {
  const Model model = LoadSum();
  GenerateOptions options;
  options.sampling.top_p = 2;
  EXPECT_TRUE(
      IsError(Generate(*model, Tokens{1}, options), StatusCode::kInvalidArgument, {"top_p"}));
  EXPECT_TRUE(IsError(Generate(*model, Tokens{}, {}), StatusCode::kInvalidArgument, {"no tokens"}));
  EXPECT_TRUE(
      IsError(Generate(*model, Tokens{99}, {}), StatusCode::kInvalidArgument, {"token 99"}));
}

}  // namespace
}  // namespace onepack
