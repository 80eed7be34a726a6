// Bounds in a file that are not what the bounds of the inputs make: a limit for each call, and
// nothing more.

#include "delegate/plan/shape_inference.h"

#include <sys/resource.h>

#include "tests/delegate/ops/graph_test.h"

namespace onepack {
namespace {

using Dims = std::vector<uint32_t>;

// The absolute values of [4, 3], by way of a value with the bound `middle`.
Result<GraphProgram> TwoNegations(const Dims& middle, const Dims& out) {
  PayloadWriter payload;
  const uint32_t x = payload.AddInput({4, 3});
  const uint32_t between = payload.AddInternal(middle);
  payload.AddUnary(XNodeUnion::XNNNegate, x, between);
  payload.AddUnary(XNodeUnion::XNNAbs, between, payload.AddOutput(out));
  return GraphProgram::Load(payload, {Input({4, 3}), Output(SizesOf(out))});
}

std::vector<float> AbsOf(std::vector<float> numbers) {
  for (float& number : numbers) number = std::abs(number);
  return numbers;
}

TEST(ShapeInferenceTest, ABoundMayBeLargerThanTheInputsMakeIt) {
  for (const auto& [middle, out] :
       {std::pair{Dims{9, 3}, Dims{4, 3}}, {Dims{4, 3}, Dims{9, 3}}, {Dims{9, 3}, Dims{9, 3}}}) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram program, TwoNegations(middle, out));
    for (const int32_t rows : {4, 1, 3}) {
      const std::vector<float> numbers = Mixed(static_cast<size_t>(rows) * 3);
      ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, program.Run({Floats({rows, 3}, numbers)}));
      EXPECT_EQ(found[0].sizes, (std::vector<int32_t>{rows, 3}));
      EXPECT_EQ(FloatsOf(found[0]), AbsOf(numbers));
    }
  }
}

// Exporters write the size of the example where a dim has no bound.
TEST(ShapeInferenceTest, ABoundMayBeSmallerThanTheInputsMakeItAndIsKept) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram program, TwoNegations({2, 3}, {2, 3}));
  for (const int32_t rows : {2, 1}) {
    const std::vector<float> numbers = Mixed(static_cast<size_t>(rows) * 3);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, program.Run({Floats({rows, 3}, numbers)}));
    EXPECT_EQ(FloatsOf(found[0]), AbsOf(numbers));
  }
  EXPECT_TRUE(IsError(program.Run({Floats({3, 3}, Mixed(9))}), StatusCode::kMismatch,
                      {"graph node 0 (XNNNegate)", "an output [3, 3]", "at most [2, 3]"}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, program.Run({Floats({2, 3}, Mixed(6))}));
  EXPECT_EQ(FloatsOf(found[0]), AbsOf(Mixed(6)));
}

// Of joined inputs, one of 2 rows by example and one of up to 8.
TEST(ShapeInferenceTest, AJoinOfWhatHasABoundAndWhatHasNoneIsComputed) {
  PayloadWriter payload;
  const uint32_t a = payload.AddInput({2, 2});
  const uint32_t b = payload.AddInput({8, 2});
  const uint32_t joined = payload.AddInternal({5, 2});
  payload.AddConcatenate2(0, a, b, joined);
  payload.AddUnary(XNodeUnion::XNNNegate, joined, payload.AddOutput({5, 2}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const GraphProgram program,
      GraphProgram::Load(payload, {Input({2, 2}), Input({8, 2}), Output({5, 2})}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const auto found,
      program.Run({Floats({2, 2}, {1, 2, 3, 4}), Floats({3, 2}, {5, 6, 7, 8, 9, 10})}));
  EXPECT_EQ(FloatsOf(found[0]), (std::vector<float>{-1, -2, -3, -4, -5, -6, -7, -8, -9, -10}));
  EXPECT_TRUE(IsError(program.Run({Floats({2, 2}, Mixed(4)), Floats({8, 2}, Mixed(16))}),
                      StatusCode::kMismatch, {"XNNConcatenate2", "[10, 2]", "[5, 2]"}));
}

// Both of a value that is computed and one that is given, which have the same bound in the file.
TEST(ShapeInferenceTest, BoundsThatAgreeWithEachOtherAloneAreComputedWith) {
  PayloadWriter payload;
  const uint32_t x = payload.AddInput({4, 3});
  const uint32_t given = payload.AddInput({9, 3});
  const uint32_t computed = payload.AddInternal({9, 3});
  payload.AddUnary(XNodeUnion::XNNNegate, x, computed);
  payload.AddAdd(computed, given, payload.AddOutput({9, 3}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const GraphProgram program,
      GraphProgram::Load(payload, {Input({4, 3}), Input({9, 3}), Output({9, 3})}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const auto found, program.Run({Floats({1, 3}, {1, 2, 3}), Floats({1, 3}, {10, 20, 30})}));
  EXPECT_EQ(FloatsOf(found[0]), (std::vector<float>{9, 18, 27}));
}

// A word of a file is no reason to take a gigabyte.
TEST(ShapeInferenceTest, ABoundThatIsFarTooLargeTakesNoMemory) {
  for (const Dims& middle : {Dims{4, 1u << 26}, {1u << 26, 3}}) {
    rusage before{}, after{};
    getrusage(RUSAGE_SELF, &before);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram program, TwoNegations(middle, {4, 3}));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, program.Run({Floats({4, 3}, Mixed(12))}));
    getrusage(RUSAGE_SELF, &after);
    EXPECT_EQ(FloatsOf(found[0]), AbsOf(Mixed(12)));
    EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 100'000) << "KB";
  }
}

// XNNPACK never computes how many indices there are, and takes memory for the bound.
TEST(ShapeInferenceErrorsTest, ABoundOfIndicesThatIsNotExactIsNamed) {
  const auto load = [](const Dims& indices) {
    PayloadWriter payload;
    const uint32_t x = payload.AddInput({1, 4, 1, 2});
    PayloadTensor tensor;
    tensor.datatype = XNNDatatype::int32;
    tensor.dims = indices;
    const uint32_t unread = payload.AddTensor(tensor);
    const uint32_t y = payload.AddOutput({1, 1, 1, 2});
    payload.AddNode(
        XNodeUnion::XNNArgMaxPooling2d,
        wire::xnnpack::CreateXNNArgMaxPooling2d(payload.builder(), 0, 0, 0, 0, 4, 1, x, y, unread)
            .Union());
    auto program = GraphProgram::Load(payload, {Input({1, 4, 1, 2}), Output({1, 1, 1, 2})});
    return program.ok() ? Status::Ok() : program.TakeStatus();
  };
  EXPECT_TRUE(IsOk(load({1, 1, 1, 2})));
  for (const Dims& dims : {Dims{1, 1, 1, 1u << 28}, {1, 1, 1, 1}}) {
    EXPECT_TRUE(IsError(load(dims), StatusCode::kInvalidFile,
                        {"graph node 0 (XNNArgMaxPooling2d)", "[1, 1, 1, 2] expected"}));
  }
}

TEST(ShapeInferenceErrorsTest, AValueOfAnotherRankIsNamed) {
  EXPECT_TRUE(IsError(TwoNegations({4, 3, 1}, {4, 3}), StatusCode::kInvalidFile,
                      {"graph node 0 (XNNNegate)", "an output [4, 3, 1], [4, 3] expected"}));
}

}  // namespace
}  // namespace onepack
