#include <algorithm>
#include <utility>

#include "tools/tokenizer.h"

namespace onepack {

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
