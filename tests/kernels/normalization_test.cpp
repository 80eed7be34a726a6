// Layer, group and batch normalization.

#include <cmath>

#include "tests/kernels/operator_fixture.h"

namespace onepack {
namespace {

using Ints = std::vector<int64_t>;

TEST(NormalizationTest, LayersGroupsAndBatches) {
  TestTensor self(kF, {2, 2, 2}, {1, 3, 2, 6, 0, 0, 4, 8});
  TestTensor weight(kF, {2}, {2, 1});
  TestTensor bias(kF, {2}, {0, 10});
  TestTensor out(kF, {2, 2, 2});
  TestTensor mean(kF, {2, 2, 1});
  TestTensor rstd(kF, {2, 2, 1});
  ASSERT_TRUE(IsOk(
      Call("aten::native_layer_norm.out", {self, Ints{2}, weight, bias, 0.0001, out, mean, rstd})));
  ExpectNumbers(mean, {2, 4, 0, 6});
  ExpectNumbers(rstd, {1 / std::sqrt(1.0001), 1 / std::sqrt(4.0001), 100, 1 / std::sqrt(4.0001)},
                1e-6);
  ExpectNumbers(out, {-2, 11, -2, 11, 0, 10, -2, 11}, 1e-4);

  TestTensor group_mean(kF, {2, 1});
  TestTensor group_rstd(kF, {2, 1});
  ASSERT_TRUE(IsOk(Call("aten::native_group_norm.out",
                        {self, weight, bias, 2, 2, 2, 1, 0.0, out, group_mean, group_rstd})));
  ExpectNumbers(group_mean, {3, 3});
  const double scale = 1 / std::sqrt(3.5);
  const std::vector<double> found = out.Numbers();
  EXPECT_NEAR(found[0], (1 - 3) * scale * 2, 1e-5);
  EXPECT_NEAR(found[3], (6 - 3) * scale * 1 + 10, 1e-5);

  TestTensor running_mean(kF, {2}, {1, 2});
  TestTensor running_var(kF, {2}, {4, 16});
  TestTensor none1(kF, {0});
  TestTensor none2(kF, {0});
  ASSERT_TRUE(
      IsOk(Call("aten::_native_batch_norm_legit_no_training.out",
                {self, weight, bias, running_mean, running_var, 0.1, 0.0, out, none1, none2})));
  ExpectNumbers(out, {0, 2, 10, 11, -1, -1, 10.5, 11.5}, 1e-6);
}

TEST(NormalizationTest, ParametersOfAnotherSizeAreRefused) {
  TestTensor self(kF, {2, 3});
  TestTensor weight(kF, {2});
  TestTensor out(kF, {2, 3});
  TestTensor mean(kF, {2, 1});
  TestTensor rstd(kF, {2, 1});
  EXPECT_TRUE(IsError(
      Call("aten::native_layer_norm.out", {self, Ints{3}, weight, nullptr, 0.1, out, mean, rstd}),
      StatusCode::kInvalidArgument, {"[2, 3]"}));
  EXPECT_TRUE(IsError(
      Call("aten::native_layer_norm.out", {self, Ints{4}, nullptr, nullptr, 0.1, out, mean, rstd}),
      StatusCode::kInvalidArgument));
}

TEST(NormalizationTest, ABatchWithItsStatisticsUnlessItTrains) {
  TestTensor self(ScalarType::kDouble, {2, 3, 4}, Noise(24));
  TestTensor weight(ScalarType::kDouble, {3}, {1.5, -1, 2});
  TestTensor bias(ScalarType::kDouble, {3}, {0, 3, -1});
  TestTensor running_mean(ScalarType::kDouble, {3}, {0.25, -0.5, 1});
  TestTensor running_var(ScalarType::kDouble, {3}, {1, 0.25, 9});
  TestTensor out(ScalarType::kDouble, {2, 3, 4});
  TestTensor none1(ScalarType::kDouble, {0});
  TestTensor none2(ScalarType::kDouble, {0});
  constexpr double kEps = 0.01;
  const auto call = [&](bool training) {
    return Call(
        "aten::_native_batch_norm_legit.out",
        {self, weight, bias, running_mean, running_var, training, 0.1, kEps, out, none1, none2});
  };
  ASSERT_TRUE(IsOk(call(false)));
  std::vector<double> expected = self.Numbers();
  for (size_t i = 0; i < expected.size(); ++i) {
    const size_t c = i / 4 % 3;
    expected[i] = (expected[i] - running_mean.Numbers()[c]) /
                      std::sqrt(running_var.Numbers()[c] + kEps) * weight.Numbers()[c] +
                  bias.Numbers()[c];
  }
  ExpectNumbers(out, expected, 1e-12);
  EXPECT_TRUE(IsError(call(true), StatusCode::kUnsupported, {"trains"}));
}

TEST(NormalizationTest, ABatchByItsOwnStatistics) {
  TestTensor self(kF, {2, 2, 2}, {1, 3, 10, 10, 5, 7, 10, 10});
  TestTensor out(kF, {2, 2, 2});
  TestTensor mean(kF, {2});
  TestTensor rstd(kF, {2});
  ASSERT_TRUE(IsOk(Call("aten::_native_batch_norm_legit.no_stats_out",
                        {self, nullptr, nullptr, true, 0.1, 0.25, out, mean, rstd})));
  ExpectNumbers(mean, {4, 10});
  ExpectNumbers(rstd, {1 / std::sqrt(5.25), 2}, 1e-6);
  const double scale = 1 / std::sqrt(5.25);
  ExpectNumbers(out, {-3 * scale, -scale, 0, 0, scale, 3 * scale, 0, 0}, 1e-6);
}

}  // namespace
}  // namespace onepack
