// Instead of sentence_piece_tokenizer.cpp where there is no SentencePiece
// (ONEPACK_SENTENCEPIECE=OFF).

#include "tools/sentence_piece_tokenizer.h"

namespace onepack {

Result<std::unique_ptr<Tokenizer>> OpenSentencePieceTokenizer(const std::string& path,
                                                              const std::string& /*bytes*/) {
  return Status::Error(StatusCode::kUnsupported,
                       "%s: no tokenizer.json, and this onepack was built without SentencePiece "
                       "(ONEPACK_SENTENCEPIECE)",
                       path.c_str());
}

}  // namespace onepack
