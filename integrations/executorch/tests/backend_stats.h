// What the backend says of its cache, by name.

#ifndef ONEPACK_INTEGRATIONS_EXECUTORCH_TESTS_BACKEND_STATS_H_
#define ONEPACK_INTEGRATIONS_EXECUTORCH_TESTS_BACKEND_STATS_H_

#include <stdint.h>

#include <map>
#include <string>
#include <vector>

#include "integrations/executorch/onepack_executorch.h"

namespace onepack {

inline std::map<std::string, uint64_t> BackendStats() {
  std::vector<onepack_executorch_stat> stats(onepack_executorch_stats(nullptr, 0));
  onepack_executorch_stats(stats.data(), stats.size());
  std::map<std::string, uint64_t> by_name;
  for (const onepack_executorch_stat& stat : stats) by_name[stat.name] = stat.value;
  return by_name;
}

}  // namespace onepack

#endif  // ONEPACK_INTEGRATIONS_EXECUTORCH_TESTS_BACKEND_STATS_H_
