// SHA-256 of bytes that come in pieces. All inline, so that this folder does not need libcrypto for
// it: users of this header link it.

#ifndef ONEPACK_BASE_SHA256_H_
#define ONEPACK_BASE_SHA256_H_

#include <openssl/evp.h>
#include <stdint.h>

#include <array>

#include "onepack/result.h"
#include "onepack/span.h"

namespace onepack {

class Sha256Hasher {
 public:
  Sha256Hasher() : context_(EVP_MD_CTX_new()) {
    is_sound_ = context_ != nullptr && EVP_DigestInit_ex(context_, EVP_sha256(), nullptr) == 1;
  }
  Sha256Hasher(const Sha256Hasher&) = delete;
  Sha256Hasher& operator=(const Sha256Hasher&) = delete;
  ~Sha256Hasher() { EVP_MD_CTX_free(context_); }

  void Add(Bytes bytes) {
    is_sound_ = is_sound_ && EVP_DigestUpdate(context_, bytes.data(), bytes.size()) == 1;
  }

  // Of all that was added. To be called once. Errors: kInternal, when the library fails.
  Result<std::array<uint8_t, 32>> Finish() {
    std::array<uint8_t, 32> digest;
    unsigned size = 0;
    uint8_t bytes[EVP_MAX_MD_SIZE];
    if (!is_sound_ || EVP_DigestFinal_ex(context_, bytes, &size) != 1 || size != digest.size()) {
      return Status::Error(StatusCode::kInternal, "a SHA-256 cannot be computed");
    }
    for (size_t i = 0; i < digest.size(); ++i) digest[i] = bytes[i];
    return digest;
  }

 private:
  EVP_MD_CTX* const context_;
  bool is_sound_ = false;
};

}  // namespace onepack

#endif  // ONEPACK_BASE_SHA256_H_
