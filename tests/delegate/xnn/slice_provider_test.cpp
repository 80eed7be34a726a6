// The provider of slices with the real XNNPACK.

#include "delegate/xnn/slice_provider.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/mapping.h"
#include "tests/delegate/xnn/xnn_graph.h"

namespace onepack {
namespace {

constexpr size_t kInputs = 40;
constexpr size_t kOutputs = 50;
constexpr uint8_t kUntouched = 0xa5;

// A graph of `nodes` fully connected nodes that all read input 0.
class SliceProviderTest : public testing::Test {
 protected:
  xnn_status Create(SliceProvider& provider, uint32_t nodes = 1) {
    TestGraph graph(nodes + 1);
    const uint32_t input = graph.Input(0, {3, kInputs});
    for (uint32_t i = 1; i <= nodes; ++i) {
      graph.FullyConnected(input, graph.Constant({kOutputs, kInputs}, kernel_.data()),
                           XNN_INVALID_VALUE_ID, graph.Output(i, {3, kOutputs}));
    }
    xnn_workspace_t workspace = nullptr;
    EXPECT_EQ(xnn_create_workspace(&workspace), xnn_status_success);
    const XnnWorkspace owner(workspace);
    xnn_runtime_t created = nullptr;
    const xnn_status status = xnn_create_runtime_v4(graph.get(), provider.handle(), workspace,
                                                    nullptr, kRuntimeFlags, &created);
    const XnnRuntime runtime(created);
    return status;
  }

  void SetUp() override {
    ASSERT_EQ(xnn_initialize(nullptr), xnn_status_success);
    auto mapping = Mapping::OfZeros(size_t{1} << 20);
    ASSERT_TRUE(mapping.ok());
    target_ = std::move(mapping).value();
    std::fill_n(target_.data(), target_.size(), kUntouched);
  }

  const ConstantPages kernel_ = ConstantPages::OfFloats(kInputs * kOutputs, 1);
  Mapping target_;
};

TEST_F(SliceProviderTest, HasOneWeightPackedToTheBeginningOfItsTarget) {
  SliceProvider provider({target_.data(), target_.size()});
  ASSERT_EQ(Create(provider), xnn_status_success);
  ASSERT_TRUE(provider.is_packed());
  EXPECT_GE(provider.size(), kInputs * kOutputs * sizeof(float));
  EXPECT_EQ(provider.size() % 64, 0u);
  ASSERT_LT(provider.size(), target_.size());
  const uint8_t* end = target_.data() + provider.size();
  EXPECT_FALSE(std::all_of<const uint8_t*>(target_.data(), end,
                                           [](uint8_t byte) { return byte == kUntouched; }));
  EXPECT_TRUE(std::all_of<const uint8_t*>(end, target_.data() + target_.size(),
                                          [](uint8_t byte) { return byte == kUntouched; }));
  // Exactly that much is enough, and comes out the same.
  const std::vector<uint8_t> expected(target_.data(), target_.data() + provider.size());
  std::fill_n(target_.data(), target_.size(), kUntouched);
  SliceProvider again({target_.data(), provider.size()});
  ASSERT_EQ(Create(again), xnn_status_success);
  EXPECT_TRUE(again.is_packed());
  EXPECT_EQ(again.seed(), provider.seed());
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), target_.data()));
}

TEST_F(SliceProviderTest, PacksNothingWhereThereIsNoRoom) {
  SliceProvider provider({target_.data(), size_t{64}});
  EXPECT_EQ(Create(provider), xnn_status_out_of_memory);
  EXPECT_FALSE(provider.is_packed());
  EXPECT_TRUE(std::all_of<const uint8_t*>(target_.data(), target_.data() + target_.size(),
                                          [](uint8_t byte) { return byte == kUntouched; }));
}

TEST_F(SliceProviderTest, RefusesASecondWeight) {
  SliceProvider provider({target_.data(), target_.size()});
  EXPECT_EQ(Create(provider, /*nodes=*/2), xnn_status_out_of_memory);
  EXPECT_FALSE(provider.is_packed());
}

}  // namespace
}  // namespace onepack
