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
  const uint64_t size = part.size();
  parts_.append(reinterpret_cast<const char*>(&size), sizeof(size));
  if (!part.empty()) parts_.append(reinterpret_cast<const char*>(part.data()), part.size());
  return *this;
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
  const auto* parts = reinterpret_cast<const uint8_t*>(parts_.data());
  if (const std::optional<Digest> digest = Sha256Of({parts, parts_.size()})) return *digest;
  static std::atomic<uint64_t> failures{0};
  Digest unlike_all;
  const uint64_t count = ++failures;
  memcpy(unlike_all.bytes.data(), &count, sizeof(count));
  return unlike_all;
}

}  // namespace onepack
