// What the operators that an LLM calls outside its delegates cost, beside plain loops that do the
// same: see README.md.
//
// Every benchmark looks once at what it is about to repeat, and says so with SkipWithError when the
// result is not that of the plain loops.

#include <benchmark/benchmark.h>
#include <math.h>

#include <numeric>
#include <vector>

#include "kernels/attention.h"
#include "onepack/cpu_operators.h"

namespace onepack {
namespace {

// As in a Qwen3 of 0.6 B: 16 query heads over 8 cached heads.
constexpr int32_t kHeads = 16;
constexpr int32_t kCachedHeads = 8;
constexpr int32_t kWidth = 128;
constexpr int32_t kContext = 2048;

// Of the numbers of a head.
size_t PlaceOf(int32_t head) { return static_cast<size_t>(head) * kWidth; }

class FloatTensor {
 public:
  explicit FloatTensor(std::vector<int32_t> sizes)
      : sizes_(std::move(sizes)), order_(sizes_.size()) {
    std::iota(order_.begin(), order_.end(), uint8_t{0});
    size_t count = 1;
    for (const int32_t size : sizes_) count *= static_cast<size_t>(size);
    numbers_.resize(count);
    uint32_t state = 1;
    for (float& number : numbers_) {
      state = state * 1664525 + 1013904223;
      number = static_cast<float>(state >> 8) / (1 << 24) - 0.5F;
    }
    auto tensor =
        Tensor::Over({ScalarType::kFloat, sizes_, order_},
                     {reinterpret_cast<uint8_t*>(numbers_.data()), count * sizeof(float)});
    if (tensor.ok()) tensor_ = *tensor;
  }
  FloatTensor(const FloatTensor&) = delete;
  FloatTensor& operator=(const FloatTensor&) = delete;

  Tensor& tensor() { return tensor_; }
  std::vector<float>& numbers() { return numbers_; }

 private:
  const std::vector<int32_t> sizes_;
  std::vector<uint8_t> order_;
  std::vector<float> numbers_;
  Tensor tensor_;
};

struct AttentionData {
  AttentionData(int32_t tokens, int32_t start_position)
      : start(start_position),
        query({1, tokens, kHeads, kWidth}),
        key({1, kContext, kCachedHeads, kWidth}),
        value({1, kContext, kCachedHeads, kWidth}),
        out({1, tokens, kHeads, kWidth}),
        expected(out.numbers().size()) {}

  const int32_t start;
  FloatTensor query, key, value, out;
  std::vector<float> expected;
};

// One query and head after the other, all scores first.
void PlainAttention(AttentionData& data) {
  const int32_t tokens = data.query.tensor().sizes()[1];
  std::vector<float> scores(kContext);
  for (int32_t t = 0; t < tokens; ++t) {
    for (int32_t h = 0; h < kHeads; ++h) {
      const float* q = &data.query.numbers()[PlaceOf(t * kHeads + h)];
      float* out = &data.expected[PlaceOf(t * kHeads + h)];
      const int32_t head = h / (kHeads / kCachedHeads);
      const int32_t keys = data.start + t + 1;
      float maximum = -HUGE_VALF;
      for (int32_t k = 0; k < keys; ++k) {
        const float* key = &data.key.numbers()[PlaceOf(k * kCachedHeads + head)];
        float score = 0;
        for (int32_t i = 0; i < kWidth; ++i) score += q[i] * key[i];
        scores[static_cast<size_t>(k)] = score / sqrtf(kWidth);
        maximum = fmaxf(maximum, scores[static_cast<size_t>(k)]);
      }
      float sum = 0;
      for (int32_t i = 0; i < kWidth; ++i) out[i] = 0;
      for (int32_t k = 0; k < keys; ++k) {
        const float* value = &data.value.numbers()[PlaceOf(k * kCachedHeads + head)];
        const float weight = expf(scores[static_cast<size_t>(k)] - maximum);
        sum += weight;
        for (int32_t i = 0; i < kWidth; ++i) out[i] += weight * value[i];
      }
      for (int32_t i = 0; i < kWidth; ++i) out[i] /= sum;
    }
  }
}

Status OurAttention(AttentionData& data) {
  kernels::AttentionInputs inputs;
  inputs.query = &data.query.tensor();
  inputs.key = &data.key.tensor();
  inputs.value = &data.value.tensor();
  inputs.start = data.start;
  inputs.is_causal = true;
  return kernels::Attend(inputs, nullptr, data.out.tensor());
}

bool AreClose(const std::vector<float>& a, const std::vector<float>& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (!(fabsf(a[i] - b[i]) < 1e-4F)) return false;
  }
  return a.size() == b.size();
}

void Attention(benchmark::State& state) {
  AttentionData data(static_cast<int32_t>(state.range(0)), static_cast<int32_t>(state.range(1)));
  PlainAttention(data);
  if (!OurAttention(data).ok() || !AreClose(data.out.numbers(), data.expected)) {
    return state.SkipWithError("the result is not that of the plain loops");
  }
  for (auto _ : state) benchmark::DoNotOptimize(OurAttention(data).ok());
}

void AttentionByPlainLoops(benchmark::State& state) {
  AttentionData data(static_cast<int32_t>(state.range(0)), static_cast<int32_t>(state.range(1)));
  for (auto _ : state) {
    PlainAttention(data);
    benchmark::DoNotOptimize(data.expected.data());
  }
}

// Tokens, and the position of the first: decoding early and late, and a chunk of a prompt.
void Shapes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"tokens", "at"})
      ->Args({1, 64})
      ->Args({1, 2047})
      ->Args({64, 0})
      ->Args({64, 1024})
      ->Args({128, 0});
}
BENCHMARK(Attention)->Apply(Shapes);
BENCHMARK(AttentionByPlainLoops)->Apply(Shapes);

struct CacheData {
  explicit CacheData(int32_t tokens)
      : value({1, tokens, kCachedHeads, kWidth}), cache({1, kContext, kCachedHeads, kWidth}) {}
  FloatTensor value, cache, out{{1}};
};

void PlainUpdate(const std::vector<float>& value, size_t start, std::vector<float>& cache) {
  for (size_t i = 0; i < value.size(); ++i) {
    cache[start * kCachedHeads * kWidth + i] = value[i];
  }
}

void UpdateCache(benchmark::State& state) {
  auto operators = CpuOperators::Create({});
  if (!operators.ok()) return state.SkipWithError(operators.status().message());
  const Operator* op = operators->registry().Find("llama::update_cache", "out");
  CacheData data(static_cast<int32_t>(state.range(0)));
  Value values[] = {Value::OfTensor(&data.value.tensor()), Value::OfTensor(&data.cache.tensor()),
                    Value::OfInt(100), Value::OfTensor(&data.out.tensor())};
  Value* pointers[] = {&values[0], &values[1], &values[2], &values[3]};
  const Span<Value* const> arguments(pointers, 4);
  std::vector<float> expected = data.cache.numbers();
  PlainUpdate(data.value.numbers(), 100, expected);
  if (!op->function(op->context, arguments).ok() || data.cache.numbers() != expected) {
    return state.SkipWithError("the result is not that of the plain loop");
  }
  for (auto _ : state) benchmark::DoNotOptimize(op->function(op->context, arguments).ok());
}

void UpdateCacheByPlainLoop(benchmark::State& state) {
  CacheData data(static_cast<int32_t>(state.range(0)));
  for (auto _ : state) {
    PlainUpdate(data.value.numbers(), 100, data.cache.numbers());
    benchmark::DoNotOptimize(data.cache.numbers().data());
  }
}
BENCHMARK(UpdateCache)->ArgName("tokens")->Arg(1)->Arg(64);
BENCHMARK(UpdateCacheByPlainLoop)->ArgName("tokens")->Arg(1)->Arg(64);

}  // namespace
}  // namespace onepack
