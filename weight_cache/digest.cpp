#include "weight_cache/digest.h"

#include <openssl/evp.h>

#include <atomic>

namespace onepack {

DigestBuilder& DigestBuilder::AddBytes(Bytes part) {
  const uint64_t size = part.size();
  parts_.append(reinterpret_cast<const char*>(&size), sizeof(size));
  if (!part.empty()) parts_.append(reinterpret_cast<const char*>(part.data()), part.size());
  return *this;
}

Digest DigestBuilder::Finish() const {
  static_assert(sizeof(Digest::bytes) == 32, "SHA-256");
  Digest digest;
  if (EVP_Digest(parts_.data(), parts_.size(), digest.bytes.data(), nullptr, EVP_sha256(),
                 nullptr) != 1) {
    static std::atomic<uint64_t> failures{0};
    digest = Digest();
    const uint64_t count = ++failures;
    memcpy(digest.bytes.data(), &count, sizeof(count));
  }
  return digest;
}

}  // namespace onepack
