// What makes two runs of raw bytes the same weight.

#ifndef ONEPACK_WEIGHT_CACHE_CONTENT_IDENTITY_H_
#define ONEPACK_WEIGHT_CACHE_CONTENT_IDENTITY_H_

#include "base/file_identity.h"
#include "base/span.h"
#include "weight_cache/digest.h"

namespace onepack {

// The same range of the same state of the same file: equal bytes, without reading one. Names play
// no part: a name is a claim that anybody can make.
inline Digest IdentityOfFileRange(const FileIdentity& file, uint64_t offset, uint64_t size) {
  return DigestBuilder("file range")
      .Add(file.device)
      .Add(file.inode)
      .Add(file.size_bytes)
      .Add(file.modified_ns)
      .Add(file.changed_ns)
      .Add(offset)
      .Add(size)
      .Finish();
}

// Bytes that are at hand, and few: scales that a graph carries inline.
inline Digest IdentityOfBytes(Bytes bytes) {
  return DigestBuilder("bytes").AddBytes(bytes).Finish();
}

// The identity of an operand that is not there.
inline const Digest& IdentityOfNothing() {
  static const Digest nothing = DigestBuilder("nothing").Finish();
  return nothing;
}

}  // namespace onepack

#endif  // ONEPACK_WEIGHT_CACHE_CONTENT_IDENTITY_H_
