#include "tools/tokenizer.h"

#include <errno.h>
#include <sentencepiece_processor.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>

namespace onepack {
namespace {

Status Failed(const sentencepiece::util::Status& status, StatusCode code, const char* what) {
  return Status::Error(code, "%s: %s", what, status.ToString().c_str());
}

}  // namespace

Tokenizer::Tokenizer() : processor_(new sentencepiece::SentencePieceProcessor) {}
Tokenizer::~Tokenizer() = default;

Result<std::unique_ptr<Tokenizer>> Tokenizer::Open(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return PosixError(path.c_str(), errno);
  if (S_ISDIR(info.st_mode)) return PosixError(path.c_str(), EISDIR);  // a stream would throw
  // Read here: the library prints to standard error when it cannot read a file itself.
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file.good() && !file.eof()) return PosixError(path.c_str(), EIO);
  std::unique_ptr<Tokenizer> tokenizer(new Tokenizer);
  const auto status = tokenizer->processor_->LoadFromSerializedProto(bytes);
  if (!status.ok()) {
    return Status::Error(StatusCode::kInvalidFile, "%s: not a SentencePiece model", path.c_str());
  }
  return tokenizer;
}

Result<std::vector<int64_t>> Tokenizer::Encode(const std::string& text) const {
  std::vector<int> ids;
  const auto status = processor_->Encode(text, &ids);
  if (!status.ok()) return Failed(status, StatusCode::kInternal, "tokenizing the text");
  return std::vector<int64_t>(ids.begin(), ids.end());
}

Result<std::string> Tokenizer::Decode(const std::vector<int64_t>& tokens) const {
  std::vector<int> ids;
  for (const int64_t token : tokens) {
    if (token < 0 || token >= processor_->GetPieceSize()) {
      return Status::Error(StatusCode::kInvalidArgument, "token %lld of a tokenizer that has %d",
                           static_cast<long long>(token), processor_->GetPieceSize());
    }
    ids.push_back(static_cast<int>(token));
  }
  std::string text;
  const auto status = processor_->Decode(ids, &text);
  if (!status.ok()) return Failed(status, StatusCode::kInternal, "making text of tokens");
  return text;
}

int64_t Tokenizer::eos_id() const { return processor_->eos_id(); }

int Tokenizer::ByteOf(int64_t token) const {
  if (token < 0 || token >= processor_->GetPieceSize()) return -1;
  const int id = static_cast<int>(token);
  if (!processor_->IsByte(id)) return -1;
  // "<0x0A>"
  const std::string& piece = processor_->IdToPiece(id);
  return static_cast<int>(strtol(piece.c_str() + 1, nullptr, 16)) & 0xff;
}

}  // namespace onepack
