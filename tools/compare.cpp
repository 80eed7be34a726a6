#include "tools/compare.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <limits>
#include <vector>

#include "tools/element.h"

namespace onepack {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Comparison Mismatch(const std::string& found, const std::string& expected) {
  return {kInfinity, found + " found, " + expected + " expected"};
}

double ElementError(const uint8_t* found, const uint8_t* expected, ScalarType type,
                    const Tolerance& tolerance) {
  if (IsComplex(type)) {
    const ScalarType part = RealTypeOf(type);
    const size_t size = ElementSize(part);
    return fmax(ElementError(found, expected, part, tolerance),
                ElementError(found + size, expected + size, part, tolerance));
  }
  if (IsFloatingPoint(type)) {
    return RelativeError(FloatingPointElement(found, type), FloatingPointElement(expected, type),
                         tolerance);
  }
  if (type == ScalarType::kBool) return (*found != 0) == (*expected != 0) ? 0 : kInfinity;
  return memcmp(found, expected, ElementSize(type)) == 0 ? 0 : kInfinity;
}

Comparison CompareTensors(const Tensor& found, const Tensor& expected, const Tolerance& tolerance) {
  const ScalarType type = expected.scalar_type();
  if (!SameLayout(found.layout(), expected.layout())) {
    return Mismatch(LayoutText(found.layout()).c_str(), LayoutText(expected.layout()).c_str());
  }
  const size_t element_size = ElementSize(type);
  const size_t count = expected.size_bytes() / element_size;
  Comparison comparison;
  size_t mismatches = 0;
  size_t worst = 0;
  for (size_t i = 0; i < count; ++i) {
    const size_t at = i * element_size;
    const double error = ElementError(found.data() + at, expected.data() + at, type, tolerance);
    if (error > 1) ++mismatches;
    if (error > comparison.worst_error) {
      comparison.worst_error = error;
      worst = i;
    }
  }
  if (mismatches == 0) return comparison;
  const size_t at = worst * element_size;
  char text[200];
  snprintf(text, sizeof(text),
           "%zu of %zu elements differ, most of all number %zu: %s found, %s expected", mismatches,
           count, worst, ElementText(found.data() + at, type, 9).c_str(),
           ElementText(expected.data() + at, type, 9).c_str());
  comparison.mismatch = text;
  return comparison;
}

std::string DoubleText(double number) {
  char text[32];
  snprintf(text, sizeof(text), "%.17g", number);
  return text;
}

Comparison CompareDoubles(double found, double expected, const Tolerance& tolerance) {
  Comparison comparison;
  comparison.worst_error = RelativeError(found, expected, tolerance);
  if (comparison.worst_error > 1) {
    comparison.mismatch = DoubleText(found) + " found, " + DoubleText(expected) + " expected";
  }
  return comparison;
}

}  // namespace

double RelativeError(double found, double expected, const Tolerance& tolerance) {
  if (found == expected || (isnan(found) && isnan(expected))) return 0;
  // Without this, an infinite reference would make every tolerance infinite.
  if (!isfinite(found) || !isfinite(expected)) return kInfinity;
  const double allowed = tolerance.atol + tolerance.rtol * fabs(expected);
  return allowed > 0 ? fabs(found - expected) / allowed : kInfinity;
}

Comparison CompareValues(const Value& found, const Value& expected, const Tolerance& tolerance) {
  if (found.kind() != expected.kind()) {
    return Mismatch(ValueKindName(found.kind()), ValueKindName(expected.kind()));
  }
  switch (expected.kind()) {
    case ValueKind::kTensor:
      return CompareTensors(found.tensor(), expected.tensor(), tolerance);
    case ValueKind::kDouble:
      return CompareDoubles(found.double_value(), expected.double_value(), tolerance);
    case ValueKind::kInt:
      if (found.int_value() == expected.int_value()) return {};
      return Mismatch(std::to_string(found.int_value()), std::to_string(expected.int_value()));
    case ValueKind::kBool:
      if (found.bool_value() == expected.bool_value()) return {};
      return Mismatch(found.bool_value() ? "true" : "false",
                      expected.bool_value() ? "true" : "false");
    default:
      return {kInfinity, std::string(ValueKindName(expected.kind())) + " cannot be compared"};
  }
}

}  // namespace onepack
