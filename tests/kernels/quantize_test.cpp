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

// Int8 weights with scales for groups of the depth, the last of which may be shorter.
TEST(QuantizedProductTest, EqualsThatOfTheWeightsThatAreMeant) {
  const std::vector<double> x = Noise(2 * 5);
  const std::vector<double> weights = {1, -2, 3, 127, -128, 5, 0, -7, 9, 11, -13, 64, 2, 2, 1};
  const std::vector<double> scales = {0.5, 2, 0.25, 1, 4, 0.125};
  TestTensor input(kF, {2, 5}, x);
  TestTensor weight(ScalarType::kChar, {3, 5}, weights);
  TestTensor scale(kF, {3, 2}, scales);
  TestTensor out(kF, {2, 3});
  ASSERT_TRUE(IsOk(Call("quantized_decomposed::mixed_linear.out",
                        {input, weight, scale, nullptr, nullptr, out})));
  std::vector<double> expected(6);
  for (size_t i = 0; i < 2; ++i) {
    for (size_t j = 0; j < 3; ++j) {
      for (size_t k = 0; k < 5; ++k) {
        expected[i * 3 + j] += x[i * 5 + k] * weights[j * 5 + k] * scales[j * 2 + k / 3];
      }
    }
  }
  ExpectNumbers(out, expected, 1e-6);

  TestTensor turned(ScalarType::kChar, {5, 3}, weights);
  TestTensor of_rows(kF, {5}, {1, 0.5, 2, 4, 0.25});
  ASSERT_TRUE(
      IsOk(Call("quantized_decomposed::mixed_mm.out", {input, turned, of_rows, nullptr, out})));
  expected.assign(6, 0);
  for (size_t i = 0; i < 2; ++i) {
    for (size_t j = 0; j < 3; ++j) {
      for (size_t k = 0; k < 5; ++k) {
        expected[i * 3 + j] += x[i * 5 + k] * weights[k * 3 + j] * of_rows.Numbers()[k];
      }
    }
  }
  ExpectNumbers(out, expected, 1e-6);
}

TEST(QuantizedProductTest, WhatDoesNotFitIsRefused) {
  TestTensor input(kF, {2, 5});
  TestTensor weight(ScalarType::kChar, {3, 5});
  TestTensor scale(kF, {3});
  TestTensor out(kF, {2, 3});
  EXPECT_TRUE(IsError(
      Call("quantized_decomposed::mixed_linear.out", {input, weight, scale, scale, nullptr, out}),
      StatusCode::kUnsupported, {"zero points"}));
  EXPECT_TRUE(
      IsError(Call("quantized_decomposed::mixed_mm.out", {input, weight, scale, nullptr, out}),
              StatusCode::kInvalidArgument, {"of its depth"}));
  TestTensor few(kF, {2});
  EXPECT_TRUE(IsError(
      Call("quantized_decomposed::mixed_linear.out", {input, weight, few, nullptr, nullptr, out}),
      StatusCode::kInvalidArgument, {"a scale for each row"}));
  TestTensor none(kF, {3, 0});
  EXPECT_TRUE(IsError(
      Call("quantized_decomposed::mixed_linear.out", {input, weight, none, nullptr, nullptr, out}),
      StatusCode::kInvalidArgument, {"each group"}));
}

}  // namespace
}  // namespace onepack
