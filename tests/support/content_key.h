// The key that exporters give to bytes.

#ifndef ONEPACK_TESTS_SUPPORT_CONTENT_KEY_H_
#define ONEPACK_TESTS_SUPPORT_CONTENT_KEY_H_

#include <gtest/gtest.h>

#include <string>

#include "aot/data_bytes.h"
#include "onepack/span.h"
#include "tests/support/status_matchers.h"

namespace onepack {

// Their SHA-256, in hexadecimal digits.
inline std::string ContentKeyOf(Bytes bytes) {
  auto hash = DataBytes::Borrowed(bytes).Sha256();
  EXPECT_TRUE(IsOk(hash));
  return hash.ok() ? *hash : "";
}

}  // namespace onepack

#endif  // ONEPACK_TESTS_SUPPORT_CONTENT_KEY_H_
