// A loaded language model with the context it has read so far.
//
// The model is a method "forward" as the exporter writes it: token ids [1, n] and, with a KV cache,
// the position of the first; logits of the last token [1, vocabulary], or of all [1, n,
// vocabulary]. Without a KV cache it is given the whole context each time.
//
// Ownership: move-only through unique_ptr; keeps the method.
// Threads:   belongs to one thread at a time; several models of one program run in parallel.
// Errors:    every message names the program's file; after an error the context is as it was before
//            the chunk that failed, and the model can be used again.

#ifndef ONEPACK_LLM_LANGUAGE_MODEL_H_
#define ONEPACK_LLM_LANGUAGE_MODEL_H_

#include <stdint.h>

#include <memory>
#include <vector>

#include "llm/model_info.h"
#include "runtime/method.h"

namespace onepack {

// A context that was read once, for going back to: a long prompt that many requests begin with.
struct SavedContext {
  Ref<MethodState> state;
  std::vector<int64_t> tokens;
};

class LanguageModel {
 public:
  // Errors: those of Method::Load; kUnsupported for a method that is no such language model.
  static Result<std::unique_ptr<LanguageModel>> Load(const Ref<Program>& program,
                                                     const MethodOptions& options);

  const ModelInfo& info() const { return info_; }
  // The most tokens one call of the method takes.
  size_t max_chunk() const { return max_chunk_; }
  // How many tokens a context may have.
  size_t max_context() const { return max_context_; }

  // What was read since the last Reset.
  const std::vector<int64_t>& context() const { return context_; }

  // Reads `tokens`, in chunks of at most `chunk` (0: as large as the method takes); returns the
  // logits of what comes next, valid until the next call. Errors: kInvalidArgument for no tokens, a
  // token outside the vocabulary, or more than the context has room for.
  Result<Span<const float>> Append(Span<const int64_t> tokens, size_t chunk = 0);

  Status Reset();
  Result<SavedContext> Save() const;
  // Errors: kInvalidArgument for a context of another program.
  Status Restore(const SavedContext& saved);

 private:
  LanguageModel(Ref<Method> method, ModelInfo info)
      : method_(std::move(method)), info_(std::move(info)) {}

  bool has_cache() const { return method_->input_count() == 2; }
  Status CheckInputs();
  bool HasLogits() const;
  Status CheckOutput() const;
  Status CheckTokens(Span<const int64_t> tokens) const;
  Status AppendChunk(Span<const int64_t> tokens);
  Status Run(Span<const int64_t> tokens, size_t position);
  Status SetIds(size_t input, Span<const int64_t> numbers, bool is_row);
  Result<Span<const float>> LastLogits() const;
  Status WithName(Status status) const;

  const Ref<Method> method_;
  const ModelInfo info_;
  size_t max_chunk_ = 1;
  size_t max_context_ = 0;
  bool takes_every_position_ = false;  // [n] positions, rather than that of the first token
  bool is_chunk_fixed_ = false;        // the method takes exactly max_chunk_ tokens
  std::vector<int64_t> context_;
};

}  // namespace onepack

#endif  // ONEPACK_LLM_LANGUAGE_MODEL_H_
