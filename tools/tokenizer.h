// Text to token ids and back, by the file of a tokenizer: Hugging Face's "tokenizer.json", or a
// SentencePiece model ("tokenizer.model").
//
// Threads: belongs to one thread at a time.

#ifndef ONEPACK_TOOLS_TOKENIZER_H_
#define ONEPACK_TOOLS_TOKENIZER_H_

#include <stdint.h>

#include <memory>
#include <string>
#include <vector>

#include "onepack/result.h"

namespace onepack {

class Tokenizer {
 public:
  // The content of the file decides what it is. Errors: kNotFound, kIoError or kInvalidFile, and
  // kUnsupported where the library for it was left out, name the path.
  static Result<std::unique_ptr<Tokenizer>> Open(const std::string& path);
  virtual ~Tokenizer() = default;

  // A text that `begins_context` gets what the file says that a text begins and ends with.
  // Errors: kInvalidArgument for a text that cannot be encoded.
  virtual Result<std::vector<int64_t>> Encode(const std::string& text,
                                              bool begins_context) const = 0;

  // Whether Encode adds what a text begins with. A SentencePiece model does not say what that is:
  // the program has to.
  virtual bool begins_texts() const = 0;

  // Without the text of special tokens, and with U+FFFD for bytes that form no character.
  // Errors: kInvalidArgument for an id that the tokenizer does not have, and for no other reason.
  virtual Result<std::string> Decode(const std::vector<int64_t>& tokens) const = 0;

  // The token that ends a text; -1 where the file does not say.
  virtual int64_t eos_id() const = 0;
};

}  // namespace onepack

#endif  // ONEPACK_TOOLS_TOKENIZER_H_
