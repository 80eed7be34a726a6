// The element types of tensors: numbers, names and sizes as the files use them.

#ifndef ONEPACK_SCALAR_TYPE_H_
#define ONEPACK_SCALAR_TYPE_H_

#include <stddef.h>
#include <stdint.h>

#include <string_view>

#include "onepack/export.h"

namespace onepack {

// PyTorch's numbers; schema/scalar_type.fbs is the wire's own list and a test compares the two.
enum class ScalarType : int8_t {
  kByte = 0,
  kChar = 1,
  kShort = 2,
  kInt = 3,
  kLong = 4,
  kHalf = 5,
  kFloat = 6,
  kDouble = 7,
  kComplexHalf = 8,  // a real and an imaginary half, one after the other; the next two alike
  kComplexFloat = 9,
  kComplexDouble = 10,
  kBool = 11,
  kQInt8 = 12,
  kQUInt8 = 13,
  kQInt32 = 14,
  kBFloat16 = 15,
  kQUInt4x2 = 16,
  kQUInt2x4 = 17,
  kBits16 = 22,
  kFloat8E5M2 = 23,
  kFloat8E4M3FN = 24,
  kFloat8E5M2FNUZ = 25,
  kFloat8E4M3FNUZ = 26,
  kUInt16 = 27,
  kUInt32 = 28,
  kUInt64 = 29,
};

// Bytes of one element; 0 for a number that names no type.
ONEPACK_API size_t ElementSize(ScalarType type);

// What the address of an element is a multiple of. REQUIRES: ElementSize(type) > 0.
ONEPACK_API size_t ElementAlignment(ScalarType type);

// float16, bfloat16, float32 and float64.
ONEPACK_API bool IsFloatingPoint(ScalarType type);

ONEPACK_API bool IsComplex(ScalarType type);
// Of the two parts of complex numbers; of others, the type itself.
ONEPACK_API ScalarType RealTypeOf(ScalarType type);

// "float32", "int64", ...: PyTorch's names. "unknown" for a number that names no type.
ONEPACK_API const char* ScalarTypeName(ScalarType type);

// The reverse; false when no type has this name.
ONEPACK_API bool ParseScalarType(std::string_view name, ScalarType* type);

}  // namespace onepack

#endif  // ONEPACK_SCALAR_TYPE_H_
