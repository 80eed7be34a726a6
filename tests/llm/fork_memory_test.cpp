// What long contexts and forks of them take: a random model with a cache of tens of megabytes and
// few weights.

#include <gtest/gtest.h>
#include <stdint.h>
#include <sys/mman.h>

#include <memory>
#include <string>
#include <vector>

#include "base/page_size.h"
#include "onepack/generate.h"
#include "runtime/page_map.h"
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

// A folder with a model whose cache is much more than all else.
class LongContextModel {
 public:
  LongContextModel() : options_(LongContext(2)) {
    EXPECT_TRUE(IsOk(WriteLanguageModel(folder_.path(), options_)));
  }

  Model Load() const {
    auto model = LoadExported(
        {folder_.File("base.pte"), {folder_.File("foundation.ptd")}, LinearLayout::kInPlace});
    EXPECT_TRUE(IsOk(model));
    return model.ok() ? std::move(model).value() : nullptr;
  }
  const LanguageModelOptions& options() const { return options_; }

 private:
  const TempFolder folder_;
  const LanguageModelOptions options_;
};

size_t ContextBytesOf(const std::vector<const LanguageModel*>& models) {
  auto bytes = LanguageModel::ContextBytes(models);
  EXPECT_TRUE(IsOk(bytes));
  return bytes.ok() ? *bytes : 0;
}

// Whether the system says which pages were written. Where it does not, as under emulators, all of a
// cache counts.
bool IsKnownWhatWasWritten() {
  void* const untouched =
      mmap(nullptr, PageSize(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (untouched == MAP_FAILED) return false;
  const bool is_known = !PageMap().IsOwn(static_cast<const uint8_t*>(untouched));
  munmap(untouched, PageSize());
  return is_known;
}

TEST(ContextBytesTest, PagesThatForksShareCountOnce) {
  if (!IsKnownWhatWasWritten()) GTEST_SKIP() << "the system does not say what was written";
  const LongContextModel files;
  const Model parent = files.Load();
  ASSERT_NE(parent, nullptr);
  EXPECT_LT(ContextBytesOf({parent.get()}), kMega);
  ASSERT_TRUE(IsOk(parent->Append(LongPrompt(kPrompt))));
  const size_t cache = CacheBytes(files.options(), kPrompt);
  const size_t read = ContextBytesOf({parent.get()});
  EXPECT_GE(read, cache);
  if (kSanitized) GTEST_SKIP() << "a sanitizer's own memory may count";

  ONEPACK_ASSERT_OK_AND_ASSIGN(const Model one, parent->Fork());
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Model other, parent->Fork());
  const size_t shared = ContextBytesOf({one.get()});
  EXPECT_GE(shared, cache);
  EXPECT_LT(shared, read + kMega);
  EXPECT_EQ(ContextBytesOf({other.get()}), shared);
  EXPECT_EQ(ContextBytesOf({one.get(), other.get(), parent.get()}), shared);
  ASSERT_TRUE(IsOk(one->Append(LongPrompt(1))));
  const size_t with_own = ContextBytesOf({one.get(), other.get()});
  EXPECT_GT(with_own, shared);
  EXPECT_LT(with_own, shared + kMega);
  EXPECT_EQ(ContextBytesOf({other.get()}), shared);
}

// What the count says is what goes back.
TEST(ContextBytesTest, AResetGivesThemBack) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's own memory would be measured";
  if (!IsKnownWhatWasWritten()) GTEST_SKIP() << "the system does not say what was written";
  const LongContextModel files;
  const Model model = files.Load();
  ASSERT_NE(model, nullptr);
  ASSERT_TRUE(IsOk(model->Append(LongPrompt(kPrompt))));
  ONEPACK_ASSERT_OK_AND_ASSIGN(Model fork, model->Fork());
  const size_t counted = ContextBytesOf({model.get(), fork.get()});
  const size_t before = OwnBytes();
  ASSERT_TRUE(IsOk(model->Reset()));
  EXPECT_LT(ContextBytesOf({model.get()}), kMega);
  EXPECT_GT(OwnBytes() + kMega, before);  // the fork has it
  fork.reset();
  EXPECT_LT(OwnBytes(), before - counted + kMega);
}

TEST(ContextBytesTest, ThereIsNoneOfNoModel) {
  EXPECT_EQ(ContextBytesOf({}), 0u);
  const LanguageModel* const none[] = {nullptr};
  EXPECT_TRUE(IsError(LanguageModel::ContextBytes(none), StatusCode::kInvalidArgument));
}

TEST(ForkMemoryTest, EightConversationsHaveTheirPromptOnce) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's own memory would be measured";
  const LongContextModel files;
  const LanguageModelOptions& options = files.options();
  const Model parent = files.Load();
  const Model alone = files.Load();
  ASSERT_TRUE(parent && alone);
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
