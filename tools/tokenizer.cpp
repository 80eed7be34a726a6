#include "tools/tokenizer.h"

#include <errno.h>
#include <sentencepiece_processor.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

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

// How many tokens at the end are the first bytes of a character whose others are missing.
size_t TextStream::IncompleteBytes() const {
  for (size_t count = 1; count <= 3 && count <= waiting_.size(); ++count) {
    const int byte = tokenizer_.ByteOf(waiting_[waiting_.size() - count]);
    const bool is_inner = byte >= 0x80 && byte < 0xc0;
    if (is_inner) continue;
    const bool is_first = byte >= 0xc0 && byte < 0xf8;
    const size_t length = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    return is_first && count < length ? count : 0;
  }
  return 0;
}

Result<std::string> TextStream::Add(int64_t token) {
  waiting_.push_back(token);
  auto text = Show(waiting_.size() - IncompleteBytes());
  if (!text.ok()) waiting_.pop_back();
  return text;
}

Result<std::string> TextStream::Finish() { return Show(waiting_.size()); }

// The first `count` of those that wait.
Result<std::string> TextStream::Show(size_t count) {
  if (count == 0) return std::string();
  const auto end = waiting_.begin() + static_cast<ptrdiff_t>(count);
  std::vector<int64_t> tokens = context_;
  tokens.insert(tokens.end(), waiting_.begin(), end);
  ONEPACK_ASSIGN_OR_RETURN(std::string text, tokenizer_.Decode(tokens));
  std::string added = text.substr(std::min(context_size_, text.size()));
  if (context_size_ == 0) ONEPACK_RETURN_IF_ERROR(KeepContext(std::move(tokens), text));
  waiting_.erase(waiting_.begin(), end);
  return added;
}

// Until there is text, every token may matter to the next; from then on, the last of these does as
// well as all of them, if it has text of its own. So does a letter instead of a byte, which could
// make a character with those that come.
Status TextStream::KeepContext(std::vector<int64_t> tokens, const std::string& text) {
  context_ = std::move(tokens);
  context_size_ = text.size();
  if (text.empty()) return Status::Ok();
  int64_t last = context_.back();
  const int byte = tokenizer_.ByteOf(last);
  if (byte >= 0) last += 'a' - byte;
  if (byte >= 0 && tokenizer_.ByteOf(last) != 'a') return Status::Ok();
  ONEPACK_ASSIGN_OR_RETURN(const std::string last_text, tokenizer_.Decode({last}));
  if (last_text.empty()) return Status::Ok();
  context_ = {last};
  context_size_ = last_text.size();
  return Status::Ok();
}

}  // namespace onepack
