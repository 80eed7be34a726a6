// What tells one state of one file from every other: the proof that two mappings hold the same
// bytes.

#ifndef ONEPACK_FILE_IDENTITY_H_
#define ONEPACK_FILE_IDENTITY_H_

#include <stdint.h>
#include <sys/stat.h>

#include "onepack/export.h"

namespace onepack {

// Two equal identities mean equal bytes, as long as files are replaced (new inode) or rewritten
// (new times), never changed behind a live mapping. A file in memory (tmpfs, memfd) that is
// rewritten through a mapping keeps its times: make a new one instead.
class ONEPACK_API FileIdentity {
 public:
  // Of no file: equals nothing, itself included.
  FileIdentity() = default;

  // `info` is what fstat says of an open file.
  explicit FileIdentity(const struct stat& info);

  // Whether it equals itself. A file system that gives no device, no inode or no time of change
  // does not say which file this is, or which state of it: then it is of no file.
  bool is_known() const { return device_ != 0 && inode_ != 0 && changed_ns_ != 0; }

  // Whether a change after `now_ns`, since 1970, would show: the state is older than a tick of the
  // clock that file systems take their times from. Whole seconds say too little: a file system that
  // keeps no more has ticks of two, and images of systems are built with one time for all files,
  // build after build.
  bool IsSettled(uint64_t now_ns) const;

  bool IsSameFile(const FileIdentity& other) const {
    return device_ == other.device_ && inode_ == other.inode_;
  }
  // Whether no writer has been there in between, as far as a file of one identity says: a new name
  // or owner changes the one, and not the other. REQUIRES: the same file.
  bool HasSameBytes(const FileIdentity& other) const {
    return size_bytes_ == other.size_bytes_ && modified_ns_ == other.modified_ns_;
  }

  bool operator==(const FileIdentity& other) const {
    return is_known() && device_ == other.device_ && inode_ == other.inode_ &&
           size_bytes_ == other.size_bytes_ && modified_ns_ == other.modified_ns_ &&
           changed_ns_ == other.changed_ns_;
  }

 private:
  friend class DataIdentity;

  uint64_t device_ = 0;
  uint64_t inode_ = 0;
  uint64_t size_bytes_ = 0;
  uint64_t modified_ns_ = 0;  // st_mtim
  uint64_t changed_ns_ = 0;   // st_ctim: moves even when a writer sets the modification time back
};

}  // namespace onepack

#endif  // ONEPACK_FILE_IDENTITY_H_
