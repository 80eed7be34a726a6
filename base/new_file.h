// A file that appears under its name whole or not at all.
//
// It is written under a temporary name in the same folder. Until it gets its name, and after any
// failure, what was there before is untouched and no temporary file stays.
//
// Ownership: of the temporary file; the destructor removes what was not named.
// Threads:   one at a time.
// Errors:    kIoError and kNotFound name the path; kFailedPrecondition for a name that is taken.

#ifndef ONEPACK_BASE_NEW_FILE_H_
#define ONEPACK_BASE_NEW_FILE_H_

#include "onepack/allocator.h"
#include "onepack/array.h"
#include "onepack/result.h"
#include "onepack/span.h"

namespace onepack {

enum class ExistingFile { kRefuse, kReplace };

class NewFile {
 public:
  // The folder of `path` exists. The file has the permissions of an ordinary new file (umask).
  static Result<NewFile> Create(const char* path, const Allocator& allocator = HeapAllocator());

  NewFile(NewFile&& other) noexcept;
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile();

  // At the end of it. Unbuffered.
  Status Append(Bytes bytes);

  // Finish and GiveName: replaces what is there. To be called once, last.
  Status Commit();

  // The steps of Commit, for several files that appear together. First, once: brings the bytes to
  // the disk and closes the file, which can then be read by its temporary name.
  Status Finish();
  // Valid until the file has its name.
  const char* temporary() const { return temporary_.data(); }
  // Then, once: gives the file its name, and brings that to the disk.
  Status GiveName(ExistingFile existing);
  // Also after a failure to bring the name to the disk.
  bool is_named() const { return is_named_; }

 private:
  NewFile(Array<char> path, Array<char> temporary, int descriptor)
      : path_(std::move(path)), temporary_(std::move(temporary)), descriptor_(descriptor) {}

  Status Failed(int error_number) const;
  Status Rename(ExistingFile existing);
  Status SyncFolder();

  Array<char> path_;
  Array<char> temporary_;  // beside it; empty in an object that was moved from
  int descriptor_ = -1;    // -1: closed
  bool is_named_ = false;
};

// kFailedPrecondition when something has this name.
Status CheckNameIsFree(const char* path);

}  // namespace onepack

#endif  // ONEPACK_BASE_NEW_FILE_H_
