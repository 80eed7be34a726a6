// Gradients, against what a step of one in each element does to the result.

#include <functional>

#include "tests/kernels/operator_fixture.h"

namespace onepack {
namespace {

using Ints = std::vector<int64_t>;
constexpr bool kAll[] = {true, true, true};
constexpr bool kWeightOnly[] = {false, true, false};

struct Convolution {
  std::vector<int32_t> input, weight, output;
  Ints stride, padding, dilation;
  int64_t groups = 1;

  static size_t CountOf(const std::vector<int32_t>& sizes) {
    size_t count = 1;
    for (const int32_t size : sizes) count *= static_cast<size_t>(size);
    return count;
  }
  // The sum of all outputs, each times its gradient.
  double Sum(const std::vector<double>& x, const std::vector<double>& w,
             const std::vector<double>& gradient) const {
    TestTensor of_x(ScalarType::kDouble, input, x);
    TestTensor of_w(ScalarType::kDouble, weight, w);
    TestTensor out(ScalarType::kDouble, output);
    EXPECT_TRUE(IsOk(Call("aten::convolution.out", {of_x, of_w, nullptr, stride, padding, dilation,
                                                    false, Ints(stride.size(), 0), groups, out})));
    double sum = 0;
    const std::vector<double> numbers = out.Numbers();
    for (size_t i = 0; i < numbers.size(); ++i) sum += numbers[i] * gradient[i];
    return sum;
  }
};

const Convolution kConvolutions[] = {
    {{2, 2, 4, 5}, {3, 2, 3, 2}, {2, 3, 4, 4}, {1, 1}, {1, 0}, {1, 1}},
    {{1, 4, 7, 6}, {6, 2, 3, 3}, {1, 6, 4, 6}, {2, 1}, {1, 1}, {1, 1}, 2},
    {{1, 2, 6, 7}, {2, 1, 2, 3}, {1, 2, 5, 2}, {1, 2}, {1, 0}, {3, 2}, 2},
    {{2, 3, 8}, {2, 3, 3}, {2, 2, 4}, {2}, {1}, {1}},
    {{1, 1, 3, 3, 3}, {2, 1, 2, 2, 2}, {1, 2, 2, 2, 2}, {1, 1, 1}, {0, 0, 0}, {1, 1, 1}},
};

// A result that is linear in each element, so that the step may be one.
std::vector<double> StepsOf(std::vector<double> numbers,
                            const std::function<double(const std::vector<double>&)>& sum) {
  std::vector<double> steps;
  const double at_rest = sum(numbers);
  for (double& number : numbers) {
    number += 1;
    steps.push_back(sum(numbers) - at_rest);
    number -= 1;
  }
  return steps;
}

TEST(GradientTest, OfConvolutionsInTheirInputWeightAndBias) {
  for (const Convolution& c : kConvolutions) {
    const std::vector<double> x = Noise(Convolution::CountOf(c.input), 1);
    const std::vector<double> w = Noise(Convolution::CountOf(c.weight), 2);
    const std::vector<double> g = Noise(Convolution::CountOf(c.output), 3);
    TestTensor input(kF, c.input, x);
    TestTensor weight(kF, c.weight, w);
    TestTensor gradient(kF, c.output, g);
    TestTensor of_input(kF, c.input);
    TestTensor of_weight(kF, c.weight);
    TestTensor of_bias(kF, {c.weight[0]});
    Value mask = Value::OfBoolList(kAll);
    ASSERT_TRUE(IsOk(
        Call("aten::convolution_backward.out",
             {gradient, input, weight, Ints{c.weight[0]}, c.stride, c.padding, c.dilation, false,
              Ints(c.stride.size(), 0), c.groups, mask, of_input, of_weight, of_bias})));
    ExpectNumbers(of_input, StepsOf(x, [&](const auto& changed) { return c.Sum(changed, w, g); }),
                  1e-5);
    ExpectNumbers(of_weight, StepsOf(w, [&](const auto& changed) { return c.Sum(x, changed, g); }),
                  1e-5);
    std::vector<double> bias(static_cast<size_t>(c.weight[0]));
    const size_t places =
        Convolution::CountOf(c.output) / static_cast<size_t>(c.output[0]) / bias.size();
    for (size_t i = 0; i < g.size(); ++i) bias[i / places % bias.size()] += g[i];
    ExpectNumbers(of_bias, bias, 1e-5);
  }
}

TEST(GradientTest, OnlyThoseThatTheMaskAsksFor) {
  const Convolution& c = kConvolutions[0];
  TestTensor input(kF, c.input, Noise(80));
  TestTensor weight(kF, c.weight, Noise(36));
  TestTensor gradient(kF, c.output, Noise(96));
  TestTensor of_input(kF, c.input, std::vector<double>(80, 7));
  TestTensor of_weight(kF, c.weight);
  TestTensor of_bias(kF, {3}, {7, 7, 7});
  Value mask = Value::OfBoolList(kWeightOnly);
  ASSERT_TRUE(IsOk(Call("aten::convolution_backward.out",
                        {gradient, input, weight, nullptr, c.stride, c.padding, c.dilation, false,
                         Ints{0, 0}, 1, mask, of_input, of_weight, of_bias})));
  ExpectNumbers(of_input, std::vector<double>(80, 7));
  ExpectNumbers(of_bias, {7, 7, 7});
  EXPECT_NE(of_weight.Numbers(), std::vector<double>(36, 0));
  EXPECT_TRUE(IsError(Call("aten::convolution_backward.out",
                           {gradient, input, weight, nullptr, c.stride, c.padding, c.dilation, true,
                            Ints{0, 0}, 1, mask, of_input, of_weight, of_bias}),
                      StatusCode::kUnsupported, {"transposed"}));
  EXPECT_TRUE(IsError(Call("aten::convolution_backward.out",
                           {gradient, input, weight, nullptr, Ints{2, 2}, c.padding, c.dilation,
                            false, Ints{0, 0}, 1, mask, of_input, of_weight, of_bias}),
                      StatusCode::kInvalidArgument, {"no convolution"}));
}

TEST(GradientTest, OfPoolingGoesToThePixelThatWasTheLargest) {
  TestTensor self(kF, {1, 3, 3}, {1, 9, 2, 3, 4, 8, 0, 7, 5});
  TestTensor pooled(kF, {1, 2, 2});
  TestTensor indices(kL, {1, 2, 2});
  ASSERT_TRUE(
      IsOk(Call("aten::max_pool2d_with_indices.out",
                {self, Ints{2, 2}, Ints{1, 1}, Ints{0, 0}, Ints{1, 1}, false, pooled, indices})));
  ExpectNumbers(indices, {1, 1, 7, 5});
  TestTensor gradient(kF, {1, 2, 2}, {1, 2, 4, 8});
  TestTensor out(kF, {1, 3, 3}, std::vector<double>(9, 5));
  const auto call = [&](TestTensor& places) {
    return Call(
        "aten::max_pool2d_with_indices_backward.grad_input",
        {gradient, self, Ints{2, 2}, Ints{1, 1}, Ints{0, 0}, Ints{1, 1}, false, places, out});
  };
  ASSERT_TRUE(IsOk(call(indices)));
  ExpectNumbers(out, {0, 3, 0, 0, 0, 8, 0, 4, 0});
  for (const double wrong : {9.0, -2.0, 1e18}) {
    TestTensor places(kL, {1, 2, 2}, {0, wrong, 0, 0});
    EXPECT_TRUE(IsError(call(places), StatusCode::kInvalidArgument, {"below 9 expected"}));
  }
}

}  // namespace
}  // namespace onepack
