// Strings of a verified flatbuffer that name something.

#ifndef ONEPACK_SCHEMA_VERIFY_TEXT_H_
#define ONEPACK_SCHEMA_VERIFY_TEXT_H_

#include <flatbuffers/flatbuffers.h>
#include <stdint.h>

#include <string_view>

namespace onepack {

inline std::string_view TextOf(const flatbuffers::String* text) {
  return text == nullptr ? std::string_view() : std::string_view(text->c_str(), text->size());
}

// There, not empty, and the same string to a reader that stops at NUL.
inline bool IsName(const flatbuffers::String* text) {
  return text != nullptr && text->size() > 0 && TextOf(text).find('\0') == std::string_view::npos;
}

// The number of elements; an absent vector has none.
template <typename T>
size_t CountOf(const flatbuffers::Vector<T>* vector) {
  return vector == nullptr ? 0 : vector->size();
}

// Whether elements can be read in place. The flatbuffers verifier aligns a vector's length, which
// does for elements of up to four bytes; those of eight need a look of their own. Where there is no
// element, writers of flatbuffers align for none.
template <typename T>
bool IsAligned(const flatbuffers::Vector<T>* vector) {
  return CountOf(vector) == 0 || reinterpret_cast<uintptr_t>(vector->Data()) % sizeof(T) == 0;
}

}  // namespace onepack

#endif  // ONEPACK_SCHEMA_VERIFY_TEXT_H_
