// The loops for each target that this machine runs, against the definition.

#include "kernels/vector_loops.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cmath>
#include <vector>

#include "tests/kernels/operator_fixture.h"
#include "tests/support/highway_targets.h"

namespace onepack::kernels {
namespace {

class VectorLoopsTest : public testing::TestWithParam<int64_t> {
 protected:
  VectorLoopsTest() { hwy::SetSupportedTargetsForTest(GetParam()); }
  ~VectorLoopsTest() override { hwy::SetSupportedTargetsForTest(0); }
};

// Rows of numbers at a distance, without one element more than they need.
class TestRows {
 public:
  TestRows(size_t count, size_t length, unsigned seed)
      : count_(count), length_(length), numbers_(count * distance() - (count > 0 ? 3 : 0)) {
    const std::vector<double> noise = Noise(numbers_.size(), seed);
    for (size_t i = 0; i < noise.size(); ++i) numbers_[i] = static_cast<float>(noise[i]);
    for (size_t i = 0; i < count; ++i) {
      constant_.push_back(row(i));
      pointers_.push_back(row(i));
    }
  }

  float* row(size_t i) { return numbers_.data() + i * distance(); }
  double at(size_t i, size_t k) { return static_cast<double>(row(i)[k]); }
  const float* const* constant() const { return constant_.data(); }
  float* const* pointers() const { return pointers_.data(); }
  FloatRows all() const { return {numbers_.data(), distance(), count_, length_}; }
  const std::vector<float>& numbers() const { return numbers_; }

 private:
  size_t distance() const { return length_ + 3; }

  const size_t count_;
  const size_t length_;
  std::vector<float> numbers_;
  std::vector<const float*> constant_;
  std::vector<float*> pointers_;
};

constexpr size_t kLengths[] = {1, 7, 8, 31, 32, 33, 64, 77, 128};
constexpr size_t kCounts[] = {1, 2, 3, 4, 5, 9, 16};

// check(length, n, m): m rows of results from n rows of so many numbers.
template <typename Check>
void ForEachSize(Check check) {
  for (const size_t length : kLengths) {
    for (const size_t n : kCounts) {
      for (const size_t m : {1u, 2u, 3u, 6u}) {
        SCOPED_TRACE(testing::Message() << m << " " << n << " " << length);
        check(length, n, m);
        if (testing::Test::HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(VectorLoopsTest, DotProductsAreSumsOfProducts) {
  ForEachSize([](size_t length, size_t n, size_t m) {
    TestRows a(m, length, 1);
    TestRows b(n, length, 2);
    TestRows found(m, n, 3);
    VectorLoopsOfThisMachine().dot_products(a.constant(), m, b.all(), 0.25F, found.pointers());
    for (size_t r = 0; r < m; ++r) {
      for (size_t k = 0; k < n; ++k) {
        double sum = 0;
        for (size_t i = 0; i < length; ++i) sum += a.at(r, i) * b.at(k, i);
        ASSERT_NEAR(found.at(r, k), 0.25 * sum, 2e-6);
      }
    }
  });
}

TEST_P(VectorLoopsTest, WeightedRowsAreAddedToWhatIsThere) {
  ForEachSize([](size_t length, size_t n, size_t m) {
    TestRows weights(m, n, 1);
    TestRows b(n, length, 2);
    TestRows before(m, length, 3);
    TestRows found(m, length, 3);
    VectorLoopsOfThisMachine().add_weighted_rows(weights.constant(), m, b.all(), found.pointers());
    for (size_t r = 0; r < m; ++r) {
      for (size_t i = 0; i < length; ++i) {
        double sum = before.at(r, i);
        for (size_t k = 0; k < n; ++k) sum += weights.at(r, k) * b.at(k, i);
        ASSERT_NEAR(found.at(r, i), sum, 2e-6);
      }
    }
  });
}

TEST_P(VectorLoopsTest, ARowIsTheSameToTheLastBitWhateverIsComputedWithIt) {
  constexpr size_t kRows = 5;
  for (const size_t length : kLengths) {
    TestRows a(kRows, length, 1);
    TestRows b(9, length, 2);
    TestRows products(kRows, 9, 3);
    TestRows sums(kRows, length, 4);
    TestRows products_alone(kRows, 9, 3);
    TestRows sums_alone(kRows, length, 4);
    VectorLoopsOfThisMachine().dot_products(a.constant(), kRows, b.all(), 0.3F,
                                            products.pointers());
    VectorLoopsOfThisMachine().add_weighted_rows(products.constant(), kRows, b.all(),
                                                 sums.pointers());
    for (size_t r = 0; r < kRows; ++r) {
      for (size_t k = 0; k < 9; ++k) {
        const FloatRows row{b.row(k), 0, 1, length};
        float* const product = products_alone.row(r) + k;
        float* const sum = sums_alone.row(r);
        VectorLoopsOfThisMachine().dot_products(a.constant() + r, 1, row, 0.3F, &product);
        const float* const weight = product;
        VectorLoopsOfThisMachine().add_weighted_rows(&weight, 1, row, &sum);
      }
    }
    EXPECT_EQ(products.numbers(), products_alone.numbers()) << length;
    EXPECT_EQ(sums.numbers(), sums_alone.numbers()) << length;
  }
}

TEST_P(VectorLoopsTest, TheMaximumIsANumber) {
  EXPECT_EQ(VectorLoopsOfThisMachine().maximum(nullptr, 0), -HUGE_VALF);
  for (const size_t n : {1u, 7u, 8u, 9u, 33u}) {
    for (size_t i = 0; i < n; ++i) {
      std::vector<float> values(n, NAN);
      EXPECT_EQ(VectorLoopsOfThisMachine().maximum(values.data(), n), -HUGE_VALF);
      if (i > 0) values[i - 1] = -4;
      values[i] = -3;
      EXPECT_EQ(VectorLoopsOfThisMachine().maximum(values.data(), n), -3);
    }
  }
}

TEST_P(VectorLoopsTest, ExponentialsAreTheLibrarys) {
  for (const size_t n : {1u, 7u, 8u, 9u, 33u, 64u, 100u}) {
    std::vector<float> values(n);
    double sum = 0;
    for (size_t i = 0; i < n; ++i) values[i] = -static_cast<float>(i) * 1.3F;
    const std::vector<float> given = values;
    const float found = VectorLoopsOfThisMachine().exponentials(values.data(), n, 0.5F);
    for (size_t i = 0; i < n; ++i) {
      const double expected = std::exp(static_cast<double>(given[i] - 0.5F));
      EXPECT_NEAR(values[i], expected, 3e-7 * expected + 1e-37);
      sum += expected;
    }
    EXPECT_NEAR(found, sum, 1e-6 * sum);
  }
}

TEST_P(VectorLoopsTest, IntegersBecomeNumbers) {
  for (const size_t n : {0u, 1u, 7u, 16u, 33u, 256u}) {
    std::vector<int8_t> integers(n);
    for (size_t i = 0; i < n; ++i) integers[i] = static_cast<int8_t>(i * 37 - 128);
    std::vector<float> found(n);
    VectorLoopsOfThisMachine().dequantize(integers.data(), n, 0.1F, -3, found.data());
    for (size_t i = 0; i < n; ++i) {
      EXPECT_EQ(found[i], (static_cast<float>(integers[i]) + 3) * 0.1F);
    }
  }
}

TEST_P(VectorLoopsTest, ScalesAndAdds) {
  for (const size_t n : {0u, 1u, 7u, 8u, 33u}) {
    TestRows rows(2, n, 1);
    const std::vector<float> before = rows.numbers();
    VectorLoopsOfThisMachine().scale_and_add(rows.row(0), n, 0.5F, rows.row(1), -2);
    for (size_t i = 0; i < n; ++i) {
      EXPECT_NEAR(rows.at(0, i), static_cast<double>(before[i]) * 0.5 - 2 * rows.at(1, i), 1e-6);
    }
  }
}

TEST_P(VectorLoopsTest, TheExponentialOfANanIsOneAndOfMinusInfinityIs0) {
  for (const size_t n : {2u, 16u, 19u}) {
    std::vector<float> values(n, -HUGE_VALF);
    values[n - 1] = NAN;
    const float sum = VectorLoopsOfThisMachine().exponentials(values.data(), n, 1);
    EXPECT_NE(sum, sum);
    EXPECT_NE(values[n - 1], values[n - 1]);
    for (size_t i = 0; i + 1 < n; ++i) EXPECT_EQ(values[i], 0);
  }
}

INSTANTIATE_TEST_SUITE_P(, VectorLoopsTest, testing::ValuesIn(SupportedTargets()), NameOfTarget);

}  // namespace
}  // namespace onepack::kernels
