// Tokenizers of the library SentencePiece.

#ifndef ONEPACK_TOOLS_SENTENCE_PIECE_TOKENIZER_H_
#define ONEPACK_TOOLS_SENTENCE_PIECE_TOKENIZER_H_

#include <memory>
#include <string>

#include "tools/tokenizer.h"

namespace onepack {

// By the bytes of the file `path`, which errors name: kInvalidFile, or kUnsupported where this was
// built without the library.
Result<std::unique_ptr<Tokenizer>> OpenSentencePieceTokenizer(const std::string& path,
                                                              const std::string& bytes);

}  // namespace onepack

#endif  // ONEPACK_TOOLS_SENTENCE_PIECE_TOKENIZER_H_
