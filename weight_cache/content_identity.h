// What makes two runs of raw bytes the same weight.

#ifndef ONEPACK_WEIGHT_CACHE_CONTENT_IDENTITY_H_
#define ONEPACK_WEIGHT_CACHE_CONTENT_IDENTITY_H_

#include <stdint.h>

#include <type_traits>

#include "base/data_identity.h"
#include "base/digest.h"
#include "base/span.h"

namespace onepack {

// The same bytes of the same file, or of the same source: equal, without reading one. Names play no
// part: any file can use any name.
inline Digest IdentityOfRange(const DataIdentity& data, uint64_t offset, uint64_t size) {
  static_assert(std::has_unique_object_representations_v<DataIdentity>, "all of it counts");
  const DataIdentity first = data.At(offset);
  return DigestBuilder("range")
      .AddBytes({reinterpret_cast<const uint8_t*>(&first), sizeof(first)})
      .Add(size)
      .Finish();
}

}  // namespace onepack

#endif  // ONEPACK_WEIGHT_CACHE_CONTENT_IDENTITY_H_
