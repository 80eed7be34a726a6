// What a plan says of a graph, found without XNNPACK and without reading a constant.

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "aot/payload_writer.h"
#include "delegate/plan/plan.h"
#include "delegate/xnn/quirks.h"
#include "delegate/xnn/xnnpack.h"
#include "tests/support/delegate_fixture.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_plans.h"
#include "tests/support/watched_source.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNDatatype;
using wire::xnnpack::XNodeUnion;

constexpr uint32_t kWidth = 8;
constexpr size_t kFloats = kWidth * sizeof(float);

// Two filters, two of integers, two biases and two operands of a sum, with names of one length.
NamedBytes Constants() {
  NamedBytes data;
  for (const char* key : {"w1", "w2"}) data[key] = std::vector<uint8_t>(kWidth * kFloats, key[1]);
  for (const char* key : {"q1", "q2"}) data[key] = std::vector<uint8_t>(kWidth * kWidth, key[1]);
  for (const char* key : {"b1", "b2", "c1", "c2"}) {
    data[key] = std::vector<uint8_t>(kFloats, static_cast<uint8_t>(key[0] + key[1]));
  }
  return data;
}

// In the one stage there is.
Role RoleOf(const Plan& plan, uint32_t value_id) {
  return plan.stages.at(0).roles.at(plan.values.IndexOf(value_id));
}

class PlannerTest : public testing::Test {
 protected:
  void SetUp() override { data_->Forget(); }

  void TearDown() override {
    EXPECT_EQ(data_->reads(), 0u) << "a constant was read";
#ifndef ONEPACK_EXECUTORCH_XNNPACK  // which initializes itself when it is loaded
    xnn_subgraph_t subgraph = nullptr;
    EXPECT_EQ(xnn_create_subgraph(0, 0, &subgraph), xnn_status_uninitialized)
        << "XNNPACK was initialized";
#endif
  }

  Result<Plan> Make(uint64_t max_activation_bytes = 1 << 20) {
    return plans_.Make(std::exchange(payload_, PayloadWriter()).Finish(), max_activation_bytes);
  }

  uint32_t Filter(const char* key = "w1") {
    return payload_.AddConstant({kWidth, kWidth}, payload_.AddNamedConstant(key, kWidth * kFloats));
  }
  uint32_t Row(const char* key) {
    return payload_.AddConstant({kWidth}, payload_.AddNamedConstant(key, kFloats));
  }
  uint32_t Input() { return payload_.AddInput({4, kWidth}); }
  uint32_t Output() { return payload_.AddOutput({4, kWidth}); }
  uint32_t Internal() { return payload_.AddInternal({4, kWidth}); }

  const Ref<WatchedSource> data_ = WatchedSource::Create(MakeData(Constants()), "test.ptd");
  ContentRegistry contents_;
  TestPlans plans_{contents_, data_};
  PayloadWriter payload_;
};

TEST_F(PlannerTest, ValuesAreExternalInPlaceInternalOrUnused) {
  const uint32_t x = Input(), y = Output(), sum = Internal();
  const uint32_t filter = Filter(), bias = Row("b1"), operand = Row("c1"), spare = Row("c2");
  payload_.AddAdd(x, operand, sum);
  payload_.AddFullyConnected(sum, filter, y, bias);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, Make());
  EXPECT_EQ(RoleOf(plan, x), Role::kExternal);
  EXPECT_EQ(RoleOf(plan, y), Role::kExternal);
  EXPECT_EQ(RoleOf(plan, operand), Role::kInPlace);
  EXPECT_EQ(RoleOf(plan, sum), Role::kInternal);
  EXPECT_EQ(RoleOf(plan, filter), Role::kUnused) << "it is shown to its node alone";
  EXPECT_EQ(RoleOf(plan, bias), Role::kUnused);
  EXPECT_EQ(RoleOf(plan, spare), Role::kUnused);
  ASSERT_EQ(plan.externals.size(), 2u);
  EXPECT_EQ(plan.externals[0].value_id, x);
  EXPECT_FALSE(plan.externals[0].is_output);
  EXPECT_EQ(plan.externals[1].value_id, y);
  EXPECT_TRUE(plan.externals[1].is_output);
  EXPECT_EQ(plan.stages[0].externals.size(), 2u);
}

// Which XNNPACK would forget, and let the node write to nowhere.
TEST_F(PlannerTest, AnOutputThatNoNodeReadsBesideOneThatIsNeededIsUnread) {
  const uint32_t x = payload_.AddInput({1, 4, 1, 3});
  const uint32_t y = payload_.AddOutput({1, 1, 1, 3});
  PayloadTensor tensor;
  tensor.datatype = XNNDatatype::int32;
  tensor.dims = {1, 1, 1, 3};
  const uint32_t indices = payload_.AddTensor(tensor);
  payload_.AddNode(
      XNodeUnion::XNNArgMaxPooling2d,
      wire::xnnpack::CreateXNNArgMaxPooling2d(payload_.builder(), 0, 0, 0, 0, 4, 1, x, y, indices)
          .Union());
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, Make());
  EXPECT_EQ(RoleOf(plan, indices), Role::kUnread);
  EXPECT_EQ(plan.stages[0].externals.size(), 3u);
  EXPECT_EQ(RoleOf(plan, y), Role::kExternal);
}

// XNNPACK compares their dims when the node is defined.
TEST_F(PlannerTest, WhatAttentionComputesFromIsBounded) {
  const std::vector<uint32_t> dims = {1, 2, 4, 8};
  const uint32_t x = payload_.AddInput(dims), q = payload_.AddInternal(dims);
  const uint32_t k = payload_.AddInternal(dims), v = payload_.AddInternal(dims);
  const uint32_t mask = payload_.AddInput({4, 4}), y = payload_.AddOutput(dims);
  const uint32_t scale = payload_.AddConstant({8}, payload_.AddNamedConstant("c1", kFloats));
  for (const uint32_t id : {q, k, v}) payload_.AddUnary(XNodeUnion::XNNAbs, x, id);
  payload_.AddNode(
      XNodeUnion::XNNScaledDotProductAttention,
      wire::xnnpack::CreateXNNScaledDotProductAttention(payload_.builder(), q, k, v, scale, mask, y)
          .Union());
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, Make());
  for (const uint32_t id : {q, k, v}) EXPECT_EQ(RoleOf(plan, id), Role::kBounded);
  EXPECT_EQ(RoleOf(plan, scale), Role::kInPlace);
  EXPECT_EQ(RoleOf(plan, x), Role::kExternal);
}

TEST_F(PlannerTest, AFilterOfTwoNodesIsTwoWeights) {
  const uint32_t x = Input(), a = Output(), b = Output(), c = Output(), filter = Filter();
  payload_.AddFullyConnected(x, filter, a);
  payload_.AddFullyConnected(x, filter, b, PayloadWriter::kNoValue, 0, {{-1.0f, 1.0f}});
  payload_.AddFullyConnected(x, filter, c);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, Make());
  ASSERT_EQ(plan.weights.size(), 3u);
  for (uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(plan.weights[i].node, i);
    EXPECT_EQ(plan.weights[i].kernel.value_id, filter);
    EXPECT_EQ(plan.weights[i].kernel.constant_index, plan.weights[0].kernel.constant_index);
    EXPECT_EQ(plan.weights[i].raw_bytes, kWidth * kFloats);
  }
  EXPECT_TRUE(plan.weights[0].identity == plan.weights[2].identity) << "packed once";
  EXPECT_FALSE(plan.weights[0].identity == plan.weights[1].identity) << "of another clamp";
}

TEST_F(PlannerTest, AFilterThatIsAnOperandTooIsAWeightAndInPlace) {
  const uint32_t filter = Filter();
  const uint32_t x = payload_.AddInput({kWidth, kWidth});
  const uint32_t sum = payload_.AddInternal({kWidth, kWidth});
  payload_.AddAdd(x, filter, sum);
  payload_.AddFullyConnected(sum, filter, payload_.AddOutput({kWidth, kWidth}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, Make());
  EXPECT_EQ(plan.weights.size(), 1u);
  EXPECT_EQ(RoleOf(plan, filter), Role::kInPlace);
}

TEST_F(PlannerTest, AFilterThatIsComputedIsNoWeight) {
  const uint32_t x = Input();
  const uint32_t filter = payload_.AddInput({kWidth, kWidth}), bias = Row("b1");
  payload_.AddFullyConnected(x, filter, Output(), bias);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, Make());
  EXPECT_TRUE(plan.weights.empty());
  EXPECT_EQ(RoleOf(plan, bias), Role::kInPlace) << "it is not packed either";
}

TEST_F(PlannerTest, AWeightSaysWhatItIsMadeFrom) {
  const uint32_t filter = Filter(), bias = Row("b1");
  payload_.AddFullyConnected(Input(), filter, Output(), bias);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, Make());
  ASSERT_EQ(plan.weights.size(), 1u);
  const Weight& weight = plan.weights[0];
  EXPECT_EQ(plan.payload().constant(weight.kernel.constant_index).key(), "w1");
  EXPECT_EQ(plan.payload().constant(weight.bias.constant_index).key(), "b1");
  EXPECT_EQ(weight.kernel.scale_index, 0u);
  EXPECT_EQ(weight.kernel.datatype, XNNDatatype::fp32);
  EXPECT_EQ(weight.raw_bytes, kWidth * kFloats + kFloats);
  EXPECT_EQ(weight.packing, Packing::kLookedUp);
  EXPECT_FALSE(weight.reads_scales);
}

TEST_F(PlannerTest, NodesThatNoOutputNeedsAreLeftOutWithTheirWeights) {
  const uint32_t x = Input(), y = Output(), unused = Internal(), needed = Internal();
  const uint32_t filter = Filter("w1"), other = Filter("w2"), operand = Row("c1");
  payload_.AddFullyConnected(x, filter, unused);
  payload_.AddFullyConnected(x, other, needed);
  payload_.AddAdd(unused, operand, Internal());
  payload_.AddSigmoid(needed, y);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, Make());
  EXPECT_EQ(plan.stages[0].nodes, (std::vector<uint32_t>{1, 3}));
  ASSERT_EQ(plan.weights.size(), 1u);
  EXPECT_EQ(plan.weights[0].kernel.value_id, other);
  EXPECT_EQ(RoleOf(plan, unused), Role::kUnused);
  EXPECT_EQ(RoleOf(plan, operand), Role::kUnused);
}

TEST_F(PlannerTest, ANodeThatReadsWhatNothingHasWrittenIsNamed) {
  const uint32_t x = Input(), y = Output(), between = Internal();
  payload_.AddSigmoid(between, y);
  payload_.AddSigmoid(x, between);
  EXPECT_TRUE(IsError(Make(), StatusCode::kInvalidFile,
                      {"graph node 0 (XNNSigmoid)", "nothing has written yet"}));
}

// Structure: whether the runtime of one graph serves another.

class StructureTest : public PlannerTest {
 protected:
  // A sum with a constant, and a weight.
  std::optional<Digest> Of(const char* filter, const char* bias, const char* operand,
                           uint64_t max_activation_bytes = 1 << 20, float limit = 1.0f) {
    const uint32_t x = Input(), y = Output(), sum = Internal();
    payload_.AddAdd(x, Row(operand), sum);
    payload_.AddFullyConnected(sum, Filter(filter), y, Row(bias), 0, {{-limit, limit}});
    auto plan = Make(max_activation_bytes);
    EXPECT_TRUE(IsOk(plan));
    if (!plan.ok()) return std::nullopt;
    plans_.push_back(std::move(plan).value());
    return plans_.back().structure;
  }

 private:
  std::vector<Plan> plans_;  // structures are compared while their graphs are in use
};

TEST_F(StructureTest, IsEqualForGraphsThatDifferInPackedConstantsOnly) {
  const std::optional<Digest> structure = Of("w1", "b1", "c1");
  ASSERT_TRUE(structure);
  EXPECT_EQ(Of("w1", "b1", "c1"), structure);
  EXPECT_EQ(Of("w2", "b1", "c1"), structure);
  EXPECT_EQ(Of("w1", "b2", "c1"), structure);
}

TEST_F(StructureTest, IsAnotherForOtherConstantsInPlace) {
  EXPECT_NE(Of("w1", "b1", "c2"), Of("w1", "b1", "c1"));
}

TEST_F(StructureTest, IsAnotherForOtherGraphsAndLimits) {
  const std::optional<Digest> structure = Of("w1", "b1", "c1");
  EXPECT_NE(Of("w1", "b1", "c1", 1 << 21), structure);
  EXPECT_NE(Of("w1", "b1", "c1", 1 << 20, 2.0f), structure);
}

TEST_F(StructureTest, IsAbsentWhereXnnpackPacksWithoutLookingUp) {
  const uint32_t x = payload_.AddInput({1, 4, 4, 2});
  const uint32_t filter =
      payload_.AddConstant({1, 2, 2, 2}, payload_.AddNamedConstant("b1", kFloats));
  payload_.AddNode(XNodeUnion::XNNDepthwiseConv2d,
                   wire::xnnpack::CreateXNNNodeConv(
                       payload_.builder(), 0, 0, 0, 0, 2, 2, 1, 1, 1, 1, 1, 1, 2, 0, 0, x, filter,
                       PayloadWriter::kNoValue, payload_.AddOutput({1, 3, 3, 2}))
                       .Union());
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, Make());
  ASSERT_EQ(plan.weights.size(), 1u);
  EXPECT_EQ(plan.weights[0].packing == Packing::kPrivate, kDepthwiseKeepsItsFilter);
  EXPECT_EQ(!plan.structure, kDepthwiseKeepsItsFilter);
}

// What is planned like another payload with the same graph.

class LikePlanTest : public PlannerTest, public testing::WithParamInterface<LinearLayout> {
 protected:
  // A sum with a constant, a weight of floats, and one of integers with its scales.
  std::vector<uint8_t> Payload(const char* operand, const char* filter, const char* bias,
                               const char* integers, const char* scales) {
    const uint32_t x = Input(), sum = Internal(), hidden = Internal(), y = Output();
    const uint32_t rounded = payload_.AddDynamicInt8({4, kWidth});
    payload_.AddAdd(x, Row(operand), sum);
    payload_.AddFullyConnected(sum, Filter(filter), hidden, Row(bias));
    payload_.AddConvert(hidden, rounded);
    PayloadScales of_channels;
    of_channels.constant = payload_.AddNamedConstant(scales, kFloats);
    of_channels.count = kWidth;
    const uint32_t values = payload_.AddNamedConstant(integers, kWidth * kWidth);
    payload_.AddFullyConnected(
        rounded, payload_.AddPerChannelInt8({kWidth, kWidth}, values, of_channels), y);
    return std::exchange(payload_, PayloadWriter()).Finish();
  }

  TestPlans plans_{contents_, data_, GetParam()};
};

TEST_P(LikePlanTest, IsThePlanThatIsMadeFromTheStart) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan like, plans_.Make(Payload("c1", "w1", "b1", "q1", "b1")));
  const auto payloads = {
      Payload("c1", "w1", "b1", "q1", "b1"), Payload("c2", "w1", "b1", "q1", "b1"),
      Payload("c1", "w2", "b2", "q2", "b1"), Payload("c1", "w1", "b1", "q1", "b2")};
  for (const std::vector<uint8_t>& payload : payloads) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan expected, plans_.Make(payload));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, plans_.MakeLike(like, payload));
    EXPECT_EQ(plan.structure, expected.structure);
    EXPECT_EQ(plan.options.linears, expected.options.linears);
    EXPECT_EQ(plan.stages.size(), GetParam() == LinearLayout::kPacked ? 1u : 2u);
    EXPECT_EQ(plan.stages.size(), expected.stages.size());
    EXPECT_EQ(plan.crossings.size(), expected.crossings.size());
    EXPECT_EQ(plan.externals.size(), expected.externals.size());
    ASSERT_EQ(plan.values.size(), expected.values.size());
    for (size_t i = 0; i < plan.values.size(); ++i) {
      const GraphValue& value = plan.values.begin()[i].value;
      EXPECT_EQ(value.content, expected.values.begin()[i].value.content);
      EXPECT_EQ(value.quant_params, expected.values.begin()[i].value.quant_params);
    }
    ASSERT_EQ(plan.weights.size(), 2u);
    for (size_t i = 0; i < plan.weights.size(); ++i) {
      EXPECT_TRUE(plan.weights[i].identity == expected.weights[i].identity);
      EXPECT_EQ(plan.weights[i].raw_bytes, expected.weights[i].raw_bytes);
      EXPECT_EQ(plan.weights[i].packing, expected.weights[i].packing);
      EXPECT_EQ(plan.weights[i].reads_scales, expected.weights[i].reads_scales);
    }
    EXPECT_EQ(&plan.payload(), &plan.contents->payload());
    EXPECT_NE(&plan.payload(), &like.payload());
  }
}

TEST_P(LikePlanTest, AConstantOfAnotherSizeIsRefusedByName) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan like, plans_.Make(Payload("c1", "w1", "b1", "q1", "b1")));
  EXPECT_TRUE(IsError(plans_.MakeLike(like, Payload("c1", "q1", "b1", "q1", "b1")),
                      StatusCode::kMismatch, {"graph value", "'q1'", "64 bytes", "256 expected"}));
}

INSTANTIATE_TEST_SUITE_P(Layouts, LikePlanTest,
                         testing::Values(LinearLayout::kPacked, LinearLayout::kInPlace));

}  // namespace
}  // namespace onepack
