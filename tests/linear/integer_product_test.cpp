#include <gtest/gtest.h>
#include <math.h>
#include <pthreadpool.h>
#include <string.h>

#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "linear/linear.h"
#include "linear/quantization.h"
#include "tests/linear/linear_fixture.h"

namespace onepack::linear {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr Finish kNoFinish = {nullptr, -kInfinity, kInfinity};

std::vector<float> SumsOf(const Weights& weights) {
  std::vector<float> sums(weights.outputs);
  WeightSums(weights, 0, weights.outputs, sums.data());
  return sums;
}

std::vector<float> ProductOf(const std::vector<float>& x, size_t rows, const Weights& weights,
                             const Finish& finish, pthreadpool* pool = nullptr) {
  const ActivationForm form = FormFor(weights);
  std::vector<uint8_t> quantized(QuantizedBytes(form, rows));
  Quantize(form, x.data(), rows, quantized.data(), pool);
  std::vector<float> y(rows * weights.outputs, NAN);
  MultiplyQuantized(quantized.data(), rows, weights, SumsOf(weights).data(), finish, y.data(),
                    pool);
  return y;
}

// A row quantized as the tests of Quantize pin it down, multiplied in doubles. `magnitude`: of the
// sum's terms.
struct Reference {
  double value = 0;
  double magnitude = 0;
};
Reference ReferenceOf(const float* x, const Weights& weights, size_t output) {
  float least = 0;
  float greatest = 0;
  for (size_t k = 0; k < weights.inputs; ++k) {
    least = fminf(least, x[k]);
    greatest = fmaxf(greatest, x[k]);
  }
  const Quantization to = QuantizationOf(least, greatest);
  Reference reference;
  for (size_t k = 0; k < weights.inputs; ++k) {
    double q = nearbyint(double{x[k] * to.inverse}) + to.zero_point;
    q = fmin(fmax(q, -128), 127);
    const double weight =
        static_cast<double>(ScaleAt(weights, output, k)) * IntegerAt(weights, output, k) * to.scale;
    reference.value += weight * (q - to.zero_point);
    reference.magnitude += fabs(weight) * 256;
  }
  return reference;
}

void ExpectReference(const std::vector<float>& x, size_t rows, const Weights& weights) {
  const std::vector<float> y = ProductOf(x, rows, weights, kNoFinish);
  for (size_t m = 0; m < rows; ++m) {
    for (size_t n = 0; n < weights.outputs; ++n) {
      const Reference expected = ReferenceOf(&x[m * weights.inputs], weights, n);
      ASSERT_NEAR(y[m * weights.outputs + n], expected.value, 1e-6 * expected.magnitude)
          << "row " << m << ", output " << n;
    }
  }
}

std::vector<WeightShape> ShapesOf(std::mt19937& random, size_t count) {
  std::vector<WeightShape> shapes;
  for (size_t i = 0; i < count; ++i) {
    const size_t outputs = 1 + random() % 70;
    const size_t inputs = 1 + random() % (i % 8 == 0 ? 2500 : 200);
    const size_t block_size = 32 * (1 + random() % 8);
    const size_t blocks = 1 + random() % (i % 8 == 0 ? 40 : 5);
    shapes.push_back({WeightType::kInt4Blocks, outputs, block_size * blocks, block_size});
    shapes.push_back({WeightType::kInt4Channels, outputs, inputs, 0});
    shapes.push_back({WeightType::kInt8Channels, outputs, inputs, 0});
  }
  shapes.push_back({WeightType::kInt4Blocks, 1, 32, 32});
  shapes.push_back({WeightType::kInt4Channels, 1, 1, 0});
  shapes.push_back({WeightType::kInt8Channels, 1, 1, 0});
  return shapes;
}

testing::Message Named(const WeightShape& shape) {
  return testing::Message() << "type " << static_cast<int>(shape.type) << ", " << shape.outputs
                            << " x " << shape.inputs << ", blocks of " << shape.block_size;
}

class IntegerProductTest : public testing::TestWithParam<int64_t> {
 protected:
  TargetScope target_{GetParam()};
  std::mt19937 random_{11};
};

TEST_P(IntegerProductTest, IsThatOfTheFormula) {
  for (const WeightShape& shape : ShapesOf(random_, 60)) {
    SCOPED_TRACE(Named(shape));
    const RandomWeights weights(shape, random_);
    const size_t rows = 1 + random_() % 15;
    ExpectReference(RandomFloats(rows * shape.inputs, random_), rows, weights.view());
    if (HasFailure()) return;
  }
}

TEST_P(IntegerProductTest, ExtremeIntegersDoNotSaturate) {
  for (const WeightType type :
       {WeightType::kInt4Blocks, WeightType::kInt4Channels, WeightType::kInt8Channels}) {
    const WeightShape shape = {type, 3, 256, type == WeightType::kInt4Blocks ? 64u : 0u};
    for (const int byte : {0x00, 0x80, 0x7F, 0xFF}) {
      RandomWeights weights(shape, random_);
      for (uint8_t& value : weights.values) value = static_cast<uint8_t>(byte);
      for (const float sign : {-1.0F, 1.0F}) {
        // All at one end of the range, and all but one at the other.
        std::vector<float> x(2 * shape.inputs, sign);
        x[shape.inputs] = -sign;
        ExpectReference(x, 2, weights.view());
      }
    }
  }
}

TEST_P(IntegerProductTest, SumsOfWeightsAreExactByChannelAndCloseByBlocks) {
  for (const WeightShape& shape : ShapesOf(random_, 20)) {
    SCOPED_TRACE(Named(shape));
    const RandomWeights weights(shape, random_);
    const std::vector<float> sums = SumsOf(weights.view());
    for (size_t n = 0; n < shape.outputs; ++n) {
      double sum = 0;
      double magnitude = 0;
      for (size_t k = 0; k < shape.inputs; ++k) {
        const double scale = shape.block_size == 0 ? 1 : ScaleAt(weights.view(), n, k);
        sum += scale * IntegerAt(weights.view(), n, k);
        magnitude += scale * 8;
      }
      ASSERT_NEAR(sums[n], sum, shape.block_size == 0 ? 0 : 1e-6 * magnitude);
    }
    // From the middle on, the same bits.
    const size_t first = shape.outputs / 3;
    std::vector<float> some(shape.outputs - first);
    WeightSums(weights.view(), first, some.size(), some.data());
    ASSERT_EQ(memcmp(some.data(), &sums[first], some.size() * sizeof(float)), 0);
  }
}

TEST_P(IntegerProductTest, BiasComesBeforeTheClamp) {
  for (const WeightShape& shape : ShapesOf(random_, 3)) {
    const RandomWeights weights(shape, random_);
    const std::vector<float> x = RandomFloats(3 * shape.inputs, random_);
    const std::vector<float> bias = RandomFloats(shape.outputs, random_);
    const std::vector<float> plain = ProductOf(x, 3, weights.view(), kNoFinish);
    const std::vector<float> y = ProductOf(x, 3, weights.view(), {bias.data(), -0.25F, 0.5F});
    for (size_t i = 0; i < y.size(); ++i) {
      const float expected = fminf(fmaxf(plain[i] + bias[i % shape.outputs], -0.25F), 0.5F);
      ASSERT_NEAR(y[i], expected, 1e-5);
    }
  }
}

TEST_P(IntegerProductTest, NothingOutsideTheArraysIsTouched) {
  for (const auto where : {GuardedBytes::Where::kAtBegin, GuardedBytes::Where::kAtEnd}) {
    for (const WeightShape& shape : ShapesOf(random_, 40)) {
      SCOPED_TRACE(Named(shape));
      const RandomWeights weights(shape, random_);
      const size_t rows = 1 + random_() % 7;
      const std::vector<float> x = RandomFloats(rows * shape.inputs, random_);
      const std::vector<float> expected = ProductOf(x, rows, weights.view(), kNoFinish);

      const GuardedBytes values(weights.values.size(), where);
      const GuardedBytes scales(weights.scales.size(), where);
      memcpy(values.data(), weights.values.data(), weights.values.size());
      memcpy(scales.data(), weights.scales.data(), weights.scales.size());
      const Weights guarded = weights.At(values.data(), scales.data());
      const GuardedBytes sums(shape.outputs * sizeof(float), where);
      WeightSums(guarded, 0, shape.outputs, sums.floats());
      const ActivationForm form = FormFor(guarded);
      const GuardedBytes quantized(QuantizedBytes(form, rows), where);
      Quantize(form, x.data(), rows, quantized.data(), nullptr);
      const GuardedBytes y(rows * shape.outputs * sizeof(float), where);
      MultiplyQuantized(quantized.data(), rows, guarded, sums.floats(), kNoFinish, y.floats(),
                        nullptr);
      ASSERT_EQ(memcmp(y.data(), expected.data(), expected.size() * sizeof(float)), 0);
    }
  }
}

// Few rows are summed in another order than many.
TEST_P(IntegerProductTest, ARowIsTheSameAmongFewOthersAndAmongMany) {
  for (const WeightShape& shape : ShapesOf(random_, 8)) {
    SCOPED_TRACE(Named(shape));
    const RandomWeights weights(shape, random_);
    const std::vector<float> x = RandomFloats(128 * shape.inputs, random_);
    const auto expect_equal = [&](size_t most, std::initializer_list<size_t> counts) {
      const std::vector<float> all = ProductOf(x, most, weights.view(), kNoFinish);
      for (const size_t rows : counts) {
        const std::vector<float> y = ProductOf(x, rows, weights.view(), kNoFinish);
        EXPECT_EQ(memcmp(y.data(), all.data(), y.size() * sizeof(float)), 0) << rows << " rows";
      }
    };
    expect_equal(4, {1, 2, 3});
    expect_equal(128, {5, 6, 7, 8, 13, 16, 31});
  }
}

TEST_P(IntegerProductTest, ThreadsDoNotChangeAnyBit) {
  const std::unique_ptr<pthreadpool, decltype(&pthreadpool_destroy)> pool(pthreadpool_create(3),
                                                                          &pthreadpool_destroy);
  for (const WeightType type :
       {WeightType::kInt4Blocks, WeightType::kInt4Channels, WeightType::kInt8Channels}) {
    const WeightShape shape = {type, 530, 1536, type == WeightType::kInt4Blocks ? 64u : 0u};
    const RandomWeights weights(shape, random_);
    for (const size_t rows : {1, 7, 40, 250}) {
      const std::vector<float> x = RandomFloats(rows * shape.inputs, random_);
      const std::vector<float> one = ProductOf(x, rows, weights.view(), kNoFinish);
      const std::vector<float> many = ProductOf(x, rows, weights.view(), kNoFinish, pool.get());
      ASSERT_EQ(memcmp(one.data(), many.data(), one.size() * sizeof(float)), 0);
    }
  }
}

TEST_P(IntegerProductTest, NoRowsAreNoWork) {
  const WeightShape shape = {WeightType::kInt8Channels, 5, 7, 0};
  const RandomWeights weights(shape, random_);
  EXPECT_TRUE(ProductOf({}, 0, weights.view(), kNoFinish).empty());
}

INSTANTIATE_TEST_SUITE_P(Targets, IntegerProductTest, testing::ValuesIn(AllTargets()),
                         [](const auto& test) { return NameOf(test.param); });

}  // namespace
}  // namespace onepack::linear
