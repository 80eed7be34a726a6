// A loaded language model with the context it has read so far.
//
// text_decoder.h says which programs are language models: token ids in, and, with a KV cache, a
// position; logits of the last token or of all out, of any floating point type. Without a KV cache
// the model is given the whole context each time.
//
// Ownership: move-only through unique_ptr; keeps its methods and the sources they were loaded from.
// Threads:   belongs to one thread at a time, and tells one that comes while another is in it;
//            several models of one program run in parallel. While Generate runs, its callbacks may
//            look at the model and not change it, nor destroy it.
// Errors:    every message names the program's file; after an error the context is as it was before
//            the chunk that failed, and the model can be used again. All functions that change the
//            context: kFailedPrecondition while another call is in the model.

#ifndef ONEPACK_LANGUAGE_MODEL_H_
#define ONEPACK_LANGUAGE_MODEL_H_

#include <stdint.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "onepack/export.h"
#include "onepack/model_digest.h"
#include "onepack/model_info.h"
#include "onepack/text_decoder.h"

namespace onepack {

// A context that was read once, for going back to: a long prompt that many requests begin with.
// context_file.h keeps one for other processes.
struct SavedContext {
  Ref<MethodState> state;
  std::vector<int64_t> tokens;
};

class ONEPACK_API LanguageModel {
 public:
  // `method` empty: the one that text_decoder.h says. Errors: those of Method::Load; kUnsupported
  // for methods that are no language model.
  static Result<std::unique_ptr<LanguageModel>> Load(const Ref<Program>& program,
                                                     const MethodOptions& options,
                                                     std::string_view method = {});

  // Method::UsesData of the methods that it runs.
  bool UsesData(size_t entry) const { return decoder_.UsesData(entry); }

  const ModelInfo& info() const { return info_; }
  const char* name() const { return decoder_.method().program().name(); }
  // The most tokens one call of the method takes.
  size_t max_chunk() const { return decoder_.max_chunk(); }
  // How many tokens a context may have.
  size_t max_context() const { return max_context_; }
  // The tokens of each call of the method when Append is given `asked` as `chunk`: a context is the
  // same, bit for bit, whether it was read by one Append or by several that end at multiples of
  // this. Without a KV cache max_context(), because there is no such place.
  size_t ChunkFor(size_t asked) const;

  // What was read since the last Reset.
  const std::vector<int64_t>& context() const { return context_; }

  // Reads `tokens`, in chunks of `chunk`, or of max_chunk() where that is less, `chunk` is 0 or the
  // method takes chunks of one size only; without a KV cache, all at once. Returns the logits of
  // what comes next, valid until the next call. Errors: kInvalidArgument for no tokens, a token
  // outside the vocabulary, or more than the context has room for.
  Result<Span<const float>> Append(Span<const int64_t> tokens, size_t chunk = 0);

  Status Reset();

  // Forgets all but the first `count` tokens, to answer the same again: Append then goes on from
  // there. (The logits of the token before come with it: to have them once more, go back one
  // further and append that token.) Costs nothing but what it takes to find out, once for a model,
  // whether its state is addressed by position: a KV cache as a rule is;
  // one that wraps around, or a recurrent state, is not. Errors: kInvalidArgument for more tokens
  // than there are; kUnsupported for such a state, unless `count` is 0 or all.
  Status Rewind(size_t count);

  Result<SavedContext> Save() const;
  // Errors: kInvalidArgument for a context of another program or method, or one that is none.
  Status Restore(const SavedContext& saved);

  // Another model that goes on from the same context by itself: for conversations that begin with
  // one prompt, and for several answers to it. Its state shares the pages of this one until either
  // of them writes to them, so a fork takes the memory of what it adds, in whole pages, and of its
  // activations; and that of delegates which cannot share their runtimes (Method::Fork). Any state
  // can be forked, that of a fork too. The first fork since this model read something copies that
  // once, for all forks; further ones copy nothing. The copy is kept until this model is reset,
  // restored or forked again.
  // How many: the system limits the mappings of a process, to 65,530 as a rule (vm.max_map_count).
  // A fork takes two for each place of the KV cache: with 28 layers, where keys and values are each
  // in one piece, 115, so there is room for about 550 forks; where each of 8 heads has its own
  // piece, about 900, so about 70. Forks of forks take up to 4,097 each.
  // Ownership: none of the other; each is closed, reset, rewound, saved and restored as if the
  // other were not there. State that other models use as well (MethodOptions::shared_state) is the
  // fork's own. Threads: each belongs to one, and they run in parallel. Errors: those of
  // Method::Fork; this model is then as it was.
  Result<std::unique_ptr<LanguageModel>> Fork() const;

  // What the contexts of `models` take in memory now: their states, and what is left of the last
  // run's activations. Pages that forks share count once, so this is what goes back to the system
  // when all of these models are closed or reset, and no other one shares them. Costs some
  // milliseconds for each that has read something since it was made, next to nothing for a fork
  // that has not. Errors: kInvalidArgument for a null pointer; kFailedPrecondition while another
  // call is in one of them.
  static Result<size_t> ContextBytes(Span<const LanguageModel* const> models);

  // A state of this model, of parts that context_file.h has read. Errors: those of
  // Method::StateOfParts.
  Result<Ref<MethodState>> StateOfParts(uint64_t memory_size, Array<uint64_t> blocks,
                                        Array<uint8_t> contents) const;

  // What tells this model, weights included, from all others. Reads every byte of its files the
  // first time.
  Result<ModelDigest> Digest();

 private:
  friend class Generation;

  LanguageModel(TextDecoder decoder, ModelInfo info)
      : decoder_(std::move(decoder)), info_(std::move(info)) {}

  Status FindMaxContext();
  void KeepSources(const NamedDataMap& data);
  Status CheckTokens(Span<const int64_t> tokens) const;
  Status CheckVocabulary(Span<const int64_t> tokens) const;
  Status AppendChunk(Span<const int64_t> tokens);
  Result<Span<const float>> AppendAll(Span<const int64_t> tokens, size_t chunk);
  Status ForgetAll();
  Status CheckSaved(const SavedContext& saved) const;
  Status WithName(Status status) const;
  Status Busy() const;

  TextDecoder decoder_;
  const ModelInfo info_;
  size_t max_context_ = 0;
  std::vector<Ref<const DataSource>> data_sources_;
  std::vector<int64_t> context_;
  bool is_known_to_rewind_ = false;
  std::optional<ModelDigest> digest_;
  mutable std::atomic<bool> is_busy_{false};  // claimed by the call that changes the context
};

}  // namespace onepack

#endif  // ONEPACK_LANGUAGE_MODEL_H_
