// Reductions, and operators along one dimension.

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/kernels/operator_fixture.h"

namespace onepack {
namespace {

using Ints = std::vector<int64_t>;

TEST(ReduceTest, OverSomeDimensionsOrAll) {
  TestTensor self(kF, {2, 3, 2}, Counting(12));
  TestTensor middle(kF, {2, 2});
  ASSERT_TRUE(IsOk(Call("aten::sum.IntList_out", {self, Ints{1}, false, nullptr, middle})));
  ExpectNumbers(middle, {6, 9, 24, 27});
  TestTensor kept(kF, {1, 3, 1});
  ASSERT_TRUE(IsOk(Call("aten::mean.out", {self, Ints{0, -1}, true, nullptr, kept})));
  ExpectNumbers(kept, {3.5, 5.5, 7.5});
  TestTensor all(kF, {});
  ASSERT_TRUE(IsOk(Call("aten::sum.IntList_out", {self, nullptr, false, nullptr, all})));
  ExpectNumbers(all, {66});
  ASSERT_TRUE(IsOk(Call("aten::amax.out", {self, Ints{}, false, all})));
  ExpectNumbers(all, {11});
  ASSERT_TRUE(IsOk(Call("aten::amin.out", {self, Ints{1}, false, middle})));
  ExpectNumbers(middle, {0, 1, 6, 7});
  EXPECT_TRUE(IsError(Call("aten::mean.out", {self, Ints{3}, true, nullptr, kept}),
                      StatusCode::kInvalidArgument, {"dimension 3"}));
}

TEST(ReduceTest, FollowsTheDimOrder) {
  TestTensor self(kF, {1, 2, 2, 2}, Counting(8), {0, 2, 3, 1});
  TestTensor out(kF, {1, 2});
  ASSERT_TRUE(IsOk(Call("aten::mean.out", {self, Ints{2, 3}, false, nullptr, out})));
  ExpectNumbers(out, {1.5, 5.5});
}

TEST(ReduceTest, IntegersStayExact) {
  TestTensor self(ScalarType::kInt, {3}, {2147483647, 2147483647, 1});
  TestTensor out(kL, {});
  ASSERT_TRUE(IsOk(Call("aten::sum.IntList_out", {self, nullptr, false, nullptr, out})));
  ExpectNumbers(out, {4294967295});
  ASSERT_TRUE(IsOk(Call("aten::prod.out", {self, nullptr, out})));
  ExpectNumbers(out, {4611686014132420609.0});
}

TEST(ReduceTest, LongSumsLoseNothing) {
  constexpr size_t kCount = 100'000;
  TestTensor self(kF, {kCount}, std::vector<double>(kCount, 0.1));
  TestTensor out(kF, {1});
  ASSERT_TRUE(IsOk(Call("aten::mean.out", {self, Ints{0}, true, nullptr, out})));
  ExpectNumbers(out, {0.1}, 1e-7);
}

TEST(ReduceTest, TruthAndExtremes) {
  TestTensor self(kB, {2, 2}, {0, 0, 1, 0});
  TestTensor rows(kB, {2});
  TestTensor all(kB, {});
  ASSERT_TRUE(IsOk(Call("aten::any.out", {self, 1, false, rows})));
  ExpectNumbers(rows, {0, 1});
  ASSERT_TRUE(IsOk(Call("aten::any.all_out", {self, all})));
  ExpectNumbers(all, {1});
  ASSERT_TRUE(IsOk(Call("aten::all.out", {self, 1, false, rows})));
  ExpectNumbers(rows, {0, 0});
  TestTensor nan(kF, {3}, {1, std::nan(""), 3});
  TestTensor best(kF, {});
  ASSERT_TRUE(IsOk(Call("aten::max.unary_out", {nan, best})));
  ExpectNumbers(best, {std::nan("")});
}

TEST(ReduceTest, NoElements) {
  TestTensor self(kF, {2, 0});
  TestTensor out(kF, {2});
  ASSERT_TRUE(IsOk(Call("aten::sum.IntList_out", {self, Ints{1}, false, nullptr, out})));
  ExpectNumbers(out, {0, 0});
  ASSERT_TRUE(IsOk(Call("aten::mean.out", {self, Ints{1}, false, nullptr, out})));
  ExpectNumbers(out, {std::nan(""), std::nan("")});
  EXPECT_TRUE(IsError(Call("aten::amax.out", {self, Ints{1}, false, out}),
                      StatusCode::kInvalidArgument, {"no elements"}));
}

TEST(ReduceTest, Variances) {
  TestTensor self(kF, {4}, {1, 2, 3, 6});
  TestTensor out(kF, {});
  TestTensor mean(kF, {});
  ASSERT_TRUE(IsOk(Call("aten::var.correction_out", {self, nullptr, 1, false, out})));
  ExpectNumbers(out, {14.0 / 3}, 1e-6);
  ASSERT_TRUE(IsOk(Call("aten::var.out", {self, nullptr, false, false, out})));
  ExpectNumbers(out, {3.5}, 1e-6);
  ASSERT_TRUE(IsOk(Call("aten::var_mean.correction_out", {self, nullptr, 0, false, out, mean})));
  ExpectNumbers(mean, {3});
}

std::vector<double> SoftmaxOf(const std::vector<double>& x) {
  std::vector<double> y;
  double sum = 0;
  for (const double value : x) sum += std::exp(value);
  for (const double value : x) y.push_back(std::exp(value) / sum);
  return y;
}

TEST(AlongDimensionTest, SoftmaxAlongEachDimension) {
  const std::vector<double> numbers = Noise(300, 7);
  TestTensor self(kF, {300}, numbers);
  TestTensor out(kF, {300});
  ASSERT_TRUE(IsOk(Call("aten::_softmax.out", {self, 0, false, out})));
  ExpectNumbers(out, SoftmaxOf(self.Numbers()), 1e-6);
  TestTensor two(kF, {2, 2}, {1, 2, 3, 5});
  TestTensor columns(kF, {2, 2});
  ASSERT_TRUE(IsOk(Call("aten::_log_softmax.out", {two, 0, false, columns})));
  const std::vector<double> first = SoftmaxOf({1, 3});
  const std::vector<double> second = SoftmaxOf({2, 5});
  ExpectNumbers(columns,
                {std::log(first[0]), std::log(second[0]), std::log(first[1]), std::log(second[1])},
                1e-6);
}

TEST(AlongDimensionTest, BestAndWhere) {
  TestTensor self(kF, {2, 3}, {3, 7, 7, -1, -5, -5});
  TestTensor values(kF, {2});
  TestTensor indices(kL, {2});
  ASSERT_TRUE(IsOk(Call("aten::max.dim_max", {self, 1, false, values, indices})));
  ExpectNumbers(values, {7, -1});
  ExpectNumbers(indices, {1, 0});  // the first of equal ones
  ASSERT_TRUE(IsOk(Call("aten::min.dim_min", {self, -1, false, values, indices})));
  ExpectNumbers(values, {3, -5});
  ExpectNumbers(indices, {0, 1});
  TestTensor all(kL, {});
  ASSERT_TRUE(IsOk(Call("aten::argmin.out", {self, nullptr, false, all})));
  ExpectNumbers(all, {4});
  TestTensor kept(kL, {1, 3});
  ASSERT_TRUE(IsOk(Call("aten::argmax.out", {self, 0, true, kept})));
  ExpectNumbers(kept, {0, 0, 0});
  // Over all elements in logical order, however they are stored.
  TestTensor image(kF, {1, 2, 1, 2}, {1, 2, 9, 4}, {0, 2, 3, 1});
  ASSERT_TRUE(IsOk(Call("aten::argmax.out", {image, nullptr, false, all})));
  ExpectNumbers(all, {2});
}

TEST(AlongDimensionTest, SumsUp) {
  TestTensor self(kL, {2, 3}, Counting(6, 1));
  TestTensor out(kL, {2, 3});
  ASSERT_TRUE(IsOk(Call("aten::cumsum.out", {self, 1, nullptr, out})));
  ExpectNumbers(out, {1, 3, 6, 4, 9, 15});
  ASSERT_TRUE(IsOk(Call("aten::cumsum.out", {self, 0, nullptr, out})));
  ExpectNumbers(out, {1, 2, 3, 5, 7, 9});
}

TEST(SortTest, FirstFewAndAll) {
  TestTensor self(kF, {2, 4}, {3, 1, std::nan(""), 2, 5, 5, 4, 9});
  TestTensor values(kF, {2, 2});
  TestTensor indices(kL, {2, 2});
  ASSERT_TRUE(IsOk(Call("aten::topk.values", {self, 2, 1, true, true, values, indices})));
  ExpectNumbers(values, {std::nan(""), 3, 9, 5});
  ExpectNumbers(indices, {2, 0, 3, 0});
  ASSERT_TRUE(IsOk(Call("aten::topk.values", {self, 2, -1, false, true, values, indices})));
  ExpectNumbers(values, {1, 2, 4, 5});
  ExpectNumbers(indices, {1, 3, 2, 0});
  TestTensor sorted(kF, {2, 4});
  TestTensor places(kL, {2, 4});
  ASSERT_TRUE(IsOk(Call("aten::sort.values", {self, 0, false, sorted, places})));
  ExpectNumbers(sorted, {3, 1, 4, 2, 5, 5, std::nan(""), 9});
  EXPECT_TRUE(IsError(Call("aten::topk.values", {self, 5, 1, true, true, values, indices}),
                      StatusCode::kInvalidArgument, {"5 of 4"}));
}

// Against the standard library: many equal elements, and some that are no numbers.
TEST(SortTest, EqualElementsKeepTheirOrderAndNansAreTheLargest) {
  constexpr size_t kCount = 300;
  std::vector<double> numbers(kCount);
  for (size_t i = 0; i < kCount; ++i)
    numbers[i] = i % 13 == 5 ? std::nan("") : static_cast<double>(i * 31 % 17);
  TestTensor self(kF, {kCount}, numbers);
  for (const bool descending : {false, true}) {
    std::vector<double> order(kCount);
    std::iota(order.begin(), order.end(), 0.0);
    std::stable_sort(order.begin(), order.end(), [&](double a, double b) {
      const double x = numbers[static_cast<size_t>(a)];
      const double y = numbers[static_cast<size_t>(b)];
      if (x != x || y != y) return descending ? x != x && y == y : x == x && y != y;
      return descending ? x > y : x < y;
    });
    TestTensor all(kF, {kCount});
    TestTensor places(kL, {kCount});
    ASSERT_TRUE(IsOk(Call("aten::sort.values", {self, 0, descending, all, places})));
    ExpectNumbers(places, order);
    for (const int32_t kept : {1, 2, 17, 299}) {
      TestTensor first(kF, {kept});
      TestTensor first_places(kL, {kept});
      ASSERT_TRUE(
          IsOk(Call("aten::topk.values", {self, kept, 0, descending, true, first, first_places})));
      const std::vector<double> expected(order.begin(), order.begin() + kept);
      ExpectNumbers(first_places, expected);
    }
  }
}

}  // namespace
}  // namespace onepack
