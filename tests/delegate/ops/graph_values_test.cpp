// What enters and leaves a graph: scalars and all ranks, no rows, other dim orders, outputs that
// are read on or that overlap inputs, sizes that change.

#include <string>

#include "tests/delegate/ops/graph_test.h"

namespace onepack {
namespace {

TEST(GraphValuesTest, OfEveryRankAreComputed) {
  for (uint32_t rank = 0; rank <= 6; ++rank) {
    const std::vector<uint32_t> dims(rank, 2);
    const std::vector<float> x = Mixed(size_t{1} << rank);
    std::vector<float> expected = x;
    for (float& number : expected) number = -number;
    ONEPACK_ASSERT_OK_AND_ASSIGN(
        const auto found,
        RunOne(dims, dims, x, [](PayloadWriter& payload, uint32_t in, uint32_t out) {
          payload.AddUnary(XNodeUnion::XNNNegate, in, out);
        }));
    EXPECT_EQ(FloatsOf(found[0]), expected) << "rank " << rank;
  }
}

TEST(GraphValuesTest, AScalarOfTheProgramMayBeOneElementOfTheGraph) {
  PayloadWriter payload;
  const uint32_t x = payload.AddInput({1});
  payload.AddUnary(XNodeUnion::XNNNegate, x, payload.AddOutput({1}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram program,
                               GraphProgram::Load(payload, {Input({}), Output({})}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, program.Run({Floats({}, {3})}));
  EXPECT_EQ(FloatsOf(found[0]), (std::vector<float>{-3}));
}

// Exporters pass the sizes of dynamic dims along with the tensors.
TEST(GraphValuesTest, AnArgumentThatIsNoValueOfTheGraphIsLetPass) {
  const auto load = [](uint32_t unused) {
    PayloadWriter payload;
    const uint32_t x = payload.AddInput({2});
    for (uint32_t i = 0; i < unused; ++i) payload.AddUnusedArgument();
    payload.AddUnary(XNodeUnion::XNNNegate, x, payload.AddOutput({2}));
    std::vector<GraphBorder> borders(unused + 2, Input({1}));
    borders.front() = Input({2});
    borders.back() = Output({2});
    return GraphProgram::Load(payload, borders);
  };
  ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram program, load(3));
  const GraphTensor one = Floats({1}, {1});
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found,
                               program.Run({Floats({2}, {1, -2}), one, one, one}));
  EXPECT_EQ(FloatsOf(found[0]), (std::vector<float>{-1, 2}));
  EXPECT_TRUE(IsError(load(5000), StatusCode::kInvalidFile, {"5002 external values", "4096"}));
}

// Constants.

// Of a tensor that is the first part of another's storage, exporters write all of the storage.
TEST(GraphValuesTest, AConstantMayHaveMoreBytesThanItsDimsTake) {
  constexpr uint32_t kWidth = 4;
  for (const bool is_int4 : {false, true}) {
    for (const bool is_packed : {false, true}) {
      if (is_int4 && !is_packed) continue;
      PayloadWriter payload;
      const uint32_t x = payload.AddInput({1, kWidth});
      const uint32_t y = payload.AddOutput({1, is_packed ? 2 : kWidth});
      const std::vector<float> stored = {1, 2, 3, 4, 5, 6, 7, 8, 100, 100, 100};
      if (!is_packed) {
        payload.AddAdd(x, payload.AddConstant({kWidth}, payload.AddOwnConstant(AsBytes(stored))),
                       y);
      } else if (!is_int4) {
        const uint32_t w =
            payload.AddConstant({2, kWidth}, payload.AddOwnConstant(AsBytes(stored)));
        const uint32_t bias = payload.AddConstant({2}, payload.AddOwnConstant(AsBytes(stored)));
        payload.AddFullyConnected(x, w, y, bias);
      } else {
        // Transposed, which are widened before they are packed.
        PayloadTensor tensor;
        tensor.datatype = XNNDatatype::qcint4;
        tensor.dims = {kWidth, 2};
        tensor.constant =
            payload.AddOwnConstant(std::vector<uint8_t>{0xd9, 0xea, 0xfb, 0x0c, 0x77, 0x77});
        const uint32_t scales = payload.AddOwnConstant(AsBytes(std::vector<float>{1, 2, 99}));
        const uint32_t w = payload.AddQuantized(
            tensor, wire::xnnpack::XNNQuantParams::PerChannelQuant,
            wire::xnnpack::CreatePerChannelQuant(payload.builder(), 0, 1, scales, 2).Union());
        payload.AddFullyConnected(x, w, y, PayloadWriter::kNoValue, 1);
      }
      ONEPACK_ASSERT_OK_AND_ASSIGN(
          const GraphProgram program,
          GraphProgram::Load(payload, {Input({1, kWidth}), Output({1, is_packed ? 2 : 4})}));
      ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, program.Run({Floats({1, 4}, {1, 1, 1, 2})}));
      const std::vector<float> expected = is_int4     ? std::vector<float>{14, 4}
                                          : is_packed ? std::vector<float>{15, 36}
                                                      : std::vector<float>{2, 3, 4, 6};
      EXPECT_EQ(FloatsOf(found[0]), expected);
    }
  }
}

TEST(GraphValuesTest, ANamedConstantMayHaveMoreBytesOnlyIfTheGraphSaysSo) {
  const auto load = [](uint64_t stated) {
    PayloadWriter payload;
    const uint32_t x = payload.AddInput({2});
    const uint32_t w = payload.AddConstant({2}, payload.AddNamedConstant("w", stated));
    payload.AddAdd(x, w, payload.AddOutput({2}));
    GraphProgram::Options options;
    const std::vector<float> stored = {1, 2, 3};
    options.data["w"] = {AsBytes(stored).begin(), AsBytes(stored).end()};
    return GraphProgram::Load(payload, {Input({2}), Output({2})}, options);
  };
  ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram program, load(12));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, program.Run({Floats({2}, {10, 20})}));
  EXPECT_EQ(FloatsOf(found[0]), (std::vector<float>{11, 22}));
  EXPECT_TRUE(IsError(load(8), StatusCode::kMismatch, {"key 'w'", "12 bytes found", "8 expected"}));
}

// Rows.

GraphProgram::Options WithData(const std::vector<LinearLayer>& layers) {
  GraphProgram::Options options;
  options.data = DataOf(layers);
  return options;
}

TEST(GraphValuesTest, WithoutRowsThereIsNothingToComputeAndTheNextCallRuns) {
  const LinearLayer layer{"w", 32, 8, WeightKind::kInt8, 1};
  PayloadWriter payload;
  const uint32_t x = payload.AddInput({8, 32});
  AddLinearLayer(payload, layer, 8, x, payload.AddOutput({8, 8}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const GraphProgram program,
      GraphProgram::Load(payload, {Input({8, 32}), Output({8, 8})}, WithData({layer})));
  for (const int32_t rows : {0, 3, 0, 8, 0}) {
    const std::vector<float> numbers = Mixed(static_cast<size_t>(rows) * 32);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, program.Run({Floats({rows, 32}, numbers)}));
    EXPECT_EQ(found[0].sizes, (std::vector<int32_t>{rows, 8}));
    EXPECT_LE(LargestDifference(FloatsOf(found[0]), ReferenceChain({layer}, numbers)), 0.5f);
  }
}

TEST(GraphValuesTest, SomethingOutOfNothingIsRefusedByName) {
  PayloadWriter payload;
  const uint32_t x = payload.AddInput({4, 2});
  const std::vector<uint32_t> before = {0, 1};
  const std::vector<uint32_t> after = {1, 0};
  const uint32_t y = payload.AddOutput({5, 3});
  payload.AddNode(XNodeUnion::XNNStaticConstantPad, wire::xnnpack::CreateXNNStaticConstantPadDirect(
                                                        payload.builder(), &before, &after, 0, x, y)
                                                        .Union());
  ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram program,
                               GraphProgram::Load(payload, {Input({4, 2}), Output({5, 3})}));
  EXPECT_TRUE(
      IsError(program.Run({Floats({0, 2}, {})}), StatusCode::kUnsupported, {"without elements"}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, program.Run({Floats({1, 2}, {7, 8})}));
  EXPECT_EQ(FloatsOf(found[0]), (std::vector<float>{0, 7, 8, 0, 0, 0}));
}

// Dim orders: the graph has the dims in the order of storage.

TEST(GraphValuesTest, ATensorInAnotherDimOrderIsTakenAsItIsStored) {
  PayloadWriter payload;
  const uint32_t x = payload.AddInput({1, 2, 3, 4});
  payload.AddUnary(XNodeUnion::XNNNegate, x, payload.AddOutput({1, 2, 3, 4}));
  GraphBorder in = Input({1, 4, 2, 3});
  in.dim_order = {0, 2, 3, 1};
  GraphBorder out = in;
  out.is_output = true;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram program, GraphProgram::Load(payload, {in, out}));
  GraphTensor image = Floats({1, 4, 2, 3}, Mixed(24));
  image.dim_order = in.dim_order;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, program.Run({image}));
  std::vector<float> expected = Mixed(24);
  for (float& number : expected) number = -number;
  EXPECT_EQ(FloatsOf(found[0]), expected);
  EXPECT_EQ(found[0].sizes, (std::vector<int32_t>{1, 4, 2, 3}));
}

// Outputs.

// The exporter gives the graph one order and the program another, when a channel stands alone.
TEST(GraphValuesTest, ADimensionOfSizeOneMayStandElsewhereInTheGraph) {
  const std::vector<std::vector<uint32_t>> graph_dims = {{1, 1, 7, 5}, {1, 7, 5, 1}, {1, 7, 1, 5}};
  const std::vector<std::vector<uint8_t>> orders = {{0, 1, 2, 3}, {0, 2, 3, 1}, {0, 2, 1, 3}};
  for (const std::vector<uint32_t>& dims : graph_dims) {
    for (const std::vector<uint8_t>& order : orders) {
      PayloadWriter payload;
      const uint32_t x = payload.AddInput(dims);
      payload.AddUnary(XNodeUnion::XNNAbs, x, payload.AddOutput(dims));
      GraphBorder in = Input({1, 1, 7, 5});
      GraphBorder out = Output({1, 1, 7, 5});
      in.dim_order = order;
      out.dim_order = orders[(dims[1] + order[1]) % 3];
      ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram program,
                                   GraphProgram::Load(payload, {in, out}));
      // Also where fewer sizes are above 1 than the bounds say, and without elements.
      for (const std::vector<int32_t>& sizes : std::vector<std::vector<int32_t>>{
               {1, 1, 7, 5}, {1, 1, 1, 5}, {1, 1, 3, 1}, {1, 1, 0, 5}, {1, 1, 7, 4}}) {
        const std::vector<float> numbers = Mixed(static_cast<size_t>(sizes[2] * sizes[3]));
        ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, program.Run({Floats(sizes, numbers)}));
        EXPECT_EQ(found[0].sizes, sizes);
        const std::vector<float> y = FloatsOf(found[0]);
        ASSERT_EQ(y.size(), numbers.size());
        for (size_t i = 0; i < y.size(); ++i) EXPECT_EQ(y[i], std::abs(numbers[i]));
      }
    }
  }
}

TEST(GraphValuesTest, DimensionsThatDifferInMoreThanThePlaceOfOnesAreRefused) {
  PayloadWriter payload;
  const uint32_t x = payload.AddInput({1, 5, 7, 1});
  payload.AddUnary(XNodeUnion::XNNAbs, x, payload.AddOutput({1, 5, 7, 1}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const GraphProgram program,
      GraphProgram::Load(payload, {Input({1, 1, 7, 5}), Output({1, 1, 7, 5})}));
  EXPECT_TRUE(IsError(program.Run({Floats({1, 1, 7, 5}, Mixed(35))}), StatusCode::kMismatch,
                      {"argument 0", "[1, 1, 7, 5]"}));
}

TEST(GraphValuesTest, AnOutputMayBeReadByTheNodesBehindIt) {
  PayloadWriter payload;
  const uint32_t x = payload.AddInput({4});
  const uint32_t doubled = payload.AddOutput({4});
  const uint32_t squared = payload.AddOutput({4});
  payload.AddAdd(x, x, doubled);
  payload.AddMultiply(doubled, doubled, squared);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram program,
                               GraphProgram::Load(payload, {Input({4}), Output({4}), Output({4})}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, program.Run({Floats({4}, {1, 2, 3, 4})}));
  EXPECT_EQ(FloatsOf(found[0]), (std::vector<float>{2, 4, 6, 8}));
  EXPECT_EQ(FloatsOf(found[1]), (std::vector<float>{4, 16, 36, 64}));
}

// A matrix that is multiplied into its own place: every row is needed to the end.
TEST(GraphValuesTest, AnOutputMayOverlapAnInput) {
  for (const int64_t offset : {0, 16}) {
    PayloadWriter payload;
    const uint32_t x = payload.AddInput({4, 4});
    const uint32_t y = payload.AddOutput({4, 4});
    payload.AddBinary(XNodeUnion::XNNBatchMatrixMultiply, x, x, y);
    GraphBorder out = Output({4, 4});
    out.offset = offset;
    ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram program,
                                 GraphProgram::Load(payload, {Input({4, 4}), out}));
    const std::vector<float> m = Mixed(16);
    std::vector<float> expected(16);
    for (size_t i = 0; i < 16; ++i) {
      for (size_t k = 0; k < 4; ++k) expected[i] += m[i / 4 * 4 + k] * m[k * 4 + i % 4];
    }
    for (int i = 0; i < 2; ++i) {
      ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, program.Run({Floats({4, 4}, m)}));
      EXPECT_LT(LargestDifference(FloatsOf(found[0]), expected), 1e-6f);
    }
  }
}

// Of a mutated program: XNNPACK would copy a range onto a part of itself.
TEST(GraphValuesTest, OutputsThatLieOverEachOtherAreComputedApart) {
  PayloadWriter payload;
  const uint32_t x = payload.AddInput({4});
  const uint32_t y = payload.AddOutput({4});
  const uint32_t z = payload.AddOutput({4});
  payload.AddUnary(XNodeUnion::XNNNegate, x, y);
  payload.AddUnary(XNodeUnion::XNNCopy, y, z);
  GraphBorder first = Output({4});
  GraphBorder second = Output({4});
  first.offset = 32;
  second.offset = 40;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram program,
                               GraphProgram::Load(payload, {Input({4}), first, second}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, program.Run({Floats({4}, Mixed(4))}));
  std::vector<float> expected = Mixed(4);
  for (float& number : expected) number = -number;
  EXPECT_EQ(FloatsOf(found[1]), expected) << "the last to be written";
}

// The product of [8, 4] with [width, 4], and the negated input besides.
Result<GraphProgram> TwoOutputs(uint32_t width, const std::vector<GraphBorder>& borders) {
  PayloadWriter payload;
  const uint32_t x = payload.AddInput({8, 4});
  const uint32_t y = payload.AddOutput({8, 4});
  const uint32_t z = payload.AddOutput({8, width});
  const std::vector<float> ones(size_t{4} * width, 1);
  payload.AddUnary(XNodeUnion::XNNNegate, x, y);
  const uint32_t filter = payload.AddOwnConstant(AsBytes(ones));
  payload.AddFullyConnected(x, payload.AddConstant({width, 4}, filter), z);
  return GraphProgram::Load(payload, borders);
}

// Of a mutated program: the tensor is resized for the second one, and the first one is larger.
TEST(GraphValuesTest, OutputsOfTwoSizesInOneTensorAreRefused) {
  GraphBorder second = Output({8, 4});
  second.same_as = 1;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram program,
                               TwoOutputs(1, {Input({8, 4}), Output({8, 4}), second}));
  EXPECT_TRUE(IsError(program.Run({Floats({8, 4}, Mixed(32))}), StatusCode::kMismatch,
                      {"output 1", "another output"}));
}

TEST(GraphValuesTest, OfOutputsOfOneSizeInOneTensorOneIsThere) {
  GraphBorder second = Output({8, 4});
  second.same_as = 1;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram program,
                               TwoOutputs(4, {Input({8, 4}), Output({8, 4}), second}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, program.Run({Floats({8, 4}, Mixed(32))}));
  EXPECT_EQ(found[0].bytes.size(), 32 * sizeof(float));
}

// The tensor has as many elements as the output afterwards, and fewer than the input that was read.
TEST(GraphValuesTest, AnInputMayShrinkToTheOutputThatTakesItsTensor) {
  GraphBorder out = Output({8, 4});
  out.same_as = 0;
  GraphBorder over_input = Output({8, 4});
  over_input.offset = 64;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram program,
                               TwoOutputs(1, {Input({8, 4}), over_input, out}));
  const std::vector<float> numbers = Mixed(32);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, program.Run({Floats({8, 4}, numbers)}));
  std::vector<float> expected = numbers;
  for (float& number : expected) number = -number;
  EXPECT_EQ(FloatsOf(found[0]), expected);
}

TEST(GraphValuesTest, AnOutputThatIsACopyOfAnInputIsWritten) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const auto found,
      RunOne({3}, {3}, {1, 2, 3}, [](PayloadWriter& payload, uint32_t in, uint32_t out) {
        const uint32_t between = payload.AddInternal({3});
        payload.AddUnary(XNodeUnion::XNNCopy, in, between);
        payload.AddUnary(XNodeUnion::XNNCopy, between, out);
      }));
  EXPECT_EQ(FloatsOf(found[0]), (std::vector<float>{1, 2, 3}));
}

// Sizes.

// One of the operands may be the smaller one in one call and the larger one in the next, and it is
// what a node before computed: XNNPACK lets the sum take its place if it may.
TEST(GraphValuesTest, ABroadcastThatChangesDirectionBetweenCallsIsComputed) {
  PayloadWriter payload;
  const uint32_t a = payload.AddInput({8, 4});
  const uint32_t b = payload.AddInput({8, 4});
  const uint32_t middle = payload.AddInternal({8, 2, 2});
  const uint32_t back = payload.AddInternal({8, 4});
  const uint32_t y = payload.AddOutput({8, 4});
  const std::vector<uint32_t> split = {0, 2, 2};
  const std::vector<uint32_t> joined = {0, 4};
  const auto reshape = [&](const std::vector<uint32_t>& shape, uint32_t in, uint32_t out) {
    payload.AddNode(XNodeUnion::XNNStaticReshape,
                    wire::xnnpack::CreateXNNStaticReshapeDirect(
                        payload.builder(), static_cast<uint32_t>(shape.size()), &shape, in, out)
                        .Union());
  };
  const uint32_t negated = payload.AddInternal({8, 4});
  const uint32_t sum = payload.AddInternal({8, 4});
  payload.AddUnary(XNodeUnion::XNNNegate, a, negated);
  reshape(split, negated, middle);
  reshape(joined, middle, back);
  payload.AddAdd(back, b, sum);
  payload.AddMultiply(sum, b, y);
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const GraphProgram program,
      GraphProgram::Load(payload, {Input({8, 4}), Input({8, 4}), Output({8, 4})}));
  const std::pair<int32_t, int32_t> rows[] = {{8, 8}, {1, 8}, {8, 1}, {3, 3}, {1, 3}, {1, 1}};
  for (const auto& [a_rows, b_rows] : rows) {
    const std::vector<float> x = Mixed(static_cast<size_t>(a_rows) * 4, 1);
    const std::vector<float> z = Mixed(static_cast<size_t>(b_rows) * 4, 2);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found,
                                 program.Run({Floats({a_rows, 4}, x), Floats({b_rows, 4}, z)}));
    std::vector<float> expected(static_cast<size_t>(std::max(a_rows, b_rows)) * 4);
    for (size_t i = 0; i < expected.size(); ++i) {
      const float from_b = z[b_rows == 1 ? i % 4 : i];
      expected[i] = (from_b - x[a_rows == 1 ? i % 4 : i]) * from_b;
    }
    EXPECT_LT(LargestDifference(FloatsOf(found[0]), expected), 1e-6f) << a_rows << ", " << b_rows;
  }
}

TEST(GraphValuesTest, AFailedCallBetweenTwoShapesLeavesNoOldPlanBehind) {
  PayloadWriter payload;
  const uint32_t a = payload.AddInput({8, 4});
  const uint32_t b = payload.AddInput({8, 4});
  const uint32_t negated = payload.AddInternal({8, 4});
  payload.AddUnary(XNodeUnion::XNNNegate, a, negated);
  const uint32_t sum = payload.AddInternal({8, 4});
  payload.AddAdd(negated, b, sum);
  payload.AddMultiply(sum, b, payload.AddOutput({8, 4}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const GraphProgram program,
      GraphProgram::Load(payload, {Input({8, 4}), Input({8, 4}), Output({8, 4})}));
  const GraphTensor full = Floats({8, 4}, Mixed(32, 1));
  const GraphTensor row = Floats({1, 4}, Mixed(4, 1));
  ASSERT_TRUE(IsOk(program.Run({full, full})));
  EXPECT_TRUE(IsError(program.Run({Floats({3, 4}, Mixed(12)), Floats({2, 4}, Mixed(8))}),
                      StatusCode::kMismatch, {"XNNAdd"}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, program.Run({row, full}));
  std::vector<float> expected = Mixed(32, 1);
  for (size_t i = 0; i < 32; ++i) expected[i] = (expected[i] - Mixed(4, 1)[i % 4]) * expected[i];
  EXPECT_LT(LargestDifference(FloatsOf(found[0]), expected), 1e-6f);
}

}  // namespace
}  // namespace onepack
