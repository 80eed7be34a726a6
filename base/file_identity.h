// What tells one state of one file from every other: the proof that two mappings hold the same
// bytes.

#ifndef ONEPACK_BASE_FILE_IDENTITY_H_
#define ONEPACK_BASE_FILE_IDENTITY_H_

#include <stdint.h>

namespace onepack {

// Two equal identities mean equal bytes, as long as files are replaced (new inode) or rewritten
// (new times), never changed behind a live mapping. All zero: not a file, known to nobody else.
struct FileIdentity {
  uint64_t device = 0;
  uint64_t inode = 0;
  uint64_t size_bytes = 0;
  int64_t modified_ns = 0;  // st_mtim
  int64_t changed_ns = 0;   // st_ctim: moves even when a writer sets the modification time back

  bool operator==(const FileIdentity& other) const {
    return device == other.device && inode == other.inode && size_bytes == other.size_bytes &&
           modified_ns == other.modified_ns && changed_ns == other.changed_ns;
  }
};

}  // namespace onepack

#endif  // ONEPACK_BASE_FILE_IDENTITY_H_
