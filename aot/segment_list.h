// What stands behind the directory of a program or data file: segments, each aligned.
//
// Ownership: values; keep handles on the bytes. Threads: one at a time.
// Errors:    those of the bytes.

#ifndef ONEPACK_AOT_SEGMENT_LIST_H_
#define ONEPACK_AOT_SEGMENT_LIST_H_

#include <stddef.h>
#include <stdint.h>

#include <vector>

#include "aot/data_bytes.h"

namespace onepack {

// Many buffers in one segment; the first is the empty one that index 0 stands for.
class BufferGroup {
 public:
  // Returns the buffer's index, never 0.
  uint32_t Add(DataBytes bytes);

  bool empty() const { return buffers_.empty(); }
  // Of each buffer in the segment, also of the empty one.
  const std::vector<uint64_t>& offsets() const { return offsets_; }
  DataBytes ToSegment() const;

 private:
  std::vector<DataBytes> buffers_;
  std::vector<uint64_t> offsets_ = {0};
  uint64_t size_bytes_ = 0;
};

// The segments of a program or data file, each at its place after the first one's start.
class SegmentList {
 public:
  struct PlacedSegment {
    uint64_t offset;
    DataBytes bytes;
  };

  // Segments start at multiples of `alignment`.
  explicit SegmentList(size_t alignment) : alignment_(alignment), base_alignment_(alignment) {}

  // Returns the segment's index. It starts at a multiple of `alignment` as well.
  uint32_t Add(DataBytes bytes, size_t alignment = 1);

  const std::vector<PlacedSegment>& segments() const { return segments_; }
  size_t base_alignment() const { return base_alignment_; }
  uint64_t size_bytes() const;

  // Appends all of them, with zeros in between.
  Status Write(const Append& append) const;

 private:
  size_t alignment_;
  size_t base_alignment_;  // of the first segment: a multiple of all segments' alignments
  std::vector<PlacedSegment> segments_;
};

}  // namespace onepack

#endif  // ONEPACK_AOT_SEGMENT_LIST_H_
