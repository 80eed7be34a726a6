// The work that is counted, by name.

#ifndef ONEPACK_TESTS_COUNTS_MEASURES_H_
#define ONEPACK_TESTS_COUNTS_MEASURES_H_

#include "onepack/result.h"
#include "onepack/span.h"
#include "tests/counts/counted_work.h"

namespace onepack {

struct Measure {
  const char* name;
  // Prepares, counts, and checks that what was counted is what the name says. REQUIRES: the current
  // folder is tests/data/cases, so that the length of no path depends on where the tree is.
  Result<Counts> (*take)();
};

Span<const Measure> Measures();

}  // namespace onepack

#endif  // ONEPACK_TESTS_COUNTS_MEASURES_H_
