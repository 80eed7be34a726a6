// A language model small enough to predict: after tokens t0..tn of a vocabulary of 10, the logits
// are highest for (t0 + ... + tn) % 10. The tokens read so far are its KV cache.

#ifndef ONEPACK_TESTS_LLM_SUM_MODEL_H_
#define ONEPACK_TESTS_LLM_SUM_MODEL_H_

#include <stdint.h>

#include <vector>

#include "aot/pte_writer.h"
#include "onepack/method.h"
#include "onepack/ref.h"

namespace onepack {

struct SumModelOptions {
  int32_t max_chunk = 8;       // tokens of one call
  bool is_dynamic = true;      // fewer tokens of one call are fine
  int64_t max_context = 16;    // 0: the program does not say
  bool has_cache = true;       // false: each call is given all tokens
  bool all_positions = false;  // the model is given [n] positions, not that of the first token
  bool int_position = false;   // an int, not a tensor
  ScalarType id_type = ScalarType::kLong;  // of tokens and positions
  ScalarType logit_type = ScalarType::kFloat;
  bool has_embedding = false;  // "token_embedding" and "text_decoder", not "forward"
  bool all_logits = false;     // [1, n, vocabulary], not [1, vocabulary]
  bool has_vocabulary = true;  // the program says how many tokens there are
  std::vector<int64_t> eos_ids = {7};
  const char* name = "sum.pte";
  const char* method = "forward";
};

inline constexpr int64_t kSumVocabulary = 10;

class SumModel {
 public:
  // Writes and opens the program; throws when that fails.
  explicit SumModel(const SumModelOptions& options = {});

  const Ref<Program>& program() const { return program_; }
  // With the operators that the program calls.
  static MethodOptions LoadOptions();

 private:
  Ref<Program> program_;
};

// A method without inputs that gives each of `values`.
MethodPlan ConstantMethod(const char* name, std::vector<ValuePlan> values);

}  // namespace onepack

#endif  // ONEPACK_TESTS_LLM_SUM_MODEL_H_
