#include "base/digest.h"

#include "base/recent_digests.h"

namespace onepack {
namespace {

thread_local RecentDigests recent;

}  // namespace

DigestBuilder& DigestBuilder::AddBytes(Bytes part) {
  // The length, seven bits to a byte, all but the last marked: none is the beginning of another.
  uint8_t prefix[10];
  size_t prefix_size = 0;
  uint64_t rest = part.size();
  for (; rest > 0x7f; rest >>= 7) prefix[prefix_size++] = static_cast<uint8_t>(rest | 0x80);
  prefix[prefix_size++] = static_cast<uint8_t>(rest);
  Append(prefix, prefix_size);
  Append(part.data(), part.size());
  return *this;
}

void DigestBuilder::Append(const void* bytes, size_t size) {
  if (size == 0) return;
  if (!stream_.has_value() && size <= few_.size() - few_size_) {
    memcpy(few_.data() + few_size_, bytes, size);
    few_size_ += size;
    return;
  }
  if (!stream_.has_value()) stream_.emplace().Add({few_.data(), few_size_});
  stream_->Add({static_cast<const uint8_t*>(bytes), size});
}

std::optional<Digest> Sha256Of(Bytes bytes) {
  Digest digest;
  if (!ComputeSha256(bytes, &digest.bytes)) return std::nullopt;
  return digest;
}

std::optional<Digest> DigestBuilder::Hash() {
  if (!stream_.has_value()) return recent.Sha256Of({few_.data(), few_size_});
  auto bytes = stream_->Finish();
  if (!bytes.ok()) return std::nullopt;
  return Digest{*bytes};
}

Digest DigestBuilder::Finish() {
  const std::optional<Digest> digest = Hash();
  return digest ? *digest : Digest::UnlikeAll();
}

}  // namespace onepack
