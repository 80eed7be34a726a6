// The bytes of a weight that is used as it is stored, in a file, in the application's memory, or in
// what a source that is not mapped has read: pinned, and not packed.

#ifndef ONEPACK_WEIGHT_CACHE_STORED_BYTES_H_
#define ONEPACK_WEIGHT_CACHE_STORED_BYTES_H_

#include <stddef.h>

#include <memory>

#include "onepack/span.h"

namespace onepack {

struct StoredBytes {
  Bytes kernel;
  Bytes scales;                       // empty for a kernel without
  size_t copied = 0;                  // of both, bytes that were read into memory
  std::shared_ptr<const void> owner;  // keeps both where they are; null for a packed weight

  size_t size() const { return kernel.size() + scales.size(); }
};

}  // namespace onepack

#endif  // ONEPACK_WEIGHT_CACHE_STORED_BYTES_H_
