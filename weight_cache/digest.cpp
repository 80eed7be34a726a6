#include "weight_cache/digest.h"

#include <openssl/evp.h>

#include <atomic>

namespace onepack {
namespace {

// Fetched once: EVP_sha256() would be looked up again for each digest, which costs more than the
// hashing. Null when the library has none, and then hashing fails. Never freed, as the library's
// own is.
const EVP_MD* Sha256() {
  static const EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return sha256;
}

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
  if (many_.empty() && size <= few_.size() - few_size_) {
    memcpy(few_.data() + few_size_, bytes, size);
    few_size_ += size;
    return;
  }
  if (many_.empty()) many_.assign(reinterpret_cast<const char*>(few_.data()), few_size_);
  many_.append(static_cast<const char*>(bytes), size);
}

std::optional<Digest> Sha256Of(Bytes bytes) {
  static_assert(sizeof(Digest::bytes) == 32, "SHA-256");
  Digest digest;
  if (Sha256() == nullptr || EVP_Digest(bytes.data(), bytes.size(), digest.bytes.data(), nullptr,
                                        Sha256(), nullptr) != 1) {
    return std::nullopt;
  }
  return digest;
}

Digest DigestBuilder::Finish() const {
  const Bytes parts = many_.empty()
                          ? Bytes(few_.data(), few_size_)
                          : Bytes(reinterpret_cast<const uint8_t*>(many_.data()), many_.size());
  if (const std::optional<Digest> digest = Sha256Of(parts)) return *digest;
  static std::atomic<uint64_t> failures{0};
  Digest unlike_all;
  const uint64_t count = ++failures;
  memcpy(unlike_all.bytes.data(), &count, sizeof(count));
  return unlike_all;
}

}  // namespace onepack
