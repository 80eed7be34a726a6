// How a program file (.pte) is put together: the flatbuffer with its extended header, then the
// segments.
//
// Errors: those of the segments' bytes.

#ifndef ONEPACK_AOT_PROGRAM_FILE_H_
#define ONEPACK_AOT_PROGRAM_FILE_H_

#include <stddef.h>
#include <stdint.h>

#include "aot/segment_list.h"
#include "onepack/span.h"

namespace onepack {

// `header_size` is 32, or 24 as older exporters wrote it.
Status WriteProgramFile(Bytes flatbuffer, const SegmentList& segments, size_t header_size,
                        const Append& append);

}  // namespace onepack

#endif  // ONEPACK_AOT_PROGRAM_FILE_H_
