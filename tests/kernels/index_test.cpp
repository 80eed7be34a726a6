// Elements picked and replaced by indices.

#include "tests/kernels/operator_fixture.h"

namespace onepack {
namespace {

TEST(IndexTest, Embedding) {
  TestTensor weight(kF, {3, 2}, {0, 1, 10, 11, 20, 21});
  TestTensor indices(kL, {1, 3}, {2, 0, 2});
  TestTensor out(kF, {1, 3, 2});
  ASSERT_TRUE(IsOk(Call("aten::embedding.out", {weight, indices, -1, false, false, out})));
  ExpectNumbers(out, {20, 21, 0, 1, 20, 21});
  for (const double token : {3.0, -1.0}) {
    TestTensor wrong(kL, {1, 3}, {0, token, 0});
    EXPECT_TRUE(IsError(Call("aten::embedding.out", {weight, wrong, -1, false, false, out}),
                        StatusCode::kInvalidArgument, {"below 3 expected"}));
  }
}

TEST(IndexTest, IndicesOfNeighboursAndOthers) {
  TestTensor self(kF, {2, 3, 2}, Counting(12));
  TestTensor i(kL, {2}, {1, 0});
  TestTensor j(kL, {2}, {-1, 1});
  TestTensor pairs(kF, {2, 2});
  ASSERT_TRUE(IsOk(
      Call("aten::index.Tensor_out", {self, std::vector<TestTensor*>{&i, &j, nullptr}, pairs})));
  ExpectNumbers(pairs, {10, 11, 2, 3});
  // Dimensions that are no neighbours: the indices' sizes come first.
  TestTensor k(kL, {2}, {0, 1});
  TestTensor apart(kF, {2, 3});
  ASSERT_TRUE(IsOk(
      Call("aten::index.Tensor_out", {self, std::vector<TestTensor*>{&i, nullptr, &k}, apart})));
  ExpectNumbers(apart, {6, 8, 10, 1, 3, 5});
  TestTensor middle(kF, {2, 2, 2});
  ASSERT_TRUE(IsOk(Call("aten::index.Tensor_out",
                        {self, std::vector<TestTensor*>{nullptr, &j, nullptr}, middle})));
  ExpectNumbers(middle, {4, 5, 2, 3, 10, 11, 8, 9});
}

TEST(IndexTest, MasksStandForTheirPositions) {
  TestTensor self(kF, {2, 2}, {1, 2, 3, 4});
  TestTensor mask(kB, {2, 2}, {0, 1, 1, 0});
  TestTensor out(kF, {2});
  ASSERT_TRUE(IsOk(Call("aten::index.Tensor_out", {self, std::vector<TestTensor*>{&mask}, out})));
  ExpectNumbers(out, {2, 3});
  ASSERT_TRUE(IsOk(Call("aten::masked_select.out", {self, mask, out})));
  ExpectNumbers(out, {2, 3});
  TestTensor places(kL, {2, 2});
  ASSERT_TRUE(IsOk(Call("aten::nonzero.out", {mask, places})));
  ExpectNumbers(places, {0, 1, 1, 0});
  TestTensor source(kF, {2}, {8, 9});
  TestTensor scattered(kF, {2, 2});
  ASSERT_TRUE(IsOk(Call("aten::masked_scatter.out", {self, mask, source, scattered})));
  ExpectNumbers(scattered, {1, 8, 9, 4});
}

TEST(IndexTest, AnIndexOutOfRangeIsAStatus) {
  TestTensor self(kF, {2, 2}, {1, 2, 3, 4});
  TestTensor wrong(kL, {1}, {2});
  TestTensor out(kF, {1, 2});
  EXPECT_TRUE(IsError(Call("aten::index.Tensor_out", {self, std::vector<TestTensor*>{&wrong}, out}),
                      StatusCode::kInvalidArgument, {"index 2", "-2 to 1"}));
  EXPECT_TRUE(
      IsError(Call("aten::index_select.out", {self, 0, wrong, out}), StatusCode::kInvalidArgument));
  TestTensor both(kL, {1, 1}, {5});
  TestTensor one(kF, {1, 1});
  EXPECT_TRUE(
      IsError(Call("aten::gather.out", {self, 0, both, false, one}), StatusCode::kInvalidArgument));
  EXPECT_TRUE(
      IsError(Call("aten::scatter.value_out", {self, 0, both, 1, self}), StatusCode::kInvalidFile));
  TestTensor copy(kF, {2, 2});
  EXPECT_TRUE(IsError(Call("aten::scatter.value_out", {self, 0, both, 1, copy}),
                      StatusCode::kInvalidArgument, {"index 5"}));
}

TEST(IndexTest, SelectsAndGathers) {
  TestTensor self(kF, {2, 3}, Counting(6));
  TestTensor index(kL, {2}, {2, 0});
  TestTensor selected(kF, {2, 2});
  ASSERT_TRUE(IsOk(Call("aten::index_select.out", {self, 1, index, selected})));
  ExpectNumbers(selected, {2, 0, 5, 3});
  TestTensor at(kL, {2, 1}, {2, 1});
  TestTensor gathered(kF, {2, 1});
  ASSERT_TRUE(IsOk(Call("aten::gather.out", {self, 1, at, false, gathered})));
  ExpectNumbers(gathered, {2, 4});
}

TEST(ScatterTest, PutsByIndex) {
  TestTensor self(kF, {3, 2}, Counting(6));
  TestTensor index(kL, {2}, {2, 2});
  TestTensor values(kF, {2, 2}, {10, 20, 30, 40});
  TestTensor out(kF, {3, 2});
  const std::vector<TestTensor*> indices = {&index};
  ASSERT_TRUE(IsOk(Call("aten::index_put.out", {self, indices, values, true, out})));
  ExpectNumbers(out, {0, 1, 2, 3, 44, 65});
  TestTensor number(kF, {}, {7});
  ASSERT_TRUE(IsOk(Call("aten::index_put.out", {self, indices, number, false, out})));
  ExpectNumbers(out, {0, 1, 2, 3, 7, 7});
  ASSERT_TRUE(IsOk(Call("aten::index_put_", {self, indices, number, false, self})));
  ExpectNumbers(self, {0, 1, 2, 3, 7, 7});
}

TEST(ScatterTest, IndicesThatRepeatWithoutEndAreRefused) {
  TestTensor self(kF, {1, 1, 1, 1});
  TestTensor first(kL, {65536, 1, 1});
  TestTensor second(kL, {65536, 1});
  TestTensor third(kL, {65536});
  TestTensor number(kF, {}, {7});
  const std::vector<TestTensor*> indices = {&first, &second, &third};
  EXPECT_TRUE(IsError(Call("aten::index_put_", {self, indices, number, false, self}),
                      StatusCode::kUnsupported, {"repeated"}));
  // Four of them are more than an int64_t counts.
  TestTensor outermost(kL, {65536, 1, 1, 1});
  const std::vector<TestTensor*> four = {&outermost, &first, &second, &third};
  EXPECT_FALSE(Call("aten::index_put_", {self, four, number, false, self}).ok());
  ExpectNumbers(self, {0});
}

TEST(MaskTest, ASelectionFromWhatRepeatsWithoutEndIsRefused) {
  TestTensor self(kB, {4096, 1, 2});
  TestTensor mask(kB, {1, 1024, 1});
  TestTensor out(kF, {0});
  EXPECT_TRUE(IsError(Call("aten::masked_select.out", {self, mask, out}), StatusCode::kUnsupported,
                      {"repeated"}));
  // What the mask itself has is no repetition.
  TestTensor row(kB, {2048});
  TestTensor whole(kB, {4096, 2048});
  TestTensor none(kB, {0});
  EXPECT_TRUE(IsOk(Call("aten::masked_select.out", {row, whole, none})));
}

TEST(ScatterTest, AlongADimension) {
  TestTensor self(kF, {2, 3}, Counting(6));
  TestTensor index(kL, {2, 2}, {0, 2, 1, 1});
  TestTensor src(kF, {2, 2}, {10, 20, 30, 40});
  TestTensor out(kF, {2, 3});
  ASSERT_TRUE(IsOk(Call("aten::scatter.src_out", {self, 1, index, src, out})));
  ExpectNumbers(out, {10, 1, 20, 3, 40, 5});
  ASSERT_TRUE(IsOk(Call("aten::scatter_add.out", {self, 1, index, src, out})));
  ExpectNumbers(out, {10, 1, 22, 3, 74, 5});
  ASSERT_TRUE(IsOk(Call("aten::scatter.value_out", {self, 1, index, -1, out})));
  ExpectNumbers(out, {-1, 1, -1, 3, -1, 5});
}

TEST(ScatterTest, SlicesAndRows) {
  TestTensor self(kF, {2, 3}, Counting(6));
  TestTensor row(kF, {3}, {7, 8, 9});
  TestTensor out(kF, {2, 3});
  ASSERT_TRUE(IsOk(Call("aten::select_scatter.out", {self, row, 0, 1, out})));
  ExpectNumbers(out, {0, 1, 2, 7, 8, 9});
  TestTensor columns(kF, {2, 2}, {10, 20, 30, 40});
  ASSERT_TRUE(IsOk(Call("aten::slice_scatter.out", {self, columns, 1, 0, 3, 2, out})));
  ExpectNumbers(out, {10, 1, 20, 30, 4, 40});
}

TEST(IndexTest, IndicesAreRepeatedAsOftenAsIsSaid) {
  for (const ScalarType type : {kL, ScalarType::kInt}) {
    TestTensor repeats(type, {4}, {2, 0, 3, 1});
    TestTensor out(type, {6});
    ASSERT_TRUE(IsOk(Call("aten::repeat_interleave.Tensor_out", {repeats, nullptr, out})));
    ExpectNumbers(out, {0, 0, 2, 2, 2, 3});
    ASSERT_TRUE(IsOk(Call("aten::repeat_interleave.Tensor_out", {repeats, 6, out})));
    EXPECT_TRUE(IsError(Call("aten::repeat_interleave.Tensor_out", {repeats, 5, out}),
                        StatusCode::kInvalidArgument, {"output_size is 5", "sum to 6"}));
  }
  TestTensor out(kL, {2});
  for (const double wrong : {-1.0, 1e18}) {
    TestTensor repeats(kL, {2}, {3, wrong});
    EXPECT_TRUE(IsError(Call("aten::repeat_interleave.Tensor_out", {repeats, nullptr, out}),
                        StatusCode::kInvalidArgument, {"repeats of element 1"}));
  }
  TestTensor many(kL, {2}, {3, 2});
  EXPECT_TRUE(IsError(Call("aten::repeat_interleave.Tensor_out", {many, nullptr, out}),
                      StatusCode::kInvalidArgument, {"int64 [5] given"}));
  TestTensor real(kF, {2}, {1, 1});
  EXPECT_FALSE(Call("aten::repeat_interleave.Tensor_out", {real, nullptr, out}).ok());
}

}  // namespace
}  // namespace onepack
