#include "tools/text_stream.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace onepack {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // of bytes that form no character (yet)
constexpr size_t kMostUnfinished = 3;  // so many of these at most are one incomplete character
constexpr size_t kMostWaiting = 32;    // tokens that are decoded again with each new one
constexpr size_t kKept = 8;  // of them, if there are more: at least one complete character

bool EndsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// Where the replacement characters begin that `text` ends with.
size_t EndOfCharacters(std::string_view text) {
  while (EndsWith(text, kReplacement)) text.remove_suffix(kReplacement.size());
  return text.size();
}

// Where the last `count` characters of `text` begin.
size_t StartOfLast(std::string_view text, size_t count) {
  size_t start = text.size();
  while (start > 0 && count > 0) {
    --start;
    const bool is_inner = (static_cast<unsigned char>(text[start]) & 0xc0) == 0x80;
    if (!is_inner) --count;
  }
  return start;
}

std::vector<int64_t> Joined(std::vector<int64_t> first, const std::vector<int64_t>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

void KeepLast(std::vector<int64_t>& tokens, size_t count) {
  if (tokens.size() > count) {
    tokens.erase(tokens.begin(), tokens.end() - static_cast<ptrdiff_t>(count));
  }
}

}  // namespace

Result<std::string> TextStream::Add(int64_t token) {
  Tokens waiting = Joined(waiting_, {token});
  ONEPACK_ASSIGN_OR_RETURN(const std::string text, TextAfterPiece(waiting));
  waiting_ = std::move(waiting);
  const size_t end = EndOfCharacters(text);  // the rest may become a character
  std::string added = Show(text, end);
  if (!text.empty() && end == text.size()) {
    ONEPACK_RETURN_IF_ERROR(EndPiece());
  } else if (waiting_.size() > kMostWaiting) {
    ONEPACK_ASSIGN_OR_RETURN(const std::string more, Shorten(text));
    added += more;
  }
  return added;
}

Result<std::string> TextStream::Finish() {
  ONEPACK_ASSIGN_OR_RETURN(const std::string text, TextAfterPiece(waiting_));
  std::string added = Show(text, text.size());
  piece_.clear();
  piece_text_.clear();
  waiting_.clear();
  shown_ = 0;
  return added;
}

Result<std::string> TextStream::TextAfterPiece(const Tokens& tokens) const {
  ONEPACK_ASSIGN_OR_RETURN(std::string text, tokenizer_.Decode(Joined(piece_, tokens)));
  if (text.compare(0, piece_text_.size(), piece_text_) == 0) return text.substr(piece_text_.size());
  return tokenizer_.Decode(tokens);  // the decoder would change what was shown
}

// Of the text of the waiting tokens, what was not shown before `end`.
std::string TextStream::Show(const std::string& text, size_t end) {
  if (end <= shown_) return std::string();
  std::string added = text.substr(shown_, end - shown_);
  shown_ = end;
  return added;
}

// All text of the waiting tokens was shown.
Status TextStream::EndPiece() {
  Tokens piece = waiting_;
  ONEPACK_ASSIGN_OR_RETURN(std::string text, tokenizer_.Decode(piece));
  if (text.empty()) {  // spaces, which decoders leave out where a text begins
    piece = Joined(piece_, piece);
    KeepLast(piece, kMostWaiting);
    ONEPACK_ASSIGN_OR_RETURN(text, tokenizer_.Decode(piece));
  }
  piece_ = std::move(piece);
  piece_text_ = std::move(text);
  waiting_.clear();
  shown_ = 0;
  return Status::Ok();
}

// Drops the first ones of many that wait: special tokens, bytes that never form a character, or
// tokens that each end one character and begin the next.
Result<std::string> TextStream::Shorten(const std::string& text) {
  std::string added = Show(text, StartOfLast(text, kMostUnfinished));
  const std::string rest = text.substr(std::min(shown_, text.size()));
  Tokens kept = waiting_;
  KeepLast(kept, kKept);
  ONEPACK_ASSIGN_OR_RETURN(const std::string kept_text, TextAfterPiece(kept));
  if (EndsWith(kept_text, rest)) {
    waiting_ = std::move(kept);
    shown_ = kept_text.size() - rest.size();
    return added;
  }
  added += Show(text, text.size());
  waiting_ = std::move(kept);
  ONEPACK_RETURN_IF_ERROR(EndPiece());
  return added;
}

}  // namespace onepack
