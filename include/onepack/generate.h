// Continues a text, token by token.

#ifndef ONEPACK_GENERATE_H_
#define ONEPACK_GENERATE_H_

#include <stdint.h>

#include <functional>
#include <vector>

#include "onepack/export.h"
#include "onepack/language_model.h"
#include "onepack/sampler.h"

namespace onepack {

// Callbacks run in the thread of Generate, with no lock held. They may use other models and
// adapters, but not change the model they are called for (kFailedPrecondition). One that throws
// ends the generation: kInternal, or kResourceExhausted for std::bad_alloc.
struct GenerateOptions {
  size_t max_new_tokens = 128;
  SamplerOptions sampling;
  std::vector<int64_t> stop_tokens;  // besides the model's own eos_ids
  bool ignore_eos = false;           // go on after one of the model's eos_ids
  size_t prefill_chunk = 0;          // tokens of the prompt per call; see LanguageModel::Append
  // Called with each new token, a stop token included; false cancels. May be empty.
  std::function<bool(int64_t token)> on_token;
  // Asked before each call of the model, so that a long prompt can be cancelled after any of its
  // chunks; true cancels. May be empty.
  std::function<bool()> should_cancel;
};

enum class StopReason { kMaxNewTokens, kStopToken, kContextFull, kCancelled };
ONEPACK_API const char* StopReasonName(StopReason reason);

struct GenerateResult {
  std::vector<int64_t> tokens;  // new ones, a stop token included
  StopReason stop_reason = StopReason::kMaxNewTokens;
  // From the call to the first token, and from there to the last; callbacks are not counted.
  double prefill_seconds = 0;
  double decode_seconds = 0;
  // How many tokens those took: the prompt's that were read, and all new ones but the first.
  size_t prefill_tokens = 0;
  size_t decode_tokens = 0;
};

// Reads `prompt` after what is in the model's context already, and answers. The last new token is
// not in the context when this returns: a prompt that continues begins with it.
// Errors: those of LanguageModel::Append and Sampler; the context is as far as the run got.
ONEPACK_API Result<GenerateResult> Generate(LanguageModel& model, Span<const int64_t> prompt,
                                            const GenerateOptions& options);

}  // namespace onepack

#endif  // ONEPACK_GENERATE_H_
