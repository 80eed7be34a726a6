// Fourier transforms against their definition, and what everybody knows of them.

#include <cmath>
#include <complex>

#include "tests/kernels/operator_fixture.h"

namespace onepack {
namespace {

using Ints = std::vector<int64_t>;
using Number = std::complex<double>;
using Numbers = std::vector<Number>;

constexpr ScalarType kC = ScalarType::kComplexFloat;
constexpr ScalarType kD = ScalarType::kDouble;
constexpr ScalarType kCD = ScalarType::kComplexDouble;

// The sums that define the transform.
Numbers TransformOf(const Numbers& row, bool is_forward) {
  Numbers result(row.size());
  const double step = 2 * M_PI / static_cast<double>(row.size()) * (is_forward ? -1 : 1);
  for (size_t k = 0; k < row.size(); ++k) {
    for (size_t j = 0; j < row.size(); ++j) {
      // Reduced first: the sine of a large number is less exact.
      result[k] += row[j] * std::polar(1.0, step * static_cast<double>(j * k % row.size()));
    }
  }
  return result;
}

std::vector<double> PartsOf(const Numbers& numbers) {
  std::vector<double> parts;
  for (const Number& number : numbers) {
    parts.push_back(number.real());
    parts.push_back(number.imag());
  }
  return parts;
}

Numbers NumbersOf(const std::vector<double>& parts) {
  Numbers numbers;
  for (size_t i = 0; i + 1 < parts.size(); i += 2) numbers.emplace_back(parts[i], parts[i + 1]);
  return numbers;
}

// The largest number that parts are expected to be: errors are relative to it.
double SizeOf(const std::vector<double>& parts) {
  double size = 1;
  for (const double part : parts) size = std::fmax(size, std::fabs(part));
  return size;
}

void ExpectSpectrum(const std::vector<double>& found, const std::vector<double>& expected,
                    double tolerance) {
  ASSERT_EQ(found.size(), expected.size());
  const double allowed = tolerance * SizeOf(expected);
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], allowed) << i;
}

std::vector<size_t> Lengths() {
  std::vector<size_t> lengths = {96, 97, 100, 121, 125, 128, 210, 243, 251, 400, 512, 1021};
  for (size_t length = 1; length <= 40; ++length) lengths.push_back(length);
  return lengths;
}

void ExpectRealTransforms(ScalarType real, ScalarType complex, double tolerance) {
  for (const size_t length : Lengths()) {
    SCOPED_TRACE(length);
    const auto n = static_cast<int32_t>(length);
    const std::vector<double> noise = Noise(length, static_cast<unsigned>(length));
    TestTensor x(real, {n}, noise);
    TestTensor spectrum(complex, {n / 2 + 1});
    ASSERT_TRUE(IsOk(Call("aten::_fft_r2c.out", {x, Ints{0}, 0, true, spectrum})));
    const std::vector<double> numbers = x.Numbers();
    Numbers expected = TransformOf(Numbers(numbers.begin(), numbers.end()), true);
    expected.resize(length / 2 + 1);
    ExpectSpectrum(spectrum.Parts(), PartsOf(expected), tolerance);
    TestTensor back(real, {n});
    ASSERT_TRUE(IsOk(Call("aten::_fft_c2r.out", {spectrum, Ints{0}, 2, int64_t{n}, back})));
    ExpectSpectrum(back.Numbers(), numbers, tolerance);
  }
}

TEST(FourierTest, OfEveryLengthInFloatAndBack) { ExpectRealTransforms(kF, kC, 1e-6); }

TEST(FourierTest, OfEveryLengthInDoubleAndBack) { ExpectRealTransforms(kD, kCD, 1e-13); }

TEST(FourierTest, OfComplexNumbersInBothDirections) {
  for (const int32_t length : {1, 6, 14, 64, 77}) {
    for (const bool is_forward : {true, false}) {
      SCOPED_TRACE(length);
      TestTensor x(kC, {length});
      x.SetParts(Noise(2 * static_cast<size_t>(length)));
      TestTensor out(kC, {length});
      ASSERT_TRUE(IsOk(Call("aten::_fft_c2c.out", {x, Ints{-1}, 0, is_forward, out})));
      ExpectSpectrum(out.Parts(), PartsOf(TransformOf(NumbersOf(x.Parts()), is_forward)), 1e-6);
    }
  }
}

TEST(FourierTest, AnImpulseAConstantAndACosine) {
  TestTensor out(kC, {5});
  TestTensor impulse(kF, {8}, {1});
  ASSERT_TRUE(IsOk(Call("aten::_fft_r2c.out", {impulse, Ints{0}, 0, true, out})));
  ExpectNumbers(out.Parts(), {1, 0, 1, 0, 1, 0, 1, 0, 1, 0}, 1e-7);
  TestTensor constant(kF, {8}, std::vector<double>(8, 3));
  ASSERT_TRUE(IsOk(Call("aten::_fft_r2c.out", {constant, Ints{0}, 0, true, out})));
  ExpectNumbers(out.Parts(), {24, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 1e-6);
  TestTensor cosine(kF, {8}, {1, 0, -1, 0, 1, 0, -1, 0});
  ASSERT_TRUE(IsOk(Call("aten::_fft_r2c.out", {cosine, Ints{0}, 0, true, out})));
  ExpectNumbers(out.Parts(), {0, 0, 0, 0, 4, 0, 0, 0, 0, 0}, 1e-6);
}

TEST(FourierTest, NormalizationDividesByNothingTheRootOrTheCount) {
  TestTensor x(kF, {2, 8}, std::vector<double>(16, 1));
  const double expected[] = {16, 4, 1};
  for (const int64_t normalization : {0, 1, 2}) {
    TestTensor out(kC, {2, 5});
    ASSERT_TRUE(IsOk(Call("aten::_fft_r2c.out", {x, Ints{0, 1}, normalization, true, out})));
    EXPECT_NEAR(out.Parts()[0], expected[normalization], 1e-6);
  }
  TestTensor out(kC, {2, 5});
  EXPECT_TRUE(IsError(Call("aten::_fft_r2c.out", {x, Ints{0, 1}, 3, true, out}),
                      StatusCode::kInvalidArgument, {"normalization 3"}));
}

TEST(FourierTest, TheOtherHalfIsTheMirrorImage) {
  TestTensor x(kF, {7}, Noise(7));
  TestTensor half(kC, {4});
  TestTensor whole(kC, {7});
  ASSERT_TRUE(IsOk(Call("aten::_fft_r2c.out", {x, Ints{0}, 0, true, half})));
  ASSERT_TRUE(IsOk(Call("aten::_fft_r2c.out", {x, Ints{0}, 0, false, whole})));
  const Numbers of_half = NumbersOf(half.Parts());
  const Numbers of_whole = NumbersOf(whole.Parts());
  for (size_t k = 0; k < 4; ++k) EXPECT_EQ(of_whole[k], of_half[k]);
  for (size_t k = 4; k < 7; ++k)
    EXPECT_NEAR(std::abs(of_whole[k] - std::conj(of_half[7 - k])), 0, 1e-6);
}

// A column and then a row of a matrix, in any order of the dimensions in memory.
TEST(FourierTest, SeveralDimensionsOneAfterTheOther) {
  const std::vector<double> noise = Noise(30);
  Numbers expected(30);
  for (size_t i = 0; i < 5; ++i) {
    const Numbers row = TransformOf(Numbers(noise.begin() + static_cast<ptrdiff_t>(6 * i),
                                            noise.begin() + static_cast<ptrdiff_t>(6 * i + 6)),
                                    true);
    for (size_t j = 0; j < 6; ++j) expected[6 * i + j] = row[j];
  }
  for (size_t j = 0; j < 6; ++j) {
    Numbers column;
    for (size_t i = 0; i < 5; ++i) column.push_back(expected[6 * i + j]);
    column = TransformOf(column, true);
    for (size_t i = 0; i < 5; ++i) expected[6 * i + j] = column[i];
  }
  for (const std::vector<uint8_t>& order : {std::vector<uint8_t>{0, 1}, {1, 0}}) {
    TestTensor x(kF, {5, 6}, noise, order);
    TestTensor whole(kC, {5, 6}, {}, order);
    ASSERT_TRUE(IsOk(Call("aten::_fft_r2c.out", {x, Ints{0, 1}, 0, false, whole})));
    ExpectSpectrum(whole.Parts(), PartsOf(expected), 1e-6);
    // Halves of the last of the dimensions that are named.
    for (const Ints& dims : {Ints{0, 1}, Ints{1, 0}}) {
      const int64_t last = dims.back();
      TestTensor half(kC, {last == 0 ? 3 : 5, last == 1 ? 4 : 6}, {}, order);
      ASSERT_TRUE(IsOk(Call("aten::_fft_r2c.out", {x, dims, 1, true, half})));
      TestTensor back(kF, {5, 6}, {}, order);
      const int64_t size = last == 0 ? 5 : 6;
      ASSERT_TRUE(IsOk(Call("aten::_fft_c2r.out", {half, dims, 1, size, back})));
      ExpectNumbers(back, x.Numbers(), 1e-6);
    }
  }
}

TEST(FourierTest, WhatCannotBeImaginaryDoesNotCount) {
  TestTensor spectrum(kC, {3});
  spectrum.SetParts({4, 9, 0, 0, 0, 9});
  TestTensor out(kF, {4});
  ASSERT_TRUE(IsOk(Call("aten::_fft_c2r.out", {spectrum, Ints{0}, 2, 4, out})));
  ExpectNumbers(out, {1, 1, 1, 1});
  // More than the half is left alone.
  TestTensor three(kF, {3});
  spectrum.SetParts({3, 0, 0, 0, 7, 7});
  ASSERT_TRUE(IsOk(Call("aten::_fft_c2r.out", {spectrum, Ints{0}, 2, 3, three})));
  ExpectNumbers(three, {1, 1, 1}, 1e-7);
}

TEST(FourierTest, ArgumentsThatDoNotFitAreAStatus) {
  TestTensor x(kF, {4, 6});
  TestTensor out(kC, {4, 4});
  for (const Ints& dims : {Ints{}, Ints{2}, Ints{1, -1}, Ints{0, 1, 0}}) {
    EXPECT_TRUE(
        IsError(Call("aten::_fft_r2c.out", {x, dims, 0, true, out}), StatusCode::kInvalidArgument));
  }
  TestTensor doubles(kCD, {4, 4});
  EXPECT_TRUE(IsError(Call("aten::_fft_r2c.out", {x, Ints{1}, 0, true, doubles}),
                      StatusCode::kInvalidArgument, {"float32 [4, 6] and complex128 [4, 4]"}));
  TestTensor empty(kF, {4, 0});
  TestTensor one(kC, {4, 1});
  EXPECT_TRUE(IsError(Call("aten::_fft_r2c.out", {empty, Ints{1}, 0, true, one}),
                      StatusCode::kInvalidArgument, {"not empty"}));
  for (const int64_t size : {0, -1, 8, 1 << 30}) {
    EXPECT_TRUE(IsError(Call("aten::_fft_c2r.out", {out, Ints{1}, 0, size, x}),
                        StatusCode::kInvalidArgument, {"half of"}));
  }
  EXPECT_TRUE(IsError(Call("aten::_fft_c2c.out", {x, Ints{1}, 0, true, x}),
                      StatusCode::kInvalidFile, {"an input too"}));
}

}  // namespace
}  // namespace onepack
