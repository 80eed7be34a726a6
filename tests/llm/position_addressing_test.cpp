#include "llm/position_addressing.h"

#include <gtest/gtest.h>

#include "tests/llm/exported_model.h"
#include "tests/llm/sum_model.h"
#include "tests/support/files.h"
#include "tests/support/sources.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

Result<Ref<Program>> Open(const std::string& path) {
  ONEPACK_ASSIGN_OR_RETURN(const Ref<DataSource> file, OpenMappedFile(TestData(path).c_str()));
  return Program::Open(file);
}

TEST(PositionAddressingTest, KvCachesThatAreWrittenAtThePositionPass) {
  for (const char* path :
       {"language_models/state_update_cache.pte", "language_models/state_sdpa_with_kv_cache.pte",
        "language_models/state_index_copy.pte", "language_models/state_index_put.pte",
        "language_models/state_all_positions.pte", "cases/llm_fp32/base.pte",
        "cases/llm_8da4w/a0.pte"}) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Program> program, Open(path));
    EXPECT_TRUE(IsOk(CheckPositionAddressed(*program, "forward", 1))) << path;
  }
}

TEST(PositionAddressingTest, ACacheThatWrapsAroundDoesNot) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Program> program, Open("language_models/state_ring.pte"));
  EXPECT_TRUE(IsError(CheckPositionAddressed(*program, "forward", 1), StatusCode::kUnsupported,
                      {"state_ring.pte", "'forward'", "update_cache_with_indices"}));
}

TEST(PositionAddressingTest, ARecurrentStateDoesNot) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Program> program,
                               Open("language_models/state_recurrent.pte"));
  EXPECT_TRUE(IsError(CheckPositionAddressed(*program, "forward", 1), StatusCode::kUnsupported,
                      {"instruction 6", "aten::copy_", "not addressed by position"}));
}

TEST(PositionAddressingTest, AnOperatorThatIsNotKnownDoesNot) {
  const SumModel sum;
  EXPECT_TRUE(IsError(CheckPositionAddressed(*sum.program(), "forward", 1),
                      StatusCode::kUnsupported, {"sum.pte", "test::sum"}));
}

// A cache of 4 places, which `calls` change; values 0 and 1 are tokens and position.
Status CheckCalls(std::vector<OperatorPlan> operators, std::vector<ValuePlan> more_values,
                  std::vector<KernelCallPlan> calls) {
  TensorPlan numbers;
  numbers.scalar_type = ScalarType::kLong;
  numbers.sizes = {1};
  TensorPlan cache;
  cache.sizes = {4};
  MethodPlan plan;
  plan.values = {numbers, numbers, cache};
  for (ValuePlan& value : more_values) plan.values.push_back(std::move(value));
  plan.inputs = {0, 1};
  plan.outputs = {2};
  plan.operators = std::move(operators);
  plan.chains = {{calls.begin(), calls.end()}};
  ProgramWriter writer;
  writer.AddMethod(plan);
  auto program = OpenProgram(writer.Finish());
  if (!program.ok()) return program.TakeStatus();
  return CheckPositionAddressed(**program, "forward", 1);
}

TEST(PositionAddressingTest, IndicesMustBeThePositionAndReplaceWhatWasThere) {
  TensorPlan value;
  value.sizes = {1};
  const OptionalTensorListPlan at_position{{1}};
  const OptionalTensorListPlan at_token{{0}};
  const OptionalTensorListPlan nowhere{{-1}};
  const std::vector<OperatorPlan> operators = {{"aten::index_put_", ""}};
  const std::vector<KernelCallPlan> calls = {{0, {2, 3, 4, 5, 2}}};
  EXPECT_TRUE(IsOk(CheckCalls(operators, {at_position, value, false}, calls)));
  for (const std::vector<ValuePlan>& values :
       {std::vector<ValuePlan>{at_token, value, false},
        std::vector<ValuePlan>{nowhere, value, false},
        std::vector<ValuePlan>{at_position, value, true},
        std::vector<ValuePlan>{at_position, value, int64_t{0}}}) {
    EXPECT_TRUE(
        IsError(CheckCalls(operators, values, calls), StatusCode::kUnsupported, {"index_put_"}));
  }
}

// copy_(cache, index_put(OTHER, [position], value)) replaces all of the cache.
TEST(PositionAddressingTest, WhatIsCopiedBackMustBeMadeOfTheSameState) {
  TensorPlan tensor;
  tensor.sizes = {4};
  const std::vector<ValuePlan> values = {OptionalTensorListPlan{{1}}, tensor, false, tensor,
                                         tensor};
  const std::vector<OperatorPlan> operators = {{"aten::index_put", "out"}, {"aten::copy_", ""}};
  const KernelCallPlan copy_back{1, {2, 6, 5, 2}};
  EXPECT_TRUE(IsOk(CheckCalls(operators, values, {{0, {2, 3, 4, 5, 6, 6}}, copy_back})));
  EXPECT_TRUE(IsError(CheckCalls(operators, values, {{0, {7, 3, 4, 5, 6, 6}}, copy_back}),
                      StatusCode::kUnsupported, {"instruction 1", "copy_"}));
}

TEST(PositionAddressingTest, ManySumsOfSumsTakeNoTime) {
  TensorPlan number;
  number.scalar_type = ScalarType::kLong;
  number.sizes = {1};
  std::vector<ValuePlan> values = {number, OptionalTensorListPlan{{}}, number, false, int64_t{4}};
  std::vector<KernelCallPlan> calls;
  int32_t last = 0;
  for (int32_t i = 0; i < 60; ++i) {  // a = arange(last), b = arange(last), last = a + b
    const auto a = static_cast<int32_t>(3 + values.size());
    for (int k = 0; k < 3; ++k) values.push_back(number);
    calls.push_back({0, {last, 7, 7, a}});
    calls.push_back({0, {last, 7, 7, a + 1}});
    calls.push_back({1, {a, a + 1, a + 2}});
    last = a + 2;
  }
  values[1] = OptionalTensorListPlan{{last}};
  calls.push_back({2, {2, 4, 5, 6, 2}});
  EXPECT_TRUE(IsError(
      CheckCalls({{"aten::arange", "start_out"}, {"aten::add", "out"}, {"aten::index_put_", ""}},
                 values, calls),
      StatusCode::kUnsupported, {"index_put_"}));
}

}  // namespace
}  // namespace onepack
