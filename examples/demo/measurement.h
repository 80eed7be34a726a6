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

// Resident memory of the whole process.
struct Memory {
  uint64_t anonymous_bytes = 0;
  // Pages of mapped files. A page that is mapped twice counts once, so that opening a file once for
  // each program does not look like memory that sharing saves.
  uint64_t file_bytes = 0;
};

struct ProgramMeasurement {
  std::string name;
  double load_seconds = 0;    // from its path to a loaded method
  uint64_t found_bytes = 0;   // packed weights that were in the cache
  uint64_t packed_bytes = 0;  // that this program added
  Memory memory;              // after loading it and making its recorded calls
  std::string mismatch;       // empty: every answer is the recorded one
};

struct Measurement {
  Memory before;  // the first program
  std::vector<ProgramMeasurement> programs;
};

struct MeasurementOptions {
  std::vector<std::string> cases;  // paths
  Sharing sharing = Sharing::kShared;
  LinearLayout linears = LinearLayout::kPacked;
  size_t threads = 1;
};

// In this process: call it once, in a fresh one.
Result<Measurement> Measure(const MeasurementOptions& options);

// The median of each number over several measurements of the same programs. REQUIRES: there is one.
Measurement Median(const std::vector<Measurement>& runs);

std::string ToJson(const Measurement& measurement);
Result<Measurement> MeasurementFromJson(const std::string& text);

}  // namespace onepack

#endif  // ONEPACK_EXAMPLES_DEMO_MEASUREMENT_H_
