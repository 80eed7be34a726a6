// Multiples of a number, for values that are known to be far from overflow. For numbers from a file
// there is CheckedRoundUp (checked_math.h).

#ifndef ONEPACK_BASE_ROUNDING_H_
#define ONEPACK_BASE_ROUNDING_H_

#include <type_traits>

namespace onepack {

// a / b, rounded up. REQUIRES, here and below: a >= 0, b > 0, and a + b - 1 fits.
template <typename T>
constexpr T DivideUp(T a, std::common_type_t<T> b) {
  return (a + b - 1) / b;
}

// The first multiple of `unit` that is not less than `value`.
template <typename T>
constexpr T RoundUp(T value, std::common_type_t<T> unit) {
  return DivideUp(value, unit) * unit;
}

// The last multiple of `unit` that is not greater than `value`.
template <typename T>
constexpr T RoundDown(T value, std::common_type_t<T> unit) {
  return value / unit * unit;
}

}  // namespace onepack

#endif  // ONEPACK_BASE_ROUNDING_H_
