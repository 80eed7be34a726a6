// Whether a computed value is the recorded one, and how far away it is.
//
// An element x matches its reference r when |x - r| <= atol + rtol * |r|. The error relative to
// that tolerance is what gets reported: 0 is equal, 1 is just at the tolerance, more is a mismatch.
// Equal infinities match; NaN matches NaN only. Integers and bools match when they are equal,
// whatever the tolerance.

#ifndef ONEPACK_TOOLS_COMPARE_H_
#define ONEPACK_TOOLS_COMPARE_H_

#include <string>

#include "onepack/value.h"

namespace onepack {

struct Tolerance {
  double atol = 0;
  double rtol = 0;
};

struct Comparison {
  // Of the worst element, relative to the tolerance; infinite where no number can say how far.
  double worst_error = 0;
  // Empty when the values match; else names what was found and what was expected.
  std::string mismatch;

  bool matches() const { return mismatch.empty(); }
};

// Numbers and tensors. Values of other kinds match nothing.
Comparison CompareValues(const Value& found, const Value& expected, const Tolerance& tolerance);

// The error of one element, relative to the tolerance.
double RelativeError(double found, double expected, const Tolerance& tolerance);

}  // namespace onepack

#endif  // ONEPACK_TOOLS_COMPARE_H_
