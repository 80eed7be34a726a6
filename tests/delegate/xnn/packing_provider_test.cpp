// The provider of a runtime that is made only to pack, with the real XNNPACK and called directly.

#include "delegate/xnn/packing_provider.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/mapping.h"
#include "delegate/xnn/layout_tag.h"
#include "tests/delegate/xnn/one_weight.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

constexpr uint8_t kUntouched = 0xa5;

// Up to so many bytes, and whether they were written.
class FixedMemory final : public PackingMemory {
 public:
  explicit FixedMemory(size_t size = size_t{1} << 20) : size_(size) {
    auto mapping = Mapping::OfZeros(size_t{1} << 20);
    EXPECT_TRUE(IsOk(mapping));
    mapping_ = std::move(mapping).value();
    std::fill_n(mapping_.data(), mapping_.size(), kUntouched);
  }

  uint8_t* Reserve(size_t size) override {
    ++reservations;
    return size <= size_ ? mapping_.data() : nullptr;
  }

  bool IsUntouched(size_t from, size_t to) const {
    return std::all_of(mapping_.data() + from, mapping_.data() + to,
                       [](uint8_t byte) { return byte == kUntouched; });
  }
  size_t size() const { return mapping_.size(); }
  uint8_t* data() const { return mapping_.data(); }
  std::vector<uint8_t> First(size_t count) const { return {data(), data() + count}; }

  int reservations = 0;

 private:
  const size_t size_;
  Mapping mapping_;
};

class PackingProviderOperatorTest : public testing::TestWithParam<const OneWeight*> {
 protected:
  const OneWeight& weight() const { return *GetParam(); }
  TestGraph Graph() const {
    return GraphOf(weight(), constants_.kernel.data(), constants_.bias.data());
  }

  const OneWeightConstants constants_{weight(), 1};
};

INSTANTIATE_TEST_SUITE_P(All, PackingProviderOperatorTest,
                         testing::Values(&kFullyConnected, &kPointwiseConvolution, &kConvolution,
                                         &kGroupPerChannel),
                         [](const auto& weight) { return std::string(weight.param->name); });

TEST_P(PackingProviderOperatorTest, HasOneWeightPackedToTheBeginningOfItsMemory) {
  FixedMemory memory;
  PackingProvider provider(memory);
  ASSERT_EQ(CreateAndDelete(Graph(), provider.handle()), xnn_status_success);
  ASSERT_TRUE(IsOk(provider.CheckPacked()));
  EXPECT_GE(provider.size(), CountOf(weight().kernel_dims) * sizeof(float));
  ASSERT_LT(provider.size(), memory.size());
  EXPECT_FALSE(memory.IsUntouched(0, provider.size()));
  EXPECT_TRUE(memory.IsUntouched(provider.size(), memory.size()));
  EXPECT_EQ(memory.reservations, 1);
}

TEST_P(PackingProviderOperatorTest, EqualWeightsArePackedToEqualBytesUnderEqualTags) {
  FixedMemory memory, other_memory;
  PackingProvider provider(memory), other(other_memory);
  const OneWeightConstants copy(weight(), 1);
  ASSERT_EQ(CreateAndDelete(Graph(), provider.handle()), xnn_status_success);
  ASSERT_EQ(
      CreateAndDelete(GraphOf(weight(), copy.kernel.data(), copy.bias.data()), other.handle()),
      xnn_status_success);
  EXPECT_EQ(provider.tag(), other.tag());
  ASSERT_EQ(provider.size(), other.size());
  EXPECT_EQ(memory.First(provider.size()), other_memory.First(other.size()));
}

TEST_P(PackingProviderOperatorTest, WithoutMemoryNothingIsPackedAndTheReasonIsSaid) {
  FixedMemory memory(64);
  PackingProvider provider(memory);
  EXPECT_EQ(CreateAndDelete(Graph(), provider.handle()), xnn_status_out_of_memory);
  EXPECT_TRUE(IsError(provider.CheckPacked(), StatusCode::kResourceExhausted, {"no memory"}));
  EXPECT_TRUE(memory.IsUntouched(0, memory.size()));
}

TEST(PackingProviderTest, ASecondWeightIsRefused) {
  const OneWeightConstants constants(kFullyConnected, 1);
  TestGraph graph(3);
  const uint32_t input = graph.Input(0, kFullyConnected.input_dims);
  for (uint32_t i = 1; i <= 2; ++i) {
    graph.FullyConnected(input,
                         graph.Constant(kFullyConnected.kernel_dims, constants.kernel.data()),
                         XNN_INVALID_VALUE_ID, graph.Output(i, kFullyConnected.output_dims));
  }
  FixedMemory memory;
  PackingProvider provider(memory);
  EXPECT_NE(CreateAndDelete(graph, provider.handle()), xnn_status_success);
  EXPECT_TRUE(IsError(provider.CheckPacked(), StatusCode::kInternal, {"reserved memory 2 times"}));
  EXPECT_EQ(memory.reservations, 1);
}

// Why a weight's key has them.
TEST(PackingProviderTest, TheTagTellsNeitherScalesNorBias) {
  constexpr size_t kInputs = 40, kOutputs = 50;
  const ConstantPages kernel = ConstantPages::OfInt8(kOutputs * kInputs, 1);
  const std::vector<float> scales(kOutputs, 0.01f), other_scales(kOutputs, 0.003f);
  const ConstantPages bias = ConstantPages::OfFloats(kOutputs, 2);
  const ConstantPages other_bias = ConstantPages::OfFloats(kOutputs, 3);
  const auto pack = [&](const std::vector<float>& of_kernel, const ConstantPages& of_node) {
    TestGraph graph(2);
    const uint32_t input = graph.Quantized(graph.Input(0, {3, kInputs}), {3, kInputs});
    graph.FullyConnected(
        input, graph.ChannelwiseConstant({kOutputs, kInputs}, kernel.data(), of_kernel.data()),
        graph.Constant({kOutputs}, of_node.data()), graph.Output(1, {3, kOutputs}));
    FixedMemory memory;
    PackingProvider provider(memory);
    EXPECT_EQ(CreateAndDelete(graph, provider.handle()), xnn_status_success);
    EXPECT_TRUE(IsOk(provider.CheckPacked()));
    return std::pair(provider.tag(), memory.First(provider.size()));
  };
  const auto [tag, bytes] = pack(scales, bias);
  EXPECT_EQ(pack(scales, bias), std::pair(tag, bytes));
  for (const auto& [other_tag, other_bytes] :
       {pack(other_scales, bias), pack(scales, other_bias)}) {
    EXPECT_EQ(other_tag, tag);
    EXPECT_EQ(other_bytes.size(), bytes.size());
    EXPECT_NE(other_bytes, bytes);
  }
}

// The function pointers, as XNNPACK might call them.

class PackingProviderInterfaceTest : public testing::Test {
 protected:
  PackingProviderInterfaceTest() {
    key_.seed = 7;
    key_.kernel = &key_;
  }

  xnn_weights_cache_t handle() { return provider_.handle(); }
  size_t Insert(void* packed, size_t size) {
    return handle()->look_up_or_insert(handle()->context, &key_, packed, size);
  }

  xnn_weights_cache_look_up_key key_{};
  FixedMemory memory_;
  PackingProvider provider_{memory_};
};

TEST_F(PackingProviderInterfaceTest, FindsNothingAndKeepsTheTagOfWhatIsInserted) {
  EXPECT_EQ(handle()->look_up(handle()->context, &key_), SIZE_MAX);
  void* space = handle()->reserve_space(handle()->context, 128);
  EXPECT_EQ(space, memory_.data());
  const size_t offset = Insert(space, 128);
  EXPECT_EQ(handle()->offset_to_addr(handle()->context, offset), space);
  EXPECT_EQ(handle()->look_up(handle()->context, &key_), SIZE_MAX);
  ASSERT_TRUE(IsOk(provider_.CheckPacked()));
  EXPECT_EQ(provider_.size(), 128u);
  EXPECT_EQ(provider_.tag(), TagOf(key_));
}

TEST_F(PackingProviderInterfaceTest, ItIsAlwaysFinalizedAndNeverDeletedByXnnpack) {
  EXPECT_TRUE(handle()->is_finalized(handle()->context));
  EXPECT_NE(handle()->delete_cache(handle()->context), xnn_status_success);
}

TEST_F(PackingProviderInterfaceTest, ARuntimeThatPacksNothingIsAnError) {
  EXPECT_TRUE(IsError(provider_.CheckPacked(), StatusCode::kInternal, {"0 times"}));
}

TEST_F(PackingProviderInterfaceTest, MemoryThatIsNeverFilledIsAnError) {
  handle()->reserve_space(handle()->context, 128);
  EXPECT_TRUE(IsError(provider_.CheckPacked(), StatusCode::kInternal, {"inserted 0 weights"}));
}

TEST_F(PackingProviderInterfaceTest, InsertingNothingOrWhatWasNeverReservedIsAnError) {
  handle()->reserve_space(handle()->context, 128);
  uint8_t foreign[128] = {};
  EXPECT_NE(Insert(nullptr, 0), SIZE_MAX);
  EXPECT_NE(Insert(foreign, sizeof(foreign)), SIZE_MAX);
  EXPECT_TRUE(IsError(provider_.CheckPacked(), StatusCode::kInternal, {"inserted 0 weights"}));
}

TEST(LayoutFingerprintTest, IsTheSameForTheWholeProcess) {
  const Digest first = LayoutFingerprint();
  EXPECT_EQ(LayoutFingerprint(), first);
  EXPECT_NE(first, Digest());
}

}  // namespace
}  // namespace onepack
