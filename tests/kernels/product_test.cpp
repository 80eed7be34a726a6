// Products of matrices, convolutions, pooling, resampling: against plainly computed values.

#include <cmath>

#include "kernels/element.h"
#include "tests/kernels/operator_fixture.h"

namespace onepack {
namespace {

using Ints = std::vector<int64_t>;

std::vector<double> PlainProduct(const std::vector<double>& a, const std::vector<double>& b,
                                 size_t m, size_t k, size_t n) {
  std::vector<double> out(m * n);
  for (size_t i = 0; i < m; ++i) {
    for (size_t j = 0; j < n; ++j) {
      for (size_t l = 0; l < k; ++l) out[i * n + j] += a[i * k + l] * b[l * n + j];
    }
  }
  return out;
}

struct ProductSizes {
  int32_t m, k, n;
};

class ProductTest : public testing::TestWithParam<ProductSizes> {};

TEST_P(ProductTest, EqualsThePlainOne) {
  const auto [m, k, n] = GetParam();
  const std::vector<double> a = Noise(static_cast<size_t>(m * k), 1);
  const std::vector<double> b = Noise(static_cast<size_t>(k * n), 2);
  const std::vector<double> expected =
      PlainProduct(a, b, static_cast<size_t>(m), static_cast<size_t>(k), static_cast<size_t>(n));
  TestTensor of_a(kF, {m, k}, a);
  TestTensor of_b(kF, {k, n}, b);
  TestTensor out(kF, {m, n});
  ASSERT_TRUE(IsOk(Call("aten::mm.out", {of_a, of_b, out})));
  ExpectNumbers(out, expected, 1e-5);
  // As linear takes it: transposed, and with a bias.
  TestTensor weight(kF, {n, k});
  ASSERT_TRUE(IsOk(Call("aten::t_copy.out", {of_b, weight})));
  TestTensor bias(kF, {n}, Noise(static_cast<size_t>(n), 3));
  ASSERT_TRUE(IsOk(Call("aten::linear.out", {of_a, weight, bias, out})));
  std::vector<double> with_bias = expected;
  for (size_t i = 0; i < with_bias.size(); ++i) {
    with_bias[i] += bias.Numbers()[i % static_cast<size_t>(n)];
  }
  ExpectNumbers(out, with_bias, 1e-5);
  ASSERT_TRUE(IsOk(Call("aten::addmm.out", {bias, of_a, of_b, 1, 1, out})));
  ExpectNumbers(out, with_bias, 1e-5);
}

INSTANTIATE_TEST_SUITE_P(, ProductTest,
                         testing::Values(ProductSizes{1, 1, 1}, ProductSizes{2, 3, 4},
                                         ProductSizes{5, 70, 33}, ProductSizes{3, 8, 300},
                                         ProductSizes{1, 257, 65}),
                         [](const auto& sizes) {
                           return std::to_string(sizes.param.m) + "x" +
                                  std::to_string(sizes.param.k) + "x" +
                                  std::to_string(sizes.param.n);
                         });

TEST(MatmulTest, BatchesTypesAndFactors) {
  TestTensor a(ScalarType::kHalf, {2, 1, 2}, {1, 2, 3, 4});
  TestTensor b(ScalarType::kHalf, {2, 2, 1}, {5, 6, 7, 8});
  TestTensor out(ScalarType::kHalf, {2, 1, 1});
  ASSERT_TRUE(IsOk(Call("aten::bmm.out", {a, b, out})));
  ExpectNumbers(out, {17, 53});
  TestTensor i(kL, {1, 2}, {1, 2});
  TestTensor j(kL, {2, 1}, {3, 4});
  TestTensor sum(kL, {1, 1});
  ASSERT_TRUE(IsOk(Call("aten::mm.out", {i, j, sum})));
  ExpectNumbers(sum, {11});
  TestTensor bias(kL, {1}, {100});
  ASSERT_TRUE(IsOk(Call("aten::addmm.out", {bias, i, j, 2, 3, sum})));
  ExpectNumbers(sum, {233});
  EXPECT_TRUE(IsError(Call("aten::mm.out", {i, i, sum}), StatusCode::kInvalidArgument,
                      {"no product", "[1, 2]"}));
}

TEST(MatmulTest, NothingToSumIsZero) {
  TestTensor a(kF, {2, 0});
  TestTensor b(kF, {0, 2});
  TestTensor out(kF, {2, 2}, {9, 9, 9, 9});
  ASSERT_TRUE(IsOk(Call("aten::mm.out", {a, b, out})));
  ExpectNumbers(out, {0, 0, 0, 0});
}

struct ConvolutionCase {
  int32_t groups, stride, padding, dilation, output_padding;
  bool is_transposed;
};

class ConvolutionTest : public testing::TestWithParam<ConvolutionCase> {
 protected:
  static constexpr int kIn = 4, kOut = 6, kHeight = 7, kWidth = 5, kKernel = 3;

  // Every input element meets every kernel element where the definition says.
  std::vector<double> Plain(const std::vector<double>& input, const std::vector<double>& weight,
                            const std::vector<double>& bias, int height, int width) const {
    const ConvolutionCase& c = GetParam();
    const int in_group = kIn / c.groups;
    const int out_group = kOut / c.groups;
    std::vector<double> out(static_cast<size_t>(kOut * height * width));
    for (int o = 0; o < kOut; ++o) {
      for (int i = 0; i < in_group; ++i) {
        const int channel = o / out_group * in_group + i;
        for (int ky = 0; ky < kKernel; ++ky) {
          for (int kx = 0; kx < kKernel; ++kx) {
            const int at =
                c.is_transposed
                    ? ((channel * out_group + o % out_group) * kKernel + ky) * kKernel + kx
                    : ((o * in_group + i) * kKernel + ky) * kKernel + kx;
            AddAll(input, channel, weight[static_cast<size_t>(at)], ky, kx, o, height, width, out);
          }
        }
      }
    }
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] += bias[i / static_cast<size_t>(height * width)];
    }
    return out;
  }

  static void AddAll(const std::vector<double>& input, int channel, double weight, int ky, int kx,
                     int o, int height, int width, std::vector<double>& out) {
    const ConvolutionCase& c = GetParam();
    for (int y = 0; y < (c.is_transposed ? kHeight : height); ++y) {
      for (int x = 0; x < (c.is_transposed ? kWidth : width); ++x) {
        const int other_y = y * c.stride - c.padding + ky * c.dilation;
        const int other_x = x * c.stride - c.padding + kx * c.dilation;
        const int iy = c.is_transposed ? y : other_y;
        const int ix = c.is_transposed ? x : other_x;
        const int oy = c.is_transposed ? other_y : y;
        const int ox = c.is_transposed ? other_x : x;
        if (iy < 0 || iy >= kHeight || ix < 0 || ix >= kWidth) continue;
        if (oy < 0 || oy >= height || ox < 0 || ox >= width) continue;
        out[static_cast<size_t>((o * height + oy) * width + ox)] +=
            weight * input[static_cast<size_t>((channel * kHeight + iy) * kWidth + ix)];
      }
    }
  }

  static int OutputSize(int size) {
    const ConvolutionCase& c = GetParam();
    const int reach = c.dilation * (kKernel - 1) + 1;
    return c.is_transposed ? (size - 1) * c.stride - 2 * c.padding + reach + c.output_padding
                           : (size + 2 * c.padding - reach) / c.stride + 1;
  }
};

TEST_P(ConvolutionTest, EqualsThePlainOne) {
  const ConvolutionCase& c = GetParam();
  const int height = OutputSize(kHeight);
  const int width = OutputSize(kWidth);
  const std::vector<double> input = Noise(kIn * kHeight * kWidth, 1);
  const std::vector<double> weight =
      Noise(static_cast<size_t>(kIn * kOut / c.groups * kKernel * kKernel), 2);
  const std::vector<double> bias = Noise(kOut, 3);
  TestTensor x(kF, {1, kIn, kHeight, kWidth}, input, {0, 2, 3, 1});
  TestTensor w(kF,
               c.is_transposed ? std::vector<int32_t>{kIn, kOut / c.groups, kKernel, kKernel}
                               : std::vector<int32_t>{kOut, kIn / c.groups, kKernel, kKernel},
               weight);
  TestTensor b(kF, {kOut}, bias);
  TestTensor out(kF, {1, kOut, height, width});
  const std::unique_ptr<pthreadpool, void (*)(pthreadpool*)> pool(pthreadpool_create(2),
                                                                  pthreadpool_destroy);
  ASSERT_TRUE(IsOk(Call("aten::convolution.out",
                        {x, w, b, Ints{c.stride, c.stride}, Ints{c.padding}, Ints{c.dilation},
                         c.is_transposed, Ints{c.output_padding}, c.groups, out},
                        pool.get())));
  ExpectNumbers(out, Plain(input, weight, bias, height, width), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(
    , ConvolutionTest,
    testing::Values(ConvolutionCase{1, 1, 0, 1, 0, false}, ConvolutionCase{1, 2, 1, 1, 0, false},
                    ConvolutionCase{2, 1, 2, 2, 0, false}, ConvolutionCase{2, 3, 1, 1, 0, false},
                    ConvolutionCase{1, 1, 0, 1, 0, true}, ConvolutionCase{1, 2, 1, 1, 1, true},
                    ConvolutionCase{2, 3, 1, 2, 2, true}));

TEST(ConvolutionErrorsTest, WhatDoesNotFitIsRefused) {
  TestTensor x(kF, {1, 4, 5});
  TestTensor w(kF, {2, 4, 3});
  TestTensor out(kF, {1, 2, 3});
  const auto convolve = [&](Ints stride, Ints padding, Ints dilation, int64_t groups) {
    return Call("aten::convolution.out",
                {x, w, nullptr, stride, padding, dilation, false, Ints{0}, groups, out});
  };
  EXPECT_TRUE(IsOk(convolve({1}, {0}, {1}, 1)));
  EXPECT_TRUE(IsError(convolve({0}, {0}, {1}, 1), StatusCode::kInvalidArgument, {"stride"}));
  EXPECT_TRUE(IsError(convolve({1}, {-1}, {1}, 1), StatusCode::kInvalidArgument, {"padding"}));
  EXPECT_TRUE(IsError(convolve({1}, {0}, {9}, 1), StatusCode::kInvalidArgument, {"kernel"}));
  EXPECT_TRUE(IsError(convolve({1}, {0}, {1}, 3), StatusCode::kInvalidArgument, {"channels"}));
  EXPECT_TRUE(IsError(convolve({1, 1}, {0}, {1}, 1), StatusCode::kInvalidArgument, {"2 numbers"}));
}

TEST(ConvolutionErrorsTest, AKernelWithoutElementsIsNotVisited) {
  TestTensor input(kF, {1, 0, 1, 1});
  TestTensor weight(kF, {1, 0, INT32_MAX, (1 << 30) - 1});
  TestTensor bias(kF, {1}, {3});
  TestTensor out(kF, {1, 1, 1, 1});
  ASSERT_TRUE(IsOk(Call("aten::convolution.out",
                        {input, weight, bias, Ints{1, 1}, Ints{(1 << 30) - 1, (1 << 29) - 1},
                         Ints{1, 1}, false, Ints{0, 0}, 1, out})));
  ExpectNumbers(out, {3});
}

TEST(IntegerProductTest, WhatDoesNotFitWrapsAround) {
  TestTensor large(kL, {1, 1, 1});
  kernels::StoreElement<int64_t>(kL, large.tensor().mutable_data(), 0, INT64_MAX);
  TestTensor three(kL, {1, 1, 1}, {3});
  TestTensor out(kL, {1, 1, 1});
  const auto found = [&] { return kernels::LoadElement<int64_t>(kL, out.tensor().data(), 0); };
  ASSERT_TRUE(IsOk(Call("aten::baddbmm.out", {three, large, three, 0, 5, out})));
  EXPECT_EQ(found(), INT64_MAX - 14);
  ASSERT_TRUE(IsOk(Call("aten::convolution.out", {large, three, nullptr, Ints{1}, Ints{0}, Ints{1},
                                                  false, Ints{0}, 1, out})));
  EXPECT_EQ(found(), INT64_MAX - 2);
}

TEST(PoolingTest, MeansAndLargest) {
  TestTensor self(kF, {1, 1, 4, 4}, Counting(16));
  TestTensor out(kF, {1, 1, 2, 2});
  TestTensor indices(kL, {1, 1, 2, 2});
  ASSERT_TRUE(IsOk(Call("aten::avg_pool2d.out",
                        {self, Ints{2, 2}, Ints{}, Ints{0, 0}, false, true, nullptr, out})));
  ExpectNumbers(out, {2.5, 4.5, 10.5, 12.5});
  ASSERT_TRUE(IsOk(Call("aten::max_pool2d_with_indices.out",
                        {self, Ints{2, 2}, Ints{2, 2}, Ints{0}, Ints{1}, false, out, indices})));
  ExpectNumbers(out, {5, 7, 13, 15});
  ExpectNumbers(indices, {5, 7, 13, 15});
  ASSERT_TRUE(IsOk(Call("aten::_adaptive_avg_pool2d.out", {self, Ints{2, 2}, out})));
  ExpectNumbers(out, {2.5, 4.5, 10.5, 12.5});
}

TEST(PoolingTest, PaddingCountsOrNot) {
  TestTensor self(kF, {1, 2, 2}, {1, 2, 3, 4});
  TestTensor out(kF, {1, 2, 2});
  const auto pool = [&](bool counts, Argument divisor) {
    return Call("aten::avg_pool2d.out",
                {self, Ints{2, 2}, Ints{2, 2}, Ints{1, 1}, false, counts, divisor, out});
  };
  ASSERT_TRUE(IsOk(pool(true, nullptr)));
  ExpectNumbers(out, {0.25, 0.5, 0.75, 1});
  ASSERT_TRUE(IsOk(pool(false, nullptr)));
  ExpectNumbers(out, {1, 2, 3, 4});
  ASSERT_TRUE(IsOk(pool(true, 2)));
  ExpectNumbers(out, {0.5, 1, 1.5, 2});
}

TEST(PoolingTest, TheLastWindowMayReachOut) {
  TestTensor self(kF, {1, 1, 5}, Counting(5));
  TestTensor out(kF, {1, 1, 3});
  TestTensor indices(kL, {1, 1, 3});
  ASSERT_TRUE(IsOk(Call("aten::max_pool2d_with_indices.out",
                        {self, Ints{1, 2}, Ints{1, 2}, Ints{0}, Ints{1}, true, out, indices})));
  ExpectNumbers(out, {1, 3, 4});
  // A kernel that a file claims to be huge costs no more than its input.
  TestTensor few(kF, {1, 1, 6});
  TestTensor places(kL, {1, 1, 6});
  ASSERT_TRUE(IsOk(Call("aten::max_pool2d_with_indices.out",
                        {self, Ints{1, INT32_MAX - 1}, Ints{1}, Ints{0, INT32_MAX / 2}, Ints{1},
                         false, few, places})));
  ExpectNumbers(few, std::vector<double>(6, 4));
}

TEST(ResampleTest, NearestAndBilinear) {
  TestTensor self(kF, {1, 1, 2, 2}, {1, 2, 3, 4});
  TestTensor out(kF, {1, 1, 4, 4});
  ASSERT_TRUE(IsOk(
      Call("aten::upsample_nearest2d.vec_out", {self, nullptr, std::vector<double>{2, 2}, out})));
  ExpectNumbers(out, {1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4});
  ASSERT_TRUE(
      IsOk(Call("aten::upsample_bilinear2d.vec_out", {self, Ints{4, 4}, false, nullptr, out})));
  ExpectNumbers(
      out, {1, 1.25, 1.75, 2, 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3, 3.25, 3.75, 4}, 1e-6);
  TestTensor corners(kF, {1, 1, 3, 3});
  ASSERT_TRUE(
      IsOk(Call("aten::upsample_bilinear2d.vec_out", {self, Ints{3, 3}, true, nullptr, corners})));
  ExpectNumbers(corners, {1, 1.5, 2, 2, 2.5, 3, 3, 3.5, 4}, 1e-6);
}

TEST(ResampleTest, ShrinksWithoutAliases) {
  TestTensor self(kF, {1, 1, 1, 4}, {1, 2, 3, 4});
  TestTensor out(kF, {1, 1, 1, 2});
  ASSERT_TRUE(IsOk(
      Call("aten::_upsample_bilinear2d_aa.out", {self, Ints{1, 2}, false, nullptr, nullptr, out})));
  // Weights 3, 3, 1 of the first three pixels.
  ExpectNumbers(out, {12.0 / 7, 23.0 / 7}, 1e-6);
  TestTensor picture(kF, {1, 1, 4, 4}, Counting(16, 5));
  TestTensor one(kF, {1, 1, 1, 1});
  ASSERT_TRUE(IsOk(Call("aten::_upsample_bilinear2d_aa.out",
                        {picture, Ints{1, 1}, true, nullptr, nullptr, one})));
  ExpectNumbers(one, {5});  // the corner, not the mean
}

TEST(ResampleTest, ImplausibleScalesAndSizesReadNothingOutside) {
  TestTensor self(ScalarType::kByte, {1, 1, 1, 1}, {7});
  TestTensor out(ScalarType::kByte, {1, 1, 1, 2});
  for (const double scale : {1e-30, 1e-320, 1e300}) {
    ASSERT_TRUE(
        IsOk(Call("aten::upsample_nearest2d.out", {self, Ints{1, 2}, nullptr, scale, out})));
    ExpectNumbers(out, {7, 7});
    ASSERT_TRUE(IsOk(
        Call("aten::upsample_bilinear2d.out", {self, Ints{1, 2}, false, nullptr, scale, out})));
    ExpectNumbers(out, {7, 7});
  }
  TestTensor nothing(ScalarType::kByte, {0, 1, 1, 1});
  TestTensor large(ScalarType::kByte, {0, 1, INT32_MAX, INT32_MAX});
  const Ints sizes = {INT32_MAX, INT32_MAX};
  EXPECT_TRUE(
      IsOk(Call("aten::upsample_nearest2d.out", {nothing, sizes, nullptr, nullptr, large})));
}

TEST(ResampleTest, ShufflesPixelsThereAndBack) {
  TestTensor self(kF, {1, 4, 1, 2}, Counting(8));
  TestTensor out(kF, {1, 1, 2, 4});
  ASSERT_TRUE(IsOk(Call("aten::pixel_shuffle.out", {self, 2, out})));
  ExpectNumbers(out, {0, 2, 1, 3, 4, 6, 5, 7});
  TestTensor back(kF, {1, 4, 1, 2});
  ASSERT_TRUE(IsOk(Call("aten::pixel_unshuffle.out", {out, 2, back})));
  ExpectNumbers(back, Counting(8));
}

TEST(ResampleTest, PadsWithWhatIsThere) {
  TestTensor self(kF, {1, 3}, {1, 2, 3});
  TestTensor out(kF, {1, 7});
  ASSERT_TRUE(IsOk(Call("aten::reflection_pad1d.out", {self, Ints{2, 2}, out})));
  ExpectNumbers(out, {3, 2, 1, 2, 3, 2, 1});
  ASSERT_TRUE(IsOk(Call("aten::replication_pad1d.out", {self, Ints{2, 2}, out})));
  ExpectNumbers(out, {1, 1, 1, 2, 3, 3, 3});
  EXPECT_FALSE(Call("aten::reflection_pad1d.out", {self, Ints{3, 1}, out}).ok());
  TestTensor image(kF, {1, 2, 2}, {1, 2, 3, 4});
  TestTensor padded(kF, {1, 3, 3});
  ASSERT_TRUE(IsOk(Call("aten::replication_pad2d.out", {image, Ints{1, 0, 0, 1}, padded})));
  ExpectNumbers(padded, {1, 1, 2, 3, 3, 4, 3, 3, 4});
}

}  // namespace
}  // namespace onepack
