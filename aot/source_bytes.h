// Bytes of a file that is read, on their way into a file that is written.

#ifndef ONEPACK_AOT_SOURCE_BYTES_H_
#define ONEPACK_AOT_SOURCE_BYTES_H_

#include "aot/data_bytes.h"
#include "onepack/data_source.h"

namespace onepack {

// Read a piece at a time, whose pages the source may drop afterwards. Keeps the source.
DataBytes BytesOfSource(const Ref<const DataSource>& source, const Segment& range,
                        const Watch& watch);

}  // namespace onepack

#endif  // ONEPACK_AOT_SOURCE_BYTES_H_
