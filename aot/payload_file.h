// How an XNNPACK payload is put together: header, graph, the constants it carries itself.

#ifndef ONEPACK_AOT_PAYLOAD_FILE_H_
#define ONEPACK_AOT_PAYLOAD_FILE_H_

#include <stdint.h>

#include <vector>

#include "onepack/span.h"

namespace onepack {

// All of a payload that stands before its constant region of `region_size` bytes.
std::vector<uint8_t> PayloadFront(Bytes graph, uint64_t region_size);

}  // namespace onepack

#endif  // ONEPACK_AOT_PAYLOAD_FILE_H_
