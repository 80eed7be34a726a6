// The first bytes of a program (.pte): which part is the flatbuffer, which the segments.
//
//     [0] u32 root table offset  [4] "ET12"
//     [8] optional extended header: "eh00"  +4 u32 header length
//         +8 u64 flatbuffer size, from file offset 0
//         +16 u64 segment base offset (0: no segments)
//         +24 u64 segment data size, in headers of 32 bytes (0: unknown)

#ifndef ONEPACK_SCHEMA_PROGRAM_HEADER_H_
#define ONEPACK_SCHEMA_PROGRAM_HEADER_H_

#include <stddef.h>
#include <stdint.h>

#include "onepack/result.h"
#include "onepack/span.h"

namespace onepack {

struct ProgramHeader {
  // Bytes to read from the front of a file before ParseProgramHeader.
  static constexpr size_t kHeadSize = 40;

  uint64_t flatbuffer_size = 0;  // from file offset 0
  uint64_t segment_base = 0;     // 0: no segments
  uint64_t segment_end = 0;      // segments lie in [segment_base, segment_end)
};

// `head` is the file's first kHeadSize bytes, or all of it. Checks the identifier and that both
// parts lie inside `file_size`. Bytes after the last part are ignored.
Result<ProgramHeader> ParseProgramHeader(Bytes head, uint64_t file_size);

}  // namespace onepack

#endif  // ONEPACK_SCHEMA_PROGRAM_HEADER_H_
