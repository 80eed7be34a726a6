// XXH3 of 128 bits, by the header of the xxHash library: finds damage, and no forgery.

#ifndef ONEPACK_WEIGHT_CACHE_PACKED_FILE_CHECKSUM_H_
#define ONEPACK_WEIGHT_CACHE_PACKED_FILE_CHECKSUM_H_

#include <stdint.h>

#include "onepack/span.h"

namespace onepack {

struct Checksum {
  uint64_t low = 0;
  uint64_t high = 0;

  bool operator==(const Checksum& other) const { return low == other.low && high == other.high; }
  bool operator!=(const Checksum& other) const { return !(*this == other); }
};

// The same on every processor. As fast as memory: a warm start does little else.
Checksum ChecksumOf(Bytes bytes);

}  // namespace onepack

#endif  // ONEPACK_WEIGHT_CACHE_PACKED_FILE_CHECKSUM_H_
