// The four letters that say what a file is.

#ifndef ONEPACK_SCHEMA_IDENTIFIER_H_
#define ONEPACK_SCHEMA_IDENTIFIER_H_

#include <string.h>

#include <string_view>

#include "base/printable.h"
#include "base/result.h"
#include "base/span.h"

namespace onepack {

inline constexpr size_t kIdentifierOffset = 4;
inline constexpr size_t kIdentifierSize = 4;

// REQUIRES: four bytes at `offset`.
inline std::string_view IdentifierAt(Bytes bytes, size_t offset) {
  return {reinterpret_cast<const char*>(bytes.data() + offset), kIdentifierSize};
}

// Says which identifier was found where `expected` should stand. `what` names the kind of file.
inline Status CheckIdentifier(Bytes head, const char* expected, const char* what) {
  if (head.size() < kIdentifierOffset + kIdentifierSize) {
    return Status::Error(StatusCode::kInvalidFile, "%zu bytes are too few for %s", head.size(),
                         what);
  }
  const std::string_view found = IdentifierAt(head, kIdentifierOffset);
  if (found != expected) {
    return Status::Error(StatusCode::kInvalidFile,
                         "not %s: identifier \"%s\" found, \"%s\" expected", what,
                         Printable(found).c_str(), expected);
  }
  return Status::Ok();
}

}  // namespace onepack

#endif  // ONEPACK_SCHEMA_IDENTIFIER_H_
