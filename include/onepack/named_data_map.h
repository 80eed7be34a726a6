// Bytes by name: what a data file (.ptd), or a program (.pte) itself, holds for programs to refer
// to.
//
// Ownership: counted; keeps its sources open. Entries and their keys live as long as the map.
// Threads:   immutable after creation; any thread.
// Errors:    a key that stands twice with equal bytes and layout is one entry; with different ones
//            it is kMismatch (two files) or kInvalidFile (one file), naming the key and the files.

#ifndef ONEPACK_NAMED_DATA_MAP_H_
#define ONEPACK_NAMED_DATA_MAP_H_

#include <string_view>

#include "onepack/array.h"
#include "onepack/data_source.h"
#include "onepack/export.h"
#include "onepack/ref.h"
#include "onepack/result.h"
#include "onepack/segment.h"
#include "onepack/tensor_layout.h"

namespace onepack {

struct NamedData {
  std::string_view key;
  const DataSource* source = nullptr;
  Segment segment;         // in the source
  bool is_tensor = false;  // else an opaque blob, and `layout` means nothing
  TensorLayout layout;

  // Reads nothing for mapped sources; copies for others.
  Result<Buffer> Load() const { return source->LoadWhole(segment); }
};

class ONEPACK_API NamedDataMap final : public RefCounted {
 public:
  // Verifies and indexes a data file. One read of its directory; none of its segments.
  static Result<Ref<NamedDataMap>> Open(const Ref<DataSource>& source,
                                        const Allocator& allocator = HeapAllocator());

  // All keys of all `maps`. Reads segments only where a key stands in two files.
  static Result<Ref<NamedDataMap>> Merge(Span<const Ref<NamedDataMap>> maps,
                                         const Allocator& allocator = HeapAllocator());

  // Of a directory that the caller has parsed: takes `entries` (any order) and what their
  // keys and sources live in. `names` is how messages call the file or files.
  static Result<Ref<NamedDataMap>> Create(Array<NamedData> entries,
                                          Array<Ref<const RefCounted>> owners, const char* names,
                                          const Allocator& allocator);

  // Null when there is no such key. Logarithmic in the number of keys.
  const NamedData* Find(std::string_view key) const;

  // Sorted by key.
  Span<const NamedData> entries() const { return {entries_.data(), size_}; }

  // "foundation.ptd, lora0.ptd", for messages.
  const char* names() const { return names_.data(); }

  // For MakeRef.
  NamedDataMap(Array<NamedData> entries, size_t size, Array<Ref<const RefCounted>> owners,
               Array<char> names)
      : entries_(std::move(entries)),
        size_(size),
        owners_(std::move(owners)),
        names_(std::move(names)) {}

 private:
  const Array<NamedData> entries_;  // sorted by key; keys of the first size_ are unique
  const size_t size_;
  const Array<Ref<const RefCounted>> owners_;
  const Array<char> names_;
};

// Whether `a` and `b`, found under one key, are the same data; a Status naming the key and both
// files when not.
ONEPACK_API Status CheckSameData(const NamedData& a, const NamedData& b);

}  // namespace onepack

#endif  // ONEPACK_NAMED_DATA_MAP_H_
