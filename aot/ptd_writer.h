// Writes a data file (.ptd): named bytes for programs to refer to.
//
// First everything is declared: segments by their size, keys by the segment they stand for. Then
// the file is written from front to back, and each segment's bytes are asked for when their turn
// comes, so a file of any size needs no memory but for its directory.
//
// Ownership: a value; owns what it was told, never the segments' bytes (AddBytes excepted, a
// convenience for tests). Threads:   one at a time. Errors:    kIoError names the path;
// kInvalidArgument for a segment that gets more or fewer bytes than declared.

#ifndef ONEPACK_AOT_PTD_WRITER_H_
#define ONEPACK_AOT_PTD_WRITER_H_

#include <stdint.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/span.h"
#include "schema/scalar_type.h"

namespace onepack {

// How a reader may see the bytes under a key. An empty `dim_order` is the contiguous one.
struct PtdTensorLayout {
  ScalarType scalar_type = ScalarType::kFloat;
  std::vector<int32_t> sizes;
  std::vector<uint8_t> dim_order;
};

class PtdWriter {
 public:
  // Takes the next bytes of what is being written.
  using Append = std::function<Status(Bytes bytes)>;
  // Called once for each segment, in order, to append all of its bytes.
  using WriteSegment = std::function<Status(uint32_t segment, const Append& append)>;

  // Segments start at multiples of `alignment`, a power of two.
  explicit PtdWriter(size_t alignment = 128) : alignment_(alignment) {}

  // Declares a segment and returns its number.
  uint32_t AddSegment(uint64_t size_bytes);
  // Several keys may stand for one segment.
  void AddKey(std::string key, uint32_t segment, std::optional<PtdTensorLayout> layout = {});

  // A segment, its key, and a copy of its bytes, for which no WriteSegment is needed later.
  uint32_t AddBytes(std::string key, Bytes bytes, std::optional<PtdTensorLayout> layout = {});

  // The whole file in memory. `write` may be empty when all segments came from AddBytes.
  Result<std::vector<uint8_t>> ToBytes(const WriteSegment& write = {}) const;

  // Replaces the file at `path`. After an error what is there is no data file.
  Status ToFile(const std::string& path, const WriteSegment& write = {}) const;

 private:
  struct Segment {
    uint64_t offset;  // from the first segment
    uint64_t size_bytes;
    std::vector<uint8_t> bytes;  // of AddBytes
    bool has_bytes;
  };
  struct Entry {
    std::string key;
    uint32_t segment;
    std::optional<PtdTensorLayout> layout;
  };

  std::vector<uint8_t> Directory() const;
  Status WriteAll(const WriteSegment& write, const Append& append) const;
  Status WriteOne(uint32_t index, const WriteSegment& write, const Append& append) const;

  size_t alignment_;
  std::vector<Segment> segments_;
  std::vector<Entry> entries_;
};

}  // namespace onepack

#endif  // ONEPACK_AOT_PTD_WRITER_H_
