#include "aot/program_file.h"

#include <string.h>

#include <vector>

#include "aot/align_empty_lists.h"
#include "aot/insert_header.h"
#include "base/endian.h"
#include "base/rounding.h"

namespace onepack {
namespace {

// What is inserted for the extended header: a multiple of what flatbuffers aligns most strictly,
// whatever length the header says.
constexpr size_t kHeaderSpace = 32;

}  // namespace

Status WriteProgramFile(Bytes flatbuffer, const SegmentList& segments, size_t header_size,
                        const Append& append) {
  std::vector<uint8_t> front = InsertHeaderSpace(flatbuffer, kHeaderSpace);
  AlignEmptyLists(front);
  const uint64_t program_size = front.size();
  uint64_t base = 0;
  if (!segments.segments().empty()) {
    front.resize(RoundUp(front.size(), segments.base_alignment()));
    base = front.size();
  }
  uint8_t* header = front.data() + kFlatbufferPrefixSize;
  memcpy(header, "eh00", 4);
  StoreLittleEndian(static_cast<uint32_t>(header_size), header + 4);
  StoreLittleEndian(program_size, header + 8);
  StoreLittleEndian(base, header + 16);
  if (header_size >= 32) StoreLittleEndian(segments.size_bytes(), header + 24);
  ONEPACK_RETURN_IF_ERROR(append(front));
  return segments.Write(append);
}

}  // namespace onepack
