// A number among the arguments of an operator, and values that may be absent.

#ifndef ONEPACK_KERNELS_NUMBER_H_
#define ONEPACK_KERNELS_NUMBER_H_

#include <stdint.h>

#include "onepack/scalar_type.h"

namespace onepack::kernels {

template <typename T>
struct Optional {
  bool is_given = false;
  T value{};
};

struct Number {
  ScalarType type = ScalarType::kLong;  // kBool, kLong or kDouble
  int64_t integer = 0;                  // of the first two
  double real = 0;                      // always

  static Number Of(int64_t value) { return {ScalarType::kLong, value, static_cast<double>(value)}; }
  static Number Of(double value) { return {ScalarType::kDouble, 0, value}; }
  static Number Of(bool value) { return {ScalarType::kBool, value ? 1 : 0, value ? 1.0 : 0.0}; }
};

}  // namespace onepack::kernels

#endif  // ONEPACK_KERNELS_NUMBER_H_
