// The four letters that say what a file is.

#ifndef ONEPACK_SCHEMA_IDENTIFIER_H_
#define ONEPACK_SCHEMA_IDENTIFIER_H_

#include <string.h>

#include <string_view>

#include "base/printable.h"
#include "onepack/result.h"
#include "onepack/span.h"

namespace onepack {

inline constexpr size_t kIdentifierOffset = 4;
inline constexpr size_t kIdentifierSize = 4;

// REQUIRES: four bytes at `offset`.
inline std::string_view IdentifierAt(Bytes bytes, size_t offset) {
  return {reinterpret_cast<const char*>(bytes.data() + offset), kIdentifierSize};
}

// What kind of file an identifier stands for; null: none of ours.
inline const char* KindOf(std::string_view identifier) {
  if (identifier == "ET12") return "a program (.pte)";
  if (identifier == "FT01") return "a data file (.ptd)";
  if (identifier == "BP08") return "a bundled program (.bpte)";
  return nullptr;
}

// Says which identifier was found where `expected` should stand. `what` names the kind of file.
inline Status CheckIdentifier(Bytes head, const char* expected, const char* what) {
  if (head.size() < kIdentifierOffset + kIdentifierSize) {
    return Status::Error(StatusCode::kInvalidFile, "%zu bytes are too few for %s", head.size(),
                         what);
  }
  const std::string_view found = IdentifierAt(head, kIdentifierOffset);
  if (found != expected) {
    const char* kind = KindOf(found);
    return Status::Error(StatusCode::kInvalidFile,
                         "not %s%s%s: identifier \"%s\" found, \"%s\" expected", what,
                         kind != nullptr ? " but " : "", kind != nullptr ? kind : "",
                         Printable(found).c_str(), expected);
  }
  return Status::Ok();
}

}  // namespace onepack

#endif  // ONEPACK_SCHEMA_IDENTIFIER_H_
