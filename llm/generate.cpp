#include "llm/generate.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "llm/no_throw.h"

namespace onepack {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

bool Contains(const std::vector<int64_t>& tokens, int64_t token) {
  return std::find(tokens.begin(), tokens.end(), token) != tokens.end();
}

bool IsStop(int64_t token, const ModelInfo& info, const GenerateOptions& options) {
  return Contains(options.stop_tokens, token) ||
         (!options.ignore_eos && Contains(info.eos_ids, token));
}

// After the newest of `result.tokens`: whether that was the last one, and why.
std::optional<StopReason> ReasonToStop(const LanguageModel& model, const GenerateOptions& options,
                                       const GenerateResult& result) {
  const int64_t token = result.tokens.back();
  if (options.on_token && !options.on_token(token)) return StopReason::kCancelled;
  if (IsStop(token, model.info(), options)) return StopReason::kStopToken;
  if (result.tokens.size() >= options.max_new_tokens) return StopReason::kMaxNewTokens;
  if (model.context().size() >= model.max_context()) return StopReason::kContextFull;
  return std::nullopt;
}

Result<GenerateResult> Run(LanguageModel& model, Span<const int64_t> prompt,
                           const GenerateOptions& options) {
  ONEPACK_ASSIGN_OR_RETURN(Sampler sampler, Sampler::Create(options.sampling));
  GenerateResult result;
  const Clock::time_point start = Clock::now();
  ONEPACK_ASSIGN_OR_RETURN(Span<const float> logits, model.Append(prompt, options.prefill_chunk));
  result.prefill_tokens = prompt.size();
  Clock::time_point first_token = Clock::now();
  for (bool is_first = true; options.max_new_tokens > 0; is_first = false) {
    ONEPACK_ASSIGN_OR_RETURN(const int64_t token, sampler.Sample(logits));
    result.tokens.push_back(token);
    if (is_first) first_token = Clock::now();
    const std::optional<StopReason> reason = ReasonToStop(model, options, result);
    if (reason) {
      result.stop_reason = *reason;
      break;
    }
    ONEPACK_ASSIGN_OR_RETURN(logits, model.Append({&token, 1}));
    ++result.decode_tokens;
  }
  result.decode_seconds = SecondsSince(first_token);
  result.prefill_seconds = std::chrono::duration<double>(first_token - start).count();
  return result;
}

}  // namespace

const char* StopReasonName(StopReason reason) {
  switch (reason) {
    case StopReason::kMaxNewTokens:
      return "as many tokens as asked for";
    case StopReason::kStopToken:
      return "a stop token";
    case StopReason::kContextFull:
      return "the context is full";
    case StopReason::kCancelled:
      return "cancelled";
  }
  return "unknown";
}

Result<GenerateResult> Generate(LanguageModel& model, Span<const int64_t> prompt,
                                const GenerateOptions& options) {
  return NoThrow([&] { return Run(model, prompt, options); });
}

}  // namespace onepack
