// MultiplyFloats for each target that this machine runs, against the definition.

#include <gtest/gtest.h>
#include <hwy/targets.h>
#include <pthreadpool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "base/small_floats.h"
#include "linear/linear.h"
#include "tests/support/highway_targets.h"

namespace onepack::linear {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kSmallestNormal = std::numeric_limits<float>::min();
constexpr WeightType kTypes[] = {WeightType::kFloat32, WeightType::kFloat16, WeightType::kBfloat16};

size_t SizeOf(WeightType type) { return type == WeightType::kFloat32 ? 4 : 2; }

void Append(WeightType type, float value, std::vector<uint8_t>* bytes) {
  const uint32_t bits = type == WeightType::kFloat32   ? BitsOfFloat(value)
                        : type == WeightType::kFloat16 ? Float16OfFloat(value)
                                                       : Bfloat16OfFloat(value);
  const auto* first = reinterpret_cast<const uint8_t*>(&bits);
  bytes->insert(bytes->end(), first, first + SizeOf(type));
}

float ValueAt(WeightType type, const uint8_t* at) {
  uint32_t bits = 0;
  memcpy(&bits, at, SizeOf(type));
  if (type == WeightType::kFloat32) return FloatOfBits(bits);
  const auto half = static_cast<uint16_t>(bits);
  return type == WeightType::kFloat16 ? FloatOfFloat16(half) : FloatOfBfloat16(half);
}

std::vector<float> Noise(size_t count, uint32_t seed) {
  std::vector<float> numbers(count);
  for (float& number : numbers) {
    seed = seed * 1664525 + 1013904223;
    number = static_cast<float>(seed >> 8) / (1 << 23) - 1;
  }
  return numbers;
}

// Bytes that end where memory ends: reading one more is a fault.
class GuardedBytes {
 public:
  explicit GuardedBytes(const void* bytes, size_t size) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t pages = (size + page - 1) / page * page;
    mapped_ = pages + 2 * page;
    memory_ = static_cast<uint8_t*>(
        mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(memory_ + page, pages, PROT_READ | PROT_WRITE);
    data_ = memory_ + page + pages - size;
    memcpy(data_, bytes, size);
  }
  ~GuardedBytes() { munmap(memory_, mapped_); }
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;

  uint8_t* data() const { return data_; }
  float* floats() const { return reinterpret_cast<float*>(data_); }

 private:
  size_t mapped_ = 0;
  uint8_t* memory_ = nullptr;
  uint8_t* data_ = nullptr;
};

// A product of noise.
struct Problem {
  Problem(WeightType weight_type, size_t row_count, size_t output_count, size_t input_count)
      : type(weight_type),
        rows(row_count),
        outputs(output_count),
        inputs(input_count),
        x(Noise(rows * inputs, 1)),
        bias(Noise(outputs, 2)) {
    for (const float weight : Noise(outputs * inputs, 3)) Append(type, weight, &bytes);
  }

  Weights WeightsAt(const uint8_t* values) const {
    Weights weights;
    weights.type = type;
    weights.outputs = outputs;
    weights.inputs = inputs;
    weights.values = values;
    return weights;
  }

  double Sum(size_t m, size_t n) const {
    double sum = 0;
    for (size_t k = 0; k < inputs; ++k) {
      sum += static_cast<double>(x[m * inputs + k]) *
             static_cast<double>(ValueAt(type, &bytes[(n * inputs + k) * SizeOf(type)]));
    }
    return sum;
  }

  std::vector<float> Run(pthreadpool* pool = nullptr,
                         const Finish& finish = {nullptr, -kInfinity, kInfinity}) const {
    std::vector<float> y(rows * outputs, kNan);
    MultiplyFloats(x.data(), rows, WeightsAt(bytes.data()), finish, y.data(), pool);
    return y;
  }

  WeightType type;
  size_t rows, outputs, inputs;
  std::vector<float> x, bias;
  std::vector<uint8_t> bytes;
};

class FloatProductTest : public testing::TestWithParam<int64_t> {
 protected:
  FloatProductTest() { hwy::SetSupportedTargetsForTest(GetParam()); }
  ~FloatProductTest() override { hwy::SetSupportedTargetsForTest(0); }
};

constexpr size_t kRowCounts[] = {1, 2, 3, 4, 5, 6, 7, 16, 19};
constexpr size_t kOutputCounts[] = {1, 2, 3, 4, 5, 7, 16, 31, 33, 70};
// The last ones take more than one panel, with AVX2 and with vectors of 128 bits.
constexpr size_t kInputCounts[] = {1,  2,  3,  4,  5,  8,   15,   17,  32,
                                   61, 64, 65, 79, 96, 129, 1027, 2051};

template <typename Check>
void ForEachShape(Check check) {
  for (const WeightType type : kTypes) {
    for (const size_t inputs : kInputCounts) {
      for (const size_t outputs : kOutputCounts) {
        SCOPED_TRACE(testing::Message()
                     << "type " << int(type) << ", " << outputs << " x " << inputs);
        check(type, outputs, inputs);
        if (testing::Test::HasFailure()) return;
      }
    }
  }
}

// Every array ends where memory ends, and the weights begin at odd addresses.
TEST_P(FloatProductTest, ResultsAreClampedSumsAndNothingElseIsReadOrWritten) {
  ForEachShape([](WeightType type, size_t outputs, size_t inputs) {
    const size_t rows = kRowCounts[(outputs + inputs) % std::size(kRowCounts)];
    const Problem problem(type, rows, outputs, inputs);
    const GuardedBytes weights(problem.bytes.data(), problem.bytes.size());
    const GuardedBytes x(problem.x.data(), problem.x.size() * sizeof(float));
    const GuardedBytes bias(problem.bias.data(), problem.bias.size() * sizeof(float));
    const std::vector<float> nothing(rows * outputs, kNan);
    const GuardedBytes y(nothing.data(), nothing.size() * sizeof(float));
    const float limit = 0.3F * std::sqrt(static_cast<float>(inputs));
    MultiplyFloats(x.floats(), rows, problem.WeightsAt(weights.data()),
                   {bias.floats(), -limit, limit}, y.floats(), nullptr);
    for (size_t m = 0; m < rows; ++m) {
      for (size_t n = 0; n < outputs; ++n) {
        const double sum = problem.Sum(m, n) + static_cast<double>(problem.bias[n]);
        const double expected =
            std::fmin(std::fmax(sum, static_cast<double>(-limit)), static_cast<double>(limit));
        ASSERT_NEAR(y.floats()[m * outputs + n], expected, 2e-6 * std::sqrt(inputs) + 1e-6)
            << m << ", " << n;
      }
    }
  });
}

TEST_P(FloatProductTest, WeightsMayStandAtAnyAddress) {
  for (const WeightType type : kTypes) {
    for (const size_t inputs : {7u, 64u, 100u}) {
      for (const size_t rows : {3u, 7u}) {
        const Problem problem(type, rows, 37, inputs);
        const std::vector<float> expected = problem.Run();
        for (size_t shift = 1; shift < 9; ++shift) {
          std::vector<uint8_t> moved(shift);
          moved.insert(moved.end(), problem.bytes.begin(), problem.bytes.end());
          std::vector<float> y(expected.size());
          MultiplyFloats(problem.x.data(), rows, problem.WeightsAt(moved.data() + shift),
                         {nullptr, -kInfinity, kInfinity}, y.data(), nullptr);
          EXPECT_EQ(y, expected) << shift;
        }
      }
    }
  }
}

// As linear.h has it: up to four rows are few. Where weights have few inputs (kMaxFewInputs), that
// is all the same.
TEST_P(FloatProductTest, ARowIsTheSameToTheLastBitWhateverIsComputedWithIt) {
  for (const WeightType type : kTypes) {
    for (const size_t inputs : {5u, 16u, 17u, 64u, 70u, 2100u}) {
      const Problem all(type, 19, 53, inputs);
      const auto last_rows = [&](size_t rows) {
        Problem some = all;
        some.rows = rows;
        some.x.assign(all.x.end() - static_cast<ptrdiff_t>(rows * inputs), all.x.end());
        return some.Run();
      };
      const std::vector<float> many = last_rows(19);
      const std::vector<float> few = inputs <= 16 ? many : last_rows(4);
      for (const size_t rows : kRowCounts) {
        const std::vector<float>& together = rows <= 4 ? few : many;
        const std::vector<float> expected(
            together.end() - static_cast<ptrdiff_t>(rows * all.outputs), together.end());
        EXPECT_EQ(last_rows(rows), expected) << rows << " rows of " << inputs;
      }
    }
  }
}

TEST_P(FloatProductTest, ThreadsChangeNothing) {
  struct Shape {
    size_t rows, outputs, inputs;
  };
  const std::unique_ptr<pthreadpool, decltype(&pthreadpool_destroy)> pool(pthreadpool_create(3),
                                                                          &pthreadpool_destroy);
  ASSERT_NE(pool, nullptr);
  for (const auto [rows, outputs, inputs] :
       {Shape{1, 1001, 520}, Shape{3, 5001, 24}, Shape{7, 5001, 24}, Shape{3, 30011, 9},
        Shape{130, 40, 64}, Shape{129, 5, 1025}, Shape{2, 1, 1u << 18}, Shape{7, 1001, 520},
        Shape{130, 300, 2051}}) {
    const Problem problem(WeightType::kBfloat16, rows, outputs, inputs);
    const std::vector<float> expected = problem.Run();
    EXPECT_EQ(problem.Run(pool.get()), expected) << rows << " " << outputs << " " << inputs;
    for (const float y : expected) ASSERT_EQ(y, y);
  }
}

// Each pattern of 16 bits, alone in a row of zeros. Those of bfloat16 that are too small for a full
// mantissa are zeros; of float16 none is, as a float.
TEST_P(FloatProductTest, AllWeightsOf16BitsAreWidenedExactly) {
  for (const WeightType type : {WeightType::kFloat16, WeightType::kBfloat16}) {
    for (const size_t inputs : {1u, 80u}) {
      constexpr size_t kOutputs = 1 << 16;
      Problem problem(type, 1, 1, inputs);
      problem.outputs = kOutputs;
      problem.x.assign(inputs, 1);
      problem.bytes.assign(kOutputs * inputs * 2, 0);
      for (size_t n = 0; n < kOutputs; ++n) {
        const auto bits = static_cast<uint16_t>(n);
        memcpy(&problem.bytes[(n * inputs + n % inputs) * 2], &bits, sizeof(bits));
      }
      const std::vector<float> y = problem.Run();
      for (size_t n = 0; n < kOutputs; ++n) {
        const auto bits = static_cast<uint16_t>(n);
        float expected =
            type == WeightType::kFloat16 ? FloatOfFloat16(bits) : FloatOfBfloat16(bits);
        if (std::fabs(expected) < kSmallestNormal) expected = 0;
        if (expected != expected) {
          ASSERT_NE(y[n], y[n]) << n;
        } else {
          ASSERT_EQ(y[n], expected) << n;
        }
      }
    }
  }
}

// As in XNNPACK, on the calling thread and on others; and the calling thread computes with such
// numbers afterwards, as before.
TEST_P(FloatProductTest, NumbersTooSmallForAFullMantissaAreZeros) {
  const std::unique_ptr<pthreadpool, decltype(&pthreadpool_destroy)> pool(pthreadpool_create(3),
                                                                          &pthreadpool_destroy);
  ASSERT_NE(pool, nullptr);
  struct Factors {
    float x, weight;
  };
  constexpr float kSmall = kSmallestNormal / 2;
  struct Shape {
    size_t rows, outputs, inputs;
  };
  for (const auto [x, weight] :
       {Factors{kSmall, 1e30F}, Factors{1e30F, kSmall}, Factors{1e-25F, 1e-15F}}) {
    for (const auto [rows, outputs, inputs] :
         {Shape{2, 1200, 5}, Shape{2, 1200, 64}, Shape{2, 1200, 600}, Shape{7, 70, 2051}}) {
      Problem problem(WeightType::kFloat32, rows, outputs, inputs);
      problem.x.assign(problem.x.size(), x);
      problem.bytes.clear();
      for (size_t i = 0; i < outputs * inputs; ++i) {
        Append(problem.type, weight, &problem.bytes);
      }
      const std::vector<float> zeros(rows * outputs);
      for (pthreadpool* threads : {static_cast<pthreadpool*>(nullptr), pool.get()}) {
        EXPECT_EQ(problem.Run(threads), zeros) << x << " * " << weight << ", " << inputs;
      }
    }
  }
  volatile float small = kSmallestNormal;
  small = small / 2;
  EXPECT_EQ(BitsOfFloat(small), BitsOfFloat(kSmall));
}

TEST_P(FloatProductTest, ANanStaysOneInItsRowAndInfinityIsClamped) {
  for (const size_t inputs : {9u, 90u, 2051u}) {
    Problem problem(WeightType::kFloat32, 8, 40, inputs);
    problem.x[3 * inputs + 2] = kNan;
    problem.x[5 * inputs + inputs - 1] = kInfinity;
    const std::vector<float> y = problem.Run(nullptr, {nullptr, -2, 3});
    for (size_t n = 0; n < 40; ++n) {
      const float last = ValueAt(problem.type, &problem.bytes[(n * inputs + inputs - 1) * 4]);
      EXPECT_NE(y[3 * 40 + n], y[3 * 40 + n]);
      EXPECT_EQ(y[5 * 40 + n], last > 0 ? 3 : -2);
      EXPECT_TRUE(y[n] >= -2 && y[n] <= 3);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, FloatProductTest, testing::ValuesIn(SupportedTargets()), NameOfTarget);

}  // namespace
}  // namespace onepack::linear
