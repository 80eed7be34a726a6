// Calls what computes logits from token ids, however a program spells it:
//
//   "forward"                          ids, or ids and a position
//   "token_embedding", "text_decoder"  the first turns ids into vectors, the second takes those and
//                                      a position: the text side of a model that also hears or sees
//   any other name that is asked for   like "forward"
//
// Ids are an integer tensor [1, n]. With a KV cache there is a second input: an integer tensor of
// the position of the first token, or of all [n], or an int. Output 0 is the logits.
//
// Ownership: movable; keeps its methods.
// Threads:   belongs to one thread at a time.

#ifndef ONEPACK_TEXT_DECODER_H_
#define ONEPACK_TEXT_DECODER_H_

#include <stdint.h>

#include <string_view>
#include <vector>

#include "onepack/export.h"
#include "onepack/method.h"
#include "onepack/result.h"

namespace onepack {

class ONEPACK_API TextDecoder {
 public:
  // `method` empty: the first that there is, in the order above. Errors: those of Method::Load;
  // kUnsupported for methods that are called otherwise.
  static Result<TextDecoder> Load(const Ref<Program>& program, std::string_view method,
                                  const MethodOptions& options);

  // One that goes on from the state of now by itself: Method::Fork of its methods, whose errors it
  // has.
  Result<TextDecoder> Fork() const;

  // Method::Reset of its methods.
  Status Reset();

  // Method::VisitStatePages of its methods. After an error `visitor` may have been told of one of
  // them.
  Status VisitStatePages(const StatePageVisitor& visitor) const;

  // The most tokens of one call, and whether it takes exactly so many.
  size_t max_chunk() const { return max_chunk_; }
  bool is_chunk_fixed() const { return is_chunk_fixed_; }

  // Whether it remembers what it has read. Without, it is given all of a text each time.
  bool has_cache() const { return method_->input_count() == 2; }

  // REQUIRES: 0 < tokens.size() <= max_chunk().
  Status Run(Span<const int64_t> tokens, size_t position);

  // Of the token after those of the last Run; valid until the next.
  Result<Span<const float>> LastLogits();

  // The one with the KV cache.
  Method& method() { return *method_; }
  const Method& method() const { return *method_; }
  std::string_view method_name() const { return method_name_; }

  // Method::UsesData of the methods that it runs.
  bool UsesData(size_t entry) const {
    return method_->UsesData(entry) || (embedding_ && embedding_->UsesData(entry));
  }

 private:
  TextDecoder(Ref<Method> embedding, Ref<Method> method, std::string_view method_name)
      : embedding_(std::move(embedding)), method_(std::move(method)), method_name_(method_name) {}

  const Ref<SharedState>& SharedStateOfMethods() const;
  Method& first() { return embedding_ ? *embedding_ : *method_; }
  Status CheckSignature();
  Status CheckTokens();
  Status CheckEmbedding();
  Status CheckPosition() const;
  Status SetPosition(size_t position, size_t count);
  Status SetIntegers(Method& method, size_t input, Span<const int64_t> numbers);

  Ref<Method> embedding_;  // null where `method_` takes ids
  Ref<Method> method_;
  std::string_view method_name_;  // the program's own
  size_t max_chunk_ = 1;
  bool is_chunk_fixed_ = false;
  // Kept for their memory.
  std::vector<int64_t> positions_;
  std::vector<int32_t> narrow_;
  std::vector<float> converted_logits_;
};

}  // namespace onepack

#endif  // ONEPACK_TEXT_DECODER_H_
