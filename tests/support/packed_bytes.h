// What a cache has of a program's weights.

#ifndef ONEPACK_TESTS_SUPPORT_PACKED_BYTES_H_
#define ONEPACK_TESTS_SUPPORT_PACKED_BYTES_H_

#include <stdint.h>

#include <functional>
#include <vector>

#include "onepack/method.h"
#include "onepack/result.h"
#include "weight_cache/packed_weight_cache.h"

namespace onepack {

// Loads a program with a backend.
using LoadWith = std::function<Result<Ref<Method>>(const Ref<Backend>& backend)>;

// The packed bytes of each weight, in the order of the graphs.
std::vector<std::vector<uint8_t>> PackedFor(const LoadWith& load, PackedWeightCache& cache);

}  // namespace onepack

#endif  // ONEPACK_TESTS_SUPPORT_PACKED_BYTES_H_
