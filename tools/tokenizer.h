// Text to token ids and back, by a SentencePiece model ("tokenizer.model").
//
// Threads: belongs to one thread at a time.

#ifndef ONEPACK_TOOLS_TOKENIZER_H_
#define ONEPACK_TOOLS_TOKENIZER_H_

#include <stdint.h>

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

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

 private:
  Tokenizer();

  const std::unique_ptr<sentencepiece::SentencePieceProcessor> processor_;
};

// The text of tokens that come one by one: what one token adds depends on those before it, and a
// character may need several.
class TextStream {
 public:
  explicit TextStream(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  // What can be shown now that was not shown before.
  Result<std::string> Add(int64_t token);

 private:
  const Tokenizer& tokenizer_;
  std::vector<int64_t> tokens_;
  size_t shown_ = 0;  // bytes of the text of tokens_
};

}  // namespace onepack

#endif  // ONEPACK_TOOLS_TOKENIZER_H_
