#include "aot/language_model_weights.h"

#include <math.h>

#include "aot/random_numbers.h"

namespace onepack {
namespace {

// Keep the seeds of what is not a layer apart from layers.
constexpr uint64_t kEmbeddingSeed = 1000001;
constexpr uint64_t kHeadSeed = 1000002;
constexpr uint64_t kFinalNormSeed = 1000003;
constexpr uint64_t kNormSeed = 100;
constexpr uint64_t kAdapterSeed = 1000;

}  // namespace

LinearWeight LanguageModelWeights::Weight(uint64_t seed, uint32_t outputs, uint32_t inputs) const {
  LinearWeight weight;
  weight.seed = seed;
  weight.outputs = outputs;
  weight.inputs = inputs;
  weight.type = options_.weights;
  weight.group = options_.group;
  return weight;
}

LinearWeight LanguageModelWeights::Linear(uint32_t layer, ModelLinear linear) const {
  const uint64_t seed =
      CombineSeeds(CombineSeeds(options_.seed, layer), static_cast<uint32_t>(linear));
  const uint32_t queries = options_.heads * options_.head_dim;
  const uint32_t keys = options_.kv_heads * options_.head_dim;
  switch (linear) {
    case ModelLinear::kQuery:
      return Weight(seed, queries, options_.dim);
    case ModelLinear::kKey:
    case ModelLinear::kValue:
      return Weight(seed, keys, options_.dim);
    case ModelLinear::kOutput:
      return Weight(seed, options_.dim, queries);
    case ModelLinear::kGate:
    case ModelLinear::kUp:
      return Weight(seed, options_.ffn, options_.dim);
    case ModelLinear::kDown:
      return Weight(seed, options_.dim, options_.ffn);
  }
  return {};
}

LinearWeight LanguageModelWeights::Adapter(uint32_t adapter, uint32_t layer, ModelLinear linear,
                                           AdapterPart part) const {
  const LinearWeight base = Linear(layer, linear);
  LinearWeight weight;
  weight.seed =
      CombineSeeds(CombineSeeds(base.seed, kAdapterSeed + adapter), static_cast<uint32_t>(part));
  weight.outputs = part == AdapterPart::kA ? options_.rank : base.outputs;
  weight.inputs = part == AdapterPart::kA ? base.inputs : options_.rank;
  return weight;
}

LinearWeight LanguageModelWeights::Embedding() const {
  LinearWeight weight =
      Weight(CombineSeeds(options_.seed, kEmbeddingSeed), options_.vocabulary, options_.dim);
  weight.type = options_.has_int8_embedding ? WeightType::kInt8 : WeightType::kFloat32;
  return weight;
}

LinearWeight LanguageModelWeights::Head() const {
  const LinearWeight embedding = Embedding();
  if (options_.is_tied && embedding.type == options_.weights) return embedding;
  return Weight(CombineSeeds(options_.seed, kHeadSeed), options_.vocabulary, options_.dim);
}

std::vector<float> LanguageModelWeights::NormOf(uint64_t seed, uint32_t size) const {
  std::vector<float> numbers(size);
  FillUniform(seed, 0.1f, numbers);
  for (float& number : numbers) number += 1.0f;
  return numbers;
}

std::vector<float> LanguageModelWeights::Norm(uint32_t layer, ModelNorm norm) const {
  const bool is_of_head = norm == ModelNorm::kQuery || norm == ModelNorm::kKey;
  return NormOf(
      CombineSeeds(CombineSeeds(options_.seed, layer), kNormSeed + static_cast<uint32_t>(norm)),
      is_of_head ? options_.head_dim : options_.dim);
}

std::vector<float> LanguageModelWeights::FinalNorm() const {
  return NormOf(CombineSeeds(options_.seed, kFinalNormSeed), options_.dim);
}

std::vector<float> LanguageModelWeights::RotaryRow(uint32_t row, bool is_sine) const {
  const uint32_t half = options_.head_dim / 2;
  std::vector<float> numbers(options_.head_dim);
  for (uint32_t i = 0; i < half; ++i) {
    const double exponent = -2.0 * i / options_.head_dim;
    const double angle = row * pow(static_cast<double>(options_.rope_theta), exponent);
    numbers[i] = numbers[i + half] = static_cast<float>(is_sine ? sin(angle) : cos(angle));
  }
  return numbers;
}

uint64_t LanguageModelWeights::SizeBytes() const {
  const auto size_of = [](const LinearWeight& weight) {
    return weight.size_bytes() + weight.scale_bytes();
  };
  const uint64_t norms = options_.has_query_key_norms
                             ? 2 * uint64_t{options_.dim} + 2 * uint64_t{options_.head_dim}
                             : 2 * uint64_t{options_.dim};
  uint64_t layer = norms * sizeof(float);
  for (uint32_t linear = 0; linear <= static_cast<uint32_t>(ModelLinear::kDown); ++linear) {
    layer += size_of(Linear(0, static_cast<ModelLinear>(linear)));
  }
  const uint64_t rotary = 2 * uint64_t{options_.context} * options_.head_dim * sizeof(float);
  uint64_t size = options_.layers * layer + uint64_t{options_.dim} * sizeof(float) + rotary;
  size += size_of(Embedding());
  if (Head().seed != Embedding().seed) size += size_of(Head());
  return size;
}

}  // namespace onepack
