// The named data of a program that ExecuTorch loads, as the delegate looks for them.
//
// Where ExecuTorch has mapped them from a file, they are found in that file itself (MappedFiles).
// A data file that has one of the keys that ExecuTorch knows is a file of this program, and all of
// its keys are: ExecuTorch refuses a key that stands in two files. So it is asked for one key of
// each data file, and for each key that the program's own file has. All other data are HeapData.

#ifndef ONEPACK_INTEGRATIONS_EXECUTORCH_DATA_SCOPE_H_
#define ONEPACK_INTEGRATIONS_EXECUTORCH_DATA_SCOPE_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "integrations/executorch/executorch_api.h"
#include "integrations/executorch/file_place.h"
#include "integrations/executorch/map_access.h"
#include "integrations/executorch/mapped_files.h"
#include "onepack/named_data_scope.h"

namespace onepack {

// Of one delegate, during its init. May throw std::bad_alloc.
class DataScope final : public NamedDataScope {
 public:
  // `map` may be null. `payload` is what ExecuTorch has of the delegate, for as long as this lives.
  DataScope(const et::NamedDataMap* map, std::shared_ptr<const MapAccess> access, Bytes payload,
            MappedFiles& files, FilePlaces& places)
      : map_(map), access_(std::move(access)), payload_(payload), files_(files), places_(places) {}

  Result<const NamedData*> Find(std::string_view key, uint64_t size_bytes) const override;

  // What a delegate keeps, so that the next one finds these files open.
  std::vector<std::shared_ptr<const MappedFile>> TakeOpenFiles() { return std::move(open_); }

 private:
  struct Entry {
    NamedData data;
    Ref<DataSource> source;
  };

  bool IsOnHeap() const;
  Result<const NamedData*> Ask(std::string_view key, std::optional<Digest> hash) const;
  const NamedData* FindInOpenFiles(std::string_view key) const;
  Result<const NamedData*> FindDetached(std::string_view key, et::Error error) const;
  Result<const NamedData*> FindInFile(std::string_view key, const FilePlace& place,
                                      uint64_t size) const;
  Result<const NamedData*> AddHeapData(std::string_view key, const Digest& sha256,
                                       uint64_t size) const;
  const NamedData* Add(std::string_view key, const Ref<DataSource>& source,
                       const Segment& segment) const;

  const et::NamedDataMap* const map_;
  const std::shared_ptr<const MapAccess> access_;
  const Bytes payload_;
  MappedFiles& files_;
  FilePlaces& places_;
  mutable std::optional<bool> is_on_heap_;
  mutable std::vector<std::shared_ptr<const MappedFile>> open_;  // of this program
  mutable std::map<std::string, Entry, std::less<>> entries_;    // found outside an indexed file
};

}  // namespace onepack

#endif  // ONEPACK_INTEGRATIONS_EXECUTORCH_DATA_SCOPE_H_
