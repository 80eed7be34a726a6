// Two measurements of the same programs side by side, and what the difference comes to.

#ifndef ONEPACK_EXAMPLES_DEMO_COMPARISON_TABLE_H_
#define ONEPACK_EXAMPLES_DEMO_COMPARISON_TABLE_H_

#include <string>
#include <vector>

#include "examples/demo/measurement.h"

namespace onepack {

// One group, measured in all ways.
struct MeasuredGroup {
  std::string title;
  Measurements shared;
  Measurements apart;
  Measurements in_place;  // over one cache, and with linear layers in place
};

// No line is longer than 120 columns.
std::string FormatTable(const std::vector<MeasuredGroup>& groups);

// What the columns mean, a line for each.
std::string FormatLegend();

// Two sentences: memory and time with sharing, without, and the saving; and in place.
std::string FormatSaving(const std::vector<MeasuredGroup>& groups);

// Every program whose answers were not the recorded ones, a line for each; empty when there is
// none.
std::string FormatMismatches(const std::vector<MeasuredGroup>& groups);

}  // namespace onepack

#endif  // ONEPACK_EXAMPLES_DEMO_COMPARISON_TABLE_H_
