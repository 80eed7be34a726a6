// The figures of the caches by name, for callers that do not know our types.

#ifndef ONEPACK_INTEGRATIONS_EXECUTORCH_STATS_H_
#define ONEPACK_INTEGRATIONS_EXECUTORCH_STATS_H_

#include <stddef.h>

#include "integrations/executorch/onepack_executorch.h"
#include "onepack/weight_cache.h"

namespace onepack {

// As onepack_executorch_stats does.
size_t WriteStats(const WeightCacheStats& from, onepack_executorch_stat* stats, size_t capacity);

}  // namespace onepack

#endif  // ONEPACK_INTEGRATIONS_EXECUTORCH_STATS_H_
