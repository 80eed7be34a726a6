// Which stages a graph is cut into, what crosses from one to another, and what is not cut.

#include "delegate/plan/stage_cutter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "aot/payload_writer.h"
#include "delegate/plan/plan.h"
#include "tests/support/delegate_fixture.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_plans.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNDatatype;
using wire::xnnpack::XNNQuantParams;
using wire::xnnpack::XNodeUnion;
using Ids = std::vector<uint32_t>;

constexpr uint32_t kWidth = 32;
constexpr uint32_t kRows = 4;
constexpr uint32_t kTransposed = 1;

NamedBytes Constants() {
  NamedBytes data;
  for (const char* key : {"w1", "w2"}) data.merge(DataOf({key, kWidth, kWidth}));
  for (const char* key : {"i1", "i2"}) {
    data.merge(DataOf({key, kWidth, kWidth, WeightKind::kInt4, static_cast<uint64_t>(key[1])}));
  }
  return data;
}

Ids NodesOf(const Stage& stage) {
  if (stage.linears.empty()) return stage.nodes;
  Ids nodes;
  for (const Linear& linear : stage.linears) nodes.push_back(linear.index);
  return nodes;
}

std::vector<Ids> NodesOf(const Plan& plan) {
  std::vector<Ids> nodes;
  for (const Stage& stage : plan.stages) nodes.push_back(NodesOf(stage));
  return nodes;
}

bool RunsLinears(const Plan& plan, size_t stage) { return !plan.stages.at(stage).linears.empty(); }

Role RoleOf(const Plan& plan, size_t stage, uint32_t value_id) {
  return plan.stages.at(stage).roles.at(plan.values.IndexOf(value_id));
}

// Of an external value of the stage; none if it is not one.
std::optional<bool> IsWritten(const Plan& plan, size_t stage, uint32_t value_id) {
  for (const StageExternal& external : plan.stages.at(stage).externals) {
    if (external.value_id == value_id) return external.is_written;
  }
  return std::nullopt;
}

// First and last stage; none if it does not cross.
using Stretch = std::optional<std::pair<size_t, size_t>>;
Stretch CrossingOf(const Plan& plan, uint32_t value_id) {
  for (const Crossing& crossing : plan.crossings) {
    if (crossing.value_id == value_id) return {{crossing.first_stage, crossing.last_stage}};
  }
  return std::nullopt;
}
Stretch From(size_t first, size_t last) { return {{first, last}}; }

// What is true of every plan: a weight for each node that has one, in the order of the stages.
void ExpectWeightsInOrder(const Plan& plan) {
  size_t next = 0;
  for (const Stage& stage : plan.stages) {
    EXPECT_NE(stage.linears.empty(), stage.nodes.empty()) << "either linears or nodes";
    EXPECT_EQ(stage.first_weight, next);
    for (const Linear& linear : stage.linears) {
      ASSERT_LT(linear.weight, plan.weights.size());
      EXPECT_EQ(linear.weight, next++);
      EXPECT_EQ(plan.weights[linear.weight].node, linear.index);
      EXPECT_EQ(plan.weights[linear.weight].packing, Packing::kAsStored);
    }
    for (const uint32_t node : stage.nodes) {
      if (next == plan.weights.size() || plan.weights[next].node != node) continue;
      EXPECT_NE(plan.weights[next++].packing, Packing::kAsStored);
    }
    EXPECT_EQ(stage.first_weight + stage.weight_count, next);
  }
  EXPECT_EQ(next, plan.weights.size());
}

class StageCutterTest : public testing::Test {
 protected:
  Result<Plan> Make(LinearLayout layout = LinearLayout::kInPlace) {
    TestPlans& plans = layout == LinearLayout::kPacked ? packed_ : in_place_;
    auto plan = plans.Make(std::exchange(payload_, PayloadWriter()).Finish());
    if (plan.ok()) ExpectWeightsInOrder(*plan);
    return plan;
  }

  uint32_t Input() { return payload_.AddInput({kRows, kWidth}); }
  uint32_t Output() { return payload_.AddOutput({kRows, kWidth}); }
  uint32_t Internal() { return payload_.AddInternal({kRows, kWidth}); }
  uint32_t Tensor(XNNDatatype datatype, const std::vector<uint32_t>& dims, uint32_t constant = 0) {
    PayloadTensor tensor;
    tensor.datatype = datatype;
    tensor.dims = dims;
    tensor.constant = constant;
    return payload_.AddTensor(tensor);
  }
  uint32_t OwnConstant(size_t bytes) {
    return payload_.AddOwnConstant(std::vector<uint8_t>(bytes));
  }

  // Of floats.
  uint32_t Filter(const char* key = "w1") {
    return payload_.AddConstant({kWidth, kWidth},
                                payload_.AddNamedConstant(key, kWidth * kWidth * sizeof(float)));
  }
  void AddLinear(uint32_t x, uint32_t y, const char* key = "w1") {
    payload_.AddFullyConnected(x, Filter(key), y);
  }
  // Quantized ones.
  uint32_t Int4Filter(const char* key = "i1") {
    PayloadScales scales;
    scales.count = kWidth * kWidth / kInt4Group;
    scales.constant =
        payload_.AddNamedConstant(key + std::string(".scale"), scales.count * sizeof(uint16_t));
    return payload_.AddBlockwiseInt4(
        {kWidth, kWidth}, payload_.AddNamedConstant(key, kWidth * kWidth / 2), scales, kInt4Group);
  }
  uint32_t ChannelFilter(XNNDatatype datatype, int32_t channel_dim = 0) {
    PayloadTensor tensor;
    tensor.datatype = datatype;
    tensor.dims = {kWidth, kWidth};
    tensor.constant = OwnConstant(kWidth * kWidth / (datatype == XNNDatatype::qcint4 ? 2 : 1));
    const std::vector<float> scales(kWidth, 0.5f);
    return payload_.AddQuantized(
        tensor, XNNQuantParams::PerChannelQuant,
        wire::xnnpack::CreatePerChannelQuantDirect(payload_.builder(), &scales, channel_dim)
            .Union());
  }
  uint32_t Rounded(uint32_t floats) {
    const uint32_t rounded = payload_.AddDynamicInt8({kRows, kWidth});
    payload_.AddConvert(floats, rounded);
    return rounded;
  }

  // That nothing of the graph runs in place.
  void ExpectPacked(const char* what) {
    SCOPED_TRACE(what);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, Make());
    ASSERT_EQ(plan.stages.size(), 1u);
    EXPECT_TRUE(plan.stages[0].linears.empty());
    EXPECT_TRUE(plan.crossings.empty());
    for (const Weight& weight : plan.weights) EXPECT_NE(weight.packing, Packing::kAsStored);
  }

  ContentRegistry contents_;
  const Ref<DataSource> data_ = SourceOf(MakeData(Constants()), "test.ptd");
  TestPlans in_place_{contents_, data_, LinearLayout::kInPlace};
  TestPlans packed_{contents_, data_, LinearLayout::kPacked};
  PayloadWriter payload_;
};

TEST_F(StageCutterTest, OneLinearAloneIsOneStage) {
  const uint32_t x = Input(), y = Output();
  payload_.AddFullyConnected(x, Filter(), y, PayloadWriter::kNoValue, 0, {{-1.0f, 2.0f}});
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, Make());
  ASSERT_EQ(NodesOf(plan), (std::vector<Ids>{{0}}));
  ASSERT_TRUE(RunsLinears(plan, 0));
  EXPECT_TRUE(plan.crossings.empty());
  const LinearNode& node = plan.stages[0].linears[0].node;
  EXPECT_EQ(node.input_id, x);
  EXPECT_EQ(node.output_id, y);
  EXPECT_EQ(node.min, -1);
  EXPECT_EQ(node.max, 2);
  EXPECT_EQ(node.weights.type, linear::WeightType::kFloat32);
  EXPECT_EQ(node.weights.outputs, kWidth);
  EXPECT_EQ(node.weights.inputs, kWidth);
  EXPECT_EQ(node.weights.block_size, 0u);
}

TEST_F(StageCutterTest, WhatIsBeforeAndAfterALinearAreStagesOfTheirOwn) {
  const uint32_t x = Input(), sum = Internal(), y = Internal(), z = Output();
  payload_.AddAdd(x, x, sum);
  AddLinear(sum, y);
  payload_.AddSigmoid(y, z);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, Make());
  ASSERT_EQ(NodesOf(plan), (std::vector<Ids>{{0}, {1}, {2}}));
  EXPECT_FALSE(RunsLinears(plan, 0));
  EXPECT_TRUE(RunsLinears(plan, 1));
  EXPECT_FALSE(RunsLinears(plan, 2));
  ASSERT_EQ(plan.crossings.size(), 2u);
  EXPECT_EQ(CrossingOf(plan, sum), From(0, 1));
  EXPECT_EQ(CrossingOf(plan, y), From(1, 2));
  for (const Crossing& crossing : plan.crossings) EXPECT_EQ(crossing.element_bytes, sizeof(float));
  EXPECT_EQ(IsWritten(plan, 0, x), false);
  EXPECT_EQ(IsWritten(plan, 0, sum), true);
  EXPECT_EQ(IsWritten(plan, 2, y), false);
  EXPECT_EQ(IsWritten(plan, 2, z), true);
  EXPECT_EQ(plan.stages[0].externals.size(), 2u);
  EXPECT_EQ(plan.stages[2].externals.size(), 2u);
  EXPECT_EQ(RoleOf(plan, 2, x), Role::kUnused);
}

TEST_F(StageCutterTest, LinearsOverOneRoundedInputAreOneStageAndTheRoundingIsTheirs) {
  const uint32_t x = Input(), a = Output(), b = Output(), rounded = Rounded(x);
  payload_.AddFullyConnected(rounded, Int4Filter("i1"), a);
  payload_.AddFullyConnected(rounded, Int4Filter("i2"), b);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, Make());
  ASSERT_EQ(NodesOf(plan), (std::vector<Ids>{{1, 2}})) << "node 0 is the conversion";
  ASSERT_TRUE(RunsLinears(plan, 0));
  for (const Linear& linear : plan.stages[0].linears) {
    EXPECT_EQ(linear.node.input_id, x) << "the floats";
    EXPECT_EQ(linear.node.weights.type, linear::WeightType::kInt4Blocks);
    EXPECT_EQ(linear.node.weights.block_size, kInt4Group);
  }
  EXPECT_TRUE(plan.crossings.empty());
}

TEST_F(StageCutterTest, WhatXnnpackReadsRoundedTooIsRoundedInItsStageAndTheFloatsCross) {
  const uint32_t x = Input(), floats = Internal(), a = Output();
  PayloadTensor half;
  half.datatype = XNNDatatype::fp16;
  half.dims = {kRows, kWidth};
  const uint32_t b = payload_.AddBorder(half, true);
  payload_.AddSigmoid(x, floats);            // 0
  const uint32_t rounded = Rounded(floats);  // 1
  const uint32_t filter = Int4Filter();
  payload_.AddFullyConnected(rounded, filter, a);  // 2
  payload_.AddFullyConnected(rounded, filter, b);  // 3: of another output
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, Make());
  ASSERT_EQ(NodesOf(plan), (std::vector<Ids>{{0, 1, 3}, {2}}));
  EXPECT_EQ(CrossingOf(plan, floats), From(0, 1));
  EXPECT_EQ(plan.crossings.size(), 1u);
  EXPECT_EQ(RoleOf(plan, 0, rounded), Role::kInternal);
  EXPECT_EQ(RoleOf(plan, 0, floats), Role::kExternal);
  EXPECT_EQ(plan.weights[0].node, 3u);
  EXPECT_EQ(plan.weights[1].node, 2u);
}

// The rounded numbers would have to cross with their scales: so it is done twice.
TEST_F(StageCutterTest, WhatTwoStagesOfXnnpackReadRoundedIsRoundedInBoth) {
  const uint32_t x = Input(), a = Internal(), b = Internal(), c = Internal(), y = Output();
  const uint32_t rounded = Rounded(x);  // 0
  const uint32_t filter = ChannelFilter(XNNDatatype::qcint8, 1);
  payload_.AddFullyConnected(rounded, filter, a, PayloadWriter::kNoValue, kTransposed);      // 1
  AddLinear(a, b);                                                                           // 2
  payload_.AddSigmoid(b, c);                                                                 // 3
  const uint32_t sum_rounded = Rounded(c);                                                   // 4
  payload_.AddFullyConnected(sum_rounded, filter, y, PayloadWriter::kNoValue, kTransposed);  // 5
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, Make());
  ASSERT_EQ(NodesOf(plan), (std::vector<Ids>{{0, 1}, {2}, {3, 4, 5}}));
  EXPECT_EQ(RoleOf(plan, 0, rounded), Role::kInternal);
  EXPECT_EQ(RoleOf(plan, 2, c), Role::kInternal);
  EXPECT_EQ(RoleOf(plan, 2, sum_rounded), Role::kInternal);
}

TEST_F(StageCutterTest, AConversionOfWhatALinearWritesIsInTheStageThatReadsIt) {
  const uint32_t x = Input(), a = Internal(), b = Internal(), y = Output();
  AddLinear(x, a);                      // 0
  const uint32_t rounded = Rounded(a);  // 1
  const uint32_t filter = ChannelFilter(XNNDatatype::qcint8, 1);
  payload_.AddFullyConnected(rounded, filter, b, PayloadWriter::kNoValue, kTransposed);  // 2
  payload_.AddFullyConnected(rounded, Int4Filter(), y);                                  // 3
  payload_.AddSigmoid(b, Output());                                                      // 4
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, Make());
  ASSERT_EQ(NodesOf(plan), (std::vector<Ids>{{0, 3}, {1, 2, 4}}));
  EXPECT_EQ(CrossingOf(plan, a), From(0, 1));
  EXPECT_EQ(IsWritten(plan, 1, a), false);
  EXPECT_EQ(RoleOf(plan, 1, b), Role::kInternal);
}

TEST_F(StageCutterTest, ALinearThatReadsALinearIsInItsStage) {
  const uint32_t x = Input(), between = Internal(), y = Output();
  AddLinear(x, between, "w1");
  payload_.AddFullyConnected(Rounded(between), Int4Filter(), y);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, Make());
  ASSERT_EQ(NodesOf(plan), (std::vector<Ids>{{0, 2}}));
  EXPECT_EQ(plan.stages[0].linears[1].node.input_id, between);
  EXPECT_EQ(CrossingOf(plan, between), From(0, 0)) << "it needs memory nevertheless";
}

TEST_F(StageCutterTest, AResidualCrossesOverTheLinear) {
  const uint32_t x = Input(), normed = Internal(), y = Internal(), z = Output();
  payload_.AddSigmoid(x, normed);
  AddLinear(normed, y);
  payload_.AddAdd(normed, y, z);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, Make());
  ASSERT_EQ(NodesOf(plan), (std::vector<Ids>{{0}, {1}, {2}}));
  EXPECT_EQ(CrossingOf(plan, normed), From(0, 2));
  EXPECT_EQ(CrossingOf(plan, y), From(1, 2));
  EXPECT_EQ(IsWritten(plan, 2, normed), false);
}

TEST_F(StageCutterTest, AResidualOfTheInputIsTheInput) {
  const uint32_t x = Input(), y = Internal(), z = Output();
  AddLinear(x, y);
  payload_.AddAdd(x, y, z);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, Make());
  ASSERT_EQ(NodesOf(plan), (std::vector<Ids>{{0}, {1}}));
  EXPECT_EQ(plan.crossings.size(), 1u);
  EXPECT_EQ(CrossingOf(plan, y), From(0, 1));
  EXPECT_EQ(IsWritten(plan, 1, x), false);
}

TEST_F(StageCutterTest, WhatDependsOnNoLinearIsInTheFirstStage) {
  const uint32_t x = Input(), a = Internal(), b = Internal(), c = Internal();
  AddLinear(x, a);            // 0
  payload_.AddSigmoid(x, b);  // 1
  payload_.AddAdd(a, b, c);   // 2
  AddLinear(c, Output());     // 3
  AddLinear(b, Output());     // 4
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, Make());
  EXPECT_EQ(NodesOf(plan), (std::vector<Ids>{{1}, {0, 4}, {2}, {3}}));
  EXPECT_EQ(CrossingOf(plan, a), From(1, 2));
  EXPECT_EQ(CrossingOf(plan, b), From(0, 2));
  EXPECT_EQ(CrossingOf(plan, c), From(2, 3));
}

TEST_F(StageCutterTest, ValuesOfAttentionThatCrossAreExternalAndTheOthersBounded) {
  const std::vector<uint32_t> dims = {1, 2, kRows, kWidth};
  const uint32_t x = payload_.AddInput(dims), q = payload_.AddInternal(dims);
  const uint32_t k = payload_.AddInternal(dims), v = payload_.AddInternal(dims);
  const uint32_t mask = payload_.AddInput({kRows, kRows}), attended = payload_.AddInternal(dims);
  const uint32_t y = payload_.AddOutput(dims);
  const uint32_t scale = payload_.AddConstant({kWidth}, OwnConstant(kWidth * sizeof(float)));
  AddLinear(x, q);                              // 0
  payload_.AddUnary(XNodeUnion::XNNAbs, x, k);  // 1
  payload_.AddUnary(XNodeUnion::XNNAbs, q, v);  // 2
  payload_.AddNode(XNodeUnion::XNNScaledDotProductAttention,
                   wire::xnnpack::CreateXNNScaledDotProductAttention(payload_.builder(), q, k, v,
                                                                     scale, mask, attended)
                       .Union());  // 3
  AddLinear(attended, y);          // 4
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, Make());
  ASSERT_EQ(NodesOf(plan), (std::vector<Ids>{{1}, {0}, {2, 3}, {4}}));
  EXPECT_EQ(RoleOf(plan, 2, q), Role::kExternal);
  EXPECT_EQ(RoleOf(plan, 2, k), Role::kExternal);
  EXPECT_EQ(RoleOf(plan, 2, v), Role::kBounded);
  EXPECT_EQ(RoleOf(plan, 2, scale), Role::kInPlace);
  EXPECT_EQ(RoleOf(plan, 2, attended), Role::kExternal);
  EXPECT_EQ(IsWritten(plan, 2, attended), true);
  EXPECT_EQ(RoleOf(plan, 0, scale), Role::kUnused);
  EXPECT_EQ(CrossingOf(plan, k), From(0, 2));
  EXPECT_EQ(CrossingOf(plan, v), std::nullopt);
}

TEST_F(StageCutterTest, AnOutputThatNoNodeReadsIsUnreadBesideLinearsToo) {
  const uint32_t x = payload_.AddInput({1, 4, 1, kWidth});
  const uint32_t largest = payload_.AddInternal({1, 1, 1, kWidth});
  const uint32_t y = payload_.AddOutput({1, 1, 1, kWidth});
  const uint32_t indices = Tensor(XNNDatatype::int32, {1, 1, 1, kWidth});
  payload_.AddNode(XNodeUnion::XNNArgMaxPooling2d,
                   wire::xnnpack::CreateXNNArgMaxPooling2d(payload_.builder(), 0, 0, 0, 0, 4, 1, x,
                                                           largest, indices)
                       .Union());
  AddLinear(largest, y);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, Make());
  ASSERT_EQ(NodesOf(plan), (std::vector<Ids>{{0}, {1}}));
  EXPECT_EQ(RoleOf(plan, 0, indices), Role::kUnread);
  EXPECT_EQ(IsWritten(plan, 0, indices), true);
  EXPECT_EQ(RoleOf(plan, 0, largest), Role::kExternal);
  EXPECT_EQ(CrossingOf(plan, indices), std::nullopt);
}

TEST_F(StageCutterTest, AnInputThatIsQuantizedOnEntryIsReadAsFloats) {
  PayloadTensor input;
  input.dims = {kRows, kWidth};
  input.dq_datatype = XNNDatatype::qint8;
  const uint32_t x = payload_.AddBorder(input, false), y = Internal();
  payload_.AddFullyConnected(x, Int4Filter(), y);
  payload_.AddSigmoid(y, Output());
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, Make());
  ASSERT_EQ(NodesOf(plan), (std::vector<Ids>{{0}, {1}}));
  EXPECT_EQ(plan.stages[0].linears[0].node.input_id, x);
  EXPECT_EQ(plan.stages[0].linears[0].node.weights.type, linear::WeightType::kInt4Blocks);
}

TEST_F(StageCutterTest, AnOutputThatALaterStageReadsIsTheArgumentThereToo) {
  const uint32_t x = Input(), a = Output(), b = Output(), c = Output();
  payload_.AddSigmoid(x, a);
  AddLinear(a, b);
  payload_.AddAdd(a, b, c);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, Make());
  ASSERT_EQ(NodesOf(plan), (std::vector<Ids>{{0}, {1}, {2}}));
  EXPECT_TRUE(plan.crossings.empty());
  EXPECT_EQ(IsWritten(plan, 0, a), true);
  EXPECT_EQ(IsWritten(plan, 2, a), false);
  EXPECT_EQ(IsWritten(plan, 2, b), false);
  EXPECT_EQ(IsWritten(plan, 2, c), true);
}

TEST_F(StageCutterTest, NodesThatNoOutputNeedsAreInNoStage) {
  const uint32_t x = Input(), unused = Internal(), y = Output();
  AddLinear(x, unused, "w1");                                         // 0
  payload_.AddSigmoid(unused, Internal());                            // 1
  const uint32_t rounded = Rounded(x);                                // 2
  payload_.AddFullyConnected(rounded, Int4Filter("i1"), Internal());  // 3
  AddLinear(x, y, "w2");                                              // 4
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, Make());
  EXPECT_EQ(NodesOf(plan), (std::vector<Ids>{{4}}));
  EXPECT_EQ(plan.weights.size(), 1u);
  EXPECT_TRUE(plan.crossings.empty());
}

TEST_F(StageCutterTest, WeightsAreInTheOrderOfTheStages) {
  const uint32_t x = Input(), a = Internal(), b = Internal(), c = Internal();
  AddLinear(x, a, "w1");                                                                 // 0
  payload_.AddSigmoid(a, b);                                                             // 1
  AddLinear(b, Output(), "w2");                                                          // 2
  payload_.AddFullyConnected(x, Filter("w1"), c, PayloadWriter::kNoValue, kTransposed);  // 3
  AddLinear(c, Output(), "w1");                                                          // 4
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, Make());
  ASSERT_EQ(NodesOf(plan), (std::vector<Ids>{{3}, {0, 4}, {1}, {2}}));
  Ids nodes;
  for (const Weight& weight : plan.weights) nodes.push_back(weight.node);
  EXPECT_EQ(nodes, (Ids{3, 0, 4, 2}));
  EXPECT_EQ(plan.weights[0].packing, Packing::kLookedUp);
  EXPECT_EQ(plan.weights[1].packing, Packing::kAsStored);
  EXPECT_TRUE(plan.weights[1].identity == plan.weights[2].identity) << "kept once";
}

TEST_F(StageCutterTest, WithAllPackedThereIsOneStageOfAllNodesInTheFilesOrder) {
  const uint32_t x = Input(), a = Internal(), b = Internal(), c = Internal();
  AddLinear(x, a, "w1");
  payload_.AddSigmoid(x, b);
  payload_.AddAdd(a, b, c);
  const uint32_t rounded = Rounded(c);
  payload_.AddFullyConnected(rounded, Int4Filter("i1"), Output());
  payload_.AddFullyConnected(rounded, Int4Filter("i2"), Output());
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, Make(LinearLayout::kPacked));
  EXPECT_EQ(NodesOf(plan), (std::vector<Ids>{{0, 1, 2, 3, 4, 5}}));
  EXPECT_FALSE(RunsLinears(plan, 0));
  EXPECT_TRUE(plan.crossings.empty());
  EXPECT_EQ(RoleOf(plan, 0, rounded), Role::kInternal);
  EXPECT_EQ(plan.stages[0].weight_count, 3u);
}

TEST_F(StageCutterTest, AllKindsOfWeightsThatCanRunInPlaceDo) {
  for (const XNNDatatype datatype : {XNNDatatype::fp32, XNNDatatype::fp16, XNNDatatype::bf16}) {
    const uint32_t constant =
        OwnConstant(kWidth * kWidth * (datatype == XNNDatatype::fp32 ? 4 : 2));
    const uint32_t filter = Tensor(datatype, {kWidth, kWidth}, constant);
    payload_.AddFullyConnected(Input(), filter, Output());
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, Make());
    EXPECT_TRUE(RunsLinears(plan, 0)) << EnumNameXNNDatatype(datatype);
  }
  for (const XNNDatatype datatype : {XNNDatatype::qcint8, XNNDatatype::qcint4}) {
    // Floats beside integers: bias of any width.
    for (const XNNDatatype bias : {XNNDatatype::fp32, XNNDatatype::fp16, XNNDatatype::bf16}) {
      const uint32_t bytes = kWidth * (bias == XNNDatatype::fp32 ? 4 : 2);
      const uint32_t row = Tensor(bias, {kWidth}, OwnConstant(bytes));
      const uint32_t filter = ChannelFilter(datatype);
      payload_.AddFullyConnected(Rounded(Input()), filter, Output(), row);
      ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, Make());
      EXPECT_TRUE(RunsLinears(plan, 0)) << EnumNameXNNDatatype(datatype);
    }
  }
}

TEST_F(StageCutterTest, WhatOnlyXnnpackRunsStaysPacked) {
  payload_.AddFullyConnected(Input(), Filter(), Output(), PayloadWriter::kNoValue, kTransposed);
  ExpectPacked("transposed weights");

  payload_.AddFullyConnected(Input(), payload_.AddInput({kWidth, kWidth}), Output());
  ExpectPacked("a filter that is given");

  const uint32_t bias = payload_.AddInput({kWidth});
  payload_.AddFullyConnected(Input(), Filter(), Output(), bias);
  ExpectPacked("a bias that is given");

  const uint32_t constant =
      payload_.AddConstant({kRows, kWidth}, OwnConstant(kRows * kWidth * sizeof(float)));
  AddLinear(constant, Output());
  ExpectPacked("an input that is a constant");

  payload_.AddFullyConnected(Input(), ChannelFilter(XNNDatatype::qcint8), Output());
  ExpectPacked("integers that meet floats");

  PayloadTensor half;
  half.datatype = XNNDatatype::fp16;
  half.dims = {kRows, kWidth};
  const uint32_t half_filter =
      Tensor(XNNDatatype::fp16, {kWidth, kWidth}, OwnConstant(kWidth * kWidth * 2));
  const uint32_t half_input = payload_.AddBorder(half, false);
  payload_.AddFullyConnected(half_input, half_filter, payload_.AddBorder(half, true));
  ExpectPacked("fp16 in and out");

  const uint32_t from_half = payload_.AddBorder(half, false);
  const uint32_t rounded = Rounded(from_half);
  payload_.AddFullyConnected(rounded, Int4Filter(), Output());
  ExpectPacked("what is rounded from fp16");

  PayloadTensor entry = half;
  entry.dq_datatype = XNNDatatype::qint8;
  payload_.AddFullyConnected(payload_.AddBorder(entry, false), Int4Filter(), Output());
  ExpectPacked("fp16 that is quantized on entry");

  payload_.AddFullyConnected(Rounded(Input()), Int4Filter(), payload_.AddBorder(half, true));
  ExpectPacked("fp16 out");
}

TEST_F(StageCutterTest, WhatIsQuantizedStaticallyStaysPacked) {
  for (const XNNDatatype datatype : {XNNDatatype::qint8, XNNDatatype::quint8}) {
    const auto per_tensor = [&](const std::vector<uint32_t>& dims, uint32_t constant,
                                std::optional<bool> is_output) {
      PayloadTensor tensor;
      tensor.datatype = datatype;
      tensor.dims = dims;
      tensor.constant = constant;
      const auto params = wire::xnnpack::CreatePerTensorQuant(payload_.builder(), 0.5f, 0).Union();
      const auto kind = XNNQuantParams::PerTensorQuant;
      return is_output ? payload_.AddQuantizedBorder(tensor, *is_output, kind, params)
                       : payload_.AddQuantized(tensor, kind, params);
    };
    const uint32_t x = per_tensor({kRows, kWidth}, 0, false);
    const uint32_t y = per_tensor({kRows, kWidth}, 0, true);
    const uint32_t filter = per_tensor({kWidth, kWidth}, OwnConstant(kWidth * kWidth), {});
    payload_.AddFullyConnected(x, filter, y);
    ExpectPacked(EnumNameXNNDatatype(datatype));
  }
}

class StructureOfStagesTest : public StageCutterTest {
 protected:
  std::optional<Digest> Of(const char* filter, LinearLayout layout) {
    const uint32_t x = Input(), y = Internal();
    payload_.AddFullyConnected(Rounded(x), Int4Filter(filter), y);
    payload_.AddSigmoid(y, Output());
    auto plan = Make(layout);
    EXPECT_TRUE(IsOk(plan));
    if (!plan.ok()) return std::nullopt;
    plans_.push_back(std::move(plan).value());
    return plans_.back().structure;
  }

 private:
  std::vector<Plan> plans_;  // structures are compared while their graphs are in use
};

TEST_F(StructureOfStagesTest, IsEqualForGraphsThatDifferInWeightsOnly) {
  const std::optional<Digest> structure = Of("i1", LinearLayout::kInPlace);
  ASSERT_TRUE(structure);
  EXPECT_EQ(Of("i1", LinearLayout::kInPlace), structure);
  EXPECT_EQ(Of("i2", LinearLayout::kInPlace), structure);
}

TEST_F(StructureOfStagesTest, IsAnotherWherePackedWeightsAreUsed) {
  const std::optional<Digest> packed = Of("i1", LinearLayout::kPacked);
  ASSERT_TRUE(packed);
  EXPECT_EQ(Of("i2", LinearLayout::kPacked), packed);
  EXPECT_NE(Of("i1", LinearLayout::kInPlace), packed);
}

// In the file's order one branch is computed after the other; in stages all are alive together.
TEST_F(StageCutterTest, AGraphThatTakesTooMuchInStagesRunsInOne) {
  constexpr uint64_t kValue = kRows * kWidth * sizeof(float);
  constexpr size_t kBranches = 40;
  const auto payload = [&] {
    const uint32_t x = Input();
    for (size_t i = 0; i < kBranches; ++i) {
      const uint32_t branch = Internal();
      payload_.AddSigmoid(x, branch);
      AddLinear(branch, Output());
    }
    return std::exchange(payload_, PayloadWriter()).Finish();
  }();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan fits, in_place_.Make(payload, kBranches * kValue));
  EXPECT_EQ(fits.stages.size(), 2u);
  EXPECT_EQ(fits.crossings.size(), kBranches);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, in_place_.Make(payload, kBranches * kValue - 1));
  EXPECT_EQ(plan.stages.size(), 1u);
  EXPECT_TRUE(plan.crossings.empty());
  ASSERT_EQ(plan.weights.size(), kBranches);
  for (const Weight& weight : plan.weights) EXPECT_NE(weight.packing, Packing::kAsStored);
}

// The graph's own rounded values are smaller; linears of one input share what is made of it.
TEST_F(StageCutterTest, WhatLinearsQuantizeCountsWhileTheirStageRuns) {
  constexpr uint32_t kManyRows = 256;  // more than XNNPACK takes to pack the weights
  const std::vector<uint32_t> dims = {kManyRows, kWidth};
  const uint64_t quantized = linear::MaxQuantizedBytes({kWidth, kInt4Group, true}, kManyRows);
  ASSERT_GT(quantized, kManyRows * kWidth);
  const auto payload = [&] {
    const auto rounded_input = [&] {
      const uint32_t rounded = payload_.AddDynamicInt8(dims);
      payload_.AddConvert(payload_.AddInput(dims), rounded);
      return rounded;
    };
    const uint32_t crossing = payload_.AddInternal(dims), rounded = rounded_input();
    payload_.AddFullyConnected(rounded, Int4Filter("i1"), crossing);
    payload_.AddFullyConnected(rounded, Int4Filter("i2"), payload_.AddOutput(dims));
    payload_.AddFullyConnected(rounded_input(), Int4Filter("i2"), payload_.AddOutput(dims));
    payload_.AddSigmoid(crossing, payload_.AddOutput(dims));
    return std::exchange(payload_, PayloadWriter()).Finish();
  }();
  const uint64_t needed = 2 * quantized + kManyRows * kWidth * sizeof(float);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan fits, in_place_.Make(payload, needed));
  EXPECT_EQ(fits.stages.size(), 2u);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, in_place_.Make(payload, needed - 1));
  ASSERT_EQ(plan.stages.size(), 1u);
  EXPECT_TRUE(plan.stages[0].linears.empty());
}

// With the bound of five rows a call may have four.
TEST(QuantizedBytesTest, AreAtMostWhatTheBoundSays) {
  for (const size_t inputs : {size_t{32}, size_t{96}, size_t{1024}}) {
    for (const linear::ActivationForm& form :
         {linear::ActivationForm{inputs, 32, true}, {inputs, 0, true}, {inputs, 0, false}}) {
      for (size_t max_rows = 0; max_rows < 20; ++max_rows) {
        for (size_t rows = 0; rows <= max_rows; ++rows) {
          EXPECT_LE(linear::QuantizedBytes(form, rows), linear::MaxQuantizedBytes(form, max_rows));
        }
      }
      EXPECT_EQ(linear::MaxQuantizedBytes(form, SIZE_MAX / 2), SIZE_MAX);
    }
  }
}

}  // namespace
}  // namespace onepack
