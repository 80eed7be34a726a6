// The text of tokens that come one by one: all that is shown, together, is the text of all tokens.
//
// A character may be split over several tokens; it is shown when it is complete. Bytes that form no
// character become U+FFFD, which is shown with the next character, after some more tokens, or at
// the end. One exception: the decoder ByteFallback of a tokenizer.json replaces a whole row of
// bytes by U+FFFD if one of them is wrong. Characters of that row which were complete before the
// wrong byte came have been shown already, and stay as they are.
//
// Tokens cannot be decoded one by one, because what comes before says whether there is a space. So
// they are decoded behind the tokens of the piece before, whose text is cut off. However long it
// gets, each token is decoded with few others. python/onepack/text/stream.py does the same.
//
// Threads: belongs to one thread at a time.

#ifndef ONEPACK_TOOLS_TEXT_STREAM_H_
#define ONEPACK_TOOLS_TEXT_STREAM_H_

#include <stddef.h>
#include <stdint.h>

#include <string>
#include <vector>

#include "onepack/result.h"
#include "tools/tokenizer.h"

namespace onepack {

class TextStream {
 public:
  // `tokenizer` must outlive the stream.
  explicit TextStream(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  // What can be shown now that was not shown before; may hold NUL. Errors: those of Decode; a
  // token that the tokenizer does not have changes nothing.
  Result<std::string> Add(int64_t token);

  // The rest, when no more tokens come.
  Result<std::string> Finish();

 private:
  using Tokens = std::vector<int64_t>;

  Result<std::string> TextAfterPiece(const Tokens& tokens) const;
  std::string Show(const std::string& text, size_t end);
  Status EndPiece();
  Result<std::string> Shorten(const std::string& text);

  const Tokenizer& tokenizer_;
  Tokens piece_;  // shown; the last that has any text
  std::string piece_text_;
  Tokens waiting_;    // after it
  size_t shown_ = 0;  // bytes of their text
};

}  // namespace onepack

#endif  // ONEPACK_TOOLS_TEXT_STREAM_H_
