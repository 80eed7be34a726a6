// Quantized numbers, and tables of them.

#include <cmath>

#include "tests/kernels/operator_fixture.h"

namespace onepack {
namespace {

constexpr ScalarType kI8 = ScalarType::kChar;
constexpr ScalarType kU8 = ScalarType::kByte;

TEST(QuantizeTest, ThereAndBackForATensor) {
  TestTensor self(kF, {5}, {-10, -0.25, 0, 0.75, 10});
  TestTensor quantized(kI8, {5});
  ASSERT_TRUE(IsOk(
      Call("quantized_decomposed::quantize_per_tensor.out", {self, 0.5, 1, -8, 7, 1, quantized})));
  ExpectNumbers(quantized, {-8, 1, 1, 3, 7});  // ties to even
  TestTensor back(kF, {5});
  ASSERT_TRUE(IsOk(Call("quantized_decomposed::dequantize_per_tensor.out",
                        {quantized, 0.5, 1, -8, 7, 1, nullptr, back})));
  ExpectNumbers(back, {-4.5, 0, 0, 1, 3});
  // Another release passes no output type.
  ASSERT_TRUE(IsOk(Call("quantized_decomposed::dequantize_per_tensor.out",
                        {quantized, 0.5, 1, -8, 7, 1, back})));
  ExpectNumbers(back, {-4.5, 0, 0, 1, 3});
}

TEST(QuantizeTest, ForChannelsTokensAndBlocks) {
  TestTensor self(kF, {2, 2}, {1, 2, 3, 4});
  TestTensor scales(kF, {2}, {1, 0.5});
  TestTensor zero_points(kL, {2}, {0, -1});
  TestTensor out(kI8, {2, 2});
  ASSERT_TRUE(IsOk(Call("quantized_decomposed::quantize_per_channel.out",
                        {self, scales, zero_points, 1, -128, 127, 1, out})));
  ExpectNumbers(out, {1, 3, 3, 7});
  TestTensor back(kF, {2, 2});
  ASSERT_TRUE(IsOk(Call("quantized_decomposed::dequantize_per_channel.out",
                        {out, scales, zero_points, 1, -128, 127, 1, nullptr, back})));
  ExpectNumbers(back, {1, 2, 3, 4});
  TestTensor token_scales(kF, {2, 1}, {1, 0.5});
  TestTensor token_zero_points(kL, {2, 1}, {0, -1});
  ASSERT_TRUE(IsOk(Call("quantized_decomposed::quantize_per_token.out",
                        {self, token_scales, token_zero_points, -128, 127, 1, out})));
  ExpectNumbers(out, {1, 2, 5, 7});
  TestTensor row(kF, {1, 4}, {1, 2, 3, 4});
  TestTensor row_out(kI8, {1, 4});
  ASSERT_TRUE(IsOk(Call("torchao::quantize_affine.out", {row, std::vector<int64_t>{1, 2}, scales,
                                                         zero_points, 1, -128, 127, row_out})));
  ExpectNumbers(row_out, {1, 2, 5, 7});
  TestTensor row_back(kF, {1, 4});
  ASSERT_TRUE(
      IsOk(Call("torchao::dequantize_affine.out", {row_out, std::vector<int64_t>{1, 2}, scales,
                                                   zero_points, 1, -128, 127, 6, row_back})));
  ExpectNumbers(row_back, {1, 2, 3, 4});
  EXPECT_TRUE(IsError(Call("quantized_decomposed::quantize_per_channel.out",
                           {self, scales, token_zero_points, 2, -128, 127, 1, out}),
                      StatusCode::kInvalidArgument));
  TestTensor three(kF, {3}, {1, 1, 1});
  EXPECT_TRUE(IsError(Call("quantized_decomposed::quantize_per_channel.out",
                           {self, three, zero_points, 1, -128, 127, 1, out}),
                      StatusCode::kInvalidArgument, {"[3]", "2 and zero points"}));
}

TEST(QuantizeTest, ChoosesScales) {
  TestTensor self(kF, {2, 2}, {-1, 1, 0, 4});
  TestTensor scales(kF, {2, 1});
  TestTensor zero_points(kL, {2, 1});
  ASSERT_TRUE(IsOk(Call("quantized_decomposed::choose_qparams_per_token_asymmetric.out",
                        {self, 1, scales, zero_points})));
  ExpectNumbers(scales, {2 / 255.0, 4 / 255.0}, 1e-6);
  EXPECT_EQ(zero_points.Numbers()[1], -128);
  TestTensor scale(kF, {1});
  TestTensor zero_point(kL, {1});
  ASSERT_TRUE(IsOk(Call("quantized_decomposed::choose_qparams.Tensor_out",
                        {self, -128, 127, 1e-5, 1, scale, zero_point})));
  ExpectNumbers(scale, {5 / 255.0}, 1e-6);
  ExpectNumbers(zero_point, {-77});
}

TEST(QuantizeTest, ChoosesScalesOfBlocksByMappingAndType) {
  TestTensor self(kF, {1, 2}, {-64, 127});
  TestTensor scale(kF, {1, 1});
  TestTensor zero_point(kL, {1, 1});
  const auto choose = [&](const char* mapping, int type, Argument lowest, Argument highest) {
    return Call("torchao::choose_qparams_affine.out",
                {self, mapping, std::vector<int64_t>{1, 2}, type, lowest, highest, nullptr, nullptr,
                 nullptr, scale, zero_point});
  };
  const auto kByte = static_cast<int>(ScalarType::kByte);
  const auto kChar = static_cast<int>(ScalarType::kChar);
  ASSERT_TRUE(IsOk(choose("SYMMETRIC", kChar, nullptr, nullptr)));
  ExpectNumbers(scale, {127 / 127.5}, 1e-6);
  ExpectNumbers(zero_point, {0});
  ASSERT_TRUE(IsOk(choose("SYMMETRIC_NO_CLIPPING_ERR", kChar, nullptr, nullptr)));
  ExpectNumbers(scale, {1}, 1e-6);
  ExpectNumbers(zero_point, {0});
  ASSERT_TRUE(IsOk(choose("SYMMETRIC_NO_CLIPPING_ERR", kChar, -8, 127)));
  ExpectNumbers(scale, {8}, 1e-6);
  ASSERT_TRUE(IsOk(choose("ASYMMETRIC", kByte, nullptr, nullptr)));
  ExpectNumbers(scale, {191 / 255.0}, 1e-6);
  ExpectNumbers(zero_point, {85});
  EXPECT_TRUE(IsError(choose("SYMMETRIC_OF_TOMORROW", kChar, -128, 127), StatusCode::kUnsupported,
                      {"SYMMETRIC_OF_TOMORROW"}));
  EXPECT_TRUE(IsError(choose("SYMMETRIC", static_cast<int>(kF), nullptr, nullptr),
                      StatusCode::kUnsupported, {"target_dtype is 6"}));
}

TEST(QuantizeTest, AddsQuantized) {
  TestTensor a(kU8, {2}, {10, 200});
  TestTensor b(kU8, {2}, {4, 250});
  TestTensor out(kU8, {2});
  ASSERT_TRUE(IsOk(Call("quantized_decomposed::add.out",
                        {a, 0.5, 2, 0, 255, b, 1.0, 0, 0, 255, 0.5, 0, 0, 255, out})));
  ExpectNumbers(out, {16, 255});
}

TEST(QuantizedEmbeddingTest, RowsWithTheirScales) {
  TestTensor weight(kI8, {3, 2}, {1, 2, -3, 4, 5, -6});
  TestTensor scales(kF, {3}, {1, 0.5, 2});
  TestTensor indices(kL, {1, 2}, {2, 1});
  TestTensor out(kF, {1, 2, 2});
  ASSERT_TRUE(IsOk(Call("quantized_decomposed::embedding_byte.dtype_out",
                        {weight, scales, nullptr, -128, 127, indices, 6, out})));
  ExpectNumbers(out, {10, -12, -1.5, 2});
  TestTensor half(ScalarType::kHalf, {1, 2, 2});
  ASSERT_TRUE(IsOk(Call("quantized_decomposed::embedding_byte.out",
                        {weight, scales, nullptr, -128, 127, indices, half})));
  ExpectNumbers(half, {10, -12, -1.5, 2});
  TestTensor wrong(kL, {1, 2}, {0, 3});
  EXPECT_TRUE(IsError(Call("quantized_decomposed::embedding_byte.out",
                           {weight, scales, nullptr, -128, 127, wrong, out}),
                      StatusCode::kInvalidArgument, {"index 3, below 3 expected"}));
}

TEST(QuantizedEmbeddingTest, GroupsOfFourAndTwoBitNumbers) {
  // 4 bits: the first number is the upper half. Numbers -8..7 are stored as 0..15.
  TestTensor weight(kU8, {1, 2}, {0x0f, 0x98});
  TestTensor scales(kF, {1, 2}, {1, 10});
  TestTensor indices(kL, {1}, {0});
  TestTensor out(kF, {1, 4});
  ASSERT_TRUE(IsOk(Call("quantized_decomposed::embedding_4bit.out",
                        {weight, scales, nullptr, -8, 7, indices, out})));
  ExpectNumbers(out, {-8, 7, 10, 0});
  // 2 bits: the first number is the lowest quarter.
  TestTensor quarters(kU8, {1, 1}, {0b11100100});
  TestTensor one(kF, {1}, {1});
  ASSERT_TRUE(IsOk(Call("quantized_decomposed::embedding_2bit.out",
                        {quarters, one, nullptr, -2, 1, indices, out})));
  ExpectNumbers(out, {-2, -1, 0, 1});
  TestTensor three(kF, {1, 3}, {1, 1, 1});
  EXPECT_TRUE(IsError(Call("quantized_decomposed::embedding_4bit.out",
                           {weight, three, nullptr, -8, 7, indices, out}),
                      StatusCode::kInvalidArgument, {"groups"}));
}

// Products of numbers with int8 weights.
class MixedProductTest : public testing::Test {
 protected:
  static constexpr int32_t kRows = 3;
  static constexpr int32_t kDepth = 300;
  static constexpr int32_t kColumns = 270;

  static std::vector<double> Integers(size_t count) {
    std::vector<double> numbers = Noise(count, 5);
    for (double& number : numbers) number = std::round(number * 127);
    return numbers;
  }

  // weight(k, column), scaled.
  template <typename Weight>
  void ExpectProduct(const TestTensor& out, Weight weight) const {
    const std::vector<double> x = input_.Numbers();
    std::vector<double> expected;
    for (int row = 0; row < kRows; ++row) {
      for (int column = 0; column < kColumns; ++column) {
        double sum = 0;
        for (int k = 0; k < kDepth; ++k) {
          sum += x[static_cast<size_t>(row * kDepth + k)] * weight(k, column);
        }
        expected.push_back(sum);
      }
    }
    ExpectNumbers(out, expected, 2e-2);  // of sums of up to some thousands
  }

  TestTensor input_{kF, {kRows, kDepth}, Noise(size_t{kRows} * kDepth, 1)};
  TestTensor out_{kF, {kRows, kColumns}};
};

TEST_F(MixedProductTest, AScaleForEachInput) {
  TestTensor weight(kI8, {kDepth, kColumns}, Integers(size_t{kDepth} * kColumns));
  TestTensor scales(kF, {kDepth}, Noise(kDepth, 2));
  TestTensor zero_points(kF, {kDepth}, Counting(kDepth, -100));
  const std::vector<double> w = weight.Numbers();
  const std::vector<double> s = scales.Numbers();
  const auto at = [&](int k, int column, double zero_point) {
    return (w[static_cast<size_t>(k * kColumns + column)] - zero_point) * s[static_cast<size_t>(k)];
  };
  ASSERT_TRUE(
      IsOk(Call("quantized_decomposed::mixed_mm.out", {input_, weight, scales, nullptr, out_})));
  ExpectProduct(out_, [&](int k, int column) { return at(k, column, 0); });
  ASSERT_TRUE(IsOk(
      Call("quantized_decomposed::mixed_mm.out", {input_, weight, scales, zero_points, out_})));
  ExpectProduct(out_, [&](int k, int column) { return at(k, column, k - 100); });
}

TEST_F(MixedProductTest, AScaleForEachOutputAndPartOfTheInputs) {
  TestTensor weight(kI8, {kColumns, kDepth}, Integers(size_t{kDepth} * kColumns));
  const std::vector<double> w = weight.Numbers();
  for (const int32_t parts : {1, 3, 7}) {
    TestTensor scales(kF, {kColumns, parts}, Noise(static_cast<size_t>(kColumns * parts), 2));
    const std::vector<double> s = scales.Numbers();
    const int size = (kDepth + parts - 1) / parts;
    ASSERT_TRUE(IsOk(Call("quantized_decomposed::mixed_linear.out",
                          {input_, weight, scales, nullptr, nullptr, out_})));
    ExpectProduct(out_, [&](int k, int column) {
      return w[static_cast<size_t>(column * kDepth + k)] *
             s[static_cast<size_t>(column * parts + k / size)];
    });
  }
  TestTensor scales(kF, {kColumns}, Noise(kColumns, 2));
  TestTensor zero_points(kF, {kColumns}, Counting(kColumns));
  const std::vector<double> s = scales.Numbers();
  ASSERT_TRUE(IsOk(Call("quantized_decomposed::mixed_linear.out",
                        {input_, weight, scales, zero_points, 6, out_})));
  ExpectProduct(out_, [&](int k, int column) {
    return (w[static_cast<size_t>(column * kDepth + k)] - column) * s[static_cast<size_t>(column)];
  });
}

TEST_F(MixedProductTest, WhatDoesNotFitIsAnError) {
  TestTensor weight(kI8, {kColumns, kDepth});
  TestTensor turned(kI8, {kDepth, kColumns});
  TestTensor floats(kF, {kColumns, kDepth});
  TestTensor scales(kF, {kColumns});
  TestTensor few(kF, {2});
  TestTensor no_parts(kF, {kColumns, 0});
  const auto run = [&](TestTensor& w, TestTensor& s, Argument zero_points) {
    return Call("quantized_decomposed::mixed_linear.out",
                {input_, w, s, zero_points, nullptr, out_});
  };
  EXPECT_TRUE(IsOk(run(weight, scales, nullptr)));
  EXPECT_TRUE(IsError(run(turned, scales, nullptr), StatusCode::kInvalidArgument, {"do not fit"}));
  EXPECT_TRUE(IsError(run(floats, scales, nullptr), StatusCode::kUnsupported, {"float32"}));
  EXPECT_TRUE(IsError(run(weight, few, nullptr), StatusCode::kInvalidArgument, {"[2]"}));
  EXPECT_TRUE(IsError(run(weight, no_parts, nullptr), StatusCode::kInvalidArgument));
  EXPECT_TRUE(IsError(run(weight, scales, few), StatusCode::kInvalidArgument, {"zero point"}));
}

}  // namespace
}  // namespace onepack
