// A language model whose KV cache another method of its program has as well.

#include <algorithm>

#include "onepack/language_model.h"
#include "tests/llm/sum_model.h"
#include "tests/support/sources.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

constexpr int32_t kChunk = 4;

TensorPlan Placed(ScalarType type, std::vector<int32_t> sizes, PlannedPlace place) {
  TensorPlan tensor;
  tensor.scalar_type = type;
  tensor.sizes = std::move(sizes);
  tensor.place = place;
  return tensor;
}

// The cache, then tokens and position, then logits.
MethodPlan PlanOf(const char* name) {
  MethodPlan plan;
  plan.name = name;
  plan.values = {Placed(ScalarType::kFloat, {16}, {2, 0}),
                 Placed(ScalarType::kLong, {1, kChunk}, {1, 0}),
                 Placed(ScalarType::kLong, {1}, {1, 64}),
                 Placed(ScalarType::kFloat, {1, kSumVocabulary}, {1, 128})};
  std::get<TensorPlan>(plan.values[1]).is_dynamic = true;
  plan.inputs = {1, 2};
  plan.outputs = {3};
  plan.buffer_sizes = {0, 192, 64};
  plan.operators = {{"test::sum", "out"}};
  plan.chains = {{KernelCallPlan{0, {1, 2, 0, 3}}}};
  return plan;
}

Result<Ref<Program>> SharingProgram() {
  ProgramWriter writer;
  writer.AddMethod(PlanOf("forward"));
  writer.AddMethod(PlanOf("prefill"));
  writer.AddMethod(ConstantMethod("get_max_context_len", {int64_t{16}}));
  writer.AddMethod(ConstantMethod("get_vocab_size", {int64_t{kSumVocabulary}}));
  return OpenProgram(writer.Finish(), "sum.pte");
}

int64_t Likeliest(Span<const float> logits) {
  return std::max_element(logits.begin(), logits.end()) - logits.begin();
}

TEST(SharedCacheTest, AModelHasItsOwn) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Program> program, SharingProgram());
  const MethodOptions options = SumModel::LoadOptions();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto first, LanguageModel::Load(program, options));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto second, LanguageModel::Load(program, options));
  const std::vector<int64_t> tokens = {1, 2};
  ASSERT_TRUE(IsOk(first->Append(tokens)));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto logits, second->Append(tokens));
  EXPECT_EQ(Likeliest(logits), 3);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto more, first->Append(tokens));
  EXPECT_EQ(Likeliest(more), 6);
}

TEST(SharedCacheTest, AModelUsesTheOneThatItIsGiven) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Program> program, SharingProgram());
  MethodOptions options = SumModel::LoadOptions();
  ONEPACK_ASSERT_OK_AND_ASSIGN(options.shared_state, SharedState::Create(program));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto first, LanguageModel::Load(program, options));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto second, LanguageModel::Load(program, options));
  const std::vector<int64_t> before = {1, 2};
  const std::vector<int64_t> other = {5, 6};
  ASSERT_TRUE(IsOk(first->Append(before)));
  ASSERT_TRUE(IsOk(second->Append(other)));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto logits, first->Append(before));
  EXPECT_EQ(Likeliest(logits), (5 + 6 + 1 + 2) % kSumVocabulary);
}

// Also where others go on with the one that they were given.
TEST(SharedCacheTest, AForkHasACacheOfItsOwn) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Program> program, SharingProgram());
  MethodOptions options = SumModel::LoadOptions();
  ONEPACK_ASSERT_OK_AND_ASSIGN(options.shared_state, SharedState::Create(program));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto model, LanguageModel::Load(program, options));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto other, LanguageModel::Load(program, options));
  const std::vector<int64_t> tokens = {1, 2};
  ASSERT_TRUE(IsOk(model->Append(tokens)));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto fork, model->Fork());
  ASSERT_TRUE(IsOk(other->Append(std::vector<int64_t>{5, 6})));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto logits, fork->Append(tokens));
  EXPECT_EQ(Likeliest(logits), 6);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto more, model->Append(tokens));
  EXPECT_EQ(Likeliest(more), (5 + 6 + 1 + 2) % kSumVocabulary);
}

}  // namespace
}  // namespace onepack
