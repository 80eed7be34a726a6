// Elements of tensors as numbers to compute with.
//
// Operators compute in one of four types: float for half, bfloat16 and float; double for double;
// int64_t for all integers and bool; Complex for complex numbers. A block of elements of any type
// is loaded as one of these, and stored from it, so that an operator needs one loop for each of
// them. A complex number as a real one is its real part, as in PyTorch.
//
// Half and bfloat16 are converted by base/small_floats.h. XNNPACK has the conversion too, as an
// operator over whole tensors with a set-up call for each; for blocks of a few hundred elements in
// the middle of another loop that would cost more than it saves, and link all of XNNPACK to a core
// library.

#ifndef ONEPACK_KERNELS_ELEMENT_H_
#define ONEPACK_KERNELS_ELEMENT_H_

#include <stddef.h>
#include <stdint.h>

#include <cmath>
#include <type_traits>

#include "kernels/complex.h"
#include "kernels/number.h"
#include "onepack/scalar_type.h"

namespace onepack::kernels {

// How many elements are worked on at a time: they fit the first level cache with their operands.
inline constexpr size_t kBlockSize = 256;

// Whether the elements are real numbers that operators can load and store.
bool HasNumbers(ScalarType type);
bool IsIntegral(ScalarType type);  // bool included

// What a and b are computed in together, as in PyTorch.
ScalarType PromoteTypes(ScalarType a, ScalarType b);

enum class Compute : uint8_t { kFloat, kDouble, kLong, kComplex };
Compute ComputeTypeOf(ScalarType type);

// C is float, double, int64_t or Complex, as below. No integer is.
template <typename C>
bool IsNotANumber(C x) {
  if constexpr (std::is_floating_point_v<C>) {
    return std::isnan(x);
  } else {
    return false;
  }
}

// Whether x takes the place of the greatest, or the least, so far: the first of equal ones stays,
// and a NaN beats all numbers.
template <bool kIsMax, typename C>
bool Beats(C x, C best) {
  return !IsNotANumber(best) && (IsNotANumber(x) || (kIsMax ? x > best : x < best));
}

// n elements at base[offset], base[offset + stride], ... C is float, double, int64_t or Complex.
// REQUIRES: HasNumbers(type) or IsComplex(type).
template <typename C>
void LoadElements(ScalarType type, const uint8_t* base, int64_t offset, int64_t stride, size_t n,
                  C* to);

// Integers wrap around; what is no number or out of range becomes what the conversion to int64_t
// makes of it on x86: the smallest.
template <typename C>
void StoreElements(ScalarType type, uint8_t* base, int64_t offset, int64_t stride, size_t n,
                   const C* from);

template <typename C>
C LoadElement(ScalarType type, const uint8_t* base, int64_t offset) {
  C value;
  LoadElements<C>(type, base, offset, 0, 1, &value);
  return value;
}

template <typename C>
void StoreElement(ScalarType type, uint8_t* base, int64_t offset, C value) {
  StoreElements<C>(type, base, offset, 0, 1, &value);
}

int64_t TruncateToLong(double value);

// a * b + c; integers wrap around.
template <typename C>
C MultiplyAdd(C a, C b, C c) {
  if constexpr (std::is_same_v<C, int64_t>) {
    return static_cast<C>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b) +
                          static_cast<uint64_t>(c));
  } else {
    return a * b + c;
  }
}

template <typename C>
C NumberAs(const Number& number) {
  return static_cast<C>(number.real);
}
template <>
inline Complex NumberAs<Complex>(const Number& number) {
  return {number.real, 0};
}
template <>
inline int64_t NumberAs<int64_t>(const Number& number) {
  return number.type == ScalarType::kDouble ? TruncateToLong(number.real) : number.integer;
}

// The range of a type: of the floating point ones with infinities.
double LowestOf(ScalarType type);
double HighestOf(ScalarType type);

}  // namespace onepack::kernels

#endif  // ONEPACK_KERNELS_ELEMENT_H_
