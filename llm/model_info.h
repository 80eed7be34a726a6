// What a language model says of itself, in constant methods beside "forward": get_max_seq_len,
// get_eos_ids and so on, as the exporter writes them.

#ifndef ONEPACK_LLM_MODEL_INFO_H_
#define ONEPACK_LLM_MODEL_INFO_H_

#include <stdint.h>

#include <vector>

#include "base/ref.h"
#include "base/result.h"
#include "runtime/program.h"

namespace onepack {

// 0, -1 or empty where the program does not say.
struct ModelInfo {
  int64_t max_seq_len = 0;      // tokens of one call
  int64_t max_context_len = 0;  // tokens of prompt and answer together
  int64_t vocab_size = 0;
  int64_t bos_id = -1;
  std::vector<int64_t> eos_ids;  // each ends an answer
  bool use_kv_cache = true;
};

// Loads and runs each method the program has. Errors: a method that computes something, or gives
// another kind of value.
Result<ModelInfo> ReadModelInfo(const Ref<Program>& program);

}  // namespace onepack

#endif  // ONEPACK_LLM_MODEL_INFO_H_
