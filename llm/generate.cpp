#include "onepack/generate.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <new>
#include <optional>

#include "base/turn.h"
#include "llm/no_throw.h"

namespace onepack {
namespace {

using Clock = std::chrono::steady_clock;

bool Contains(const std::vector<int64_t>& tokens, int64_t token) {
  return std::find(tokens.begin(), tokens.end(), token) != tokens.end();
}

// What a callback says; nothing may be thrown through us.
template <typename Call>
Result<bool> Ask(const char* name, Call call) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    return Status::Error(StatusCode::kResourceExhausted, "%s: out of memory", name);
  } catch (const std::exception& error) {
    return Status::Error(StatusCode::kInternal, "%s has thrown: %s", name, error.what());
  } catch (...) {
    return Status::Error(StatusCode::kInternal, "%s has thrown", name);
  }
}

// Adds the time it lives to `seconds`.
class Stopwatch {
 public:
  explicit Stopwatch(double& seconds) : seconds_(seconds), start_(Clock::now()) {}
  ~Stopwatch() { seconds_ += std::chrono::duration<double>(Clock::now() - start_).count(); }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  double& seconds_;
  const Clock::time_point start_;
};

}  // namespace

// One call of Generate. REQUIRES: the model's turn.
class Generation {
 public:
  Generation(LanguageModel& model, const GenerateOptions& options, Sampler sampler)
      : model_(model), options_(options), sampler_(std::move(sampler)) {}

  static Result<GenerateResult> Start(LanguageModel& model, Span<const int64_t> prompt,
                                      const GenerateOptions& options) {
    const Turn turn(model.is_busy_);
    if (!turn.is_ours()) return model.Busy();
    ONEPACK_ASSIGN_OR_RETURN(Sampler sampler, Sampler::Create(options.sampling));
    Generation generation(model, options, std::move(sampler));
    ONEPACK_RETURN_IF_ERROR(generation.Prefill(prompt));
    if (!generation.is_done_) ONEPACK_RETURN_IF_ERROR(generation.Decode());
    return std::move(generation.result_);
  }

 private:
  Status Prefill(Span<const int64_t> prompt) {
    Status status = model_.CheckTokens(prompt);
    if (!status.ok()) return model_.WithName(std::move(status));
    const size_t chunk = model_.ChunkFor(options_.prefill_chunk);
    for (size_t start = 0; start < prompt.size(); start += chunk) {
      const size_t count = std::min(chunk, prompt.size() - start);
      ONEPACK_RETURN_IF_ERROR(
          ReadUnlessCancelled(prompt.subspan(start, count), result_.prefill_seconds));
      if (is_done_) return Status::Ok();
      result_.prefill_tokens += count;
    }
    if (options_.max_new_tokens == 0) Finish(StopReason::kMaxNewTokens);
    return is_done_ ? Status::Ok() : SampleInto(result_.prefill_seconds);
  }

  // After the first token, which prefill has sampled.
  Status Decode() {
    for (;;) {
      ONEPACK_RETURN_IF_ERROR(LookAtNewest());
      if (is_done_) return Status::Ok();
      const int64_t token = result_.tokens.back();
      ONEPACK_RETURN_IF_ERROR(ReadUnlessCancelled({&token, 1}, result_.decode_seconds));
      if (is_done_) return Status::Ok();
      ++result_.decode_tokens;
      ONEPACK_RETURN_IF_ERROR(SampleInto(result_.decode_seconds));
    }
  }

  Status ReadUnlessCancelled(Span<const int64_t> tokens, double& seconds) {
    if (options_.should_cancel) {
      ONEPACK_ASSIGN_OR_RETURN(const bool is_cancelled,
                               Ask("should_cancel", [&] { return options_.should_cancel(); }));
      if (is_cancelled) {
        Finish(StopReason::kCancelled);
        return Status::Ok();
      }
    }
    const Stopwatch watch(seconds);
    return model_.AppendChunk(tokens);
  }

  Status SampleInto(double& seconds) {
    const Stopwatch watch(seconds);
    ONEPACK_ASSIGN_OR_RETURN(const Span<const float> logits, model_.decoder_.LastLogits());
    ONEPACK_ASSIGN_OR_RETURN(const int64_t token, sampler_.Sample(logits));
    result_.tokens.push_back(token);
    return Status::Ok();
  }

  // Whether that was the last one, and why.
  Status LookAtNewest() {
    const int64_t token = result_.tokens.back();
    if (options_.on_token) {
      ONEPACK_ASSIGN_OR_RETURN(const bool goes_on,
                               Ask("on_token", [&] { return options_.on_token(token); }));
      if (!goes_on) {
        Finish(StopReason::kCancelled);
        return Status::Ok();
      }
    }
    if (IsStop(token)) {
      Finish(StopReason::kStopToken);
    } else if (result_.tokens.size() >= options_.max_new_tokens) {
      Finish(StopReason::kMaxNewTokens);
    } else if (model_.context().size() >= model_.max_context()) {
      Finish(StopReason::kContextFull);
    }
    return Status::Ok();
  }

  bool IsStop(int64_t token) const {
    return Contains(options_.stop_tokens, token) ||
           (!options_.ignore_eos && Contains(model_.info().eos_ids, token));
  }

  void Finish(StopReason reason) {
    result_.stop_reason = reason;
    is_done_ = true;
  }

  LanguageModel& model_;
  const GenerateOptions& options_;
  Sampler sampler_;
  GenerateResult result_;
  bool is_done_ = false;
};

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
  return NoThrow([&] { return Generation::Start(model, prompt, options); });
}

}  // namespace onepack
