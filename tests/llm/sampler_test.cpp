#include "onepack/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

const std::vector<float> kLogits = {0.0f, 2.0f, -1.0f, 1.0f};
constexpr int kDraws = 20000;

std::vector<int64_t> Draw(const SamplerOptions& options, const std::vector<float>& logits,
                          int count) {
  auto sampler = Sampler::Create(options);
  EXPECT_TRUE(IsOk(sampler));
  std::vector<int64_t> tokens;
  for (int i = 0; i < count; ++i) {
    auto token = sampler->Sample(logits);
    EXPECT_TRUE(IsOk(token));
    tokens.push_back(token.ok() ? *token : -1);
  }
  return tokens;
}

// How often each token is drawn, of all draws.
std::map<int64_t, double> Frequencies(const SamplerOptions& options) {
  std::map<int64_t, double> frequencies;
  for (const int64_t token : Draw(options, kLogits, kDraws)) frequencies[token] += 1.0 / kDraws;
  return frequencies;
}

TEST(SamplerTest, TheDefaultIsTheLikeliestAndTheFirstOfEquals) {
  EXPECT_EQ(Draw({}, kLogits, 3), (std::vector<int64_t>{1, 1, 1}));
  EXPECT_EQ(Draw({}, {1, 5, 5}, 1), std::vector<int64_t>{1});
  EXPECT_EQ(Draw({}, {-INFINITY, -3}, 1), std::vector<int64_t>{1});
}

TEST(SamplerTest, TheLikeliestIsFoundAnywhereInALargeVocabulary) {
  for (const size_t size : {1u, 1023u, 1024u, 1025u, 5000u}) {
    for (const size_t place : {size_t{0}, size / 2, size - 1}) {
      std::vector<float> logits(size, -7.5F);
      logits[place] = -7.25F;
      EXPECT_EQ(Draw({}, logits, 1)[0], static_cast<int64_t>(place)) << size;
    }
  }
  std::vector<float> zeros(3000, -0.0F);
  zeros[2500] = 0.0F;
  EXPECT_EQ(Draw({}, zeros, 1)[0], 0);
}

TEST(SamplerTest, TokensComeAsOftenAsTheSoftmaxSays) {
  for (const float temperature : {0.5f, 1.0f, 2.0f}) {
    SamplerOptions options;
    options.temperature = temperature;
    const std::map<int64_t, double> found = Frequencies(options);
    double total = 0;
    for (const float logit : kLogits) total += std::exp(logit / temperature);
    for (size_t i = 0; i < kLogits.size(); ++i) {
      const double expected = std::exp(kLogits[i] / temperature) / total;
      const auto token = static_cast<int64_t>(i);
      // Four standard deviations.
      const double spread = 4 * std::sqrt(expected * (1 - expected) / kDraws);
      EXPECT_NEAR(found.count(token) > 0 ? found.at(token) : 0, expected, spread) << i;
    }
  }
}

TEST(SamplerTest, TopKLeavesTheLikeliestOnly) {
  SamplerOptions options;
  options.temperature = 10;
  options.top_k = 2;
  const std::map<int64_t, double> found = Frequencies(options);
  EXPECT_EQ(found.size(), 2u);
  EXPECT_GT(found.at(1), 0.4);
  EXPECT_GT(found.at(3), 0.4);
  options.top_k = 100;
  EXPECT_EQ(Frequencies(options).size(), kLogits.size());
}

TEST(SamplerTest, TopPLeavesTheFewestThatReachIt) {
  SamplerOptions options;
  options.temperature = 1;
  // The probabilities are 0.64, 0.24, 0.09 and 0.03.
  options.top_p = 0.6f;
  EXPECT_EQ(Frequencies(options).size(), 1u);
  options.top_p = 0.7f;
  EXPECT_EQ(Frequencies(options).size(), 2u);
  options.top_p = 0.95f;
  EXPECT_EQ(Frequencies(options).size(), 3u);
}

TEST(SamplerTest, TopKOfALargeVocabularyLeavesTheFirstOfEquals) {
  std::vector<float> logits(5000);
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>(i * 37 % 100);
  SamplerOptions options;
  options.temperature = 1e6F;  // all as likely
  options.top_k = 7;           // 99 is at 27, 127, 227, ...
  const std::vector<int64_t> tokens = Draw(options, logits, 500);
  EXPECT_EQ(std::set<int64_t>(tokens.begin(), tokens.end()),
            (std::set<int64_t>{27, 127, 227, 327, 427, 527, 627}));
}

TEST(SamplerTest, TopPOfALargeVocabularyLeavesTheFewestAndTheFirstOfEquals) {
  // Two tokens of weight 1 / n each, n = 1, 2, ...
  std::vector<float> logits(5000);
  std::vector<std::pair<double, int64_t>> by_weight;
  double total = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    const double weight = 1.0 / static_cast<double>(i * 37 % 2500 + 1);
    logits[i] = static_cast<float>(std::log(weight));
    by_weight.emplace_back(-weight, static_cast<int64_t>(i));
    total += weight;
  }
  std::sort(by_weight.begin(), by_weight.end());
  for (const float top_p : {0.01F, 0.3F, 0.41F}) {
    std::set<int64_t> expected;
    double sum = 0;
    for (size_t i = 0; sum < static_cast<double>(top_p) * total; ++i) {
      expected.insert(by_weight[i].second);
      sum -= by_weight[i].first;
    }
    SamplerOptions options;
    options.temperature = 1;
    options.top_p = top_p;
    const std::vector<int64_t> tokens = Draw(options, logits, 1000);
    EXPECT_EQ(std::set<int64_t>(tokens.begin(), tokens.end()), expected) << top_p;
  }
}

TEST(SamplerTest, WhatIsImpossibleIsNeverDrawn) {
  SamplerOptions options;
  options.temperature = 1e6F;
  for (const float top_p : {0.999F, 1.0F}) {
    options.top_p = top_p;
    const std::vector<int64_t> tokens = Draw(options, {-INFINITY, 1, -INFINITY, 2}, 100);
    EXPECT_EQ(std::set<int64_t>(tokens.begin(), tokens.end()), (std::set<int64_t>{1, 3}));
  }
}

TEST(SamplerTest, TheSeedDecides) {
  SamplerOptions options;
  options.temperature = 1;
  options.seed = 7;
  EXPECT_EQ(Draw(options, kLogits, 50), Draw(options, kLogits, 50));
  SamplerOptions other = options;
  other.seed = 8;
  EXPECT_NE(Draw(options, kLogits, 50), Draw(other, kLogits, 50));
}

// What every machine draws. Another compiler, processor or library must give the same.
TEST(SamplerTest, SeedsDrawTheSameOnEveryMachine) {
  std::vector<float> logits(1000);
  for (size_t i = 0; i < logits.size(); ++i) {
    logits[i] = static_cast<float>(i * 7919 % 1000) * 0.0078125F - 3.7F;
  }
  SamplerOptions options;
  options.temperature = 0.7F;
  options.seed = 42;
  EXPECT_EQ(Draw(options, logits, 8),
            (std::vector<int64_t>{756, 642, 754, 149, 904, 99, 574, 372}));
  options.top_p = 0.9F;
  EXPECT_EQ(Draw(options, logits, 8),
            (std::vector<int64_t>{766, 642, 755, 149, 914, 100, 581, 372}));
  options.top_k = 40;
  options.seed = 7;
  EXPECT_EQ(Draw(options, logits, 8),
            (std::vector<int64_t>{778, 963, 173, 926, 210, 99, 852, 926}));
}

TEST(SamplerTest, BadOptionsAreNamed) {
  SamplerOptions options;
  options.temperature = -1;
  EXPECT_TRUE(IsError(Sampler::Create(options), StatusCode::kInvalidArgument, {"temperature -1"}));
  options.temperature = NAN;
  EXPECT_TRUE(IsError(Sampler::Create(options), StatusCode::kInvalidArgument, {"temperature"}));
  options.temperature = 1;
  for (const float top_p : {0.0f, -1.0f, 1.5f, NAN}) {
    options.top_p = top_p;
    EXPECT_TRUE(IsError(Sampler::Create(options), StatusCode::kInvalidArgument, {"top_p"}));
  }
}

TEST(SamplerTest, BadLogitsAreNamed) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(Sampler sampler, Sampler::Create({}));
  const std::vector<float> nan = {1, NAN};
  EXPECT_TRUE(IsError(sampler.Sample(nan), StatusCode::kInvalidArgument, {"token 1", "nan"}));
  std::vector<float> late(5000, 1);
  late[4321] = -NAN;
  EXPECT_TRUE(IsError(sampler.Sample(late), StatusCode::kInvalidArgument, {"token 4321", "nan"}));
  const std::vector<float> infinite = {INFINITY, 1};
  EXPECT_TRUE(IsError(sampler.Sample(infinite), StatusCode::kInvalidArgument, {"token 0", "inf"}));
  const std::vector<float> impossible(3, -INFINITY);
  EXPECT_TRUE(IsError(sampler.Sample(impossible), StatusCode::kInvalidArgument, {"none of 3"}));
  EXPECT_TRUE(IsError(sampler.Sample({}), StatusCode::kInvalidArgument, {"none of 0"}));
}

}  // namespace
}  // namespace onepack
