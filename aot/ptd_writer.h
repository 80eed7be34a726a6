// Writes a data file (.ptd): named bytes for programs to refer to.
//
// It writes what it is told, also what is wrong; NamedDataStore decides what to tell it. The file
// is written from front to back, and each segment's bytes are asked for when their turn comes.
//
// Ownership: a value; owns what it was told. Threads: one at a time.
// Errors:    those of the segments' bytes; of writing a file, naming the path.

#ifndef ONEPACK_AOT_PTD_WRITER_H_
#define ONEPACK_AOT_PTD_WRITER_H_

#include <stdint.h>

#include <optional>
#include <string>
#include <vector>

#include "aot/data_bytes.h"
#include "aot/segment_list.h"
#include "onepack/scalar_type.h"

namespace onepack {

// How a reader may see the bytes under a key. An empty `dim_order` is the contiguous one.
struct PtdTensorLayout {
  ScalarType scalar_type = ScalarType::kFloat;
  std::vector<int32_t> sizes;
  std::vector<uint8_t> dim_order;
};

// Whether both see the bytes as the same tensor, or both as none.
bool SameLayout(const std::optional<PtdTensorLayout>& a, const std::optional<PtdTensorLayout>& b);

class PtdWriter {
 public:
  // Segments start at multiples of `alignment`.
  explicit PtdWriter(size_t alignment = 128) : segments_(alignment) {}

  // Returns the segment's number. It starts at a multiple of `alignment` as well.
  uint32_t AddSegment(DataBytes bytes, size_t alignment = 1);
  // Several keys may stand for one segment.
  void AddKey(std::string key, uint32_t segment, std::optional<PtdTensorLayout> layout = {});

  // A segment with a copy of `bytes`, and its key.
  uint32_t AddBytes(std::string key, Bytes bytes, std::optional<PtdTensorLayout> layout = {});

  // Everything before the first segment.
  std::vector<uint8_t> Directory() const;
  // Appends the whole file.
  Status Write(const Append& append) const;
  Result<std::vector<uint8_t>> ToBytes() const;
  // Replaces the file at `path`, when all of it is written and can be read.
  Status ToFile(const std::string& path) const;
  // How the written file is read.
  static Status ReadBack(const std::string& path);

 private:
  struct Entry {
    std::string key;
    uint32_t segment;
    std::optional<PtdTensorLayout> layout;
  };

  SegmentList segments_;
  std::vector<Entry> entries_;
};

}  // namespace onepack

#endif  // ONEPACK_AOT_PTD_WRITER_H_
