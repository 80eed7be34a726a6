#include "base/digest.h"

#include <openssl/evp.h>

#include <atomic>

namespace onepack {
namespace {

// Fetched once: EVP_sha256() would be looked up again for each digest, which costs more than the
// hashing. Null when the library has none, and then hashing fails. Threads that come first together
// each fetch it; what is fetched is never freed, as the library's own is not.
const EVP_MD* Sha256() {
  static std::atomic<const EVP_MD*> fetched{nullptr};
  const EVP_MD* sha256 = fetched.load(std::memory_order_acquire);
  if (sha256 != nullptr) return sha256;
  sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  fetched.store(sha256, std::memory_order_release);
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
  if (!is_streaming_ && size <= few_.size() - few_size_) {
    memcpy(few_.data() + few_size_, bytes, size);
    few_size_ += size;
    return;
  }
  if (!is_streaming_) BeginStream();
  if (stream_ != nullptr && EVP_DigestUpdate(stream_.get(), bytes, size) != 1) stream_ = nullptr;
}

void DigestBuilder::BeginStream() {
  is_streaming_ = true;
  stream_.reset(Sha256() != nullptr ? EVP_MD_CTX_new() : nullptr);
  if (stream_ == nullptr) return;
  if (EVP_DigestInit_ex(stream_.get(), Sha256(), nullptr) != 1 ||
      EVP_DigestUpdate(stream_.get(), few_.data(), few_size_) != 1) {
    stream_ = nullptr;
  }
}

void DigestBuilder::StreamDeleter::operator()(EVP_MD_CTX* stream) const { EVP_MD_CTX_free(stream); }

std::optional<Digest> Sha256Of(Bytes bytes) {
  static_assert(sizeof(Digest::bytes) == 32, "SHA-256");
  Digest digest;
  if (Sha256() == nullptr || EVP_Digest(bytes.data(), bytes.size(), digest.bytes.data(), nullptr,
                                        Sha256(), nullptr) != 1) {
    return std::nullopt;
  }
  return digest;
}

std::optional<Digest> DigestBuilder::Hash() {
  if (!is_streaming_) return Sha256Of({few_.data(), few_size_});
  Digest digest;
  if (stream_ == nullptr || EVP_DigestFinal_ex(stream_.get(), digest.bytes.data(), nullptr) != 1) {
    return std::nullopt;
  }
  return digest;
}

Digest DigestBuilder::Finish() {
  if (const std::optional<Digest> digest = Hash()) return *digest;
  static std::atomic<uint64_t> failures{0};
  Digest unlike_all;
  const uint64_t count = ++failures;
  memcpy(unlike_all.bytes.data(), &count, sizeof(count));
  return unlike_all;
}

}  // namespace onepack
