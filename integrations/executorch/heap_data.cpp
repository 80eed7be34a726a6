#include "integrations/executorch/heap_data.h"

#include <string.h>

#include <optional>
#include <utility>

#include "base/hex.h"
#include "base/mapping.h"
#include "base/printable.h"
#include "onepack/array.h"

namespace onepack {
namespace {

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

const uint8_t* HeapData::FindHash(const Segment& range) const {
  return range.offset == 0 && range.size == size_ ? sha256_.bytes.data() : nullptr;
}

Status HeapData::CheckSize(size_t found) const {
  if (found == size_) return Status::Ok();
  return Status::Error(StatusCode::kInvalidFile, "key '%s': %zu bytes found, %llu expected",
                       Printable(key_).c_str(), found, static_cast<unsigned long long>(size_));
}

Status HeapData::CheckHash(Bytes bytes) const {
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

// Checked each time, and what is checked is the copy: the bytes may be those of a file that is
// being rewritten, and who packs others under this identity gives them to all programs.
Status HeapData::Read(const Segment& range, uint8_t* destination) const {
  ONEPACK_RETURN_IF_ERROR(CheckRange(range));
  if (range.size < size_) {
    ONEPACK_ASSIGN_OR_RETURN(const Buffer all, Load({0, size_}));
    if (range.size > 0) memcpy(destination, all.bytes.data() + range.offset, range.size);
    return Status::Ok();
  }
  return access_->Read(key_, [&](Bytes bytes) -> Status {
    ONEPACK_RETURN_IF_ERROR(CheckSize(bytes.size()));
    if (!bytes.empty()) memcpy(destination, bytes.data(), bytes.size());
    return CheckHash({destination, bytes.size()});
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
