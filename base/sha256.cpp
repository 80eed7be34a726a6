#include "base/sha256.h"

#include <openssl/evp.h>

#include <atomic>

namespace onepack {
namespace {

#if defined(OPENSSL_VERSION_MAJOR) && OPENSSL_VERSION_MAJOR >= 3

// Fetched once: EVP_sha256() would be looked up again for each digest, which costs more than the
// hashing. Null when the library has none, and then hashing fails. Threads that come first together
// each fetch it; what is fetched is never freed, as the library's own is not.
const EVP_MD* Algorithm() {
  static std::atomic<const EVP_MD*> fetched{nullptr};
  const EVP_MD* sha256 = fetched.load(std::memory_order_acquire);
  if (sha256 != nullptr) return sha256;
  sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  fetched.store(sha256, std::memory_order_release);
  return sha256;
}

#else

// Of BoringSSL, a constant.
const EVP_MD* Algorithm() { return EVP_sha256(); }

#endif

EVP_MD_CTX* ContextOf(void* context) { return static_cast<EVP_MD_CTX*>(context); }

}  // namespace

bool ComputeSha256(Bytes bytes, std::array<uint8_t, 32>* digest) {
  const EVP_MD* sha256 = Algorithm();
  return sha256 != nullptr &&
         EVP_Digest(bytes.data(), bytes.size(), digest->data(), nullptr, sha256, nullptr) == 1;
}

Sha256Hasher::Sha256Hasher() {
  const EVP_MD* sha256 = Algorithm();
  if (sha256 == nullptr) return;
  context_.reset(EVP_MD_CTX_new());
  if (context_ != nullptr && EVP_DigestInit_ex(ContextOf(context_.get()), sha256, nullptr) != 1) {
    context_ = nullptr;
  }
}

void Sha256Hasher::Add(Bytes bytes) {
  if (context_ != nullptr &&
      EVP_DigestUpdate(ContextOf(context_.get()), bytes.data(), bytes.size()) != 1) {
    context_ = nullptr;
  }
}

Result<std::array<uint8_t, 32>> Sha256Hasher::Finish() {
  std::array<uint8_t, 32> digest;
  if (context_ == nullptr ||
      EVP_DigestFinal_ex(ContextOf(context_.get()), digest.data(), nullptr) != 1) {
    return Status::Error(StatusCode::kInternal, "a SHA-256 cannot be computed");
  }
  return digest;
}

void Sha256Hasher::Deleter::operator()(void* context) const { EVP_MD_CTX_free(ContextOf(context)); }

}  // namespace onepack
