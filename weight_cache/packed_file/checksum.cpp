#include "weight_cache/packed_file/checksum.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace onepack {

Checksum ChecksumOf(Bytes bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.low64, hash.high64};
}

}  // namespace onepack
