#include "delegate/xnn/definitions.h"

#include <gtest/gtest.h>
#include <math.h>

#include "delegate/xnn/handles.h"
#include "delegate/xnn/initialize.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

constexpr size_t kHeads = 2, kQueries = 3, kKeys = 5, kChannels = 4, kOutputs = 6;
constexpr size_t kPadding = XNN_EXTRA_BYTES / sizeof(float);

std::vector<float> NumbersOf(size_t count, float step) {
  std::vector<float> numbers(count + kPadding);
  for (size_t i = 0; i < count; ++i) numbers[i] = sinf(static_cast<float>(i) * step);
  return numbers;
}

using Definer = Status (*)(xnn_subgraph_t, const AttentionValues&);

// What a definer's graph computes, with or without heads of keys and values.
class AttentionRun {
 public:
  AttentionRun(Definer define, bool has_heads) : define_(define), has_heads_(has_heads) {}

  Result<std::vector<float>> operator()() {
    xnn_subgraph_t created = nullptr;
    ONEPACK_RETURN_IF_XNN_ERROR(xnn_create_subgraph(6, 0, &created), "a subgraph");
    const XnnSubgraph subgraph(created);
    AttentionValues values{};
    values.datatype = xnn_datatype_fp32;
    values.query_rank = 3;
    values.key_rank = has_heads_ ? 3 : 2;
    const auto of_heads = [&](size_t rows, size_t columns) {
      return has_heads_ ? std::vector<size_t>{kHeads, rows, columns}
                        : std::vector<size_t>{rows, columns};
    };
    const std::vector<size_t> queries = {kHeads, kQueries, kChannels};
    values.query = Add(created, queries, 0.7f);
    values.key = Add(created, of_heads(kKeys, kChannels), 0.3f);
    values.value = Add(created, of_heads(kKeys, kOutputs), 0.9f);
    values.scale = Add(created, {kChannels}, 1.1f);
    values.mask = Add(created, {kQueries, kKeys}, 0.2f);
    values.output = Add(created, {kHeads, kQueries, kOutputs}, 0);
    ONEPACK_RETURN_IF_ERROR(define_(created, values));
    return Run(created);
  }

 private:
  uint32_t Add(xnn_subgraph_t subgraph, const std::vector<size_t>& dims, float step) {
    size_t count = 1;
    for (const size_t dim : dims) count *= dim;
    const auto index = static_cast<uint32_t>(numbers_.size());
    numbers_.push_back(NumbersOf(count, step));
    const uint32_t flag =
        index == 5 ? XNN_VALUE_FLAG_EXTERNAL_OUTPUT : XNN_VALUE_FLAG_EXTERNAL_INPUT;
    uint32_t id = XNN_INVALID_VALUE_ID;
    EXPECT_EQ(xnn_define_tensor_value(subgraph, xnn_datatype_fp32, dims.size(), dims.data(),
                                      nullptr, index, flag, &id),
              xnn_status_success);
    return id;
  }

  Result<std::vector<float>> Run(xnn_subgraph_t subgraph) {
    xnn_workspace_t workspace = nullptr;
    ONEPACK_RETURN_IF_XNN_ERROR(xnn_create_workspace(&workspace), "a workspace");
    const XnnWorkspace workspace_owner(workspace);
    xnn_runtime_t created = nullptr;
    ONEPACK_RETURN_IF_XNN_ERROR(
        xnn_create_runtime_v4(subgraph, nullptr, workspace, nullptr, kRuntimeFlags, &created),
        "a runtime");
    const XnnRuntime runtime(created);
    std::vector<xnn_external_value> externals;
    for (auto& numbers : numbers_) {
      externals.push_back({static_cast<uint32_t>(externals.size()), numbers.data()});
    }
    ONEPACK_RETURN_IF_XNN_ERROR(xnn_reshape_runtime(created), "reshaping");
    ONEPACK_RETURN_IF_XNN_ERROR(xnn_setup_runtime_v2(created, externals.size(), externals.data()),
                                "setting up");
    ONEPACK_RETURN_IF_XNN_ERROR(xnn_invoke_runtime(created), "running");
    return numbers_.back();
  }

  const Definer define_;
  const bool has_heads_;
  std::vector<std::vector<float>> numbers_;
};

class AttentionDefinitionTest : public testing::TestWithParam<bool> {};

TEST_P(AttentionDefinitionTest, ComposedOfOtherNodesIsTheSame) {
  ASSERT_TRUE(IsOk(InitializeXnnpack()));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const std::vector<float> defined,
                               AttentionRun(&DefineAttention, GetParam())());
  ONEPACK_ASSERT_OK_AND_ASSIGN(const std::vector<float> composed,
                               AttentionRun(&ComposeAttention, GetParam())());
  ASSERT_EQ(defined.size(), composed.size());
  for (size_t i = 0; i < defined.size(); ++i) EXPECT_NEAR(defined[i], composed[i], 1e-6f) << i;
  EXPECT_NE(defined[0], defined[1]);
}

INSTANTIATE_TEST_SUITE_P(, AttentionDefinitionTest, testing::Bool());

}  // namespace
}  // namespace onepack
