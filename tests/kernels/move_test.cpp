// Operators that only move elements: views, copies, joins, splits, fills.

#include <cmath>

#include "tests/kernels/operator_fixture.h"

namespace onepack {
namespace {

const std::vector<uint8_t> kChannelsLast = {0, 2, 3, 1};

TEST(ViewTest, Slices) {
  TestTensor self(kF, {2, 5}, Counting(10));
  TestTensor out(kF, {2, 2});
  ASSERT_TRUE(IsOk(Call("aten::slice_copy.Tensor_out", {self, 1, 1, 4, 2, out})));
  ExpectNumbers(out, {1, 3, 6, 8});
  ASSERT_TRUE(IsOk(Call("aten::slice_copy.Tensor_out", {self, -1, -2, INT64_MAX, 1, out})));
  ExpectNumbers(out, {3, 4, 8, 9});
  TestTensor empty(kF, {2, 0});
  EXPECT_TRUE(IsOk(Call("aten::slice_copy.Tensor_out", {self, 1, 4, 2, 1, empty})));
  TestTensor all(kF, {2, 5});
  ASSERT_TRUE(IsOk(Call("aten::slice_copy.Tensor_out", {self, 0, nullptr, nullptr, 1, all})));
  ExpectNumbers(all, Counting(10));
  EXPECT_TRUE(IsError(Call("aten::slice_copy.Tensor_out", {self, 2, 0, 1, 1, out}),
                      StatusCode::kInvalidArgument, {"2", "-2 to 1"}));
  EXPECT_TRUE(IsError(Call("aten::slice_copy.Tensor_out", {self, 0, 0, 1, 0, out}),
                      StatusCode::kInvalidArgument));
}

TEST(ViewTest, Selects) {
  TestTensor self(kL, {2, 3}, Counting(6));
  TestTensor row(kL, {3});
  TestTensor column(kL, {2});
  ASSERT_TRUE(IsOk(Call("aten::select_copy.int_out", {self, 0, -1, row})));
  ExpectNumbers(row, {3, 4, 5});
  ASSERT_TRUE(IsOk(Call("aten::select_copy.int_out", {self, 1, 1, column})));
  ExpectNumbers(column, {1, 4});
  EXPECT_TRUE(IsError(Call("aten::select_copy.int_out", {self, 1, 3, column}),
                      StatusCode::kInvalidArgument, {"index 3", "-3 to 2"}));
}

TEST(ViewTest, RearrangesDimensions) {
  TestTensor self(kF, {2, 3}, Counting(6));
  TestTensor transposed(kF, {3, 2});
  for (const auto& status :
       {Call("aten::permute_copy.out", {self, std::vector<int64_t>{1, 0}, transposed}).ok(),
        Call("aten::transpose_copy.int_out", {self, 0, -1, transposed}).ok(),
        Call("aten::t_copy.out", {self, transposed}).ok()}) {
    EXPECT_TRUE(status);
    ExpectNumbers(transposed, {0, 3, 1, 4, 2, 5});
  }
  TestTensor added(kF, {2, 1, 3});
  ASSERT_TRUE(IsOk(Call("aten::unsqueeze_copy.out", {self, 1, added})));
  ExpectNumbers(added, Counting(6));
  TestTensor removed(kF, {2, 3});
  ASSERT_TRUE(
      IsOk(Call("aten::squeeze_copy.dims_out", {added, std::vector<int64_t>{1, 2}, removed})));
  ASSERT_TRUE(IsOk(Call("aten::squeeze_copy.dim_out", {added, -2, removed})));
  ExpectNumbers(removed, Counting(6));
  EXPECT_TRUE(IsError(Call("aten::permute_copy.out", {self, std::vector<int64_t>{1, 1}, removed}),
                      StatusCode::kInvalidArgument, {"permutation"}));
}

TEST(ViewTest, ExpandsAndFlips) {
  TestTensor self(kF, {2, 1}, {1, 2});
  TestTensor out(kF, {3, 2, 2});
  ASSERT_TRUE(
      IsOk(Call("aten::expand_copy.out", {self, std::vector<int64_t>{3, -1, 2}, false, out})));
  ExpectNumbers(out, {1, 1, 2, 2, 1, 1, 2, 2, 1, 1, 2, 2});
  TestTensor square(kF, {2, 2}, {1, 2, 3, 4});
  TestTensor flipped(kF, {2, 2});
  ASSERT_TRUE(IsOk(Call("aten::flip.out", {square, std::vector<int64_t>{0, 1}, flipped})));
  ExpectNumbers(flipped, {4, 3, 2, 1});
}

TEST(ViewTest, OfNothingFitsInAnyOrder) {
  TestTensor self(kF, {2, 3, 0, 5}, {}, kChannelsLast);
  TestTensor out(kF, {3, 2, 5, 0}, {}, kChannelsLast);
  EXPECT_TRUE(IsOk(Call("aten::view_copy.out", {self, std::vector<int64_t>{3, 2, 5, 0}, out})));
}

TEST(ViewTest, GivesOtherSizesToTheSameElements) {
  TestTensor self(kF, {2, 6}, Counting(12));
  TestTensor out(kF, {3, 4});
  ASSERT_TRUE(IsOk(Call("aten::view_copy.out", {self, std::vector<int64_t>{-1, 4}, out})));
  ExpectNumbers(out, Counting(12));
  EXPECT_TRUE(IsError(Call("aten::view_copy.out", {self, std::vector<int64_t>{5, -1}, out}),
                      StatusCode::kInvalidArgument, {"12"}));
  EXPECT_TRUE(IsError(Call("aten::view_copy.out", {self, std::vector<int64_t>{-1, -1}, out}),
                      StatusCode::kInvalidArgument));
  // From and to channels last, in logical order.
  TestTensor image(kF, {1, 2, 2, 2}, Counting(8), kChannelsLast);
  TestTensor flat(kF, {1, 8});
  ASSERT_TRUE(IsOk(Call("aten::view_copy.out", {image, std::vector<int64_t>{1, 8}, flat})));
  ExpectNumbers(flat, Counting(8));
  TestTensor back(kF, {1, 2, 2, 2}, {}, kChannelsLast);
  ASSERT_TRUE(IsOk(Call("aten::view_copy.out", {flat, std::vector<int64_t>{1, 2, 2, 2}, back})));
  ExpectNumbers(back, Counting(8));
}

TEST(ViewTest, EtViewCopiesNothing) {
  TestTensor self(kF, {2, 6}, Counting(12));
  TestTensor out(kF, {3, 4});
  ASSERT_TRUE(
      IsOk(Call("executorch_prim::et_view.default", {self, std::vector<int64_t>{3, -1}, out})));
  EXPECT_EQ(out.tensor().data(), self.tensor().data());
  ExpectNumbers(out, Counting(12));
  // A writer gets the tensor's own room.
  ASSERT_TRUE(IsOk(Call("aten::full.out", {std::vector<int64_t>{3, 4}, 7, out})));
  ExpectNumbers(out, std::vector<double>(12, 7));
  ExpectNumbers(self, Counting(12));
}

TEST(ViewTest, AViewIsCopiedBeforeItIsChangedInPlace) {
  TestTensor self(kF, {4}, Counting(4));
  TestTensor view(kF, {4});
  ASSERT_TRUE(
      IsOk(Call("executorch_prim::et_view.default", {self, std::vector<int64_t>{4}, view})));
  TestTensor index(kL, {1}, {2});
  TestTensor number(kF, {1}, {9});
  ASSERT_TRUE(IsOk(
      Call("aten::index_put_", {view, std::vector<TestTensor*>{&index}, number, false, view})));
  EXPECT_FALSE(view.tensor().is_view());
  ExpectNumbers(view, {0, 1, 9, 3});
  ExpectNumbers(self, Counting(4));
}

TEST(ViewTest, StridesMayNotLeadOut) {
  TestTensor self(kF, {6}, Counting(6));
  TestTensor out(kF, {2, 2});
  const std::vector<int64_t> sizes = {2, 2};
  ASSERT_TRUE(
      IsOk(Call("aten::as_strided_copy.out", {self, sizes, std::vector<int64_t>{3, 1}, 1, out})));
  ExpectNumbers(out, {1, 2, 4, 5});
  for (const std::vector<int64_t>& strides :
       {std::vector<int64_t>{3, 2}, {INT64_MAX, 1}, {-1, 1}}) {
    EXPECT_TRUE(IsError(Call("aten::as_strided_copy.out", {self, sizes, strides, 1, out}),
                        StatusCode::kInvalidArgument, {"lead out"}));
  }
}

TEST(ViewTest, WindowsAndDiagonals) {
  TestTensor self(kF, {5}, Counting(5));
  TestTensor windows(kF, {2, 3});
  ASSERT_TRUE(IsOk(Call("aten::unfold_copy.out", {self, 0, 3, 2, windows})));
  ExpectNumbers(windows, {0, 1, 2, 2, 3, 4});
  TestTensor square(kF, {3, 3}, Counting(9));
  TestTensor diagonal(kF, {2});
  ASSERT_TRUE(IsOk(Call("aten::diagonal_copy.out", {square, 1, 0, 1, diagonal})));
  ExpectNumbers(diagonal, {1, 5});
  ASSERT_TRUE(IsOk(Call("aten::diagonal_copy.out", {square, -1, 0, 1, diagonal})));
  ExpectNumbers(diagonal, {3, 7});
}

TEST(CopyTest, ConvertsTypeAndOrder) {
  TestTensor self(kF, {1, 2, 2, 2}, {-1.5, 0, 1.5, 2, 3, 300, 5, 6});
  TestTensor out(ScalarType::kInt, {1, 2, 2, 2}, {}, kChannelsLast);
  ASSERT_TRUE(IsOk(Call("dim_order_ops::_to_dim_order_copy.out",
                        {self, false, std::vector<int64_t>{0, 2, 3, 1}, out})));
  ExpectNumbers(out, {-1, 0, 1, 2, 3, 300, 5, 6});
  TestTensor truth(kB, {1, 2, 2, 2});
  ASSERT_TRUE(IsOk(Call("aten::_to_copy.out", {self, false, nullptr, truth})));
  ExpectNumbers(truth, {1, 0, 1, 1, 1, 1, 1, 1});
  TestTensor half(ScalarType::kHalf, {1, 2, 2, 2});
  ASSERT_TRUE(IsOk(Call("aten::clone.out", {self, nullptr, half})));
  ExpectNumbers(half, {-1.5, 0, 1.5, 2, 3, 300, 5, 6});
}

TEST(CopyTest, RoundsToHalfAndBFloat16) {
  TestTensor self(kF, {5}, {1 + 0x1p-11, 1 + 3 * 0x1p-11, 65520, 1 + 0x1p-8, 1e-8});
  TestTensor half(ScalarType::kHalf, {5});
  TestTensor brain(ScalarType::kBFloat16, {5});
  ASSERT_TRUE(IsOk(Call("aten::_to_copy.out", {self, false, nullptr, half})));
  ASSERT_TRUE(IsOk(Call("aten::_to_copy.out", {self, false, nullptr, brain})));
  // Ties to even; past the largest half: infinity; below the smallest: 0.
  ExpectNumbers(half, {1, 1 + 0x1p-9, HUGE_VAL, 1 + 0x1p-8, 0});
  ExpectNumbers(brain, {1, 1, 65536, 1, 1e-8}, 1e-2);
}

TEST(CopyTest, InPlaceAndFromAnother) {
  TestTensor self(kF, {2, 2}, {1, 2, 3, 4});
  TestTensor row(kL, {2}, {7, 8});
  ASSERT_TRUE(IsOk(Call("aten::copy_", {self, row, false})));
  ExpectNumbers(self, {7, 8, 7, 8});
  TestTensor out(kF, {2, 2});
  ASSERT_TRUE(IsOk(Call("aten::copy.out", {self, row, false, out})));
  ExpectNumbers(out, {7, 8, 7, 8});
  TestTensor three(kF, {3});
  EXPECT_TRUE(IsError(Call("aten::copy_", {self, three, false}), StatusCode::kInvalidArgument));
}

TEST(CopyTest, CopyIndexWritesOneRow) {
  TestTensor rows(kF, {3, 2});
  TestTensor row(kF, {2}, {5, 6});
  ASSERT_TRUE(IsOk(Call("executorch_prim::et_copy_index.tensor", {rows, row, 1})));
  ExpectNumbers(rows, {0, 0, 5, 6, 0, 0});
  EXPECT_FALSE(Call("executorch_prim::et_copy_index.tensor", {rows, row, 3}).ok());
  EXPECT_FALSE(Call("executorch_prim::et_copy_index.tensor", {rows, row, -1}).ok());
}

TEST(JoinTest, CatAndStack) {
  TestTensor a(kF, {2, 1}, {1, 2});
  TestTensor b(kF, {2, 2}, {3, 4, 5, 6});
  TestTensor nothing(kF, {0});
  TestTensor out(kF, {2, 3});
  ASSERT_TRUE(IsOk(Call("aten::cat.out", {std::vector<TestTensor*>{&a, &nothing, &b}, -1, out})));
  ExpectNumbers(out, {1, 3, 4, 2, 5, 6});
  TestTensor stacked(kF, {2, 2, 1});
  ASSERT_TRUE(IsOk(Call("aten::stack.out", {std::vector<TestTensor*>{&a, &a}, 1, stacked})));
  ExpectNumbers(stacked, {1, 1, 2, 2});
  EXPECT_TRUE(IsError(Call("aten::cat.out", {std::vector<TestTensor*>{&a, &b}, 0, out}),
                      StatusCode::kInvalidArgument, {"joined", "[2, 1]", "[2, 2]"}));
}

TEST(JoinTest, SplitsInEachWay) {
  TestTensor self(kF, {2, 5}, Counting(10));
  TestTensor first(kF, {2, 2});
  TestTensor second(kF, {2, 2});
  TestTensor rest(kF, {2, 1});
  std::vector<TestTensor*> outs = {&first, &second, &rest};
  ASSERT_TRUE(IsOk(Call("aten::split_copy.Tensor_out", {self, 2, 1, outs})));
  ExpectNumbers(first, {0, 1, 5, 6});
  ExpectNumbers(second, {2, 3, 7, 8});
  ExpectNumbers(rest, {4, 9});
  ASSERT_TRUE(IsOk(
      Call("aten::split_with_sizes_copy.out", {self, std::vector<int64_t>{2, 2, 1}, -1, outs})));
  ExpectNumbers(second, {2, 3, 7, 8});
  EXPECT_FALSE(
      Call("aten::split_with_sizes_copy.out", {self, std::vector<int64_t>{2, 2, 9}, 1, outs}).ok());
  TestTensor row0(kF, {5});
  TestTensor row1(kF, {5});
  ASSERT_TRUE(
      IsOk(Call("aten::unbind_copy.int_out", {self, 0, std::vector<TestTensor*>{&row0, &row1}})));
  ExpectNumbers(row1, Counting(5, 5));
  EXPECT_TRUE(
      IsError(Call("aten::unbind_copy.int_out", {self, 1, std::vector<TestTensor*>{&row0, &row1}}),
              StatusCode::kInvalidArgument, {"2 outputs", "5 expected"}));
}

TEST(JoinTest, RepeatsAndRolls) {
  TestTensor self(kF, {2, 2}, {1, 2, 3, 4});
  TestTensor repeated(kF, {2, 2, 4});
  ASSERT_TRUE(IsOk(Call("aten::repeat.out", {self, std::vector<int64_t>{2, 1, 2}, repeated})));
  ExpectNumbers(repeated, {1, 2, 1, 2, 3, 4, 3, 4, 1, 2, 1, 2, 3, 4, 3, 4});
  TestTensor rolled(kF, {2, 2});
  const std::vector<int64_t> one = {1};
  ASSERT_TRUE(IsOk(Call("aten::roll.out", {self, one, one, rolled})));
  ExpectNumbers(rolled, {2, 1, 4, 3});
  ASSERT_TRUE(IsOk(Call("aten::roll.out", {self, one, std::vector<int64_t>{}, rolled})));
  ExpectNumbers(rolled, {4, 1, 2, 3});
  ASSERT_TRUE(IsOk(Call("aten::roll.out",
                        {self, std::vector<int64_t>{1, -1}, std::vector<int64_t>{0, 1}, rolled})));
  ExpectNumbers(rolled, {4, 3, 2, 1});
}

TEST(FillTest, MakesTensorsOfNumbers) {
  TestTensor out(kF, {2, 2});
  ASSERT_TRUE(IsOk(Call("aten::full.out", {std::vector<int64_t>{2, 2}, 1.5, out})));
  ExpectNumbers(out, {1.5, 1.5, 1.5, 1.5});
  ASSERT_TRUE(IsOk(Call("aten::ones.out", {std::vector<int64_t>{2, 2}, out})));
  ExpectNumbers(out, {1, 1, 1, 1});
  TestTensor like(kL, {3});
  TestTensor filled(kL, {3});
  ASSERT_TRUE(IsOk(Call("aten::full_like.out", {like, 4, nullptr, filled})));
  ExpectNumbers(filled, {4, 4, 4});
  TestTensor number(kL, {});
  ASSERT_TRUE(IsOk(Call("aten::scalar_tensor.out", {7, number})));
  ExpectNumbers(number, {7});
  EXPECT_FALSE(Call("aten::full.out", {std::vector<int64_t>{2, -2}, 1.5, out}).ok());
}

TEST(FillTest, Ranges) {
  TestTensor out(kL, {4});
  ASSERT_TRUE(IsOk(Call("aten::arange.start_out", {1, 12, 3, out})));
  ExpectNumbers(out, {1, 4, 7, 10});
  TestTensor real(kF, {3});
  ASSERT_TRUE(IsOk(Call("aten::arange.start_out", {0.0, 0.75, 0.25, real})));
  ExpectNumbers(real, {0, 0.25, 0.5});
  ASSERT_TRUE(IsOk(Call("aten::arange.out", {4, out})));
  ExpectNumbers(out, {0, 1, 2, 3});
  EXPECT_FALSE(Call("aten::arange.start_out", {0, 4, 0, out}).ok());
  EXPECT_FALSE(Call("aten::arange.start_out", {0, 4, -1, out}).ok());
}

TEST(FillTest, Triangles) {
  TestTensor self(kF, {3, 3}, Counting(9, 1));
  TestTensor out(kF, {3, 3});
  ASSERT_TRUE(IsOk(Call("aten::tril.out", {self, 0, out})));
  ExpectNumbers(out, {1, 0, 0, 4, 5, 0, 7, 8, 9});
  ASSERT_TRUE(IsOk(Call("aten::triu.out", {self, 1, out})));
  ExpectNumbers(out, {0, 2, 3, 0, 0, 6, 0, 0, 0});
  ASSERT_TRUE(IsOk(Call("aten::tril.out", {self, INT64_MIN, out})));
  ExpectNumbers(out, std::vector<double>(9));
  // Rows without elements are not visited one by one.
  TestTensor empty(ScalarType::kByte, {0, INT32_MAX, INT32_MAX});
  TestTensor nothing(ScalarType::kByte, {0, INT32_MAX, INT32_MAX});
  EXPECT_TRUE(IsOk(Call("aten::tril.out", {empty, 0, nothing})));
}

TEST(FillTest, PadsAndCutsOff) {
  TestTensor self(kF, {2, 2}, {1, 2, 3, 4});
  TestTensor out(kF, {3, 3});
  ASSERT_TRUE(
      IsOk(Call("aten::constant_pad_nd.out", {self, std::vector<int64_t>{1, 0, 0, 1}, 9, out})));
  ExpectNumbers(out, {9, 1, 2, 9, 3, 4, 9, 9, 9});
  TestTensor cut(kF, {2, 1});
  ASSERT_TRUE(IsOk(Call("aten::constant_pad_nd.out", {self, std::vector<int64_t>{-1, 0}, 9, cut})));
  ExpectNumbers(cut, {2, 4});
}

TEST(TileTest, AnImageIsCutRowByRow) {
  TestTensor image(kF, {2, 4, 6}, Counting(48));
  TestTensor tiles(kF, {6, 2, 2, 2});
  ASSERT_TRUE(IsOk(Call("preprocess::tile_crop.out", {image, 2, tiles})));
  std::vector<double> expected;
  for (int row = 0; row < 4; row += 2) {
    for (int column = 0; column < 6; column += 2) {
      for (int channel = 0; channel < 2; ++channel) {
        const double first = channel * 24 + row * 6 + column;
        expected.insert(expected.end(), {first, first + 1, first + 6, first + 7});
      }
    }
  }
  ExpectNumbers(tiles, expected);
  TestTensor one(kF, {1, 2, 4, 4});
  EXPECT_TRUE(IsError(Call("preprocess::tile_crop.out", {image, 4, one}),
                      StatusCode::kInvalidArgument, {"tiles of 4", "[2, 4, 6]"}));
  EXPECT_FALSE(Call("preprocess::tile_crop.out", {image, 0, one}).ok());
  EXPECT_FALSE(Call("preprocess::tile_crop.out", {one, 1, tiles}).ok());
}

TEST(TileTest, OfAnyOrder) {
  TestTensor image(kL, {2, 2, 4}, Counting(16), {1, 2, 0});
  TestTensor tiles(kL, {2, 2, 2, 2}, {}, kChannelsLast);
  ASSERT_TRUE(IsOk(Call("preprocess::tile_crop.out", {image, 2, tiles})));
  ExpectNumbers(tiles, {0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15});
}

TEST(CopyTest, AFallbackIsACopy) {
  TestTensor self(kF, {2, 3}, Counting(6));
  TestTensor out(kF, {2, 3});
  ASSERT_TRUE(IsOk(Call("llama::fallback.out", {self, out})));
  ExpectNumbers(out, Counting(6));
}

}  // namespace
}  // namespace onepack
