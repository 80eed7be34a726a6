// Runtimes over a table of packed weights, with the real XNNPACK.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "delegate/xnn/packing_provider.h"
#include "delegate/xnn/quirks.h"
#include "delegate/xnn/weight_table.h"
#include "tests/delegate/xnn/one_weight.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

class EntryMemory final : public PackingMemory {
 public:
  explicit EntryMemory(PackTransaction& transaction) : transaction_(transaction) {}
  uint8_t* Reserve(size_t size) override { return transaction_.Reserve(size); }

 private:
  PackTransaction& transaction_;
};

// The pin of what a runtime of one node packs. Each is another entry of the cache.
PackedWeight PackAlone(const std::shared_ptr<PackedWeightCache>& cache, const TestGraph& graph,
                       LayoutTag change_of_tag = 0) {
  PackKey key;
  key.weight.kernel = DigestBuilder("test").Add(cache->Stats().entries).Finish();
  PackTransaction transaction(cache);
  EXPECT_FALSE(transaction.LookUp(key));
  EntryMemory memory(transaction);
  PackingProvider provider(memory);
  EXPECT_EQ(CreateAndDelete(graph, provider.handle()), xnn_status_success);
  EXPECT_TRUE(IsOk(provider.CheckPacked()));
  return transaction.Commit(provider.tag() ^ change_of_tag);
}

// What holds for every kind of operator.
class WeightTableOperatorTest : public testing::TestWithParam<const OneWeight*> {
 protected:
  WeightTableOperatorTest() {
    auto placeholders = Placeholders::Create(2);
    EXPECT_TRUE(IsOk(placeholders));
    placeholders_ = std::move(placeholders).value();
  }

  const OneWeight& weight() const { return *GetParam(); }
  TestGraph Graph(const OneWeightConstants& constants) const {
    return GraphOf(weight(), constants.kernel.data(), constants.bias.data());
  }
  void Pack(const OneWeightConstants& constants, LayoutTag change_of_tag = 0) {
    pins_.push_back(PackAlone(cache_, Graph(constants), change_of_tag));
  }
  Status Build(const void* kernel, const void* bias, bool is_readable) {
    rows_ = {{kernel, is_readable}};
    return built_.Build(GraphOf(weight(), kernel, bias), rows_, pins_);
  }
  Status BuildRaw() { return Build(constants_.kernel.data(), constants_.bias.data(), true); }
  // Nothing can be read, unless XNNPACK packs without looking up.
  Status BuildPinned() {
    if (!weight().looks_up_first) return BuildRaw();
    return Build(placeholders_[0], placeholders_[1], false);
  }

  const std::shared_ptr<PackedWeightCache> cache_ = PackedWeightCache::Create();
  const OneWeightConstants constants_{weight(), 1};
  Placeholders placeholders_;
  std::vector<PackedWeight> pins_;
  std::vector<WeightTable::Row> rows_;
  BuiltSubgraph built_{cache_};
};

std::string NameOf(const testing::TestParamInfo<const OneWeight*>& info) {
  return info.param->name;
}

INSTANTIATE_TEST_SUITE_P(All, WeightTableOperatorTest,
                         testing::Values(&kFullyConnected, &kPointwiseConvolution, &kConvolution,
                                         &kGroupPerChannel),
                         NameOf);

TEST_P(WeightTableOperatorTest, ARuntimeFindsWhatItsNodeAlonePacked) {
  Pack(constants_);
  const WeightCacheStats before = cache_->Stats();
  ASSERT_TRUE(IsOk(BuildPinned()));
  ExpectClose(RunOneWeight(weight(), built_), ExpectedOf(weight(), constants_));
  EXPECT_EQ(built_.Packed(0), pins_[0].bytes().data());
  EXPECT_TRUE(built_.table().is_shared());
  EXPECT_TRUE(built_.table().refused().empty());
  EXPECT_EQ(cache_->Stats().private_bytes, 0u);
  EXPECT_EQ(cache_->Stats().packed_bytes, before.packed_bytes);
}

TEST_P(WeightTableOperatorTest, WithoutAPinItPacksTheSameBytesPrivately) {
  pins_.emplace_back();
  ASSERT_TRUE(IsOk(BuildRaw()));
  ExpectClose(RunOneWeight(weight(), built_), ExpectedOf(weight(), constants_));
  const WeightCacheStats stats = cache_->Stats();
  EXPECT_EQ(stats.entries, 0u);
  EXPECT_EQ(stats.private_bytes, stats.bytes);
  const PackedWeight alone = PackAlone(cache_, Graph(constants_));
  ASSERT_EQ(alone.bytes().size(), stats.private_bytes);
  EXPECT_TRUE(std::equal(alone.bytes().begin(), alone.bytes().end(), built_.Packed(1)));
}

TEST_P(WeightTableOperatorTest, APinOfAnotherTagIsNotServed) {
  const OneWeightConstants other(weight(), 5);  // so that it would be seen
  Pack(other, /*change_of_tag=*/1);
  ASSERT_TRUE(IsOk(BuildRaw()));
  ExpectClose(RunOneWeight(weight(), built_), ExpectedOf(weight(), constants_));
  EXPECT_FALSE(built_.table().is_shared());
  EXPECT_EQ(cache_->Stats().private_bytes, pins_[0].bytes().size());
}

TEST_P(WeightTableOperatorTest, RunningTakesNoLockOfTheCache) {
  Pack(constants_);
  ASSERT_TRUE(IsOk(BuildPinned()));
  const uint64_t before = cache_->Stats().lock_count;
  for (int i = 0; i < 3; ++i) RunOneWeight(weight(), built_);
  EXPECT_EQ(cache_->Stats().lock_count, before + 1);  // that of Stats itself
}

// What holds for operators that look up before they pack.
class WeightTableLookUpTest : public WeightTableOperatorTest {};

INSTANTIATE_TEST_SUITE_P(All, WeightTableLookUpTest,
                         testing::Values(&kFullyConnected, &kPointwiseConvolution, &kConvolution),
                         NameOf);

TEST_P(WeightTableLookUpTest, APinOfAnotherTagThatCannotBeReadEndsTheCreation) {
  Pack(constants_, /*change_of_tag=*/1);
  EXPECT_TRUE(IsOk(BuildPinned()));
  EXPECT_NE(built_.create_status(), xnn_status_success);
  EXPECT_FALSE(built_.has_runtime());
  EXPECT_EQ(built_.table().refused(), std::vector<size_t>{0});
  EXPECT_EQ(cache_->Stats().private_bytes, 0u);
}

TEST_P(WeightTableLookUpTest, ARuntimeRunsWithOtherPinsWhenItIsPointedToThem) {
  const OneWeightConstants other(weight(), 5);
  Pack(constants_);
  ASSERT_TRUE(IsOk(BuildPinned()));
  const std::vector<float> first = RunOneWeight(weight(), built_);
  Pack(other);
  ASSERT_TRUE(built_.table().Fits(Span<const PackedWeight>(&pins_[1], 1)));
  built_.table().PointTo(Span<const PackedWeight>(&pins_[1], 1));
  ExpectClose(RunOneWeight(weight(), built_), ExpectedOf(weight(), other));
  ASSERT_TRUE(built_.table().Fits(Span<const PackedWeight>(&pins_[0], 1)));
  built_.table().PointTo(Span<const PackedWeight>(&pins_[0], 1));
  EXPECT_EQ(RunOneWeight(weight(), built_), first);
}

// Graphs of two nodes.

TEST(WeightTableGraphTest, OneKernelOfTwoNodesIsPackedPrivatelyAndRight) {
  const OneWeightConstants constants(kFullyConnected, 1);
  constexpr float kMax = 0.5f;
  const auto cache = PackedWeightCache::Create();
  TestGraph graph(3);
  const uint32_t input = graph.Input(0, kFullyConnected.input_dims);
  for (const uint32_t id : {1u, 2u}) {
    graph.FullyConnected(input,
                         graph.Constant(kFullyConnected.kernel_dims, constants.kernel.data()),
                         graph.Constant({kFullyConnected.bias_size}, constants.bias.data()),
                         graph.Output(id, kFullyConnected.output_dims), id == 1 ? 1e30f : kMax);
  }
  const WeightTable::Row row{constants.kernel.data(), true};
  const std::vector<WeightTable::Row> rows = {row, row};
  std::vector<PackedWeight> pins(2);
  const TestGraph alone = GraphOf(kFullyConnected, constants.kernel.data(), constants.bias.data());
  for (PackedWeight& pin : pins) pin = PackAlone(cache, alone);
  BuiltSubgraph built(cache);
  ASSERT_TRUE(IsOk(built.Build(graph, rows, pins)));
  EXPECT_FALSE(built.table().is_shared());
  EXPECT_EQ(cache->Stats().private_bytes, 2 * pins[0].bytes().size());
  const size_t count = CountOf(kFullyConnected.output_dims);
  std::vector<std::vector<float>> outputs(2, std::vector<float>(count));
  built.Run(kFullyConnected.input_dims, Floats(CountOf(kFullyConnected.input_dims), 99), &outputs);
  std::vector<float> expected = ExpectedOf(kFullyConnected, constants);
  ExpectClose(outputs[0], expected);
  for (float& number : expected) number = std::min(number, kMax);
  ExpectClose(outputs[1], expected);
}

// XNNPACK may create the operator of this node without a cache, and pack into memory of its own.
// Else it asks the table, which has no pin.
TEST(WeightTableGraphTest, ADepthwiseFilterWithoutAPinIsPackedPrivately) {
  constexpr size_t kSide = 5, kKernel = 3, kChannels = 24;
  const ConstantPages kernel = ConstantPages::OfFloats(kKernel * kKernel * kChannels, 1);
  TestGraph graph(2);
  const uint32_t input = graph.Input(0, {1, kSide, kSide, kChannels});
  graph.DepthwiseConvolution(kKernel, kChannels, input,
                             graph.Constant({1, kKernel, kKernel, kChannels}, kernel.data()),
                             XNN_INVALID_VALUE_ID, graph.Output(1, {1, 3, 3, kChannels}));
  const auto cache = PackedWeightCache::Create();
  const std::vector<WeightTable::Row> rows = {{kernel.data(), true}};
  const std::vector<PackedWeight> pins(1);
  BuiltSubgraph built(cache);
  ASSERT_TRUE(IsOk(built.Build(graph, rows, pins)));
  EXPECT_TRUE(built.has_runtime());
  EXPECT_EQ(built.table().is_shared(), kDepthwiseKeepsItsFilter);
  EXPECT_EQ(cache->Stats().bytes == 0, kDepthwiseKeepsItsFilter);
}

// A kernel that would take 256 TB packed. XNNPACK asks for the memory before it reads one byte.
TEST(WeightTableGraphTest, WithoutMemoryTheCreationFailsAndLeavesNothing) {
  constexpr size_t kHuge = size_t{1} << 23;
  const ConstantPages kernel = ConstantPages::OfFloats(1, 1);
  TestGraph graph(2);
  const uint32_t input = graph.Input(0, {1, kHuge});
  const uint32_t constant = graph.Constant({kHuge, kHuge}, kernel.data());
  graph.FullyConnected(input, constant, XNN_INVALID_VALUE_ID, graph.Output(1, {1, kHuge}));
  const auto cache = PackedWeightCache::Create();
  const std::vector<WeightTable::Row> rows = {{kernel.data(), true}};
  const std::vector<PackedWeight> pins(1);
  BuiltSubgraph built(cache);
  EXPECT_TRUE(
      IsError(built.Build(graph, rows, pins), StatusCode::kResourceExhausted, {"no memory"}));
  EXPECT_EQ(built.create_status(), xnn_status_out_of_memory);
  EXPECT_FALSE(built.has_runtime());
  EXPECT_EQ(cache->Stats().bytes, 0u);
  EXPECT_EQ(cache->Stats().heap_bytes, 0u);
}

}  // namespace
}  // namespace onepack
