// The first bytes of a data file (.ptd): where its directory and its segments are.
//
//     [0] u32 root offset  [4] "FT01"
//     [8] "FH01"  +4 u32 header length (40)  +8 u64 flatbuffer offset  +16 u64 flatbuffer size
//         +24 u64 segment base offset  +32 u64 segment data size

#ifndef ONEPACK_SCHEMA_FLAT_TENSOR_HEADER_H_
#define ONEPACK_SCHEMA_FLAT_TENSOR_HEADER_H_

#include <stddef.h>
#include <stdint.h>

#include "onepack/result.h"
#include "onepack/segment.h"
#include "onepack/span.h"

namespace onepack {

struct FlatTensorHeader {
  // Bytes to read from the front of a file before ParseFlatTensorHeader.
  static constexpr size_t kHeadSize = 48;

  Segment flatbuffer;
  Segment segments;
};

// `head` is the file's first kHeadSize bytes, or all of it.
Result<FlatTensorHeader> ParseFlatTensorHeader(Bytes head, uint64_t file_size);

}  // namespace onepack

#endif  // ONEPACK_SCHEMA_FLAT_TENSOR_HEADER_H_
