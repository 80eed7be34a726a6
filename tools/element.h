// One element of a tensor as a number or as text.

#ifndef ONEPACK_TOOLS_ELEMENT_H_
#define ONEPACK_TOOLS_ELEMENT_H_

#include <stdint.h>

#include <string>

#include "onepack/scalar_type.h"

namespace onepack {

// REQUIRES, for both: `bytes` holds one element, of any alignment.

// Exact for all floating-point types. REQUIRES: IsFloatingPoint(type).
double FloatingPointElement(const uint8_t* bytes, ScalarType type);

// Floating-point types with `digits` significant digits, complex ones as "1.5-2i"; integers and
// bools as such; the bytes of other types in hexadecimal.
std::string ElementText(const uint8_t* bytes, ScalarType type, int digits);

}  // namespace onepack

#endif  // ONEPACK_TOOLS_ELEMENT_H_
