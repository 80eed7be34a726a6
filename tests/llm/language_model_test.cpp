#include "onepack/language_model.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/llm/sum_model.h"
#include "tests/support/sources.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

using Model = std::unique_ptr<LanguageModel>;

Result<Model> LoadSum(const SumModelOptions& options = {}) {
  return LanguageModel::Load(SumModel(options).program(), SumModel::LoadOptions());
}

// What the model says comes next.
int64_t Next(Result<Span<const float>> logits) {
  if (!logits.ok()) {
    ADD_FAILURE() << logits.status().message();
    return -1;
  }
  EXPECT_EQ(logits->size(), static_cast<size_t>(kSumVocabulary));
  return std::max_element(logits->begin(), logits->end()) - logits->begin();
}

std::vector<SumModelOptions> AllKinds() {
  std::vector<SumModelOptions> kinds(13);
  kinds[1].has_cache = false;
  kinds[2].all_positions = true;
  kinds[3].all_logits = true;
  kinds[4].max_chunk = 1;
  kinds[4].is_dynamic = false;
  kinds[1].max_chunk = 16;
  kinds[5].id_type = ScalarType::kInt;
  kinds[6].id_type = ScalarType::kInt;
  kinds[6].all_positions = true;
  kinds[7].int_position = true;
  kinds[8].logit_type = ScalarType::kHalf;
  kinds[9].logit_type = ScalarType::kBFloat16;
  kinds[9].all_logits = true;
  kinds[10].logit_type = ScalarType::kDouble;
  kinds[11].has_embedding = true;
  kinds[12] = kinds[1];
  kinds[12].has_embedding = true;
  kinds[12].all_logits = true;
  return kinds;
}

TEST(LanguageModelTest, ReadsOneAfterTheOtherWhateverItsInputsLookLike) {
  for (const SumModelOptions& options : AllKinds()) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Model model, LoadSum(options));
    EXPECT_EQ(Next(model->Append(std::vector<int64_t>{1, 2, 3})), 6);
    EXPECT_EQ(Next(model->Append(std::vector<int64_t>{1})), 7);
    EXPECT_EQ(Next(model->Append(std::vector<int64_t>{9, 9})), 5);
    EXPECT_EQ(model->context(), (std::vector<int64_t>{1, 2, 3, 1, 9, 9}));
  }
}

TEST(LanguageModelTest, ChunksChangeNothing) {
  for (const size_t chunk : {0, 1, 3, 8, 100}) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Model model, LoadSum());
    EXPECT_EQ(Next(model->Append(std::vector<int64_t>(11, 3), chunk)), 3) << chunk;
  }
}

TEST(LanguageModelTest, ResetForgets) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Model model, LoadSum());
  EXPECT_EQ(Next(model->Append(std::vector<int64_t>{1, 2, 3})), 6);
  ASSERT_TRUE(IsOk(model->Reset()));
  EXPECT_TRUE(model->context().empty());
  EXPECT_EQ(Next(model->Append(std::vector<int64_t>{4})), 4);
}

TEST(LanguageModelTest, ASavedContextCanBeGoneBackToAlsoInAnotherLoad) {
  for (const bool has_cache : {true, false}) {
    SumModelOptions options;
    options.has_cache = has_cache;
    const SumModel sum(options);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Model first,
                                 LanguageModel::Load(sum.program(), SumModel::LoadOptions()));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Model second,
                                 LanguageModel::Load(sum.program(), SumModel::LoadOptions()));
    EXPECT_EQ(Next(first->Append(std::vector<int64_t>{1, 2})), 3);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const SavedContext saved, first->Save());
    EXPECT_EQ(Next(first->Append(std::vector<int64_t>{4})), 7);
    for (const Model* model : {&first, &second, &first}) {
      ASSERT_TRUE(IsOk((*model)->Restore(saved)));
      EXPECT_EQ(Next((*model)->Append(std::vector<int64_t>{5})), 8);
    }
  }
}

TEST(LanguageModelTest, AContextOfAnotherProgramIsRefused) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Model first, LoadSum());
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Model second, LoadSum());
  ONEPACK_ASSERT_OK_AND_ASSIGN(const SavedContext saved, first->Save());
  EXPECT_TRUE(IsError(second->Restore(saved), StatusCode::kInvalidArgument, {"sum.pte"}));
  SavedContext too_long = {saved.state, std::vector<int64_t>(17)};
  EXPECT_TRUE(IsError(first->Restore(too_long), StatusCode::kInvalidArgument, {"17 tokens"}));
  SavedContext unknown = {saved.state, {10}};
  EXPECT_TRUE(IsError(first->Restore(unknown), StatusCode::kInvalidArgument, {"token 10"}));
  EXPECT_TRUE(IsError(second->Restore({}), StatusCode::kInvalidArgument, {"empty"}));
}

TEST(LanguageModelTest, ChunksAreAsLargeAsAskedForWhereTheModelTakesThem) {
  // The cache ends at 16 tokens. How far a longer prompt got shows how large its chunks were.
  for (const auto& [asked, read] : {std::pair<size_t, size_t>{1, 16}, {3, 15}, {0, 16}, {7, 14}}) {
    SumModelOptions options;
    options.max_context = 100;
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Model model, LoadSum(options));
    EXPECT_FALSE(model->Append(std::vector<int64_t>(30, 1), asked).ok());
    EXPECT_EQ(model->context().size(), read) << asked;
  }
}

TEST(LanguageModelTest, TheMethodCanBeChosen) {
  SumModelOptions options;
  options.method = "lora_forward";
  const SumModel sum(options);
  EXPECT_TRUE(IsError(LanguageModel::Load(sum.program(), SumModel::LoadOptions()),
                      StatusCode::kNotFound, {"'forward'", "'lora_forward'"}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const Model model,
      LanguageModel::Load(sum.program(), SumModel::LoadOptions(), "lora_forward"));
  EXPECT_EQ(Next(model->Append(std::vector<int64_t>{1, 2})), 3);
}

TEST(LanguageModelTest, IdsThatDoNotFitAreNamed) {
  SumModelOptions options;
  options.id_type = ScalarType::kInt;
  options.has_vocabulary = false;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Model model, LoadSum(options));
  EXPECT_TRUE(IsError(model->Append(std::vector<int64_t>{int64_t{1} << 31}),
                      StatusCode::kInvalidArgument, {"sum.pte", "2147483648", "int32"}));
  EXPECT_TRUE(model->context().empty());
}

TEST(LanguageModelTest, BadTokensAreNamedAndChangeNothing) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Model model, LoadSum());
  EXPECT_EQ(Next(model->Append(std::vector<int64_t>{1, 2})), 3);
  EXPECT_TRUE(IsError(model->Append(std::vector<int64_t>{3, 10}), StatusCode::kInvalidArgument,
                      {"sum.pte", "token 10", "vocabulary of 10"}));
  EXPECT_TRUE(
      IsError(model->Append(std::vector<int64_t>{-1}), StatusCode::kInvalidArgument, {"token -1"}));
  EXPECT_TRUE(
      IsError(model->Append(std::vector<int64_t>()), StatusCode::kInvalidArgument, {"no tokens"}));
  EXPECT_TRUE(IsError(model->Append(std::vector<int64_t>(15)), StatusCode::kInvalidArgument,
                      {"15 tokens after 2", "room for 16"}));
  EXPECT_EQ(Next(model->Append(std::vector<int64_t>{4})), 7);
}

// The program says that it has room for more than its cache has.
TEST(LanguageModelTest, AChunkThatFailsIsNotInTheContext) {
  SumModelOptions options;
  options.max_context = 100;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Model model, LoadSum(options));
  EXPECT_TRUE(IsError(model->Append(std::vector<int64_t>(20, 1)), StatusCode::kInvalidArgument,
                      {"sum.pte", "position 16"}));
  EXPECT_EQ(model->context().size(), 16u);
  ASSERT_TRUE(IsOk(model->Reset()));
  EXPECT_EQ(Next(model->Append(std::vector<int64_t>{4})), 4);
}

TEST(LanguageModelTest, OtherMethodsAreRefused) {
  const auto load = [](MethodPlan forward) -> Result<Model> {
    ProgramWriter writer;
    writer.AddMethod(std::move(forward));
    ONEPACK_ASSIGN_OR_RETURN(const Ref<Program> program, OpenProgram(writer.Finish()));
    return LanguageModel::Load(program, {});
  };
  EXPECT_TRUE(IsError(load(ConstantMethod("forward", {int64_t{1}})), StatusCode::kUnsupported,
                      {"test.pte", "forward", "not a language model"}));
  MethodPlan number = ConstantMethod("forward", {int64_t{1}});
  number.inputs = {0};
  EXPECT_TRUE(IsError(load(number), StatusCode::kUnsupported, {"input 0 is not int64 or int32"}));
  EXPECT_TRUE(IsError(load(ConstantMethod("backward", {})), StatusCode::kNotFound, {"forward"}));
  SumModelOptions silent;
  silent.max_context = 0;
  EXPECT_TRUE(IsError(LoadSum(silent), StatusCode::kUnsupported, {"how long a context"}));
}

}  // namespace
}  // namespace onepack
