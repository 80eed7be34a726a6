// A mixture of experts with packed weights, against plain loops over the weights.

#include <string.h>

#include <algorithm>
#include <cmath>

#include "tests/kernels/operator_fixture.h"

namespace onepack {
namespace {

constexpr char kOperator[] = "llama::quantized_moe_ffn.out";

// [outputs][inputs] integers with a scale for each group of inputs.
struct Weights {
  Weights(size_t rows, size_t columns, size_t group, int bit_count, unsigned seed)
      : outputs(rows), inputs(columns), group_size(group), bits(bit_count) {
    const double range = bits == 4 ? 7.5 : 127.5;
    for (const double number : Noise(outputs * inputs, seed)) {
      integers.push_back(static_cast<int>(std::floor(number * range)));
    }
    for (const double number : Noise(outputs * inputs / group_size, seed + 1)) {
      scales.push_back(static_cast<float>((1.5 + number) / range));
    }
  }

  double At(size_t output, size_t input) const {
    return integers[output * inputs + input] *
           static_cast<double>(scales[(output * inputs + input) / group_size]);
  }

  // As torchao packs them, one integer after the other: where is each?
  std::vector<uint8_t> Packed() const {
    std::vector<uint8_t> bytes;
    const auto append = [&](auto number) {
      const auto* from = reinterpret_cast<const uint8_t*>(&number);
      bytes.insert(bytes.end(), from, from + sizeof(number));
    };
    for (const int32_t number : {6712, 1, bits, 0, 0, 8, 16, 2, 0, 0, 0, 0, 0, 0, 0, 0}) {
      append(number);
    }
    for (size_t first = 0; first < outputs; first += 8) {
      for (size_t start = 0; start < inputs; start += group_size) {
        AppendGroup(first, start, bytes);
        for (size_t i = first; i < first + 8; ++i) {
          append(i < outputs ? scales[(i * inputs + start) / group_size] : 0.0F);
        }
        for (int i = 0; i < 8; ++i) append(int32_t{0x5a5a5a5a});  // sums that are not read
      }
    }
    return bytes;
  }

  size_t outputs, inputs, group_size;
  int bits;
  std::vector<int> integers;
  std::vector<float> scales;

 private:
  void AppendGroup(size_t first, size_t start, std::vector<uint8_t>& bytes) const {
    for (size_t step = start; step < start + group_size; step += 16) {
      std::vector<int> values;
      for (size_t half = 0; half < 16; half += 8) {
        for (size_t i = first; i < first + 8; ++i) {
          for (size_t k = step + half; k < step + half + 8; ++k) {
            values.push_back(i < outputs ? integers[i * inputs + k] : 0);
          }
        }
      }
      if (bits == 8) {
        for (const int value : values) bytes.push_back(static_cast<uint8_t>(value));
        continue;
      }
      for (size_t i = 0; i < values.size(); i += 32) {
        for (size_t k = i; k < i + 16; ++k) {
          bytes.push_back(static_cast<uint8_t>((values[k] + 8) | (values[k + 16] + 8) << 4));
        }
      }
    }
  }
};

struct Shape {
  int32_t tokens, dim, hidden, experts, chosen, group_size;
  int bits;
  const char* scores;
  bool has_bias;
};

std::string NameOf(const testing::TestParamInfo<Shape>& info) {
  const Shape& s = info.param;
  return "tokens" + std::to_string(s.tokens) + "_" + std::to_string(s.dim) + "x" +
         std::to_string(s.hidden) + "_" + std::to_string(s.chosen) + "of" +
         std::to_string(s.experts) + "_groups" + std::to_string(s.group_size) + "_bits" +
         std::to_string(s.bits) + "_" + s.scores + (s.has_bias ? "_bias" : "");
}

class MixtureOfExpertsTest : public testing::TestWithParam<Shape> {
 protected:
  MixtureOfExpertsTest()
      : s_(GetParam()),
        x_(kF, {s_.tokens, s_.dim}, Noise(Size(s_.tokens * s_.dim), 1)),
        gate_(kF, {s_.experts, s_.dim}, Noise(Size(s_.experts * s_.dim), 2)),
        bias_(kF, {s_.has_bias ? s_.experts : 0},
              s_.has_bias ? Noise(Size(s_.experts), 3) : std::vector<double>{}) {
    for (int32_t e = 0; e < s_.experts; ++e) {
      const auto seed = static_cast<unsigned>(10 * e + 4);
      up_.emplace_back(Size(2 * s_.hidden), Size(s_.dim), Size(s_.group_size), s_.bits, seed);
      down_.emplace_back(Size(s_.dim), Size(s_.hidden), Size(s_.group_size), s_.bits, seed + 5);
    }
  }

  static size_t Size(int32_t size) { return static_cast<size_t>(size); }
  static double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

  static std::unique_ptr<TestTensor> Packed(const std::vector<Weights>& experts) {
    std::vector<double> all;
    size_t size = 0;
    for (const Weights& weights : experts) {
      const std::vector<uint8_t> bytes = weights.Packed();
      size = bytes.size();
      all.insert(all.end(), bytes.begin(), bytes.end());
    }
    return std::make_unique<TestTensor>(
        ScalarType::kByte,
        std::vector<int32_t>{static_cast<int32_t>(experts.size()), static_cast<int32_t>(size)},
        all);
  }

  Status Run(TestTensor& up, TestTensor& down, TestTensor& out,
             pthreadpool_t threads = nullptr) const {
    return Call(kOperator,
                {x_, gate_, bias_, up, down, s_.chosen, s_.experts, s_.hidden, s_.dim,
                 s_.group_size, s_.bits, s_.scores, 2.5, out},
                threads);
  }

  // Experts and their weights.
  std::vector<std::pair<size_t, double>> RoutesOf(size_t token) const {
    const std::vector<double> x = x_.Numbers();
    const std::vector<double> gate = gate_.Numbers();
    const std::vector<double> bias = bias_.Numbers();
    const bool is_sigmoid = std::string(s_.scores) == "sigmoid";
    std::vector<double> scores;
    std::vector<size_t> order;
    for (size_t e = 0; e < Size(s_.experts); ++e) {
      double score = 0;
      for (size_t i = 0; i < Size(s_.dim); ++i) {
        score += x[token * Size(s_.dim) + i] * gate[e * Size(s_.dim) + i];
      }
      scores.push_back(is_sigmoid ? Sigmoid(score) : score);
      order.push_back(e);
    }
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return scores[a] + (s_.has_bias ? bias[a] : 0) > scores[b] + (s_.has_bias ? bias[b] : 0);
    });
    std::vector<std::pair<size_t, double>> routes;
    double sum = 0;
    for (size_t k = 0; k < Size(s_.chosen); ++k) {
      const double score = scores[order[k]];
      routes.emplace_back(order[k], is_sigmoid ? score : std::exp(score));
      sum += routes.back().second;
    }
    for (auto& route : routes) route.second *= (is_sigmoid ? 2.5 : 1) / sum;
    return routes;
  }

  std::vector<double> Plain() const {
    const std::vector<double> x = x_.Numbers();
    std::vector<double> out(Size(s_.tokens * s_.dim));
    for (size_t t = 0; t < Size(s_.tokens); ++t) {
      for (const auto& [e, weight] : RoutesOf(t)) {
        std::vector<double> hidden(Size(2 * s_.hidden));
        for (size_t i = 0; i < hidden.size(); ++i) {
          for (size_t k = 0; k < Size(s_.dim); ++k) {
            hidden[i] += up_[e].At(i, k) * x[t * Size(s_.dim) + k];
          }
        }
        for (size_t i = 0; i < Size(s_.hidden); ++i) {
          hidden[i] *= Sigmoid(hidden[i]) * hidden[Size(s_.hidden) + i];
        }
        for (size_t i = 0; i < Size(s_.dim); ++i) {
          for (size_t k = 0; k < Size(s_.hidden); ++k) {
            out[t * Size(s_.dim) + i] += weight * down_[e].At(i, k) * hidden[k];
          }
        }
      }
    }
    return out;
  }

  const Shape s_;
  mutable TestTensor x_;
  mutable TestTensor gate_;
  mutable TestTensor bias_;
  std::vector<Weights> up_;
  std::vector<Weights> down_;
};

TEST_P(MixtureOfExpertsTest, IsWhatTheDefinitionSays) {
  const auto up = Packed(up_);
  const auto down = Packed(down_);
  const std::vector<double> expected = Plain();
  double largest = 0;
  for (const double number : expected) largest = std::fmax(largest, std::fabs(number));
  const std::unique_ptr<pthreadpool, void (*)(pthreadpool*)> pool(pthreadpool_create(3),
                                                                  pthreadpool_destroy);
  for (const pthreadpool_t threads : {pthreadpool_t{nullptr}, pool.get()}) {
    TestTensor out(kF, {s_.tokens, s_.dim});
    ASSERT_TRUE(IsOk(Run(*up, *down, out, threads)));
    ExpectNumbers(out, expected, 1e-5 * largest);
  }
}

TEST_P(MixtureOfExpertsTest, WeightsThatAreTooShortOrOfAnotherFormatAreErrors) {
  const auto up = Packed(up_);
  const auto down = Packed(down_);
  TestTensor out(kF, {s_.tokens, s_.dim});
  const int32_t bytes = up->tensor().sizes()[1];
  TestTensor shorter(ScalarType::kByte, {s_.experts, bytes - 1}, {});
  EXPECT_TRUE(IsError(Run(shorter, *down, out), StatusCode::kInvalidArgument,
                      {std::to_string(bytes - 1) + " bytes of packed weights"}));
  TestTensor no_header(ScalarType::kByte, {s_.experts, bytes});
  EXPECT_TRUE(IsError(Run(no_header, *down, out), StatusCode::kUnsupported, {"magic 0", "6712"}));
  // The header says how many bits.
  for (size_t e = 0; e < Size(s_.experts); ++e) {
    up->tensor().mutable_data()[e * Size(bytes) + 8] ^= 12;
  }
  EXPECT_TRUE(IsError(Run(*up, *down, out), StatusCode::kUnsupported, {"bits"}));
}

INSTANTIATE_TEST_SUITE_P(, MixtureOfExpertsTest,
                         testing::Values(Shape{8, 32, 32, 4, 2, 32, 4, "sigmoid", true},
                                         Shape{1, 32, 32, 4, 2, 32, 4, "sigmoid", false},
                                         Shape{5, 64, 32, 4, 4, 16, 4, "softmax", false},
                                         Shape{3, 48, 80, 8, 1, 16, 8, "sigmoid", true},
                                         Shape{2, 576, 576, 3, 2, 288, 4, "softmax", false}),
                         NameOf);

class MixtureOfExpertsErrorsTest : public testing::Test {
 protected:
  Status Run(int chosen, int hidden, int group_size, int bits, const char* scores) {
    return Call(kOperator, {x_, gate_, bias_, packed_, packed_, chosen, 4, hidden, 32, group_size,
                            bits, scores, 1.0, out_});
  }

  TestTensor x_{kF, {2, 32}};
  TestTensor gate_{kF, {4, 32}};
  TestTensor bias_{kF, {4}};
  TestTensor packed_{ScalarType::kByte, {4, 10000}};
  TestTensor out_{kF, {2, 32}};
};

TEST_F(MixtureOfExpertsErrorsTest, NumbersThatDoNotFit) {
  constexpr StatusCode kInvalid = StatusCode::kInvalidArgument;
  EXPECT_TRUE(IsError(Run(0, 32, 32, 4, "sigmoid"), kInvalid, {"0 of 4 experts"}));
  EXPECT_TRUE(IsError(Run(5, 32, 32, 4, "sigmoid"), kInvalid, {"5 of 4 experts"}));
  EXPECT_TRUE(IsError(Run(2, -1, 32, 4, "sigmoid"), kInvalid));
  EXPECT_TRUE(IsError(Run(2, INT32_MAX, 32, 4, "sigmoid"), kInvalid));
  EXPECT_TRUE(IsError(Run(2, 32, 24, 4, "sigmoid"), kInvalid, {"groups of 24"}));
  EXPECT_TRUE(IsError(Run(2, 32, 64, 4, "sigmoid"), kInvalid, {"groups of 64"}));
  EXPECT_TRUE(IsError(Run(2, 32, 32, 3, "sigmoid"), kInvalid, {"3 bits"}));
  EXPECT_TRUE(IsError(Run(2, 32, 32, 4, "softmax"), StatusCode::kUnsupported, {"softmax", "bias"}));
  EXPECT_TRUE(IsError(Run(2, 32, 32, 4, "top"), StatusCode::kUnsupported, {"'top'"}));
}

}  // namespace
}  // namespace onepack
