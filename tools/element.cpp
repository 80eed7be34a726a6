#include "tools/element.h"

#include <stdio.h>
#include <string.h>

#include <limits>

#include "base/hex.h"
#include "base/small_floats.h"

namespace onepack {
namespace {

template <typename T>
T Load(const uint8_t* bytes) {
  T value;
  memcpy(&value, bytes, sizeof(value));
  return value;
}

std::string NumberInHex(const uint8_t* bytes, size_t size) {
  std::string text = "0x";
  for (size_t i = size; i-- > 0;) {
    char digits[2];
    WriteHex(bytes[i], digits);
    text.append(digits, sizeof(digits));
  }
  return text;
}

}  // namespace

double FloatingPointElement(const uint8_t* bytes, ScalarType type) {
  switch (type) {
    case ScalarType::kFloat:
      return static_cast<double>(Load<float>(bytes));
    case ScalarType::kDouble:
      return Load<double>(bytes);
    case ScalarType::kHalf:
      return static_cast<double>(FloatOfFloat16(Load<uint16_t>(bytes)));
    case ScalarType::kBFloat16:
      return static_cast<double>(FloatOfBfloat16(Load<uint16_t>(bytes)));
    default:
      return std::numeric_limits<double>::quiet_NaN();
  }
}

std::string ElementText(const uint8_t* bytes, ScalarType type, int digits) {
  if (IsComplex(type)) {
    const ScalarType part = RealTypeOf(type);
    const std::string imaginary = ElementText(bytes + ElementSize(part), part, digits);
    return ElementText(bytes, part, digits) + (imaginary[0] == '-' ? "" : "+") + imaginary + "i";
  }
  if (IsFloatingPoint(type)) {
    char text[48];
    snprintf(text, sizeof(text), "%.*g", digits, FloatingPointElement(bytes, type));
    return text;
  }
  switch (type) {
    case ScalarType::kBool:
      return *bytes != 0 ? "true" : "false";
    case ScalarType::kByte:
    case ScalarType::kQUInt8:
      return std::to_string(Load<uint8_t>(bytes));
    case ScalarType::kChar:
    case ScalarType::kQInt8:
      return std::to_string(Load<int8_t>(bytes));
    case ScalarType::kShort:
      return std::to_string(Load<int16_t>(bytes));
    case ScalarType::kUInt16:
      return std::to_string(Load<uint16_t>(bytes));
    case ScalarType::kInt:
    case ScalarType::kQInt32:
      return std::to_string(Load<int32_t>(bytes));
    case ScalarType::kUInt32:
      return std::to_string(Load<uint32_t>(bytes));
    case ScalarType::kLong:
      return std::to_string(Load<int64_t>(bytes));
    case ScalarType::kUInt64:
      return std::to_string(Load<uint64_t>(bytes));
    default:
      return NumberInHex(bytes, ElementSize(type));
  }
}

}  // namespace onepack
