// Which bytes of which file an address in this process is mapped to.
//
// Threads: any.

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

// Of the `size` bytes from `data` on, which are mapped. nullopt where they are not all mapped from
// one file, one after the other and read-only, or where that file is not at its path any more: it
// was replaced or removed, or the file system gives other numbers for it (overlayfs). May throw
// std::bad_alloc.
std::optional<FilePlace> FindFilePlace(const void* data, size_t size);

}  // namespace onepack

#endif  // ONEPACK_INTEGRATIONS_EXECUTORCH_FILE_PLACE_H_
