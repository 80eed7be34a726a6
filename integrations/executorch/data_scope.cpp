#include "integrations/executorch/data_scope.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/printable.h"
#include "integrations/executorch/heap_data.h"
#include "onepack/key_integrity.h"
#include "schema/detached_data.h"

namespace onepack {
namespace {

std::optional<Digest> HashInKey(std::string_view key) {
  Digest hash;
  return ParseContentKey(key, hash.bytes.data()) ? std::make_optional(hash) : std::nullopt;
}

}  // namespace

Result<const NamedData*> DataScope::Find(std::string_view key, uint64_t size_bytes) const {
  const auto known = entries_.find(key);
  if (known != entries_.end()) return &known->second.data;
  if (const NamedData* data = FindInOpenFiles(key)) return data;
  const std::optional<Digest> hash = HashInKey(key);
  if (hash && size_bytes > 0 && IsOnHeap()) return AddHeapData(key, *hash, size_bytes);
  return Ask(key, hash);
}

// Where ExecuTorch has not mapped the program, it has not mapped the data, either, as a rule: to
// ask for them is to read them. Where it has, to ask costs little.
bool DataScope::IsOnHeap() const {
  if (!is_on_heap_) is_on_heap_ = !places_.IsMapped(payload_.data(), payload_.size());
  return *is_on_heap_;
}

Result<const NamedData*> DataScope::Ask(std::string_view key, std::optional<Digest> hash) const {
  if (map_ == nullptr) return MapAccess::NoMap(key);
  const et::Result<et::FreeableBuffer> data = map_->get_data(key);
  if (!data.ok()) return FindDetached(key, data.error());
  ONEPACK_ASSIGN_OR_RETURN(const Bytes bytes, MapAccess::BytesOf(*data));
  if (const auto place = places_.Find(bytes.data(), bytes.size())) {
    ONEPACK_ASSIGN_OR_RETURN(const NamedData* found, FindInFile(key, *place, bytes.size()));
    if (found != nullptr) return found;
  }
  if (!hash) hash = Sha256Of(bytes);
  if (!hash) {
    return Status::Error(StatusCode::kInternal, "key '%s': its SHA-256 cannot be computed",
                         Printable(key).c_str());
  }
  return AddHeapData(key, *hash, bytes.size());
}

const NamedData* DataScope::FindInOpenFiles(std::string_view key) const {
  for (const auto& file : open_) {
    const NamedData* data = file->named_data ? file->named_data->Find(key) : nullptr;
    if (data != nullptr) return data;
  }
  return nullptr;
}

// ExecuTorch does not know the keys of data that were detached, but the one that says so.
Result<const NamedData*> DataScope::FindDetached(std::string_view key, et::Error error) const {
  if (error == et::Error::NotFound && key != kDetachedKey && Find(kDetachedKey, 0).ok()) {
    if (const NamedData* data = FindInOpenFiles(key)) return data;
  }
  return MapAccess::NoData(key, error);
}

// Null where the file cannot be opened. Where its index says something else, only this key is taken
// from it.
Result<const NamedData*> DataScope::FindInFile(std::string_view key, const FilePlace& place,
                                               uint64_t size) const {
  const std::shared_ptr<const MappedFile> file = files_.Open(place);
  if (file == nullptr) return nullptr;
  const NamedData* data = file->named_data ? file->named_data->Find(key) : nullptr;
  const bool is_indexed =
      data != nullptr && data->segment.offset == place.offset && data->segment.size == size;
  const bool is_of_program = is_indexed || !file->named_data || key == kDetachedKey;
  const bool is_new = std::find(open_.begin(), open_.end(), file) == open_.end();
  if (is_new && is_of_program) open_.push_back(file);
  return is_indexed ? data : Add(key, file->source, {place.offset, size});
}

Result<const NamedData*> DataScope::AddHeapData(std::string_view key, const Digest& sha256,
                                                uint64_t size) const {
  ONEPACK_ASSIGN_OR_RETURN(Ref<HeapData> source,
                           MakeRef<HeapData>(HeapAllocator(), std::string(key), sha256, size,
                                             std::shared_ptr<const MapAccess>(access_)));
  return Add(key, source, {0, size});
}

const NamedData* DataScope::Add(std::string_view key, const Ref<DataSource>& source,
                                const Segment& segment) const {
  const auto [at, is_new] = entries_.try_emplace(std::string(key));
  Entry& entry = at->second;
  entry.source = source;
  entry.data.key = at->first;
  entry.data.source = source.get();
  entry.data.segment = segment;
  return &entry.data;
}

}  // namespace onepack
