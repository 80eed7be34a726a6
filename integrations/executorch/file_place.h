// Which bytes of which file an address in this process is mapped to.
//
// Threads: one at a time.

#ifndef ONEPACK_INTEGRATIONS_EXECUTORCH_FILE_PLACE_H_
#define ONEPACK_INTEGRATIONS_EXECUTORCH_FILE_PLACE_H_

#include <stddef.h>
#include <stdint.h>

#include <optional>
#include <string>

#include "onepack/file_identity.h"

namespace onepack {

struct FilePlace {
  std::string path;
  FileIdentity file;    // of the file that has the path now, which is the one that is mapped
  uint64_t offset = 0;  // in it
};

// Asks the kernel; what was mapped or unmapped since the last question is seen. Of one process: not
// for a child that was forked off since.
class FilePlaces {
 public:
  FilePlaces() = default;
  FilePlaces(const FilePlaces&) = delete;
  FilePlaces& operator=(const FilePlaces&) = delete;
  ~FilePlaces();

  // Whether the `size` bytes from `data` on are all mapped from one file, one after the other,
  // MAP_SHARED and read-only (a private mapping may have been written to before). May throw
  // std::bad_alloc.
  bool IsMapped(const void* data, size_t size);
  // Where they are mapped from. nullopt too where that file is not at its path any more: it was
  // replaced or removed, or the file system gives other numbers for it (overlayfs). May throw
  // std::bad_alloc.
  std::optional<FilePlace> Find(const void* data, size_t size);

 private:
  struct Range;

  // The range that the first of them is in.
  std::optional<Range> FindMapped(const void* data, size_t size);
  std::optional<Range> FindRange(uint64_t address);
  std::optional<Range> Query(uint64_t address);

  static constexpr int kNotOpened = -1;
  static constexpr int kCannotAsk = -2;  // for one address: all of them have to be read

  int maps_ = kNotOpened;
};

}  // namespace onepack

#endif  // ONEPACK_INTEGRATIONS_EXECUTORCH_FILE_PLACE_H_
