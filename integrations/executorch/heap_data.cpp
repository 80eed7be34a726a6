#include "integrations/executorch/heap_data.h"

#include <string.h>

#include <mutex>
#include <unordered_map>
#include <utility>

#include "base/fork_safe_mutex.h"
#include "base/hex.h"
#include "base/mapping.h"
#include "base/printable.h"
#include "onepack/array.h"

namespace onepack {
namespace {

// How large the data are that some program has now.
class Sizes {
 public:
  static Sizes& Get() {
    static Sizes* const sizes = new Sizes();  // sources may outlive static objects
    return *sizes;
  }

  void Add(const Digest& sha256, uint64_t size) {
    const std::lock_guard<ForkSafeMutex> lock(mutex_);
    Entry& entry = entries_[sha256];
    entry.size = size;
    ++entry.users;
  }
  void Remove(const Digest& sha256) {
    const std::lock_guard<ForkSafeMutex> lock(mutex_);
    const auto found = entries_.find(sha256);
    if (--found->second.users == 0) entries_.erase(found);
  }
  std::optional<uint64_t> Find(const Digest& sha256) {
    const std::lock_guard<ForkSafeMutex> lock(mutex_);
    const auto found = entries_.find(sha256);
    return found == entries_.end() ? std::nullopt : std::make_optional(found->second.size);
  }

 private:
  struct Entry {
    uint64_t size = 0;
    size_t users = 0;
  };

  ForkSafeMutex mutex_;
  std::unordered_map<Digest, Entry, DigestHash> entries_;
};

class Copy final : public RefCounted {
 public:
  static constexpr size_t kPadding = Mapping::kReadablePadding;

  // For MakeRef.
  explicit Copy(Array<uint8_t> bytes) : bytes_(std::move(bytes)) {}
  uint8_t* data() { return bytes_.data(); }

 private:
  Array<uint8_t> bytes_;
};

}  // namespace

Result<Ref<HeapData>> HeapData::Create(std::string_view key, const Digest& sha256, uint64_t size,
                                       std::shared_ptr<const MapAccess> access) {
  Sizes::Get().Add(sha256, size);
  auto data = MakeRef<HeapData>(HeapAllocator(), std::string(key), sha256, size, std::move(access));
  if (!data.ok()) Sizes::Get().Remove(sha256);
  return data;
}

HeapData::~HeapData() { Sizes::Get().Remove(sha256_); }

std::optional<uint64_t> HeapData::FindSize(const Digest& sha256) {
  return Sizes::Get().Find(sha256);
}

const uint8_t* HeapData::FindHash(const Segment& range) const {
  return range.offset == 0 && range.size == size_ ? sha256_.bytes.data() : nullptr;
}

// Each time: a file that ExecuTorch reads may have been rewritten, and who packs other bytes under
// this identity gives them to all programs.
Status HeapData::CheckBytes(Bytes bytes) const {
  if (bytes.size() != size_) {
    return Status::Error(StatusCode::kInvalidFile, "key '%s': %zu bytes, %llu expected",
                         Printable(key_).c_str(), bytes.size(),
                         static_cast<unsigned long long>(size_));
  }
  const std::optional<Digest> found = Sha256Of(bytes);
  if (!found) {
    return Status::Error(StatusCode::kInternal, "key '%s': its SHA-256 cannot be computed",
                         Printable(key_).c_str());
  }
  if (*found == sha256_) return Status::Ok();
  return Status::Error(StatusCode::kInvalidFile,
                       "key '%s' is not the SHA-256 of its %zu bytes, which is %s",
                       Printable(key_).c_str(), bytes.size(), HexText(found->bytes).c_str());
}

Status HeapData::Read(const Segment& range, uint8_t* destination) const {
  ONEPACK_RETURN_IF_ERROR(CheckRange(range));
  return access_->Read(key_, [&](Bytes bytes) -> Status {
    ONEPACK_RETURN_IF_ERROR(CheckBytes(bytes));
    if (range.size > 0) memcpy(destination, bytes.data() + range.offset, range.size);
    return Status::Ok();
  });
}

Result<Buffer> HeapData::Load(const Segment& range) const {
  ONEPACK_RETURN_IF_ERROR(CheckRange(range));
  ONEPACK_ASSIGN_OR_RETURN(Array<uint8_t> bytes,
                           Array<uint8_t>::Create(HeapAllocator(), range.size + Copy::kPadding));
  ONEPACK_ASSIGN_OR_RETURN(Ref<Copy> copy, MakeRef<Copy>(HeapAllocator(), std::move(bytes)));
  ONEPACK_RETURN_IF_ERROR(Read(range, copy->data()));
  Buffer buffer;
  buffer.bytes = {copy->data(), range.size};
  buffer.readable_padding = Copy::kPadding;
  buffer.owner = copy;
  return buffer;
}

}  // namespace onepack
