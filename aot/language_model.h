// Writes a language model of any size: a base program and LoRA programs over the same foundation.
//
// The model is Qwen3- or Llama-shaped: per layer RMS norm, grouped-query attention with rotary
// positions and a KV cache (with norms of queries and keys, as Qwen3 has them), RMS norm, gated
// SiLU. A LoRA program adapts the four projections of attention. All weights are random, and the
// same for the same seed. Programs call the operators that the exporter leaves outside of the
// delegate; embedding and norms are tensors of the data file, linear weights its content keys.
//
//     foundation.ptd        the base model's data
//     loraK.ptd             weights of adapter K
//     base.pte, loraK.pte   the programs
//
// Memory:  a few rows of a matrix at a time, and each program's graphs.
// Threads: one at a time for one folder.
// Errors:  kIoError or kNotFound name the path; kFailedPrecondition for a name that is taken;
//          kInvalidArgument for sizes that do not fit. Then nothing was written.

#ifndef ONEPACK_AOT_LANGUAGE_MODEL_H_
#define ONEPACK_AOT_LANGUAGE_MODEL_H_

#include <stdint.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aot/linear_weight.h"
#include "aot/lora_stack.h"
#include "onepack/result.h"

namespace onepack {

struct LanguageModelOptions {
  uint32_t layers = 2;
  uint32_t dim = 64;
  uint32_t heads = 4;
  uint32_t kv_heads = 2;
  uint32_t head_dim = 16;
  uint32_t ffn = 128;
  uint32_t vocabulary = 256;
  bool has_query_key_norms = true;
  // The head's weight is the embedding's, where both can be one.
  bool is_tied = true;
  float rope_theta = 1e6f;

  uint32_t context = 64;  // tokens that the KV cache has room for
  uint32_t chunk = 63;    // tokens of one call, at most

  WeightType weights = WeightType::kFloat32;  // of the base's linear layers
  uint32_t group = 32;                        // of kInt4
  bool has_int8_embedding = false;

  uint32_t adapters = 2;
  uint32_t rank = 4;
  float adapter_factor = 2.0f;

  uint64_t seed = 0;
  DataPlace data = DataPlace::kDataFiles;

  ExistingFile existing = ExistingFile::kRefuse;
  Watch watch;  // told of each byte of a weight when it is hashed and when it is written
};

// The shape of a known model, with its usual context; nullopt for a name that is not among
// LanguageModelPresets().
std::optional<LanguageModelOptions> LanguageModelPreset(std::string_view name);
std::vector<std::string> LanguageModelPresets();

// Of foundation.ptd.
uint64_t LanguageModelSizeBytes(const LanguageModelOptions& options);

// `folder` exists. Files appear in it when all are written.
Status WriteLanguageModel(const std::string& folder, const LanguageModelOptions& options);

}  // namespace onepack

#endif  // ONEPACK_AOT_LANGUAGE_MODEL_H_
