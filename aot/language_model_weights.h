// The weights of a written language model: which there are, and their numbers.

#ifndef ONEPACK_AOT_LANGUAGE_MODEL_WEIGHTS_H_
#define ONEPACK_AOT_LANGUAGE_MODEL_WEIGHTS_H_

#include <stdint.h>

#include <vector>

#include "aot/language_model.h"
#include "aot/linear_weight.h"

namespace onepack {

enum class ModelLinear : uint32_t { kQuery, kKey, kValue, kOutput, kGate, kUp, kDown };
enum class ModelNorm : uint32_t { kAttention, kQuery, kKey, kFfn };
enum class AdapterPart : uint32_t { kA, kB };

class LanguageModelWeights {
 public:
  explicit LanguageModelWeights(const LanguageModelOptions& options) : options_(options) {}

  LinearWeight Linear(uint32_t layer, ModelLinear linear) const;
  // Always f32. REQUIRES: one of the four projections of attention.
  LinearWeight Adapter(uint32_t adapter, uint32_t layer, ModelLinear linear,
                       AdapterPart part) const;
  // kFloat32 or kInt8.
  LinearWeight Embedding() const;
  LinearWeight Head() const;

  // Close to 1.
  std::vector<float> Norm(uint32_t layer, ModelNorm norm) const;
  std::vector<float> FinalNorm() const;

  // Cosines or sines of the angles of position `row`: head_dim numbers, both halves alike.
  std::vector<float> RotaryRow(uint32_t row, bool is_sine) const;

  uint64_t SizeBytes() const;

 private:
  std::vector<float> NormOf(uint64_t seed, uint32_t size) const;
  LinearWeight Weight(uint64_t seed, uint32_t outputs, uint32_t inputs) const;

  LanguageModelOptions options_;
};

}  // namespace onepack

#endif  // ONEPACK_AOT_LANGUAGE_MODEL_WEIGHTS_H_
