// Instead of tokenizer.cpp where there is no SentencePiece (ONEPACK_SENTENCEPIECE=OFF).

#include "tools/tokenizer.h"

namespace sentencepiece {
// Complete, so that the tokenizer that is never made can be deleted.
class SentencePieceProcessor {};
}  // namespace sentencepiece

namespace onepack {

Tokenizer::Tokenizer() = default;
Tokenizer::~Tokenizer() = default;

Result<std::unique_ptr<Tokenizer>> Tokenizer::Open(const std::string& path) {
  return Status::Error(
      StatusCode::kUnsupported,
      "%s: this onepack was built without SentencePiece: it takes and prints token "
      "ids, not text",
      path.c_str());
}

// Never called: Open makes no tokenizer.
Result<std::vector<int64_t>> Tokenizer::Encode(const std::string&) const {
  return std::vector<int64_t>();
}
Result<std::string> Tokenizer::Decode(const std::vector<int64_t>&) const { return std::string(); }
int64_t Tokenizer::eos_id() const { return -1; }
int Tokenizer::ByteOf(int64_t) const { return -1; }

}  // namespace onepack
