// The gated delta rule, against its definition, token by token.

#include <cmath>

#include "tests/kernels/operator_fixture.h"

namespace onepack {
namespace {

constexpr char kOperator[] = "llama::gated_delta_rule.out";

struct Shape {
  int32_t batch, heads, heads_of_state, tokens, key_width, value_width;
  bool decays_by_channel;
};

std::string NameOf(const testing::TestParamInfo<Shape>& info) {
  const Shape& s = info.param;
  return "batch" + std::to_string(s.batch) + "_heads" + std::to_string(s.heads) + "over" +
         std::to_string(s.heads_of_state) + "_tokens" + std::to_string(s.tokens) + "_state" +
         std::to_string(s.key_width) + "x" + std::to_string(s.value_width) +
         (s.decays_by_channel ? "_decayOfChannels" : "_decayOfTokens");
}

class GatedDeltaRuleTest : public testing::TestWithParam<Shape> {
 protected:
  GatedDeltaRuleTest() : s_(GetParam()) {}

  static size_t Count(const std::vector<int32_t>& sizes) {
    size_t count = 1;
    for (const int32_t size : sizes) count *= static_cast<size_t>(size);
    return count;
  }
  static std::vector<double> Between(double low, double high, size_t count, unsigned seed) {
    std::vector<double> numbers = Noise(count, seed);
    for (double& number : numbers) number = low + (number + 1) / 2 * (high - low);
    return numbers;
  }

  struct Inputs {
    Inputs(const Shape& s, double lowest_decay, ScalarType type = kF)
        : query(type, {s.batch, s.heads, s.tokens, s.key_width},
                Noise(Count({s.batch, s.heads, s.tokens, s.key_width}), 1)),
          key(type, {s.batch, s.heads_of_state, s.tokens, s.key_width},
              Between(-1 / std::sqrt(s.key_width), 1 / std::sqrt(s.key_width),
                      Count({s.batch, s.heads_of_state, s.tokens, s.key_width}), 2)),
          value(type, {s.batch, s.heads_of_state, s.tokens, s.value_width},
                Noise(Count({s.batch, s.heads_of_state, s.tokens, s.value_width}), 3)),
          decay(type, DecaySizes(s), Between(lowest_decay, 1, Count(DecaySizes(s)), 4)),
          beta(type, {s.batch, s.heads_of_state, s.tokens},
               Between(0, 1, Count({s.batch, s.heads_of_state, s.tokens}), 5)),
          state(type, StateSizes(s), Noise(Count(StateSizes(s)), 6)) {}

    TestTensor query, key, value, decay, beta, state;
  };
  static std::vector<int32_t> DecaySizes(const Shape& s) {
    if (s.decays_by_channel) return {s.batch, s.heads_of_state, s.tokens, s.key_width};
    return {s.batch, s.heads_of_state, s.tokens};
  }
  static std::vector<int32_t> StateSizes(const Shape& s) {
    return {s.batch, s.heads_of_state, s.key_width, s.value_width};
  }
  static std::vector<int32_t> OutputSizes(const Shape& s) {
    return {s.batch, s.heads, s.tokens, s.value_width};
  }

  static Status Run(Inputs& in, TestTensor& out, TestTensor& state, pthreadpool_t threads = nullptr,
                    const char* name = kOperator) {
    return Call(name, {in.query, in.key, in.value, in.decay, in.beta, in.state, out, state},
                threads);
  }

  // Leaves the final state in `state`.
  std::vector<double> Plain(const Inputs& in, std::vector<double>* state) const {
    const auto K = static_cast<size_t>(s_.key_width);
    const auto V = static_cast<size_t>(s_.value_width);
    const auto T = static_cast<size_t>(s_.tokens);
    const auto group = static_cast<size_t>(s_.heads / s_.heads_of_state);
    const std::vector<double> q = in.query.Numbers();
    const std::vector<double> k = in.key.Numbers();
    const std::vector<double> v = in.value.Numbers();
    const std::vector<double> decay = in.decay.Numbers();
    const std::vector<double> beta = in.beta.Numbers();
    *state = in.state.Numbers();
    std::vector<double> out(Count(OutputSizes(s_)));
    for (size_t head = 0; head < static_cast<size_t>(s_.batch * s_.heads_of_state); ++head) {
      double* const S = state->data() + head * K * V;
      for (size_t t = head * T; t < (head + 1) * T; ++t) {
        for (size_t i = 0; i < K; ++i) {
          for (size_t j = 0; j < V; ++j) {
            S[i * V + j] *= s_.decays_by_channel ? decay[t * K + i] : decay[t];
          }
        }
        for (size_t j = 0; j < V; ++j) {
          double predicted = 0;
          for (size_t i = 0; i < K; ++i) predicted += k[t * K + i] * S[i * V + j];
          const double delta = beta[t] * (v[t * V + j] - predicted);
          for (size_t i = 0; i < K; ++i) S[i * V + j] += k[t * K + i] * delta;
          for (size_t g = 0; g < group; ++g) {
            const size_t row = (head * group + g) * T + t % T;
            for (size_t i = 0; i < K; ++i) out[row * V + j] += q[row * K + i] * S[i * V + j];
          }
        }
      }
    }
    return out;
  }

  const Shape s_;
};

TEST_P(GatedDeltaRuleTest, IsWhatTheDefinitionSays) {
  const std::unique_ptr<pthreadpool, void (*)(pthreadpool*)> pool(pthreadpool_create(3),
                                                                  pthreadpool_destroy);
  // Decays of any sign: it is a product, not a power.
  for (const double lowest_decay : {0.8, 0.0, -1.0}) {
    Inputs in(s_, lowest_decay);
    std::vector<double> final_state;
    const std::vector<double> expected = Plain(in, &final_state);
    for (const pthreadpool_t threads : {pthreadpool_t{nullptr}, pool.get()}) {
      TestTensor out(kF, OutputSizes(s_));
      TestTensor state(kF, StateSizes(s_));
      ASSERT_TRUE(IsOk(Run(in, out, state, threads)));
      ExpectNumbers(out, expected, 2e-5);
      ExpectNumbers(state, final_state, 2e-5);
    }
  }
}

TEST_P(GatedDeltaRuleTest, ItsOlderNameIsTheSame) {
  Inputs in(s_, 0.5);
  TestTensor out(kF, OutputSizes(s_));
  TestTensor state(kF, StateSizes(s_));
  ASSERT_TRUE(IsOk(Run(in, out, state)));
  TestTensor old_out(kF, OutputSizes(s_));
  TestTensor old_state(kF, StateSizes(s_));
  ASSERT_TRUE(
      IsOk(Run(in, old_out, old_state, nullptr, "llama::channelwise_gated_delta_rule.out")));
  ExpectNumbers(old_out, out.Numbers());
  ExpectNumbers(old_state, state.Numbers());
}

TEST_P(GatedDeltaRuleTest, TheStateInHandedOnGivesWhatAllTokensGive) {
  if (s_.batch * s_.heads != 1) return;  // tokens of one head lie side by side
  Inputs in(s_, 0.5);
  TestTensor out(kF, OutputSizes(s_));
  TestTensor state(kF, StateSizes(s_));
  ASSERT_TRUE(IsOk(Run(in, out, state)));
  Shape one = s_;
  one.tokens = 1;
  std::vector<double> so_far = in.state.Numbers();
  const auto token_of = [&](const TestTensor& tensor, int t, size_t width) {
    const std::vector<double> all = tensor.Numbers();
    const auto begin = all.begin() + static_cast<ptrdiff_t>(static_cast<size_t>(t) * width);
    return std::vector<double>(begin, begin + static_cast<ptrdiff_t>(width));
  };
  const auto K = static_cast<size_t>(s_.key_width);
  const auto V = static_cast<size_t>(s_.value_width);
  for (int t = 0; t < s_.tokens; ++t) {
    TestTensor query(kF, {1, 1, 1, s_.key_width}, token_of(in.query, t, K));
    TestTensor key(kF, {1, 1, 1, s_.key_width}, token_of(in.key, t, K));
    TestTensor value(kF, {1, 1, 1, s_.value_width}, token_of(in.value, t, V));
    TestTensor decay(kF, DecaySizes(one), token_of(in.decay, t, s_.decays_by_channel ? K : 1));
    TestTensor beta(kF, {1, 1, 1}, token_of(in.beta, t, 1));
    TestTensor before(kF, StateSizes(s_), so_far);
    TestTensor after(kF, StateSizes(s_));
    TestTensor answer(kF, OutputSizes(one));
    ASSERT_TRUE(IsOk(Call(kOperator, {query, key, value, decay, beta, before, answer, after})));
    ExpectNumbers(answer, token_of(out, t, V));
    so_far = after.Numbers();
  }
  ExpectNumbers(state, so_far);
}

TEST_P(GatedDeltaRuleTest, InHalf) {
  Inputs in(s_, 0.8, ScalarType::kHalf);
  std::vector<double> final_state;
  const std::vector<double> expected = Plain(in, &final_state);
  TestTensor out(ScalarType::kHalf, OutputSizes(s_));
  TestTensor state(kF, StateSizes(s_));
  ASSERT_TRUE(IsOk(Run(in, out, state)));
  ExpectNumbers(out, expected, 2e-2);
  ExpectNumbers(state, final_state, 2e-5);
}

INSTANTIATE_TEST_SUITE_P(
    , GatedDeltaRuleTest,
    testing::Values(Shape{1, 1, 1, 1, 1, 1, false}, Shape{1, 1, 1, 9, 4, 3, true},
                    Shape{1, 1, 1, 9, 8, 70, false}, Shape{2, 3, 3, 5, 7, 9, true},
                    Shape{2, 6, 2, 4, 16, 64, false}, Shape{1, 4, 2, 3, 300, 65, true},
                    Shape{1, 2, 1, 70, 12, 130, true}),
    NameOf);

class GatedDeltaRuleErrorsTest : public testing::Test {
 protected:
  Status Run() {
    return Call(kOperator, {*query_, *key_, *value_, *decay_, *beta_, *state_, *out_, *final_});
  }
  void ExpectUnfit(TestTensor*& input, TestTensor& other, const char* text) {
    TestTensor* const good = input;
    input = &other;
    EXPECT_TRUE(IsError(Run(), StatusCode::kInvalidArgument, {text}));
    input = good;
    EXPECT_TRUE(IsOk(Run()));
  }

  TestTensor good_query_{kF, {1, 4, 3, 5}};
  TestTensor good_key_{kF, {1, 2, 3, 5}};
  TestTensor good_value_{kF, {1, 2, 3, 6}};
  TestTensor good_decay_{kF, {1, 2, 3}};
  TestTensor good_beta_{kF, {1, 2, 3}};
  TestTensor good_state_{kF, {1, 2, 5, 6}};
  TestTensor good_out_{kF, {1, 4, 3, 6}};
  TestTensor good_final_{kF, {1, 2, 5, 6}};
  TestTensor* query_ = &good_query_;
  TestTensor* key_ = &good_key_;
  TestTensor* value_ = &good_value_;
  TestTensor* decay_ = &good_decay_;
  TestTensor* beta_ = &good_beta_;
  TestTensor* state_ = &good_state_;
  TestTensor* out_ = &good_out_;
  TestTensor* final_ = &good_final_;
};

TEST_F(GatedDeltaRuleErrorsTest, SizesThatDoNotFit) {
  TestTensor three_heads(kF, {1, 3, 3, 5});
  TestTensor flat(kF, {2, 3, 5});
  TestTensor no_heads(kF, {1, 0, 3, 5});
  TestTensor few_values(kF, {1, 2, 2, 6});
  TestTensor wide_decay(kF, {1, 2, 3, 6});
  TestTensor long_beta(kF, {1, 2, 4});
  TestTensor turned_state(kF, {1, 2, 6, 5});
  ExpectUnfit(query_, three_heads, "queries and keys");
  ExpectUnfit(query_, flat, "rank 4");
  ExpectUnfit(key_, no_heads, "queries and keys");
  ExpectUnfit(value_, few_values, "values and keys");
  ExpectUnfit(decay_, wide_decay, "decays and keys");
  ExpectUnfit(beta_, long_beta, "betas and keys");
  ExpectUnfit(state_, turned_state, "[1, 2, 6, 5]");
}

TEST_F(GatedDeltaRuleErrorsTest, TypesThatAreNotComputed) {
  TestTensor longs(kL, {1, 2, 3});
  beta_ = &longs;
  EXPECT_TRUE(IsError(Run(), StatusCode::kUnsupported, {"int64"}));
  beta_ = &good_beta_;
  TestTensor half(ScalarType::kHalf, {1, 2, 5, 6});
  final_ = &half;
  EXPECT_TRUE(IsError(Run(), StatusCode::kUnsupported, {"a state of", "float16"}));
  final_ = out_;
  EXPECT_TRUE(IsError(Run(), StatusCode::kInvalidFile, {"final_state_out"}));
}

TEST_F(GatedDeltaRuleErrorsTest, NoTokensLeaveTheStateAndTakeNoTime) {
  constexpr int32_t kMany = 1 << 30;
  TestTensor keys(kF, {kMany, kMany, 0, 0});
  TestTensor values(kF, {kMany, kMany, 0, 1});
  TestTensor decays(kF, {kMany, kMany, 0});
  TestTensor state(kF, {kMany, kMany, 0, 1});
  TestTensor out(kF, {kMany, kMany, 0, 1});
  TestTensor final_state(kF, {kMany, kMany, 0, 1});
  EXPECT_TRUE(IsOk(Call(kOperator, {keys, keys, values, decays, decays, state, out, final_state})));
}

}  // namespace
}  // namespace onepack
