// Attention over 8-bit integers, against the definition over what they stand for.

#include <cmath>

#include "tests/kernels/operator_fixture.h"

namespace onepack {
namespace {

constexpr ScalarType kI8 = ScalarType::kChar;
constexpr ScalarType kU8 = ScalarType::kByte;

struct Shape {
  int32_t batch, tokens, start, context, heads, cached_heads, width;
  bool is_causal;
  int token_dimension;
};

std::string NameOf(const testing::TestParamInfo<Shape>& info) {
  const Shape& s = info.param;
  return "batch" + std::to_string(s.batch) + "_tokens" + std::to_string(s.tokens) + "_at" +
         std::to_string(s.start) + "of" + std::to_string(s.context) + "_heads" +
         std::to_string(s.heads) + "over" + std::to_string(s.cached_heads) + "_width" +
         std::to_string(s.width) + (s.is_causal ? "_causal" : "_all") + "_tokensInDimension" +
         std::to_string(s.token_dimension);
}

size_t CountOf(const std::vector<int32_t>& sizes) {
  size_t count = 1;
  for (const int32_t size : sizes) count *= static_cast<size_t>(size);
  return count;
}

// Integers with scales and zero points, whose sizes are those of the integers or 1.
class Quantized {
 public:
  Quantized(ScalarType type, const std::vector<int32_t>& sizes,
            const std::vector<int32_t>& parameter_sizes, unsigned seed)
      : integers(type, sizes, Rounded(CountOf(sizes), 100, type == kU8 ? 128 : 0, seed)),
        scales(kF, parameter_sizes, Scales(CountOf(parameter_sizes), seed + 1)),
        zero_points(kI8, parameter_sizes, Rounded(CountOf(parameter_sizes), 50, 0, seed + 2)),
        sizes_(sizes),
        parameter_sizes_(parameter_sizes) {}

  std::vector<double> Numbers() const {
    std::vector<double> numbers = integers.Numbers();
    const std::vector<double> s = scales.Numbers();
    const std::vector<double> z = zero_points.Numbers();
    for (size_t i = 0; i < numbers.size(); ++i) {
      const size_t at = ParameterOf(i);
      numbers[i] = (numbers[i] - z[at]) * s[at];
    }
    return numbers;
  }

  TestTensor integers;
  TestTensor scales;
  TestTensor zero_points;

 private:
  static std::vector<double> Rounded(size_t count, double range, double middle, unsigned seed) {
    std::vector<double> numbers = Noise(count, seed);
    for (double& number : numbers) number = std::round(number * range) + middle;
    return numbers;
  }
  static std::vector<double> Scales(size_t count, unsigned seed) {
    std::vector<double> numbers = Noise(count, seed);
    for (double& number : numbers) number = 0.01 * (1.5 + number);
    return numbers;
  }
  // Which parameter belongs to an element: dimensions of 1 repeat.
  size_t ParameterOf(size_t index) const {
    size_t position[4];
    for (size_t i = 4; i-- > 0;) {
      position[i] = index % static_cast<size_t>(sizes_[i]);
      index /= static_cast<size_t>(sizes_[i]);
    }
    size_t at = 0;
    for (size_t i = 0; i < 4; ++i) {
      const auto size = static_cast<size_t>(parameter_sizes_[i]);
      at = at * size + (size == 1 ? 0 : position[i]);
    }
    return at;
  }

  const std::vector<int32_t> sizes_;
  const std::vector<int32_t> parameter_sizes_;
};

class QuantizedAttentionTest : public testing::TestWithParam<Shape> {
 protected:
  QuantizedAttentionTest() : s_(GetParam()) {}

  std::vector<int32_t> Sizes(int32_t rows, int32_t heads, int32_t width) const {
    if (s_.token_dimension == 1) return {s_.batch, rows, heads, width};
    return {s_.batch, heads, rows, width};
  }
  std::vector<int32_t> QuerySizes() const { return Sizes(s_.tokens, s_.heads, s_.width); }
  std::vector<int32_t> CacheSizes() const { return Sizes(s_.context, s_.cached_heads, s_.width); }

  Quantized Query(ScalarType type = kI8) const {
    return {type, QuerySizes(), Sizes(s_.tokens, s_.heads, 1), 1};
  }
  Quantized Cache(unsigned seed, ScalarType type = kI8) const {
    return {type, CacheSizes(), Sizes(s_.context, s_.cached_heads, 1), seed};
  }

  size_t Place(int b, int row, int head, int rows, int heads, int i) const {
    const int line =
        s_.token_dimension == 1 ? (b * rows + row) * heads + head : (b * heads + head) * rows + row;
    return static_cast<size_t>(line * s_.width + i);
  }

  // softmax(q k / sqrt(width) + mask) v, one query and head after the other.
  std::vector<double> Plain(const std::vector<double>& q, const std::vector<double>& k,
                            const std::vector<double>& v, const std::vector<double>& mask) const {
    std::vector<double> out(q.size());
    for (int b = 0; b < s_.batch; ++b) {
      for (int t = 0; t < s_.tokens; ++t) {
        for (int h = 0; h < s_.heads; ++h) PlainRow(b, t, h, q, k, v, mask, out);
      }
    }
    return out;
  }

  Status Attend(Argument q, Argument k, Argument v, int64_t start, Argument mask, bool is_causal,
                const std::vector<Argument>& parameters, TestTensor& out,
                pthreadpool_t threads = nullptr) const {
    return Call(
        "llama::custom_quantized_sdpa.out",
        {q, k, v, start, mask, 0.0, is_causal, nullptr, parameters[0], parameters[1], parameters[2],
         parameters[3], parameters[4], parameters[5], s_.token_dimension == 2, out},
        threads);
  }
  static std::vector<Argument> ParametersOf(Quantized& q, Quantized& k, Quantized& v) {
    return {q.zero_points, q.scales, k.zero_points, k.scales, v.zero_points, v.scales};
  }

  const Shape s_;

 private:
  void PlainRow(int b, int t, int h, const std::vector<double>& q, const std::vector<double>& k,
                const std::vector<double>& v, const std::vector<double>& mask,
                std::vector<double>& out) const {
    const int keys = mask.empty() ? s_.start + s_.tokens : s_.context;
    const int cached = h / (s_.heads / s_.cached_heads);
    std::vector<double> weights;
    double sum = 0;
    for (int key = 0; key < keys; ++key) {
      double score = 0;
      for (int i = 0; i < s_.width; ++i) {
        score += q[Place(b, t, h, s_.tokens, s_.heads, i)] *
                 k[Place(b, key, cached, s_.context, s_.cached_heads, i)];
      }
      score /= std::sqrt(static_cast<double>(s_.width));
      if (!mask.empty()) score += mask[static_cast<size_t>(t * keys + key)];
      const bool is_hidden = mask.empty() && s_.is_causal && key > s_.start + t;
      weights.push_back(is_hidden ? 0 : std::exp(score));
      sum += weights.back();
    }
    for (int key = 0; key < keys; ++key) {
      for (int i = 0; i < s_.width; ++i) {
        out[Place(b, t, h, s_.tokens, s_.heads, i)] +=
            weights[static_cast<size_t>(key)] / sum *
            v[Place(b, key, cached, s_.context, s_.cached_heads, i)];
      }
    }
  }
};

TEST_P(QuantizedAttentionTest, IsWhatTheDefinitionSays) {
  for (const ScalarType type : {kI8, kU8}) {
    Quantized q = Query(type);
    Quantized k = Cache(4, type);
    Quantized v = Cache(7, type);
    TestTensor out(kF, QuerySizes());
    ASSERT_TRUE(IsOk(Attend(q.integers, k.integers, v.integers, s_.start, nullptr, s_.is_causal,
                            ParametersOf(q, k, v), out)));
    ExpectNumbers(out, Plain(q.Numbers(), k.Numbers(), v.Numbers(), {}), 1e-4);
  }
}

TEST_P(QuantizedAttentionTest, WithAMaskThePositionDoesNotCount) {
  Quantized q = Query();
  Quantized k = Cache(4);
  Quantized v = Cache(7);
  TestTensor mask(kF, {s_.tokens, s_.context},
                  Noise(static_cast<size_t>(s_.tokens * s_.context), 9));
  TestTensor out(kF, QuerySizes());
  for (const int start : {0, 100000}) {
    ASSERT_TRUE(IsOk(Attend(q.integers, k.integers, v.integers, start, mask, false,
                            ParametersOf(q, k, v), out)));
    ExpectNumbers(out, Plain(q.Numbers(), k.Numbers(), v.Numbers(), mask.Numbers()), 1e-4);
  }
}

TEST_P(QuantizedAttentionTest, WithOnePairForEachChannelOrOneForAll) {
  Quantized q(kI8, QuerySizes(), {1, 1, 1, 1}, 1);
  Quantized k(kI8, CacheSizes(), {1, 1, 1, s_.width}, 4);
  Quantized v(kI8, CacheSizes(), {1, 1, 1, s_.width}, 7);
  TestTensor out(kF, QuerySizes());
  ASSERT_TRUE(IsOk(Attend(q.integers, k.integers, v.integers, s_.start, nullptr, s_.is_causal,
                          ParametersOf(q, k, v), out)));
  ExpectNumbers(out, Plain(q.Numbers(), k.Numbers(), v.Numbers(), {}), 1e-4);
}

TEST_P(QuantizedAttentionTest, QueriesMayBeNumbersAndParametersOfAnyType) {
  TestTensor q(kF, QuerySizes(), Noise(CountOf(QuerySizes()), 1));
  Quantized k = Cache(4);
  Quantized v = Cache(7);
  TestTensor scales(ScalarType::kDouble, Sizes(s_.context, s_.cached_heads, 1), k.scales.Numbers());
  TestTensor zero_points(kL, Sizes(s_.context, s_.cached_heads, 1), k.zero_points.Numbers());
  TestTensor out(kF, QuerySizes());
  ASSERT_TRUE(IsOk(Attend(q, k.integers, v.integers, s_.start, nullptr, s_.is_causal,
                          {nullptr, nullptr, zero_points, scales, v.zero_points, v.scales}, out)));
  ExpectNumbers(out, Plain(q.Numbers(), k.Numbers(), v.Numbers(), {}), 1e-4);
}

TEST_P(QuantizedAttentionTest, IsTheSameToTheLastBitWithMoreThreads) {
  Quantized q = Query();
  Quantized k = Cache(4);
  Quantized v = Cache(7);
  TestTensor alone(kF, QuerySizes());
  TestTensor together(kF, QuerySizes());
  const std::unique_ptr<pthreadpool, void (*)(pthreadpool*)> pool(pthreadpool_create(3),
                                                                  pthreadpool_destroy);
  ASSERT_TRUE(IsOk(Attend(q.integers, k.integers, v.integers, s_.start, nullptr, s_.is_causal,
                          ParametersOf(q, k, v), alone)));
  ASSERT_TRUE(IsOk(Attend(q.integers, k.integers, v.integers, s_.start, nullptr, s_.is_causal,
                          ParametersOf(q, k, v), together, pool.get())));
  ExpectNumbers(together, alone.Numbers());
}

INSTANTIATE_TEST_SUITE_P(
    , QuantizedAttentionTest,
    testing::Values(Shape{1, 1, 0, 8, 1, 1, 4, true, 1}, Shape{1, 1, 7, 8, 4, 2, 16, true, 2},
                    Shape{2, 5, 0, 16, 4, 4, 8, true, 1}, Shape{2, 5, 0, 16, 4, 4, 8, true, 2},
                    Shape{1, 7, 3, 64, 6, 2, 33, true, 1}, Shape{1, 3, 100, 200, 4, 1, 64, true, 2},
                    Shape{1, 20, 60, 150, 8, 2, 128, true, 1},
                    Shape{2, 4, 65, 80, 3, 3, 5, false, 2}, Shape{1, 2, 3, 9, 2, 2, 300, true, 1}),
    NameOf);

class QuantizedAttentionErrorsTest : public testing::Test {
 protected:
  Status Attend(Argument zero_points, Argument scales, TestTensor& out) {
    return Call("llama::custom_quantized_sdpa.out",
                {q_.integers, k_.integers, k_.integers, 0, nullptr, 0.0, true, nullptr, zero_points,
                 scales, k_.zero_points, k_.scales, k_.zero_points, k_.scales, false, out});
  }

  Quantized q_{kI8, {1, 2, 4, 8}, {1, 2, 4, 1}, 1};
  Quantized k_{kI8, {1, 6, 2, 8}, {1, 6, 2, 1}, 4};
  TestTensor out_{kF, {1, 2, 4, 8}};
};

TEST_F(QuantizedAttentionErrorsTest, IntegersWithoutScalesOrZeroPoints) {
  EXPECT_TRUE(IsOk(Attend(q_.zero_points, q_.scales, out_)));
  EXPECT_TRUE(IsError(Attend(nullptr, q_.scales, out_), StatusCode::kInvalidArgument,
                      {"int8", "[1, 2, 4, 8]", "scales and zero points"}));
  EXPECT_TRUE(IsError(Attend(q_.zero_points, nullptr, out_), StatusCode::kInvalidArgument));
}

TEST_F(QuantizedAttentionErrorsTest, ParametersOfOtherSizesOrKinds) {
  EXPECT_TRUE(IsError(Attend(q_.zero_points, k_.scales, out_), StatusCode::kInvalidArgument,
                      {"[1, 6, 2, 1]"}));
  EXPECT_TRUE(IsError(Attend(k_.zero_points, q_.scales, out_), StatusCode::kInvalidArgument,
                      {"[1, 6, 2, 1]"}));
  EXPECT_TRUE(IsError(Attend(q_.scales, q_.scales, out_), StatusCode::kInvalidArgument,
                      {"whole zero points"}));
  TestTensor deep(kF, {1, 1, 2, 4, 1});
  EXPECT_TRUE(IsError(Attend(q_.zero_points, deep, out_), StatusCode::kInvalidArgument));
}

TEST_F(QuantizedAttentionErrorsTest, IntegersAsAResult) {
  TestTensor out(kI8, {1, 2, 4, 8});
  EXPECT_TRUE(IsError(Attend(q_.zero_points, q_.scales, out), StatusCode::kUnsupported, {"int8"}));
}

}  // namespace
}  // namespace onepack
