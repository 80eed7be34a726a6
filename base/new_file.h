// A file that appears under its name whole or not at all, and replaces what was there.
//
// It is written under a temporary name in the same folder. Until Commit, and after any failure,
// what was there before is untouched and no temporary file stays.
//
// Ownership: of the temporary file; the destructor removes what was not committed.
// Threads:   one at a time.
// Errors:    kIoError and kNotFound name the path.

#ifndef ONEPACK_BASE_NEW_FILE_H_
#define ONEPACK_BASE_NEW_FILE_H_

#include "base/allocator.h"
#include "base/array.h"
#include "base/result.h"
#include "base/span.h"

namespace onepack {

class NewFile {
 public:
  // The folder of `path` exists. The file has the permissions of an ordinary new file (umask).
  static Result<NewFile> Create(const char* path, const Allocator& allocator = HeapAllocator());

  NewFile(NewFile&& other) noexcept;
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile();

  // At the end of it. Unbuffered.
  Status Append(Bytes bytes);

  // Brings the bytes to the disk, and then the name. To be called once, last.
  Status Commit();

 private:
  NewFile(Array<char> path, Array<char> temporary, int descriptor)
      : path_(std::move(path)), temporary_(std::move(temporary)), descriptor_(descriptor) {}

  Status Failed(int error_number) const;
  Status SyncFolder();

  Array<char> path_;
  Array<char> temporary_;  // beside it
  int descriptor_ = -1;    // -1: nothing to remove
};

}  // namespace onepack

#endif  // ONEPACK_BASE_NEW_FILE_H_
