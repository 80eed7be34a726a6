// Files that ExecuTorch has mapped, mapped once more by this library and shared by all delegates
// that use them: their bytes are then found without asking ExecuTorch for them, and stay when
// ExecuTorch lets go of its own mapping. Both are of the same pages in the page cache.

#ifndef ONEPACK_INTEGRATIONS_EXECUTORCH_MAPPED_FILES_H_
#define ONEPACK_INTEGRATIONS_EXECUTORCH_MAPPED_FILES_H_

#include <memory>
#include <vector>

#include "base/fork_safe_mutex.h"
#include "integrations/executorch/file_place.h"
#include "onepack/data_source.h"
#include "onepack/named_data_map.h"
#include "onepack/ref.h"

namespace onepack {

struct MappedFile {
  FileIdentity file;
  Ref<DataSource> source;
  Ref<NamedDataMap> named_data;  // of a data file; null for any other
};

// Threads: any.
class MappedFiles {
 public:
  // The file at `place`, which stays open for as long as the result is used. Null where it cannot
  // be opened, or is no longer what was mapped. May throw std::bad_alloc.
  std::shared_ptr<const MappedFile> Open(const FilePlace& place);

 private:
  std::shared_ptr<const MappedFile> Find(const FileIdentity& file);

  ForkSafeMutex mutex_;
  std::vector<std::weak_ptr<const MappedFile>> files_;  // guarded by it
};

}  // namespace onepack

#endif  // ONEPACK_INTEGRATIONS_EXECUTORCH_MAPPED_FILES_H_
