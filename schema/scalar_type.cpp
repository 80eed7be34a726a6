#include "onepack/scalar_type.h"

namespace onepack {
namespace {

struct ScalarTypeFacts {
  ScalarType type;
  uint8_t size_bytes;
  const char* name;
};

constexpr ScalarTypeFacts kScalarTypes[] = {
    {ScalarType::kByte, 1, "uint8"},
    {ScalarType::kChar, 1, "int8"},
    {ScalarType::kShort, 2, "int16"},
    {ScalarType::kInt, 4, "int32"},
    {ScalarType::kLong, 8, "int64"},
    {ScalarType::kHalf, 2, "float16"},
    {ScalarType::kFloat, 4, "float32"},
    {ScalarType::kDouble, 8, "float64"},
    {ScalarType::kComplexHalf, 4, "complex32"},
    {ScalarType::kComplexFloat, 8, "complex64"},
    {ScalarType::kComplexDouble, 16, "complex128"},
    {ScalarType::kBool, 1, "bool"},
    {ScalarType::kQInt8, 1, "qint8"},
    {ScalarType::kQUInt8, 1, "quint8"},
    {ScalarType::kQInt32, 4, "qint32"},
    {ScalarType::kBFloat16, 2, "bfloat16"},
    {ScalarType::kQUInt4x2, 1, "quint4x2"},
    {ScalarType::kQUInt2x4, 1, "quint2x4"},
    {ScalarType::kBits16, 2, "bits16"},
    {ScalarType::kFloat8E5M2, 1, "float8_e5m2"},
    {ScalarType::kFloat8E4M3FN, 1, "float8_e4m3fn"},
    {ScalarType::kFloat8E5M2FNUZ, 1, "float8_e5m2fnuz"},
    {ScalarType::kFloat8E4M3FNUZ, 1, "float8_e4m3fnuz"},
    {ScalarType::kUInt16, 2, "uint16"},
    {ScalarType::kUInt32, 4, "uint32"},
    {ScalarType::kUInt64, 8, "uint64"},
};

const ScalarTypeFacts* Find(ScalarType type) {
  for (const ScalarTypeFacts& facts : kScalarTypes) {
    if (facts.type == type) return &facts;
  }
  return nullptr;
}

}  // namespace

size_t ElementSize(ScalarType type) {
  const ScalarTypeFacts* facts = Find(type);
  return facts != nullptr ? facts->size_bytes : 0;
}

size_t ElementAlignment(ScalarType type) { return ElementSize(type) / (IsComplex(type) ? 2 : 1); }

bool IsFloatingPoint(ScalarType type) {
  return type == ScalarType::kHalf || type == ScalarType::kFloat || type == ScalarType::kDouble ||
         type == ScalarType::kBFloat16;
}

bool IsComplex(ScalarType type) {
  return type == ScalarType::kComplexHalf || type == ScalarType::kComplexFloat ||
         type == ScalarType::kComplexDouble;
}

ScalarType RealTypeOf(ScalarType type) {
  switch (type) {
    case ScalarType::kComplexHalf:
      return ScalarType::kHalf;
    case ScalarType::kComplexFloat:
      return ScalarType::kFloat;
    case ScalarType::kComplexDouble:
      return ScalarType::kDouble;
    default:
      return type;
  }
}

const char* ScalarTypeName(ScalarType type) {
  const ScalarTypeFacts* facts = Find(type);
  return facts != nullptr ? facts->name : "unknown";
}

bool ParseScalarType(std::string_view name, ScalarType* type) {
  for (const ScalarTypeFacts& facts : kScalarTypes) {
    if (name == facts.name) {
      *type = facts.type;
      return true;
    }
  }
  return false;
}

}  // namespace onepack
