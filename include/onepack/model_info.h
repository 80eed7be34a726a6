// What a language model says of itself, in constant methods beside the one that computes:
// get_max_seq_len, get_eos_ids and so on, as exporters write them.

#ifndef ONEPACK_MODEL_INFO_H_
#define ONEPACK_MODEL_INFO_H_

#include <stdint.h>

#include <string>
#include <vector>

#include "onepack/export.h"
#include "onepack/program.h"
#include "onepack/ref.h"
#include "onepack/result.h"

namespace onepack {

// 0, -1 or empty where the program does not say. Numbers may be ints, bools, whole doubles or
// integer tensors, alone or in lists.
struct ModelInfo {
  int64_t max_seq_len = 0;       // get_max_seq_len: tokens of one call, or of a context
  int64_t max_context_len = 0;   // get_max_context_len: tokens of prompt and answer together
  int64_t vocab_size = 0;        // get_vocab_size
  int64_t bos_id = -1;           // get_bos_id
  std::vector<int64_t> eos_ids;  // get_eos_ids and get_eos_id; each ends an answer
  bool use_kv_cache = true;      // use_kv_cache or get_use_kv_cache

  // One line for each method of these names whose values mean nothing here: it counts as if it were
  // not there. "method 'get_eos_ids': it gives string, numbers expected".
  std::vector<std::string> ignored;
};

// Loads and runs each of these methods that the program has. Errors: kResourceExhausted.
ONEPACK_API Result<ModelInfo> ReadModelInfo(const Ref<Program>& program);

}  // namespace onepack

#endif  // ONEPACK_MODEL_INFO_H_
