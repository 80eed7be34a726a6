#include "integrations/executorch/stats.h"

#include <algorithm>

namespace onepack {

size_t WriteStats(const WeightCacheStats& from, onepack_executorch_stat* stats, size_t capacity) {
  const onepack_executorch_stat all[] = {
      {"entries", from.entries},
      {"bytes", from.bytes},
      {"private_bytes", from.private_bytes},
      {"retained_bytes", from.retained_bytes},
      {"file_bytes", from.file_bytes},
      {"in_place_bytes", from.in_place_bytes},
      {"copied_bytes", from.copied_bytes},
      {"pins", from.pins},
      {"hits", from.hits},
      {"hit_bytes", from.hit_bytes},
      {"misses", from.misses.total()},
      {"misses_absent", from.misses.absent},
      {"misses_other_content", from.misses.other_content},
      {"misses_other_quantization", from.misses.other_quantization},
      {"misses_other_layout", from.misses.other_layout},
      {"packed_bytes", from.packed_bytes},
      {"packing_ns", from.packing_ns},
      {"waits", from.waits},
      {"evictions", from.evictions},
      {"file_hits", from.file.hits},
      {"file_written", from.file.written},
      {"file_troubles", from.file.troubles},
  };
  constexpr size_t kCount = sizeof(all) / sizeof(*all);
  if (stats != nullptr) std::copy_n(all, std::min(capacity, kCount), stats);
  return kCount;
}

}  // namespace onepack
