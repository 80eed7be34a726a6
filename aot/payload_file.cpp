#include "aot/payload_file.h"

#include <string.h>

#include "base/endian.h"
#include "base/rounding.h"

namespace onepack {
namespace {

constexpr size_t kHeaderSize = 30;
// Of the graph and of the constant region.
constexpr size_t kAlignment = 16;

}  // namespace

std::vector<uint8_t> PayloadFront(Bytes graph, uint64_t region_size) {
  const size_t graph_offset = RoundUp(kHeaderSize, kAlignment);
  const size_t region_offset = RoundUp(graph_offset + graph.size(), kAlignment);
  std::vector<uint8_t> front(region_offset);
  memcpy(front.data() + 4, "XH00", 4);
  StoreLittleEndian(static_cast<uint16_t>(kHeaderSize), front.data() + 8);
  StoreLittleEndian(static_cast<uint32_t>(graph_offset), front.data() + 10);
  StoreLittleEndian(static_cast<uint32_t>(graph.size()), front.data() + 14);
  StoreLittleEndian(static_cast<uint32_t>(region_offset), front.data() + 18);
  StoreLittleEndian(region_size, front.data() + 22);
  memcpy(front.data() + graph_offset, graph.data(), graph.size());
  return front;
}

}  // namespace onepack
