// A run of bytes in a file.

#ifndef ONEPACK_SEGMENT_H_
#define ONEPACK_SEGMENT_H_

#include <stdint.h>

namespace onepack {

struct Segment {
  uint64_t offset = 0;  // from the first byte of the file
  uint64_t size = 0;
};

}  // namespace onepack

#endif  // ONEPACK_SEGMENT_H_
