// Structs that begin with their size, between a caller and a library of different ages.
//
// A struct grows at its end, and zero is the default of what is new. New members begin at the old
// sizeof, not in its padding, which a caller need not have set to zero.

#ifndef ONEPACK_C_API_SIZED_STRUCT_H_
#define ONEPACK_C_API_SIZED_STRUCT_H_

#include <string.h>

#include <algorithm>

#include "onepack/status.h"

namespace onepack {

// `what` is the struct's name, for messages.
template <typename Struct>
Status CheckSize(const Struct& given, const char* what) {
  if (given.struct_size >= sizeof(given.struct_size)) return Status::Ok();
  return Status::Error(StatusCode::kInvalidArgument, "%s: struct_size is not set: call %s_init",
                       what, what);
}

// What the caller has set, which it may not have all of; the defaults for null. Errors:
// kUnsupported for something newer that is not zero.
template <typename Struct>
Status ReadStruct(const Struct* given, const char* what, Struct* read) {
  *read = Struct{};
  read->struct_size = sizeof(Struct);
  if (given == nullptr) return Status::Ok();
  ONEPACK_RETURN_IF_ERROR(CheckSize(*given, what));
  const size_t size = given->struct_size;
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  const auto is_set = [](unsigned char byte) { return byte != 0; };
  if (size > sizeof(Struct) && std::any_of(bytes + sizeof(Struct), bytes + size, is_set)) {
    return Status::Error(StatusCode::kUnsupported,
                         "%s: it asks for what this version of the library does not know", what);
  }
  constexpr size_t kHead = sizeof(read->struct_size);
  memcpy(reinterpret_cast<unsigned char*>(read) + kHead, bytes + kHead,
         std::min(size, sizeof(Struct)) - kHead);
  return Status::Ok();
}

// As much of `written` as the caller has room for; zeros in what it has besides.
// REQUIRES: CheckSize(*given).
template <typename Struct>
void WriteStruct(const Struct& written, Struct* given) {
  const size_t size = given->struct_size;
  auto* bytes = reinterpret_cast<unsigned char*>(given);
  constexpr size_t kHead = sizeof(written.struct_size);
  memcpy(bytes + kHead, reinterpret_cast<const unsigned char*>(&written) + kHead,
         std::min(size, sizeof(Struct)) - kHead);
  if (size > sizeof(Struct)) memset(bytes + sizeof(Struct), 0, size - sizeof(Struct));
}

}  // namespace onepack

#endif  // ONEPACK_C_API_SIZED_STRUCT_H_
