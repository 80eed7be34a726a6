// Distances between rows, against their definition.

#include <cmath>

#include "tests/kernels/operator_fixture.h"

namespace onepack {
namespace {

constexpr double kInfinity = HUGE_VAL;

double DistanceOf(const double* a, const double* b, size_t n, double p) {
  double total = 0;
  for (size_t i = 0; i < n; ++i) {
    const double difference = std::fabs(a[i] - b[i]);
    if (p == 0) total += difference != 0 ? 1 : 0;
    if (p == kInfinity) total = std::fmax(total, difference);
    if (p > 0 && p < kInfinity) total += std::pow(difference, p);
  }
  return p > 0 && p < kInfinity ? std::pow(total, 1 / p) : total;
}

TEST(DistanceTest, InEveryNormOfRowsThatAreLongerThanABlock) {
  constexpr size_t kLength = 300;
  std::vector<double> rows = Noise(5 * kLength);
  for (size_t i = 0; i < 50; ++i) rows[i] = rows[3 * kLength + i];  // some differences of 0
  const std::vector<double> first(rows.begin(), rows.begin() + 2 * kLength);
  const std::vector<double> others(rows.begin() + 2 * kLength, rows.end());
  TestTensor x1(ScalarType::kDouble, {2, kLength}, first);
  TestTensor x2(ScalarType::kDouble, {3, kLength}, others);
  for (const double p : {0.0, 0.5, 1.0, 2.0, 3.5, kInfinity}) {
    SCOPED_TRACE(p);
    TestTensor out(ScalarType::kDouble, {2, 3});
    ASSERT_TRUE(IsOk(Call("aten::_cdist_forward.out", {x1, x2, p, nullptr, out})));
    std::vector<double> expected;
    for (size_t i = 0; i < 2; ++i) {
      for (size_t j = 0; j < 3; ++j) {
        expected.push_back(DistanceOf(&first[i * kLength], &others[j * kLength], kLength, p));
      }
    }
    ExpectNumbers(out, expected, 1e-12);
  }
}

TEST(DistanceTest, BatchesAreBroadcastAndOrdersOfDimensionsCount) {
  TestTensor x1(kF, {2, 1, 1, 2}, {0, 0, 3, 4});
  TestTensor x2(kF, {3, 2, 2}, {0, 0, 3, 4, 0, 1, 1, 0, 6, 8, 3, 4}, {2, 1, 0});
  TestTensor out(kF, {2, 3, 1, 2});
  ASSERT_TRUE(IsOk(Call("aten::_cdist_forward.out", {x1, x2, 2.0, 1, out})));
  const double a = std::sqrt(18);
  const double b = std::sqrt(20);
  ExpectNumbers(out, {0, 5, 1, 1, 10, 5, 5, 0, a, b, 5, 0}, 1e-6);
}

TEST(DistanceTest, ANanIsTheLargestDifferenceAndNoElementsAreNoDistance) {
  TestTensor nan(kF, {1, 3}, {std::nan(""), 1, 2});
  TestTensor zeros(kF, {1, 3});
  TestTensor out(kF, {1, 1});
  ASSERT_TRUE(IsOk(Call("aten::_cdist_forward.out", {nan, zeros, kInfinity, nullptr, out})));
  ExpectNumbers(out, {std::nan("")});
  TestTensor a(kF, {2, 0});
  TestTensor b(kF, {1, 0});
  TestTensor none(kF, {2, 1}, {9, 9});
  ASSERT_TRUE(IsOk(Call("aten::_cdist_forward.out", {a, b, 2.0, nullptr, none})));
  ExpectNumbers(none, {0, 0});
}

TEST(DistanceTest, OfAllPairsOfRows) {
  TestTensor rows(kF, {4, 2}, {0, 0, 3, 4, 0, 1, 6, 8});
  TestTensor out(kF, {6});
  ASSERT_TRUE(IsOk(Call("aten::_pdist_forward.out", {rows, 2.0, out})));
  ExpectNumbers(out, {5, 1, 10, std::sqrt(18), 5, std::sqrt(85)}, 1e-6);
  ASSERT_TRUE(IsOk(Call("aten::_pdist_forward.out", {rows, 1.0, out})));
  ExpectNumbers(out, {7, 1, 14, 6, 7, 13});
  for (const int32_t few : {0, 1}) {
    TestTensor one(kF, {few, 2});
    TestTensor none(kF, {0});
    EXPECT_TRUE(IsOk(Call("aten::_pdist_forward.out", {one, 2.0, none})));
  }
}

TEST(DistanceTest, ArgumentsThatDoNotFitAreAStatus) {
  TestTensor a(kF, {2, 3});
  TestTensor b(kF, {2, 4});
  TestTensor out(kF, {2, 2});
  EXPECT_TRUE(IsError(Call("aten::_cdist_forward.out", {a, b, 2.0, nullptr, out}),
                      StatusCode::kInvalidArgument, {"rows of one length"}));
  for (const double p : {-1.0, std::nan("")}) {
    EXPECT_TRUE(IsError(Call("aten::_cdist_forward.out", {a, a, p, nullptr, out}),
                        StatusCode::kInvalidArgument, {"0 or more"}));
  }
  TestTensor integers(kL, {2, 3});
  EXPECT_FALSE(Call("aten::_cdist_forward.out", {integers, integers, 2.0, nullptr, out}).ok());
  EXPECT_FALSE(Call("aten::_pdist_forward.out", {out, 2.0, out}).ok());
  TestTensor batches_of_2(kF, {2, 1, 3});
  TestTensor batches_of_3(kF, {3, 1, 3});
  TestTensor three(kF, {3, 1, 1});
  EXPECT_TRUE(
      IsError(Call("aten::_cdist_forward.out", {batches_of_2, batches_of_3, 2.0, nullptr, three}),
              StatusCode::kInvalidArgument, {"broadcast"}));
}

}  // namespace
}  // namespace onepack
