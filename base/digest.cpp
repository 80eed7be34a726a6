#include "base/digest.h"

#include <algorithm>
#include <atomic>

namespace onepack {
namespace {

// Descriptions repeat: the layers of a model have few different ones, and so has a program that is
// loaded again. The last ones of a thread are kept with their digests, because to compare one takes
// a fraction of hashing it.
class RecentDigests {
 public:
  std::optional<Digest> Sha256Of(Bytes bytes) {
    Slot& slot = slots_[HashOf(bytes) % slots_.size()];
    if (slot.size == bytes.size() && memcmp(slot.bytes, bytes.data(), bytes.size()) == 0) {
      return slot.digest;
    }
    const std::optional<Digest> digest = onepack::Sha256Of(bytes);
    if (!digest || bytes.size() > sizeof(slot.bytes)) return digest;
    slot.digest = *digest;
    slot.size = bytes.size();
    memcpy(slot.bytes, bytes.data(), bytes.size());
    return digest;
  }

 private:
  struct Slot {
    Digest digest;
    size_t size = 0;  // 0: an empty slot. A description has a purpose, at least
    uint8_t bytes[216] = {};
  };

  static uint64_t HashOf(Bytes bytes) {
    uint64_t hash = bytes.size();
    for (size_t i = 0; i < bytes.size(); i += sizeof(uint64_t)) {
      uint64_t word = 0;
      memcpy(&word, bytes.data() + i, std::min(bytes.size() - i, sizeof(word)));
      hash = (hash ^ word) * 0x9e3779b97f4a7c15;
      hash ^= hash >> 32;
    }
    return hash;
  }

  std::array<Slot, 32> slots_;
};

thread_local RecentDigests recent;

}  // namespace

// A number, and zeros, which no SHA-256 ends with.
Digest Digest::UnlikeAll() {
  static std::atomic<uint64_t> last{0};
  Digest digest;
  const uint64_t number = ++last;
  memcpy(digest.bytes.data(), &number, sizeof(number));
  return digest;
}

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
