// Text from a file made fit for a message: escaped, cut, terminated.

#ifndef ONEPACK_BASE_PRINTABLE_H_
#define ONEPACK_BASE_PRINTABLE_H_

#include <stddef.h>
#include <stdint.h>

#include <string_view>

#include "base/hex.h"

namespace onepack {

// Bytes outside printable ASCII become \xNN; what does not fit is replaced by "...".
class Printable {
 public:
  explicit Printable(std::string_view text) {
    size_t length = 0;
    for (const char c : text) {
      if (length + 4 > kCapacity - kEllipsisSize) {
        for (int i = 0; i < 3; ++i) text_[length++] = '.';
        break;
      }
      const auto byte = static_cast<uint8_t>(c);
      if (byte >= 0x20 && byte < 0x7f) {
        text_[length++] = c;
      } else {
        text_[length++] = '\\';
        text_[length++] = 'x';
        WriteHex(byte, text_ + length);
        length += 2;
      }
    }
    text_[length] = '\0';
  }

  const char* c_str() const { return text_; }

  // No more of a text is ever shown.
  static constexpr size_t kCapacity = 160;

 private:
  static constexpr size_t kEllipsisSize = 4;  // "..." and the terminator
  char text_[kCapacity];
};

}  // namespace onepack

#endif  // ONEPACK_BASE_PRINTABLE_H_
