// Random numbers: what they are, and when they are the same again.

#include <cmath>
#include <set>

#include "tests/kernels/operator_fixture.h"

namespace onepack {
namespace {

using Ints = std::vector<int64_t>;

class RandomTest : public testing::Test {
 protected:
  explicit RandomTest(uint64_t seed = 0) : operators_(CreateWith(seed)) {}

  static CpuOperators CreateWith(uint64_t seed) {
    CpuOperatorOptions options;
    options.random_seed = seed;
    return CpuOperators::Create(options).value();
  }
  static std::vector<double> Draw(const CpuOperators& operators, const char* name,
                                  std::initializer_list<Argument> arguments, TestTensor& out) {
    const Operator* op = operators.registry().Find(name, "");
    std::vector<Value*> values;
    for (const Argument& argument : arguments) values.push_back(argument.value());
    EXPECT_TRUE(IsOk(op->function(op->context, values)));
    return out.Numbers();
  }
  std::vector<double> Draw(const char* name, std::initializer_list<Argument> arguments,
                           TestTensor& out) {
    return Draw(operators_, name, arguments, out);
  }

  CpuOperators operators_;
};

struct Moments {
  double mean = 0;
  double variance = 0;
};

Moments MomentsOf(const std::vector<double>& numbers) {
  Moments moments;
  for (const double number : numbers) moments.mean += number / static_cast<double>(numbers.size());
  for (const double number : numbers) {
    moments.variance +=
        (number - moments.mean) * (number - moments.mean) / static_cast<double>(numbers.size());
  }
  return moments;
}

TEST_F(RandomTest, TheSameSeedGivesTheSameNumbersToTheSameCalls) {
  const CpuOperators again = CreateWith(0);
  const CpuOperators other = CreateWith(1);
  TestTensor out(kF, {4, 5});
  const std::vector<double> first = Draw("aten::rand.out", {Ints{4, 5}, out}, out);
  const std::vector<double> second = Draw("aten::rand.out", {Ints{4, 5}, out}, out);
  EXPECT_NE(first, second);
  EXPECT_EQ(Draw(again, "aten::rand.out", {Ints{4, 5}, out}, out), first);
  EXPECT_EQ(Draw(again, "aten::rand.out", {Ints{4, 5}, out}, out), second);
  EXPECT_NE(Draw(other, "aten::rand.out", {Ints{4, 5}, out}, out), first);
}

TEST_F(RandomTest, UniformNumbersAreFromZeroOnAndBelowOneInEveryType) {
  for (const ScalarType type :
       {kF, ScalarType::kDouble, ScalarType::kHalf, ScalarType::kBFloat16}) {
    TestTensor out(type, {100, 300});
    const std::vector<double> numbers = Draw("aten::rand.out", {Ints{100, 300}, out}, out);
    for (const double number : numbers) ASSERT_TRUE(number >= 0 && number < 1) << number;
    const Moments moments = MomentsOf(numbers);
    // The few digits of bfloat16 are cut off, not rounded.
    EXPECT_NEAR(moments.mean, 0.5, type == ScalarType::kBFloat16 ? 0.01 : 0.005);
    EXPECT_NEAR(moments.variance, 1.0 / 12, 0.002);
  }
}

TEST_F(RandomTest, NormalNumbersHaveAMeanOfZeroAndAVarianceOfOne) {
  TestTensor like(kF, {30'000});
  TestTensor out(kF, {30'000});
  const std::vector<double> numbers = Draw("aten::randn_like.out", {like, nullptr, out}, out);
  const Moments moments = MomentsOf(numbers);
  EXPECT_NEAR(moments.mean, 0, 0.02);
  EXPECT_NEAR(moments.variance, 1, 0.03);
  size_t within_one = 0;
  for (const double number : numbers) within_one += std::fabs(number) < 1 ? 1 : 0;
  EXPECT_NEAR(static_cast<double>(within_one) / 30'000, 0.6827, 0.01);
}

TEST_F(RandomTest, IntegersAreAllOfTheRangeAndNoOther) {
  TestTensor out(kL, {1000});
  const std::vector<double> numbers = Draw("aten::randint.low_out", {-3, 4, Ints{1000}, out}, out);
  EXPECT_EQ(std::set<double>(numbers.begin(), numbers.end()),
            (std::set<double>{-3, -2, -1, 0, 1, 2, 3}));
  Draw("aten::randint.low_out", {INT64_MIN, INT64_MAX, Ints{1000}, out}, out);
  EXPECT_EQ(Draw("aten::randint.out", {1, Ints{1000}, out}, out), std::vector<double>(1000, 0));
  EXPECT_TRUE(IsError(Call("aten::randint.out", {0, Ints{1000}, out}), StatusCode::kInvalidArgument,
                      {"below 0"}));
  EXPECT_TRUE(IsError(Call("aten::rand.out", {Ints{1000}, out}), StatusCode::kUnsupported,
                      {"random numbers of int64 [1000]"}));
}

TEST_F(RandomTest, TwoCallsThatFollowEachOtherAreNotRelated) {
  TestTensor out(kF, {20'000});
  const std::vector<double> a = Draw("aten::rand.out", {Ints{20'000}, out}, out);
  const std::vector<double> b = Draw("aten::rand.out", {Ints{20'000}, out}, out);
  double covariance = 0;
  for (size_t i = 0; i < a.size(); ++i) covariance += (a[i] - 0.5) * (b[i] - 0.5) / 20'000;
  EXPECT_NEAR(covariance, 0, 0.003);
}

}  // namespace
}  // namespace onepack
