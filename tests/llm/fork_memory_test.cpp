// What forks of a long context take: a random model with a cache of tens of megabytes and few
// weights.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "onepack/generate.h"
#include "tests/llm/exported_model.h"
#include "tests/support/files.h"
#include "tests/support/long_context.h"
#include "tests/support/resident_bytes.h"
#include "tests/support/sanitizers.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

using Model = std::unique_ptr<LanguageModel>;

constexpr size_t kMega = size_t{1} << 20;
constexpr size_t kPrompt = 1500;

// A float for each key and value.
size_t CacheBytes(const LanguageModelOptions& options, size_t tokens) {
  return tokens * options.layers * 2 * options.kv_heads * options.head_dim * sizeof(float);
}

TEST(ForkMemoryTest, EightConversationsHaveTheirPromptOnce) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's own memory would be measured";
  const LanguageModelOptions options = LongContext(2);
  const TempFolder folder;
  ASSERT_TRUE(IsOk(WriteLanguageModel(folder.path(), options)));
  const ModelFiles files = {
      folder.File("base.pte"), {folder.File("foundation.ptd")}, LinearLayout::kInPlace};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Model parent, LoadExported(files));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Model alone, LoadExported(files));
  ASSERT_TRUE(IsOk(parent->Append(LongPrompt(kPrompt))));
  const size_t cache = CacheBytes(options, kPrompt);
  ASSERT_GT(cache, 20 * kMega);
  const size_t before = OwnBytes();
  ASSERT_GT(before, cache);

  std::vector<Model> forks;
  for (int i = 0; i < 8; ++i) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(Model fork, parent->Fork());
    forks.push_back(std::move(fork));
  }
  const size_t forked = OwnBytes();
  EXPECT_LT(forked, before + 8 * kMega / 4);
  constexpr size_t kAnswer = 20;
  std::vector<std::vector<int64_t>> answers;
  for (size_t i = 0; i < forks.size(); ++i) {
    answers.push_back(Answer(*forks[i], {static_cast<int64_t>(i)}, kAnswer, true));
  }
  // Whole pages of what each has added, and its activations.
  EXPECT_LT(OwnBytes(), forked + 8 * (2 * CacheBytes(options, kAnswer) + kMega));
  EXPECT_LT(ProportionalBytesOf("/memfd:onepack-state (deleted)"), cache + cache / 2);
  forks.clear();
  EXPECT_LT(OwnBytes(), before + kMega);

  // All the same as in a context that shares nothing.
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto logits, alone->Append(LongPrompt(kPrompt)));
  ASSERT_FALSE(logits.empty());
  for (size_t i = 0; i < answers.size(); i += 7) {
    EXPECT_EQ(Answer(*alone, {static_cast<int64_t>(i)}, kAnswer, true), answers[i]);
    ASSERT_TRUE(IsOk(alone->Rewind(kPrompt)));
  }
}

}  // namespace
}  // namespace onepack
