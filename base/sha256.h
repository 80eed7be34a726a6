// SHA-256, by the crypto library. sha256.cpp alone knows which: OpenSSL 3, or BoringSSL, which
// Android's applications bring along.

#ifndef ONEPACK_BASE_SHA256_H_
#define ONEPACK_BASE_SHA256_H_

#include <stdint.h>

#include <array>
#include <memory>

#include "onepack/result.h"
#include "onepack/span.h"

namespace onepack {

// Of bytes that are all there. False when the library fails.
[[nodiscard]] bool ComputeSha256(Bytes bytes, std::array<uint8_t, 32>* digest);

// Of bytes that come in pieces.
class Sha256Hasher {
 public:
  Sha256Hasher();

  void Add(Bytes bytes);
  // Of all that was added. To be called once. Errors: kInternal, when the library has failed.
  Result<std::array<uint8_t, 32>> Finish();

 private:
  struct Deleter {
    void operator()(void* context) const;
  };

  std::unique_ptr<void, Deleter> context_;  // the library's; null after a failure
};

}  // namespace onepack

#endif  // ONEPACK_BASE_SHA256_H_
