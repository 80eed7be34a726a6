// A data source that is not mapped: it reads, and counts what it reads.

#ifndef ONEPACK_TESTS_SUPPORT_COUNTING_SOURCE_H_
#define ONEPACK_TESTS_SUPPORT_COUNTING_SOURCE_H_

#include <stdint.h>

#include <atomic>
#include <memory>
#include <string>

#include "onepack/data_source.h"

namespace onepack {

// Shared by all sources of a test; outlives them.
struct ReadCounts {
  std::atomic<uint64_t> reads{0};
  std::atomic<uint64_t> bytes{0};
};

Result<Ref<DataSource>> OpenCountingSource(const std::string& path, ReadCounts* counts);

}  // namespace onepack

#endif  // ONEPACK_TESTS_SUPPORT_COUNTING_SOURCE_H_
