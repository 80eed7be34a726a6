// aten::grid_sampler_2d: places in pictures, between their pixels and outside them.

#include <cmath>

#include "tests/kernels/operator_fixture.h"

namespace onepack {
namespace {

enum Mode { kBilinear, kNearest, kBicubic };
enum Padding { kZeros, kBorder, kReflection };

// The picture 1 2 3 4, one row, at places x of the grid.
std::vector<double> SampleRow(const std::vector<double>& places, int mode, int padding,
                              bool align_corners) {
  TestTensor picture(kF, {1, 1, 1, 4}, {1, 2, 3, 4});
  const auto count = static_cast<int32_t>(places.size());
  std::vector<double> coordinates;
  for (const double x : places) {
    coordinates.push_back(x);
    coordinates.push_back(0);  // the middle of the only row
  }
  TestTensor grid(kF, {1, 1, count, 2}, coordinates);
  TestTensor out(kF, {1, 1, 1, count});
  EXPECT_TRUE(
      IsOk(Call("aten::grid_sampler_2d.out", {picture, grid, mode, padding, align_corners, out})));
  return out.Numbers();
}

TEST(GridSampleTest, TheCornersAreCentresOrBordersOfPixels) {
  const std::vector<double> ends = {-1, 0, 1};
  ExpectNumbers(SampleRow(ends, kBilinear, kZeros, true), {1, 2.5, 4}, 1e-6);
  // On the border one half of what counts is outside.
  ExpectNumbers(SampleRow(ends, kBilinear, kZeros, false), {0.5, 2.5, 2}, 1e-6);
  ExpectNumbers(SampleRow(ends, kBilinear, kBorder, false), {1, 2.5, 4}, 1e-6);
}

TEST(GridSampleTest, OutsideIsZeroTheBorderOrAReflection) {
  // Without aligned corners pixel i is at (2 * i + 1) / 4 - 1, and a step of 0.5 leads to the next.
  const std::vector<double> places = {-1.75, -1.25, -0.75, 0.75, 1.25, 1.75, 2.25};
  ExpectNumbers(SampleRow(places, kNearest, kZeros, false), {0, 0, 1, 4, 0, 0, 0});
  ExpectNumbers(SampleRow(places, kNearest, kBorder, false), {1, 1, 1, 4, 4, 4, 4});
  ExpectNumbers(SampleRow(places, kNearest, kReflection, false), {2, 1, 1, 4, 4, 3, 2});
  ExpectNumbers(SampleRow(places, kBilinear, kReflection, false), {2, 1, 1, 4, 4, 3, 2}, 1e-6);
  // With them a step is 2 / 3, and the outer pixels are not repeated.
  const double step = 2.0 / 3;
  const std::vector<double> aligned = {-1 - 2 * step, -1 - step, -1, 1, 1 + step, 1 + 3 * step};
  ExpectNumbers(SampleRow(aligned, kNearest, kReflection, true), {3, 2, 1, 4, 3, 1});
}

TEST(GridSampleTest, CubicWeightsAreThoseOfPyTorch) {
  // Half way between 2 and 3: -0.09375, 0.59375, 0.59375, -0.09375.
  ExpectNumbers(SampleRow({0}, kBicubic, kZeros, false), {2.5}, 1e-6);
  // A quarter past pixel 0, which the border repeats.
  const double x = (2 * 0.25 + 1) / 4 - 1;
  const double before = -0.10546875;
  const double first = 0.87890625;
  const double second = 0.26171875;
  const double last = -0.03515625;
  ExpectNumbers(SampleRow({x}, kBicubic, kBorder, false),
                {before * 1 + first * 1 + second * 2 + last * 3}, 1e-6);
  ExpectNumbers(SampleRow({x}, kBicubic, kZeros, false), {first * 1 + second * 2 + last * 3}, 1e-6);
}

// The product of the rows' and the columns' weights, channel by channel, batch by batch.
TEST(GridSampleTest, AFlippedGridFlipsThePicture) {
  const std::vector<double> picture = Noise(2 * 3 * 4 * 5);
  for (const std::vector<uint8_t>& order : {std::vector<uint8_t>{0, 1, 2, 3}, {0, 2, 3, 1}}) {
    TestTensor input(kF, {2, 3, 4, 5}, picture, order);
    std::vector<double> places;
    std::vector<double> expected;
    for (size_t n = 0; n < 2; ++n) {
      for (size_t y = 0; y < 4; ++y) {
        for (size_t x = 0; x < 5; ++x) {
          places.push_back(1 - 2 * static_cast<double>(x) / 4);
          places.push_back(-1 + 2 * static_cast<double>(y) / 3);
        }
      }
      for (size_t c = 0; c < 3; ++c) {
        for (size_t y = 0; y < 4; ++y) {
          for (size_t x = 0; x < 5; ++x) {
            expected.push_back(picture[((n * 3 + c) * 4 + y) * 5 + 4 - x]);
          }
        }
      }
    }
    TestTensor grid(kF, {2, 4, 5, 2}, places);
    for (const int mode : {kBilinear, kNearest, kBicubic}) {
      TestTensor out(kF, {2, 3, 4, 5}, {}, order);
      ASSERT_TRUE(IsOk(Call("aten::grid_sampler_2d.out", {input, grid, mode, kZeros, true, out})));
      ExpectNumbers(out, expected, 1e-5);
    }
  }
}

TEST(GridSampleTest, NanAndDistantPositionsReadNothingOutside) {
  const std::vector<double> places = {std::nan(""), HUGE_VAL, -HUGE_VAL, 3e38, -3e38, 1e15};
  for (const int mode : {kBilinear, kNearest}) {
    for (const bool align : {true, false}) {
      ExpectNumbers(SampleRow(places, mode, kZeros, align), {0, 0, 0, 0, 0, 0});
      ExpectNumbers(SampleRow({HUGE_VAL, -HUGE_VAL, 3e38, -3e38}, mode, kBorder, align),
                    {4, 1, 4, 1});
      for (const double number : SampleRow(places, mode, kReflection, align)) {
        EXPECT_TRUE(number >= 1 && number <= 4) << number;
      }
    }
  }
  SampleRow(places, kBicubic, kReflection, false);  // sanitizers look
}

TEST(GridSampleTest, OnePixelIsReflectedToItself) {
  TestTensor picture(kF, {1, 1, 1, 1}, {7});
  TestTensor grid(kF, {1, 1, 2, 2}, {-3, 0.5, 2, 9});
  for (const bool align : {true, false}) {
    TestTensor out(kF, {1, 1, 1, 2});
    ASSERT_TRUE(IsOk(
        Call("aten::grid_sampler_2d.out", {picture, grid, kBilinear, kReflection, align, out})));
    ExpectNumbers(out, {7, 7});
  }
}

TEST(GridSampleTest, ArgumentsThatDoNotFitAreAStatus) {
  TestTensor picture(kF, {1, 1, 2, 2});
  TestTensor grid(kF, {1, 1, 1, 2});
  TestTensor out(kF, {1, 1, 1, 1});
  EXPECT_TRUE(IsError(Call("aten::grid_sampler_2d.out", {picture, grid, 3, 0, false, out}),
                      StatusCode::kInvalidArgument, {"interpolation 3"}));
  EXPECT_TRUE(IsError(Call("aten::grid_sampler_2d.out", {picture, grid, 0, -1, false, out}),
                      StatusCode::kInvalidArgument, {"padding -1"}));
  TestTensor three(kF, {1, 1, 1, 3});
  EXPECT_FALSE(Call("aten::grid_sampler_2d.out", {picture, three, 0, 0, false, out}).ok());
  TestTensor batches(kF, {2, 1, 1, 2});
  EXPECT_FALSE(Call("aten::grid_sampler_2d.out", {picture, batches, 0, 0, false, out}).ok());
  TestTensor empty(kF, {1, 1, 0, 2});
  EXPECT_FALSE(Call("aten::grid_sampler_2d.out", {empty, grid, 0, 0, false, out}).ok());
}

}  // namespace
}  // namespace onepack
