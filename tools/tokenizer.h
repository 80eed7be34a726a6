// Text to token ids and back, by a SentencePiece model ("tokenizer.model").
//
// Threads: belongs to one thread at a time.

#ifndef ONEPACK_TOOLS_TOKENIZER_H_
#define ONEPACK_TOOLS_TOKENIZER_H_

#include <stdint.h>

#include <memory>
#include <string>
#include <vector>

#include "onepack/result.h"

namespace sentencepiece {
class SentencePieceProcessor;
}  // namespace sentencepiece

namespace onepack {

class Tokenizer {
 public:
  // Errors: kNotFound, kIoError or kInvalidFile name the path.
  static Result<std::unique_ptr<Tokenizer>> Open(const std::string& path);
  ~Tokenizer();

  Result<std::vector<int64_t>> Encode(const std::string& text) const;
  // Errors: kInvalidArgument for an id that the model does not have.
  Result<std::string> Decode(const std::vector<int64_t>& tokens) const;

  // The token that ends a text; -1 where the model has none.
  int64_t eos_id() const;

  // The byte that a token stands for, of those that spell characters which are no pieces of their
  // own; -1 for any other token.
  int ByteOf(int64_t token) const;

 private:
  Tokenizer();

  const std::unique_ptr<sentencepiece::SentencePieceProcessor> processor_;
};

// The text of tokens that come one by one. Some stand for single bytes, and a character is shown
// with its last byte; and a space at the beginning of a piece shows only when there was text
// before. So text is made of few tokens at a time, however long it gets: those that wait for more
// bytes, and before them what had text first.
class TextStream {
 public:
  explicit TextStream(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  // What can be shown now that was not shown before; may hold NUL. Errors: those of Decode.
  Result<std::string> Add(int64_t token);

  // The rest, when no more tokens come: a replacement character for each byte that still waits.
  Result<std::string> Finish();

 private:
  size_t IncompleteBytes() const;
  Result<std::string> Show(size_t count);
  Status KeepContext(std::vector<int64_t> tokens, const std::string& text);

  const Tokenizer& tokenizer_;
  std::vector<int64_t> waiting_;  // not shown yet
  std::vector<int64_t> context_;  // shown; to be decoded before those that wait
  size_t context_size_ = 0;       // bytes of its text
};

}  // namespace onepack

#endif  // ONEPACK_TOOLS_TOKENIZER_H_
