#include "integrations/executorch/stats.h"

namespace onepack {

BackendStats StatsOf(const WeightCacheStats& cache) {
  return {{
      {"entries", cache.entries},
      {"bytes", cache.bytes},
      {"private_bytes", cache.private_bytes},
      {"retained_bytes", cache.retained_bytes},
      {"file_bytes", cache.file_bytes},
      {"in_place_bytes", cache.in_place_bytes},
      {"copied_bytes", cache.copied_bytes},
      {"pins", cache.pins},
      {"hits", cache.hits},
      {"hit_bytes", cache.hit_bytes},
      {"misses", cache.misses.total()},
      {"misses_absent", cache.misses.absent},
      {"misses_other_content", cache.misses.other_content},
      {"misses_other_quantization", cache.misses.other_quantization},
      {"misses_other_layout", cache.misses.other_layout},
      {"packed_bytes", cache.packed_bytes},
      {"packing_ns", cache.packing_ns},
      {"waits", cache.waits},
      {"evictions", cache.evictions},
      {"file_hits", cache.file.hits},
      {"file_written", cache.file.written},
      {"file_troubles", cache.file.troubles},
  }};
}

}  // namespace onepack
