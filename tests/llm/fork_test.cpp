// Models that go on from one context: each beside a model of its own that has read the same.

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "onepack/generate.h"
#include "tests/llm/exported_model.h"
#include "tests/llm/sum_model.h"
#include "tests/support/status_matchers.h"
#include "tests/support/threads.h"

namespace onepack {
namespace {

using Model = std::unique_ptr<LanguageModel>;
using Tokens = std::vector<int64_t>;

// KV caches of all kinds, one that wraps around, state without positions, int4 and f32 weights.
std::vector<ModelFiles> AllFiles() {
  std::vector<ModelFiles> all;
  for (const char* name :
       {"state_update_cache", "state_index_copy", "state_all_positions", "state_index_put",
        "state_sdpa_with_kv_cache", "state_ring", "state_recurrent"}) {
    all.push_back({std::string("language_models/") + name + ".pte", {}, LinearLayout::kPacked});
  }
  all.push_back(kPackedAdapter);
  all.push_back({kPackedAdapter.program, kPackedAdapter.data, LinearLayout::kInPlace});
  all.push_back({"cases/llm_fp32/a0.pte",
                 {"cases/llm_fp32/foundation.ptd", "cases/llm_fp32/a0.ptd"},
                 LinearLayout::kAuto});
  return all;
}

Model ForkOf(const Model& model) {
  auto fork = model->Fork();
  EXPECT_TRUE(IsOk(fork));
  return fork.ok() ? std::move(fork).value() : nullptr;
}

// A model, and another that was loaded by itself and is told the same.
class Pair {
 public:
  explicit Pair(const ModelFiles& files) : files_(files), model_(Load()), alone_(Load()) {}
  Pair(const Pair& from, Model fork)
      : files_(from.files_), model_(std::move(fork)), alone_(from.Load()), read_(from.read_) {
    for (const Tokens& tokens : read_) LogitsAfter(*alone_, tokens);
  }

  LanguageModel& model() { return *model_; }
  Pair Fork() const { return Pair(*this, ForkOf(model_)); }

  void Append(const Tokens& tokens) {
    read_.push_back(tokens);
    EXPECT_EQ(LogitsAfter(*model_, tokens), LogitsAfter(*alone_, tokens)) << files_.program;
    EXPECT_EQ(model_->context(), alone_->context());
  }
  void Reset() {
    EXPECT_TRUE(IsOk(model_->Reset()));
    EXPECT_TRUE(IsOk(alone_->Reset()));
    read_.clear();
  }
  void GoBackTo(Pair& other) {
    for (const auto& [to, from] : {std::pair{&model_, &other.model_}, {&alone_, &other.alone_}}) {
      auto saved = (*from)->Save();
      ASSERT_TRUE(IsOk(saved));
      EXPECT_TRUE(IsOk((*to)->Restore(*saved)));
    }
    read_ = other.read_;
  }
  void RewindTo(size_t count) {
    EXPECT_TRUE(IsOk(model_->Rewind(count)));
    EXPECT_TRUE(IsOk(alone_->Rewind(count)));
  }

 private:
  Model Load() const {
    auto model = LoadExported(files_);
    EXPECT_TRUE(IsOk(model));
    return std::move(model).value();
  }

  ModelFiles files_;
  Model model_;
  Model alone_;
  std::vector<Tokens> read_;
};

TEST(ModelForkTest, ForksAnswerAsModelsOfTheirOwnInAnyOrder) {
  for (const ModelFiles& files : AllFiles()) {
    Pair parent(files);
    parent.Append({3, 5});
    std::vector<Pair> forks;
    for (int i = 0; i < 8; ++i) forks.push_back(parent.Fork());
    for (int64_t turn = 0; turn < 3; ++turn) {
      for (size_t i = 0; i < forks.size(); ++i) {
        forks[(i * 5) % forks.size()].Append({static_cast<int64_t>(i) + turn * 3 + 1});
      }
      parent.Append({turn + 20, 4});
    }
  }
}

TEST(ModelForkTest, AForkHasForks) {
  for (const ModelFiles& files : AllFiles()) {
    Pair pair(files);
    std::vector<Pair> parents;
    for (int64_t turn = 0; turn < 6; ++turn) {
      pair.Append({turn + 1});
      Pair fork = pair.Fork();
      parents.push_back(std::move(pair));
      pair = std::move(fork);
    }
    for (Pair& parent : parents) parent.Append({9});
    pair.Append({9});
  }
}

TEST(ModelForkTest, WhatHappensToOneIsNothingToTheOthers) {
  for (const ModelFiles& files : {kPackedAdapter, AllFiles().back()}) {
    Pair parent(files);
    parent.Append({3, 5, 7});
    Pair reset = parent.Fork();
    Pair rewound = parent.Fork();
    Pair restored = parent.Fork();
    Pair other = parent.Fork();
    other.Append({30, 31});
    reset.Reset();
    rewound.RewindTo(1);
    restored.GoBackTo(other);
    for (Pair* pair : {&reset, &rewound, &restored, &other, &parent}) pair->Append({11, 12});
    parent.Reset();
    parent.Append({3});
    for (Pair* pair : {&other, &reset, &parent}) pair->Append({40});
  }
}

TEST(ModelForkTest, AStateThatAForkSavesIsTheWholeState) {
  for (const ModelFiles& files : AllFiles()) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Model parent, LoadExported(files));
    LogitsAfter(*parent, {3, 5});
    const Model untouched = ForkOf(parent);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const SavedContext of_parent, parent->Save());
    ONEPACK_ASSERT_OK_AND_ASSIGN(const SavedContext of_fork, untouched->Save());
    EXPECT_EQ(of_fork.tokens, of_parent.tokens);
    const auto bytes = [](const SavedContext& saved) {
      return std::vector<uint8_t>(saved.state->contents().begin(), saved.state->contents().end());
    };
    EXPECT_EQ(bytes(of_fork), bytes(of_parent));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Model loaded, LoadExported(files));
    LogitsAfter(*loaded, {30});
    ASSERT_TRUE(IsOk(loaded->Restore(of_fork)));
    EXPECT_EQ(LogitsAfter(*loaded, {9}), LogitsAfter(*untouched, {9}));
  }
}

TEST(ModelForkTest, TheFirstThatIsClosedTakesNothingWithIt) {
  for (const ModelFiles& files : AllFiles()) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(Model parent, LoadExported(files));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Model alone, LoadExported(files));
    LogitsAfter(*parent, {3, 5});
    LogitsAfter(*alone, {3, 5});
    Model first = ForkOf(parent);
    parent = nullptr;
    const Model second = ForkOf(first);
    LogitsAfter(*first, {29});
    first = nullptr;
    EXPECT_EQ(LogitsAfter(*second, {9}), LogitsAfter(*alone, {9})) << files.program;
  }
}

TEST(ModelForkTest, AForkMayBeClosedWhileAnotherAnswers) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(Model parent, LoadExported(kPackedAdapter));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Model alone, LoadExported(kPackedAdapter));
  LogitsAfter(*parent, {3, 17});
  const Model fork = ForkOf(parent);
  Model other = ForkOf(parent);
  GenerateOptions options;
  options.max_new_tokens = 6;
  options.on_token = [&](int64_t /*token*/) {
    (other != nullptr ? other : parent) = nullptr;
    return true;
  };
  ONEPACK_ASSERT_OK_AND_ASSIGN(const GenerateResult result, Generate(*fork, Tokens{99}, options));
  EXPECT_EQ(parent, nullptr);
  LogitsAfter(*alone, {3, 17});
  EXPECT_EQ(result.tokens, Answer(*alone, {99}, 6));
}

TEST(ModelForkTest, ForksRunInParallelAndSoDoTheirForks) {
  for (const ModelFiles& files : AllFiles()) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Model parent, LoadExported(files));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Model alone, LoadExported(files));
    LogitsAfter(*parent, {3, 5});
    LogitsAfter(*alone, {3, 5});
    const std::vector<float> expected = LogitsAfter(*alone, {9});
    const Model shared[] = {ForkOf(parent), ForkOf(parent)};
    RunInThreads(2, [&](int thread) {
      const Model& mine = shared[thread];
      for (int i = 0; i < 5; ++i) {
        const Model fork = ForkOf(mine);
        EXPECT_EQ(LogitsAfter(*fork, {9}), expected);
        const Model next = ForkOf(fork);
        EXPECT_TRUE(IsOk(fork->Reset()));
        LogitsAfter(*next, {2, 1});
      }
      EXPECT_EQ(LogitsAfter(*mine, {9}), expected);
    });
  }
}

TEST(ModelForkTest, AModelThatAnswersIsNotForked) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Model model, LoadExported(kPackedAdapter));
  GenerateOptions options;
  options.max_new_tokens = 2;
  options.on_token = [&](int64_t /*token*/) {
    EXPECT_TRUE(
        IsError(model->Fork(), StatusCode::kFailedPrecondition, {"a0.pte", "the model is in use"}));
    return true;
  };
  ASSERT_TRUE(IsOk(Generate(*model, Tokens{3}, options)));
  EXPECT_TRUE(IsOk(model->Fork()));
}

TEST(ModelForkTest, EveryKindOfModelCanBeForked) {
  std::vector<SumModelOptions> kinds(5);
  kinds[1].has_cache = false;
  kinds[1].max_chunk = 16;
  kinds[2].has_embedding = true;
  kinds[3].int_position = true;
  kinds[4].all_positions = true;
  for (const SumModelOptions& kind : kinds) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(
        const Model model, LanguageModel::Load(SumModel(kind).program(), SumModel::LoadOptions()));
    const auto next = [](LanguageModel& from, const Tokens& tokens) {
      const std::vector<float> logits = LogitsAfter(from, tokens);
      return std::max_element(logits.begin(), logits.end()) - logits.begin();
    };
    EXPECT_EQ(next(*model, {1, 2}), 3);
    const Model fork = ForkOf(model);
    EXPECT_EQ(fork->max_chunk(), model->max_chunk());
    EXPECT_EQ(fork->max_context(), model->max_context());
    EXPECT_STREQ(fork->name(), model->name());
    EXPECT_EQ(fork->context(), (Tokens{1, 2}));
    EXPECT_EQ(next(*fork, {4}), 7);
    EXPECT_EQ(next(*model, {5}), 8);
    EXPECT_TRUE(IsError(fork->Append(Tokens(14, 1)), StatusCode::kInvalidArgument,
                        {"14 tokens after 3: the context has room for 16"}));
    ASSERT_TRUE(IsOk(fork->Rewind(0)));
    EXPECT_EQ(next(*fork, {6}), 6);
  }
}

// Of two methods as well, each of which has memory of its own.
TEST(ModelForkTest, AResetGivesBackTheMemoryOfEveryMethod) {
  SumModelOptions two;
  two.has_embedding = true;
  for (const SumModelOptions& kind : {SumModelOptions(), two}) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(
        const Model model, LanguageModel::Load(SumModel(kind).program(), SumModel::LoadOptions()));
    const LanguageModel* const models[] = {model.get()};
    ONEPACK_ASSERT_OK_AND_ASSIGN(const size_t fresh, LanguageModel::ContextBytes(models));
    ASSERT_TRUE(IsOk(model->Append(Tokens{1, 2})));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const size_t read, LanguageModel::ContextBytes(models));
    EXPECT_GE(read, fresh);
    ASSERT_TRUE(IsOk(model->Reset()));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const size_t reset, LanguageModel::ContextBytes(models));
    EXPECT_EQ(reset, fresh);
  }
}

TEST(ModelForkTest, AChunkSaysWhereAContextMayBeCut) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Model model,
                               LanguageModel::Load(SumModel().program(), SumModel::LoadOptions()));
  EXPECT_EQ(model->ChunkFor(0), 8u);
  EXPECT_EQ(model->ChunkFor(3), 3u);
  EXPECT_EQ(model->ChunkFor(9), 8u);
  SumModelOptions kind;
  kind.is_dynamic = false;
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const Model fixed, LanguageModel::Load(SumModel(kind).program(), SumModel::LoadOptions()));
  EXPECT_EQ(fixed->ChunkFor(3), 8u);
  kind = SumModelOptions();
  kind.has_cache = false;
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const Model whole, LanguageModel::Load(SumModel(kind).program(), SumModel::LoadOptions()));
  EXPECT_EQ(whole->ChunkFor(3), whole->max_context());
}

}  // namespace
}  // namespace onepack
