// The figures of the caches by name, for callers that do not know our types.

#ifndef ONEPACK_INTEGRATIONS_EXECUTORCH_STATS_H_
#define ONEPACK_INTEGRATIONS_EXECUTORCH_STATS_H_

#include <array>

#include "integrations/executorch/onepack_executorch.h"
#include "onepack/weight_cache.h"

namespace onepack {

using BackendStats = std::array<onepack_executorch_stat, 22>;

// In the same order whatever they are.
BackendStats StatsOf(const WeightCacheStats& cache);

}  // namespace onepack

#endif  // ONEPACK_INTEGRATIONS_EXECUTORCH_STATS_H_
