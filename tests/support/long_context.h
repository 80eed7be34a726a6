// A random language model with a long context and next to no weights, for what a KV cache of tens
// of megabytes takes.

#ifndef ONEPACK_TESTS_SUPPORT_LONG_CONTEXT_H_
#define ONEPACK_TESTS_SUPPORT_LONG_CONTEXT_H_

#include <stddef.h>
#include <stdint.h>

#include <vector>

#include "aot/language_model.h"

namespace onepack {

// A float for each key and value: 64 KB a token in 8 layers, whose heads are Qwen3-0.6B's.
inline LanguageModelOptions LongContext(uint32_t layers) {
  LanguageModelOptions options;
  options.layers = layers;
  options.heads = 8;
  options.kv_heads = 8;
  options.head_dim = 128;
  options.context = 2048;
  options.chunk = 128;
  options.adapters = 0;
  return options;
}

inline std::vector<int64_t> LongPrompt(size_t tokens) {
  std::vector<int64_t> prompt(tokens);
  for (size_t i = 0; i < tokens; ++i) prompt[i] = static_cast<int64_t>(i * 37 % 251);
  return prompt;
}

}  // namespace onepack

#endif  // ONEPACK_TESTS_SUPPORT_LONG_CONTEXT_H_
