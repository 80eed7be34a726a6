// Arithmetic on numbers that came from a file: every overflow is noticed.

#ifndef ONEPACK_BASE_CHECKED_MATH_H_
#define ONEPACK_BASE_CHECKED_MATH_H_

#include <stddef.h>
#include <stdint.h>

namespace onepack {

// Each stores the result and returns true, or returns false when it does not fit.
template <typename T>
[[nodiscard]] inline bool CheckedAdd(T a, T b, T* sum) {
  return !__builtin_add_overflow(a, b, sum);
}

template <typename T>
[[nodiscard]] inline bool CheckedMultiply(T a, T b, T* product) {
  return !__builtin_mul_overflow(a, b, product);
}

// The first multiple of `unit`, a power of two, that is not less than `value`.
[[nodiscard]] inline bool CheckedRoundUp(size_t value, size_t unit, size_t* rounded) {
  size_t sum;
  if (!CheckedAdd(value, unit - 1, &sum)) return false;
  *rounded = sum & ~(unit - 1);
  return true;
}

// True when [offset, offset + length) lies in [0, size). Written so that nothing can overflow.
[[nodiscard]] inline bool InRange(uint64_t offset, uint64_t length, uint64_t size) {
  return offset <= size && length <= size - offset;
}

}  // namespace onepack

#endif  // ONEPACK_BASE_CHECKED_MATH_H_
