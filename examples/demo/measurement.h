// What it costs to load a group's programs, one after the other, and keep them.

#ifndef ONEPACK_EXAMPLES_DEMO_MEASUREMENT_H_
#define ONEPACK_EXAMPLES_DEMO_MEASUREMENT_H_

#include <stdint.h>

#include <string>
#include <vector>

#include "onepack/linear_layout.h"
#include "onepack/result.h"

namespace onepack {

enum class Sharing {
  kShared,  // all programs over one cache
  kApart,   // every program with a cache of its own
};

struct ProgramMeasurement {
  std::string name;
  double load_seconds = 0;    // from its path to a loaded method
  uint64_t found_bytes = 0;   // packed weights that were in the cache
  uint64_t packed_bytes = 0;  // that this program added
  // Resident in the whole process, after loading it and making its recorded calls.
  uint64_t anonymous_bytes = 0;
  std::string mismatch;  // empty: every answer is the recorded one
};

// Of programs in the order they were loaded.
using Measurements = std::vector<ProgramMeasurement>;

struct MeasurementOptions {
  std::vector<std::string> cases;  // paths
  Sharing sharing = Sharing::kShared;
  LinearLayout linears = LinearLayout::kPacked;
  size_t threads = 1;
};

// In this process: call it once, in a fresh one.
Result<Measurements> Measure(const MeasurementOptions& options);

// The median of each number over several measurements of the same programs. REQUIRES: there is one.
Measurements Median(const std::vector<Measurements>& runs);

std::string ToJson(const Measurements& measurements);
Result<Measurements> MeasurementsFromJson(const std::string& text);

}  // namespace onepack

#endif  // ONEPACK_EXAMPLES_DEMO_MEASUREMENT_H_
