// Attention over a cache, against the definition; and the cache.

#include "kernels/attention.h"

#include <cmath>
#include <limits>

#include "tests/kernels/operator_fixture.h"

namespace onepack {
namespace {

struct Shape {
  int32_t batch, tokens, start, context, heads, cached_heads, width;
  bool is_causal;
};

std::string NameOf(const testing::TestParamInfo<Shape>& info) {
  const Shape& s = info.param;
  return "batch" + std::to_string(s.batch) + "_tokens" + std::to_string(s.tokens) + "_at" +
         std::to_string(s.start) + "of" + std::to_string(s.context) + "_heads" +
         std::to_string(s.heads) + "over" + std::to_string(s.cached_heads) + "_width" +
         std::to_string(s.width) + (s.is_causal ? "_causal" : "_all");
}

class AttentionTest : public testing::TestWithParam<Shape> {
 protected:
  AttentionTest() : s_(GetParam()) {}

  size_t Place(int b, int row, int head, int rows, int heads) const {
    return static_cast<size_t>(((b * rows + row) * heads + head) * s_.width);
  }

  // softmax(scale * q k + mask) v, one query and head after the other.
  std::vector<double> Plain(const std::vector<double>& q, const std::vector<double>& k,
                            const std::vector<double>& v, const std::vector<double>& mask,
                            double scale, int keys) const {
    std::vector<double> out(q.size());
    const int group = s_.heads / s_.cached_heads;
    for (int b = 0; b < s_.batch; ++b) {
      for (int t = 0; t < s_.tokens; ++t) {
        for (int h = 0; h < s_.heads; ++h) {
          std::vector<double> weights;
          double sum = 0;
          for (int key = 0; key < keys; ++key) {
            double score = 0;
            for (int i = 0; i < s_.width; ++i) {
              score +=
                  q[Place(b, t, h, s_.tokens, s_.heads) + static_cast<size_t>(i)] *
                  k[Place(b, key, h / group, s_.context, s_.cached_heads) + static_cast<size_t>(i)];
            }
            score *= scale;
            if (!mask.empty()) score += mask[static_cast<size_t>(t * keys + key)];
            const bool is_hidden = s_.is_causal && key > s_.start + t;
            weights.push_back(is_hidden ? 0 : std::exp(score));
            sum += weights.back();
          }
          for (int key = 0; key < keys; ++key) {
            for (int i = 0; i < s_.width; ++i) {
              out[Place(b, t, h, s_.tokens, s_.heads) + static_cast<size_t>(i)] +=
                  weights[static_cast<size_t>(key)] / sum *
                  v[Place(b, key, h / group, s_.context, s_.cached_heads) + static_cast<size_t>(i)];
            }
          }
        }
      }
    }
    return out;
  }

  std::vector<int32_t> QuerySizes() const { return {s_.batch, s_.tokens, s_.heads, s_.width}; }
  std::vector<int32_t> CacheSizes() const {
    return {s_.batch, s_.context, s_.cached_heads, s_.width};
  }
  size_t QueryCount() const {
    return static_cast<size_t>(s_.batch * s_.tokens * s_.heads * s_.width);
  }
  size_t CacheCount() const {
    return static_cast<size_t>(s_.batch * s_.context * s_.cached_heads * s_.width);
  }

  const Shape s_;
};

TEST_P(AttentionTest, IsWhatTheDefinitionSays) {
  TestTensor q(kF, QuerySizes(), Noise(QueryCount(), 1));
  TestTensor k(kF, CacheSizes(), Noise(CacheCount(), 2));
  TestTensor v(kF, CacheSizes(), Noise(CacheCount(), 3));
  TestTensor out(kF, QuerySizes());
  const std::unique_ptr<pthreadpool, void (*)(pthreadpool*)> pool(pthreadpool_create(3),
                                                                  pthreadpool_destroy);
  const int keys = s_.start + s_.tokens;
  const std::vector<double> expected = Plain(q.Numbers(), k.Numbers(), v.Numbers(), {},
                                             1 / std::sqrt(static_cast<double>(s_.width)), keys);
  for (pthreadpool_t threads : {pthreadpool_t{nullptr}, pool.get()}) {
    ASSERT_TRUE(IsOk(Call("llama::custom_sdpa.out",
                          {q, k, v, s_.start, nullptr, 0.0, s_.is_causal, nullptr, out}, threads)));
    ExpectNumbers(out, expected, 2e-5);
  }
}

TEST_P(AttentionTest, WithMaskAndScale) {
  TestTensor q(kF, QuerySizes(), Noise(QueryCount(), 4));
  TestTensor k(kF, CacheSizes(), Noise(CacheCount(), 5));
  TestTensor v(kF, CacheSizes(), Noise(CacheCount(), 6));
  TestTensor mask(kF, {s_.tokens, s_.context},
                  Noise(static_cast<size_t>(s_.tokens * s_.context), 7));
  TestTensor out(kF, QuerySizes());
  ASSERT_TRUE(
      IsOk(Call("llama::custom_sdpa.out", {q, k, v, s_.start, mask, 0.0, s_.is_causal, 2.0, out})));
  ExpectNumbers(out, Plain(q.Numbers(), k.Numbers(), v.Numbers(), mask.Numbers(), 2, s_.context),
                2e-5);
}

TEST_P(AttentionTest, InHalf) {
  TestTensor q(ScalarType::kHalf, QuerySizes(), Noise(QueryCount(), 1));
  TestTensor k(ScalarType::kHalf, CacheSizes(), Noise(CacheCount(), 2));
  TestTensor v(ScalarType::kHalf, CacheSizes(), Noise(CacheCount(), 3));
  TestTensor out(ScalarType::kHalf, QuerySizes());
  ASSERT_TRUE(IsOk(Call("llama::custom_sdpa.out",
                        {q, k, v, s_.start, nullptr, 0.0, s_.is_causal, nullptr, out})));
  ExpectNumbers(out,
                Plain(q.Numbers(), k.Numbers(), v.Numbers(), {},
                      1 / std::sqrt(static_cast<double>(s_.width)), s_.start + s_.tokens),
                1e-3);
}

TEST_P(AttentionTest, IsTheSameToTheLastBitWithMoreThreadsAndTokenByToken) {
  TestTensor q(kF, QuerySizes(), Noise(QueryCount(), 1));
  TestTensor k(kF, CacheSizes(), Noise(CacheCount(), 2));
  TestTensor v(kF, CacheSizes(), Noise(CacheCount(), 3));
  TestTensor at_once(kF, QuerySizes());
  TestTensor by_threads(kF, QuerySizes());
  const auto attend = [&](TestTensor& query, int start, TestTensor& out, pthreadpool_t threads) {
    ASSERT_TRUE(
        IsOk(Call("llama::custom_sdpa.out",
                  {query, k, v, start, nullptr, 0.0, s_.is_causal, nullptr, out}, threads)));
  };
  attend(q, s_.start, at_once, nullptr);
  for (const size_t count : {2u, 5u}) {
    const std::unique_ptr<pthreadpool, void (*)(pthreadpool*)> pool(pthreadpool_create(count),
                                                                    pthreadpool_destroy);
    attend(q, s_.start, by_threads, pool.get());
    ExpectNumbers(by_threads, at_once.Numbers());
  }
  if (!s_.is_causal || s_.batch != 1) return;  // a token alone would see other keys
  const auto count = static_cast<ptrdiff_t>(s_.heads) * s_.width;
  const std::vector<double> queries = q.Numbers();
  const std::vector<double> expected = at_once.Numbers();
  for (int t = 0; t < s_.tokens; ++t) {
    const std::vector<double> query(queries.begin() + t * count, queries.begin() + (t + 1) * count);
    TestTensor one(kF, {1, 1, s_.heads, s_.width}, query);
    TestTensor out(kF, {1, 1, s_.heads, s_.width});
    attend(one, s_.start + t, out, nullptr);
    ExpectNumbers(out, {expected.begin() + t * count, expected.begin() + (t + 1) * count});
  }
}

INSTANTIATE_TEST_SUITE_P(
    , AttentionTest,
    testing::Values(Shape{1, 1, 0, 8, 1, 1, 4, true}, Shape{1, 1, 7, 8, 4, 2, 16, true},
                    Shape{2, 5, 0, 16, 4, 4, 8, true}, Shape{1, 7, 3, 64, 6, 2, 33, true},
                    Shape{1, 3, 100, 200, 4, 1, 64, true}, Shape{1, 70, 0, 70, 2, 2, 17, true},
                    Shape{1, 20, 60, 150, 8, 2, 128, true}, Shape{1, 1, 140, 150, 16, 8, 128, true},
                    Shape{1, 2, 70, 80, 36, 12, 40, true}, Shape{1, 1, 66, 80, 40, 20, 9, true},
                    Shape{1, 1, 5, 8, 24, 1, 8, true}, Shape{2, 4, 65, 80, 3, 3, 5, false},
                    Shape{1, 33, 10, 50, 5, 1, 20, false}, Shape{1, 9, 60, 80, 4, 2, 512, true},
                    Shape{1, 2, 3, 8, 2, 1, 2048, true}),
    NameOf);

class AttentionErrorsTest : public testing::Test {
 protected:
  Status Attend(TestTensor& q, int64_t start, Argument mask) {
    return Call("llama::custom_sdpa.out", {q, k_, v_, start, mask, 0.0, true, nullptr, out_});
  }

  TestTensor q_{kF, {1, 2, 4, 8}};
  TestTensor k_{kF, {1, 6, 2, 8}};
  TestTensor v_{kF, {1, 6, 2, 8}};
  TestTensor out_{kF, {1, 2, 4, 8}};
};

TEST_F(AttentionErrorsTest, PositionsPastTheContext) {
  EXPECT_TRUE(IsOk(Attend(q_, 4, nullptr)));
  EXPECT_TRUE(IsError(Attend(q_, 5, nullptr), StatusCode::kInvalidArgument,
                      {"2 tokens at position 5", "context of 6"}));
  EXPECT_TRUE(IsError(Attend(q_, -1, nullptr), StatusCode::kInvalidArgument));
  EXPECT_TRUE(IsError(Attend(q_, INT64_MAX, nullptr), StatusCode::kInvalidArgument));
}

TEST_F(AttentionErrorsTest, AMaskOfTheWrongShape) {
  TestTensor full(kF, {2, 6});
  TestTensor short_of_keys(kF, {2, 5});
  TestTensor of_one_token(kF, {1, 6});
  EXPECT_TRUE(IsOk(Attend(q_, 1, full)));
  EXPECT_TRUE(IsError(Attend(q_, 1, short_of_keys), StatusCode::kInvalidArgument,
                      {"[2, 5]", "[2, 6] expected"}));
  EXPECT_TRUE(IsError(Attend(q_, 1, of_one_token), StatusCode::kInvalidArgument));
}

// A cache that is written in a circle has fewer places than there are positions.
TEST_F(AttentionErrorsTest, APositionPastTheContextWhereAMaskAloneSaysWhichKeysCount) {
  TestTensor mask(kF, {2, 6});
  for (const int64_t start : {int64_t{5}, int64_t{1000}, INT64_MAX, int64_t{-1}}) {
    EXPECT_TRUE(
        IsOk(Call("llama::custom_sdpa.out", {q_, k_, v_, start, mask, 0.0, false, nullptr, out_})));
    EXPECT_TRUE(IsError(Attend(q_, start, mask), StatusCode::kInvalidArgument));
  }
}

TEST_F(AttentionErrorsTest, RowsTooWideToConvert) {
  constexpr ScalarType kHalf = ScalarType::kHalf;
  TestTensor q(kHalf, {1, 1, 1, 2049});
  TestTensor out(kHalf, {1, 1, 1, 2049});
  EXPECT_TRUE(
      IsError(Call("llama::custom_sdpa.out", {q, q, q, 0, nullptr, 0.0, false, nullptr, out}),
              StatusCode::kUnsupported, {"2049", "at most 2048 wide"}));
}

TEST_F(AttentionErrorsTest, HeadsThatDoNotShare) {
  TestTensor three(kF, {1, 2, 3, 8});
  EXPECT_TRUE(IsError(Attend(three, 0, nullptr), StatusCode::kInvalidArgument, {"[1, 2, 3, 8]"}));
}

TEST(AttentionMaskTest, BoolsAndInfinitiesHideKeys) {
  TestTensor q(kF, {1, 1, 1, 2}, {1, 1});
  TestTensor k(kF, {1, 3, 1, 2}, Noise(6));
  TestTensor v(kF, {1, 3, 1, 2}, {1, 2, 3, 4, 5, 6});
  TestTensor out(kF, {1, 1, 1, 2});
  TestTensor bools(kB, {1, 3}, {0, 1, 0});
  TestTensor infinities(kF, {1, 3}, {-HUGE_VAL, 0, -HUGE_VAL});
  TestTensor nothing(kB, {1, 3});
  for (TestTensor* mask : {&bools, &infinities}) {
    ASSERT_TRUE(
        IsOk(Call("llama::custom_sdpa.out", {q, k, v, 0, *mask, 0.0, false, nullptr, out})));
    ExpectNumbers(out, {3, 4}, 1e-6);
  }
  ASSERT_TRUE(
      IsOk(Call("llama::custom_sdpa.out", {q, k, v, 0, nothing, 0.0, false, nullptr, out})));
  ExpectNumbers(out, {0, 0});
}

TEST(AttentionNanTest, ARowWithoutNumbersIsNotAMaskedOne) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  TestTensor q(kF, {1, 1, 1, 2}, {kNan, 1});
  TestTensor k(kF, {1, 1, 1, 2}, {1, 1});
  TestTensor out(kF, {1, 1, 1, 2});
  ASSERT_TRUE(IsOk(Call("llama::custom_sdpa.out", {q, k, k, 0, nullptr, 0.0, true, nullptr, out})));
  ExpectNumbers(out, {kNan, kNan});
  // One key of several, and a tile of such keys before others.
  for (const size_t count : {1u, 64u}) {
    TestTensor ones(kF, {1, 1, 1, 2}, {1, 1});
    std::vector<double> numbers(size_t{2} * 70, 1.0);
    for (size_t i = 0; i < 2 * count; ++i) numbers[i] = kNan;
    TestTensor keys(kF, {1, 70, 1, 2}, numbers);
    TestTensor values(kF, {1, 70, 1, 2}, std::vector<double>(size_t{2} * 70, 1.0));
    ASSERT_TRUE(IsOk(Call("llama::custom_sdpa.out",
                          {ones, keys, values, 69, nullptr, 0.0, true, nullptr, out})));
    ExpectNumbers(out, {kNan, kNan});
  }
}

class SdpaWithKvCacheTest : public testing::Test {
 protected:
  // `tokens` tokens from `start` on, of the same noise for each position.
  Status Run(int start, int tokens, TestTensor& out) {
    const auto part = [&](const std::vector<double>& all, size_t row) {
      const auto begin = all.begin() + static_cast<ptrdiff_t>(start * row);
      return std::vector<double>(begin, begin + static_cast<ptrdiff_t>(tokens * row));
    };
    TestTensor q(kF, {1, tokens, 4, 8}, part(Noise(6 * 32, 1), 32));
    TestTensor k(kF, {1, tokens, 2, 8}, part(Noise(6 * 16, 2), 16));
    TestTensor v(kF, {1, tokens, 2, 8}, part(Noise(6 * 16, 3), 16));
    return Call("llama::sdpa_with_kv_cache.out",
                {q, k, v, keys_, values_, start, tokens, nullptr, 0.0, true, nullptr, out});
  }

  TestTensor keys_{kF, {1, 8, 2, 8}};
  TestTensor values_{kF, {1, 8, 2, 8}};
};

TEST_F(SdpaWithKvCacheTest, AttendsToWhatItHasStored) {
  TestTensor at_once(kF, {1, 6, 4, 8});
  ASSERT_TRUE(IsOk(Run(0, 6, at_once)));
  std::vector<double> cached = Noise(6 * 16, 2);
  cached.resize(8 * 16);
  ExpectNumbers(keys_, cached, 1e-7);
  TestTensor q(kF, {1, 6, 4, 8}, Noise(6 * 32, 1));
  TestTensor expected(kF, {1, 6, 4, 8});
  ASSERT_TRUE(IsOk(Call("llama::custom_sdpa.out",
                        {q, keys_, values_, 0, nullptr, 0.0, true, nullptr, expected})));
  ExpectNumbers(at_once, expected.Numbers());
}

TEST_F(SdpaWithKvCacheTest, TokenByTokenIsTheSame) {
  TestTensor at_once(kF, {1, 6, 4, 8});
  ASSERT_TRUE(IsOk(Run(0, 6, at_once)));
  const std::vector<double> expected = at_once.Numbers();
  for (int t = 0; t < 6; ++t) {
    TestTensor out(kF, {1, 1, 4, 8});
    ASSERT_TRUE(IsOk(Run(t, 1, out)));
    ExpectNumbers(out, {expected.begin() + t * 32, expected.begin() + (t + 1) * 32});
  }
}

TEST_F(SdpaWithKvCacheTest, PastTheContextNothingIsStored) {
  TestTensor out(kF, {1, 3, 4, 8});
  keys_.tensor().mutable_data()[0] = 1;
  const std::vector<double> before = keys_.Numbers();
  TestTensor q(kF, {1, 3, 4, 8}, Noise(3 * 32));
  TestTensor k(kF, {1, 3, 2, 8}, Noise(3 * 16));
  EXPECT_TRUE(IsError(Call("llama::sdpa_with_kv_cache.out",
                           {q, k, k, keys_, values_, 6, 3, nullptr, 0.0, true, nullptr, out}),
                      StatusCode::kInvalidArgument, {"3 tokens at position 6", "for 8"}));
  ExpectNumbers(keys_, before);
}

TEST(KeyValueCacheTest, ValuesGoToTheirPosition) {
  TestTensor value(kF, {2, 2, 1, 2}, Counting(8, 1));
  TestTensor cache(kF, {2, 4, 1, 2});
  TestTensor out(kF, {1});
  ASSERT_TRUE(IsOk(Call("llama::update_cache.out", {value, cache, 1, out})));
  ExpectNumbers(cache, {0, 0, 1, 2, 3, 4, 0, 0, 0, 0, 5, 6, 7, 8, 0, 0});
  EXPECT_TRUE(IsError(Call("llama::update_cache.out", {value, cache, 3, out}),
                      StatusCode::kInvalidArgument, {"2 tokens at position 3", "for 4"}));
  EXPECT_FALSE(Call("llama::update_cache.out", {value, cache, -1, out}).ok());
  TestTensor narrow(kF, {2, 2, 1, 1});
  EXPECT_TRUE(IsError(Call("llama::update_cache.out", {narrow, cache, 0, out}),
                      StatusCode::kInvalidArgument, {"[2, 2, 1, 1]"}));
  TestTensor indices(kL, {2, 2}, {3, 0, 1, 1});
  ASSERT_TRUE(IsOk(Call("llama::update_cache_with_indices.out", {value, cache, 0, indices, out})));
  ExpectNumbers(cache, {3, 4, 1, 2, 3, 4, 1, 2, 0, 0, 7, 8, 7, 8, 0, 0});
}

}  // namespace
}  // namespace onepack
