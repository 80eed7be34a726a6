// What a data file (.ptd) says of data that was detached from it: its bytes are in another file,
// and what was packed of them is in a packed file.
//
// Under kDetachedKey the file has
//
//     what a data file has before its first segment (flat_tensor_header.h): the keys that were
//     detached, and where their segments would stand, in ascending order; no segments
//     hashes: 32 bytes for each segment, the SHA-256 of its bytes
//     to the end: the name of the file that has the bytes
//
// Other readers find a good data file that does not have these keys.
//
// Errors: kInvalidFile.

#ifndef ONEPACK_SCHEMA_DETACHED_DATA_H_
#define ONEPACK_SCHEMA_DETACHED_DATA_H_

#include <stdint.h>

#include <string_view>

#include "flat_tensor_generated.h"
#include "onepack/result.h"
#include "onepack/segment.h"
#include "onepack/span.h"
#include "schema/flat_tensor_header.h"

namespace onepack {

inline constexpr std::string_view kDetachedKey = "onepack.detached";
inline constexpr size_t kDetachedHashSize = 32;

struct DetachedData {
  FlatTensorHeader header;
  const wire::flat_tensor::FlatTensor* directory = nullptr;
  Bytes hashes;            // of all segments of the directory
  std::string_view where;  // the file that has the bytes; empty where it is not said

  // Where the last segment would end.
  uint64_t size() const { return header.segments.offset + header.segments.size; }
  // Null for what is no segment.
  const uint8_t* FindHash(const Segment& range) const;
};

// `bytes` are 16-byte aligned and do not change while the result is used.
Result<DetachedData> ParseDetachedData(Bytes bytes);

}  // namespace onepack

#endif  // ONEPACK_SCHEMA_DETACHED_DATA_H_
