#include "onepack/named_data_map.h"

#include <stdlib.h>
#include <string.h>

#include <utility>

#include "base/checked_math.h"
#include "base/printable.h"
#include "runtime/data_hash.h"
#include "runtime/detached_source.h"
#include "runtime/shared_copy.h"
#include "schema/detached_data.h"
#include "schema/flat_tensor_header.h"
#include "schema/verify_flat_tensor.h"
#include "schema/verify_text.h"

namespace onepack {
namespace {

int CompareKeys(const void* a, const void* b) {
  return static_cast<const NamedData*>(a)->key.compare(static_cast<const NamedData*>(b)->key);
}

bool SameSegment(const NamedData& a, const NamedData& b) {
  return a.segment.size == b.segment.size &&
         a.source->identity().At(a.segment.offset) == b.source->identity().At(b.segment.offset);
}

// How many bytes may be compared with others that have the same key. Segments may overlap, so the
// number of keys is no bound; but no file has a reason to show its bytes again and again.
uint64_t ComparisonLimit(Span<const NamedData> entries, size_t files) {
  uint64_t largest = 0;
  for (const NamedData& entry : entries) {
    // Where there are no bytes, none are compared.
    if (entry.source->has_bytes() && entry.source->size() > largest) {
      largest = entry.source->size();
    }
  }
  uint64_t limit;
  return CheckedMultiply<uint64_t>(largest, files, &limit) ? limit : UINT64_MAX;
}

// Moves unique keys to the front and returns how many there are.
Result<size_t> DropEqualDuplicates(Span<NamedData> sorted, size_t files) {
  uint64_t left = ComparisonLimit(sorted, files);
  size_t unique = 0;
  for (const NamedData& entry : sorted) {
    if (unique > 0 && sorted[unique - 1].key == entry.key) {
      const NamedData& first = sorted[unique - 1];
      if (!SameSegment(first, entry)) {
        if (entry.segment.size > left) {
          return Status::Error(StatusCode::kInvalidFile,
                               "key '%s': more bytes under equal keys than the files have",
                               Printable(entry.key).c_str());
        }
        left -= entry.segment.size;
      }
      ONEPACK_RETURN_IF_ERROR(CheckSameData(first, entry));
      if (!first.source->has_bytes()) sorted[unique - 1] = entry;
    } else {
      sorted[unique++] = entry;
    }
  }
  return unique;
}

Result<FlatTensorHeader> LoadHeader(const DataSource& source) {
  const uint64_t head_size =
      source.size() < FlatTensorHeader::kHeadSize ? source.size() : FlatTensorHeader::kHeadSize;
  ONEPACK_ASSIGN_OR_RETURN(const Buffer head, source.LoadWhole(Segment{0, head_size}));
  return ParseFlatTensorHeader(head.bytes, source.size());
}

void FillEntries(const wire::flat_tensor::FlatTensor& data, const FlatTensorHeader& header,
                 const DataSource* source, NamedData* entries) {
  for (size_t i = 0; i < CountOf(data.named_data()); ++i) {
    const auto* named = data.named_data()->Get(static_cast<uint32_t>(i));
    NamedData& entry = entries[i];
    entry.key = TextOf(named->key());
    entry.source = source;
    entry.segment = FlatTensorSegment(data, header, named->segment_index());
    entry.is_tensor = named->tensor_layout() != nullptr;
    if (entry.is_tensor) entry.layout = LayoutOf(*named->tensor_layout());
  }
}

// What is said of data that was detached, if there is any, instead of the entry that says it.
Result<Ref<DetachedSource>> TakeDetached(const Ref<DataSource>& source, Span<NamedData> entries,
                                         const Allocator& allocator) {
  for (NamedData& entry : entries) {
    if (entry.key != kDetachedKey) continue;
    ONEPACK_ASSIGN_OR_RETURN(const Buffer bytes, entry.Load());
    auto detached = DetachedSource::Open(source, bytes.bytes, allocator);
    source->Discard(entry.segment);
    if (!detached.ok()) return detached.TakeStatus().WithContext("detached data");
    std::swap(entry, entries[entries.size() - 1]);
    return detached;
  }
  return Ref<DetachedSource>();
}

// The entries of the file's directory, and of what was detached from it.
Result<Array<NamedData>> AllEntries(Array<NamedData> entries, const Ref<DetachedSource>& detached,
                                    const Allocator& allocator) {
  if (!detached) return entries;
  const wire::flat_tensor::FlatTensor& data = *detached->data().directory;
  const size_t kept = entries.size() - 1;
  ONEPACK_ASSIGN_OR_RETURN(Array<NamedData> all,
                           Array<NamedData>::Create(allocator, kept + CountOf(data.named_data())));
  for (size_t i = 0; i < kept; ++i) all[i] = entries[i];
  FillEntries(data, detached->data().header, detached.get(), all.data() + kept);
  return all;
}

Result<const wire::flat_tensor::FlatTensor*> Verify(const SharedCopy& directory,
                                                    const FlatTensorHeader& header) {
  if (directory.IsVerifiedFor(header.segments.size)) {
    return wire::flat_tensor::GetFlatTensor(directory.bytes().data());
  }
  ONEPACK_ASSIGN_OR_RETURN(const wire::flat_tensor::FlatTensor* data,
                           VerifyFlatTensor(directory.bytes(), header));
  directory.SetVerifiedFor(header.segments.size);
  return data;
}

Result<Ref<NamedDataMap>> OpenVerified(const Ref<DataSource>& source, const Allocator& allocator) {
  ONEPACK_ASSIGN_OR_RETURN(const FlatTensorHeader header, LoadHeader(*source));
  // From the file's first byte: that is where the root offset stands and what it counts from.
  // Inside the file, so the sum does not overflow.
  ONEPACK_ASSIGN_OR_RETURN(
      const Buffer flatbuffer,
      source->LoadWhole(Segment{0, header.flatbuffer.offset + header.flatbuffer.size}));
  ONEPACK_ASSIGN_OR_RETURN(const Ref<const SharedCopy> directory,
                           SharedCopy::Of(flatbuffer.bytes, allocator));
  // Reading the directory brought the pages around it along, also weights that may never be used.
  source->Discard(Segment{0, source->size()});
  ONEPACK_ASSIGN_OR_RETURN(const wire::flat_tensor::FlatTensor* data, Verify(*directory, header));
  ONEPACK_ASSIGN_OR_RETURN(Array<NamedData> entries,
                           Array<NamedData>::Create(allocator, CountOf(data->named_data())));
  FillEntries(*data, header, source.get(), entries.data());
  ONEPACK_ASSIGN_OR_RETURN(
      const Ref<DetachedSource> detached,
      TakeDetached(source, Span<NamedData>(entries.data(), entries.size()), allocator));
  ONEPACK_ASSIGN_OR_RETURN(entries, AllEntries(std::move(entries), detached, allocator));
  ONEPACK_ASSIGN_OR_RETURN(auto owners,
                           Array<Ref<const RefCounted>>::Create(allocator, detached ? 3 : 2));
  owners[0] = directory;
  owners[1] = source;
  if (detached) owners[2] = detached;
  return NamedDataMap::Create(std::move(entries), std::move(owners), source->name(), allocator);
}

// By their hashes where one of them has no bytes here. REQUIRES: equal sizes.
Result<bool> HaveEqualBytes(const NamedData& a, const NamedData& b) {
  if (!a.source->has_bytes() || !b.source->has_bytes()) {
    ONEPACK_ASSIGN_OR_RETURN(const Digest hash_a, HashOf(a));
    ONEPACK_ASSIGN_OR_RETURN(const Digest hash_b, HashOf(b));
    return hash_a == hash_b;
  }
  ONEPACK_ASSIGN_OR_RETURN(const Buffer bytes_a, a.Load());
  ONEPACK_ASSIGN_OR_RETURN(const Buffer bytes_b, b.Load());
  if (!bytes_a.bytes.empty() &&
      memcmp(bytes_a.bytes.data(), bytes_b.bytes.data(), bytes_a.bytes.size()) != 0) {
    return false;
  }
  a.source->Discard(a.segment);
  b.source->Discard(b.segment);
  return true;
}

// "a, b, c" with its terminator.
Result<Array<char>> JoinNames(Span<const Ref<NamedDataMap>> maps, const Allocator& allocator) {
  size_t size = 1;
  for (const Ref<NamedDataMap>& map : maps) size += strlen(map->names()) + 2;
  ONEPACK_ASSIGN_OR_RETURN(Array<char> names, Array<char>::Create(allocator, size));
  char* end = names.data();
  for (const Ref<NamedDataMap>& map : maps) {
    if (end != names.data()) end = stpcpy(end, ", ");
    end = stpcpy(end, map->names());
  }
  return names;
}

}  // namespace

Status CheckSameData(const NamedData& a, const NamedData& b) {
  const char* file_a = a.source->name();
  const char* file_b = b.source->name();
  const StatusCode code = a.source == b.source ? StatusCode::kInvalidFile : StatusCode::kMismatch;
  const Printable key(a.key);
  if (a.is_tensor != b.is_tensor || (a.is_tensor && !SameLayout(a.layout, b.layout))) {
    return Status::Error(code, "key '%s': %s in %s, %s in %s", key.c_str(),
                         a.is_tensor ? LayoutText(a.layout).c_str() : "no tensor", file_a,
                         b.is_tensor ? LayoutText(b.layout).c_str() : "no tensor", file_b);
  }
  if (SameSegment(a, b)) return Status::Ok();
  if (a.segment.size != b.segment.size) {
    return Status::Error(code, "key '%s': %llu bytes in %s, %llu bytes in %s", key.c_str(),
                         static_cast<unsigned long long>(a.segment.size), file_a,
                         static_cast<unsigned long long>(b.segment.size), file_b);
  }
  ONEPACK_ASSIGN_OR_RETURN(const bool are_equal, HaveEqualBytes(a, b));
  if (are_equal) return Status::Ok();
  return Status::Error(code, "key '%s': other bytes in %s than in %s", key.c_str(), file_a, file_b);
}

Result<Ref<NamedDataMap>> NamedDataMap::Open(const Ref<DataSource>& source,
                                             const Allocator& allocator) {
  if (!source) return Status::Error(StatusCode::kInvalidArgument, "no source was given");
  auto map = OpenVerified(source, allocator);
  if (!map.ok()) return map.TakeStatus().WithContext("%s", source->name());
  return map;
}

Result<Ref<NamedDataMap>> NamedDataMap::Merge(Span<const Ref<NamedDataMap>> maps,
                                              const Allocator& allocator) {
  size_t count = 0;
  for (const Ref<NamedDataMap>& map : maps) {
    if (!map) return Status::Error(StatusCode::kInvalidArgument, "one of the maps is null");
    count += map->entries().size();
  }
  ONEPACK_ASSIGN_OR_RETURN(Array<NamedData> entries, Array<NamedData>::Create(allocator, count));
  ONEPACK_ASSIGN_OR_RETURN(auto owners,
                           Array<Ref<const RefCounted>>::Create(allocator, maps.size()));
  NamedData* next = entries.data();
  for (size_t i = 0; i < maps.size(); ++i) {
    for (const NamedData& entry : maps[i]->entries()) *next++ = entry;
    owners[i] = maps[i];
  }
  ONEPACK_ASSIGN_OR_RETURN(const Array<char> names, JoinNames(maps, allocator));
  return Create(std::move(entries), std::move(owners), names.data(), allocator);
}

Result<Ref<NamedDataMap>> NamedDataMap::Create(Array<NamedData> entries,
                                               Array<Ref<const RefCounted>> owners,
                                               const char* names, const Allocator& allocator) {
  if (!entries.empty()) qsort(entries.data(), entries.size(), sizeof(NamedData), CompareKeys);
  ONEPACK_ASSIGN_OR_RETURN(
      const size_t size,
      DropEqualDuplicates(Span<NamedData>(entries.data(), entries.size()), owners.size()));
  ONEPACK_ASSIGN_OR_RETURN(Array<char> copy, Array<char>::Create(allocator, strlen(names) + 1));
  memcpy(copy.data(), names, copy.size());
  return MakeRef<NamedDataMap>(allocator, std::move(entries), size, std::move(owners),
                               std::move(copy));
}

const NamedData* NamedDataMap::Find(std::string_view key) const {
  NamedData wanted;
  wanted.key = key;
  if (size_ == 0) return nullptr;
  return static_cast<const NamedData*>(
      bsearch(&wanted, entries_.data(), size_, sizeof(NamedData), CompareKeys));
}

}  // namespace onepack
