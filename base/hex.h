// Bytes as hexadecimal digits, in lower case.

#ifndef ONEPACK_BASE_HEX_H_
#define ONEPACK_BASE_HEX_H_

#include <stddef.h>
#include <stdint.h>

#include <array>
#include <string_view>

namespace onepack {

// REQUIRES: value < 16.
constexpr char HexDigit(unsigned value) { return "0123456789abcdef"[value]; }

constexpr bool IsHexDigit(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

// REQUIRES: IsHexDigit(c).
constexpr unsigned HexValue(char c) {
  return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10);
}

// Writes the two digits of `byte` to `text`; returns where the next ones go.
inline char* WriteHex(uint8_t byte, char* text) {
  *text++ = HexDigit(byte >> 4);
  *text++ = HexDigit(byte & 15u);
  return text;
}

// The digits of a hash or an identifier of `kBytes` bytes, the first byte first.
template <size_t kBytes>
class HexText {
 public:
  explicit HexText(const std::array<uint8_t, kBytes>& bytes) {
    char* next = text_;
    for (const uint8_t byte : bytes) next = WriteHex(byte, next);
    *next = '\0';
  }

  const char* c_str() const { return text_; }
  std::string_view view() const { return {text_, 2 * kBytes}; }

 private:
  char text_[2 * kBytes + 1];
};

}  // namespace onepack

#endif  // ONEPACK_BASE_HEX_H_
