#include "tools/tokenizer.h"

#include <errno.h>
#include <sentencepiece_processor.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>
#include <string_view>

namespace onepack {
namespace {

// What stands for a character whose bytes are not all there yet.
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

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

Result<std::string> TextStream::Add(int64_t token) {
  tokens_.push_back(token);
  ONEPACK_ASSIGN_OR_RETURN(const std::string text, tokenizer_.Decode(tokens_));
  const bool is_incomplete =
      text.size() >= kReplacement.size() &&
      std::string_view(text).substr(text.size() - kReplacement.size()) == kReplacement;
  if (is_incomplete || text.size() <= shown_) return std::string();
  const std::string added = text.substr(shown_);
  shown_ = text.size();
  return added;
}

}  // namespace onepack
