// The first bytes of an XNNPACK payload: which part is the graph, which the constants it carries
// itself.
//
//     [4] "XH00"  +4 u16 header length (30)  +6 u32 flatbuffer offset  +10 u32 flatbuffer size
//         +14 u32 constant data offset  +18 u64 constant data size
//
// The two offsets count from the payload's first byte.
//
// A payload without this header is all flatbuffer, identifier "XN00" or "XN01", as older exporters
// wrote it.

#ifndef ONEPACK_SCHEMA_PAYLOAD_HEADER_H_
#define ONEPACK_SCHEMA_PAYLOAD_HEADER_H_

#include "onepack/result.h"
#include "onepack/segment.h"
#include "onepack/span.h"

namespace onepack {

struct PayloadHeader {
  Segment flatbuffer;     // from the payload's first byte
  Segment constant_data;  // size 0: none
};

// Checks that both parts lie inside the payload and that the graph has one of the two identifiers.
Result<PayloadHeader> ParsePayloadHeader(Bytes payload);

}  // namespace onepack

#endif  // ONEPACK_SCHEMA_PAYLOAD_HEADER_H_
