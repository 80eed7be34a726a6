// A file with the lock of its writer (flock), and what a writer does with it.
//
// The lock is given back by name, and not only by closing the file: a process that was forked off
// meanwhile has the file open, too, and would keep the lock as long as it lives.
//
// Threads: one at a time.
// Errors:  kIoError; what is done with an open file does not name it.

#ifndef ONEPACK_WEIGHT_CACHE_PACKED_FILE_LOCKED_FILE_H_
#define ONEPACK_WEIGHT_CACHE_PACKED_FILE_LOCKED_FILE_H_

#include <stdint.h>

#include <optional>
#include <string>
#include <utility>

#include "base/fd.h"
#include "onepack/result.h"
#include "onepack/span.h"

namespace onepack {

class LockedFile {
 public:
  // For reading and writing, with more of open's `flags`. None while another has the lock, and for
  // a file whose name another one has taken meanwhile. kNotFound; others name the path.
  static Result<std::optional<LockedFile>> Open(const std::string& path, int flags);

  LockedFile(LockedFile&&) = default;
  LockedFile& operator=(LockedFile&&) = delete;
  ~LockedFile();

  int descriptor() const { return file_.get(); }
  // Whether the path leads to it still.
  bool IsAt(const std::string& path) const;

  // All at once, so that a full disk is known before anything is written. A file system that cannot
  // reserve says so when it is written.
  Status Reserve(uint64_t offset, uint64_t size) const;
  Status WriteAt(uint64_t offset, Bytes bytes) const;
  Status CutOff(uint64_t end) const;
  // Waits until its bytes are on the disk.
  Status Sync() const;

 private:
  explicit LockedFile(Fd file) : file_(std::move(file)) {}

  Fd file_;
};

}  // namespace onepack

#endif  // ONEPACK_WEIGHT_CACHE_PACKED_FILE_LOCKED_FILE_H_
