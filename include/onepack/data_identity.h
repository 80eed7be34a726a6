// Which bytes a source serves, told without reading one: the proof that two sources serve the same.
//
// Either a place in a state of a file, where the source's first byte stands, or the SHA-256 of the
// bytes, or a number that nothing else has. It is never put together from numbers, and there is
// none of a file without a place in it: so two parts of one file, such as assets of a package, are
// told apart.
//
// Threads: any.

#ifndef ONEPACK_DATA_IDENTITY_H_
#define ONEPACK_DATA_IDENTITY_H_

#include <stdint.h>

#include "onepack/export.h"
#include "onepack/file_identity.h"
#include "onepack/result.h"

namespace onepack {

class ONEPACK_API DataIdentity {
 public:
  // Equals its copies, and nothing else in this process.
  static DataIdentity Unique();

  // Of bytes that are served as they stand in an open regular file, from byte `offset` of it on:
  // not of what is decompressed or decrypted. The descriptor stays the caller's; `name` is what
  // messages call it. Errors: kInvalidArgument for what is no regular file, kIoError.
  static Result<DataIdentity> OfFile(int descriptor, uint64_t offset, const char* name);

  // The same; unique for the identity of no file.
  DataIdentity(const FileIdentity& file, uint64_t offset);

  // Of all bytes that have this SHA-256, 32 bytes. A source that has it only from a name computes
  // the hash of its bytes before it hands one out, and hands out none of others: then a wrong name
  // harms nothing but what is loaded from that source.
  static DataIdentity OfSha256(const uint8_t* sha256);

  // Whether it is such a one.
  bool IsOfSha256() const { return number_ == kOfHash; }

  // Of the same bytes from `offset` on.
  DataIdentity At(uint64_t offset) const;

  // Whether it may be kept for later processes: a later state of the file will have another one, as
  // far as FileIdentity can tell. A unique identity may not be kept, and neither may that of a file
  // that was changed just now, or whose times are whole seconds.
  bool IsLasting() const;

  // Equal identities, equal bytes, for as many as both sources have.
  bool operator==(const DataIdentity& other) const {
    return offset_ == other.offset_ && number_ == other.number_ &&
           (IsNumber() || file_ == other.file_);
  }
  bool operator!=(const DataIdentity& other) const { return !(*this == other); }

 private:
  static constexpr uint64_t kOfFile = 0;
  static constexpr uint64_t kOfHash = UINT64_MAX;

  DataIdentity() = default;

  bool IsNumber() const { return number_ != kOfFile && number_ != kOfHash; }

  FileIdentity file_;          // unless there is a number; of a hash its words stand here instead
  uint64_t number_ = kOfFile;  // one of the above, else a number
  uint64_t offset_ = 0;
};

}  // namespace onepack

#endif  // ONEPACK_DATA_IDENTITY_H_
