#include "kernels/element.h"

#include <math.h>

#include <type_traits>

#include "base/small_floats.h"

namespace onepack::kernels {
namespace {

struct Half {
  uint16_t bits;
};
struct BFloat16 {
  uint16_t bits;
};
struct Truth {
  uint8_t byte;
};
template <typename T>
struct Pair {
  T real, imaginary;
};

template <typename T>
struct Tag {
  using Type = T;
};

template <typename T>
constexpr bool kIsPair = false;
template <typename T>
constexpr bool kIsPair<Pair<T>> = true;

float Widen(Half half) { return FloatOfFloat16(half.bits); }
float Widen(BFloat16 brain) { return FloatOfBfloat16(brain.bits); }

Half NarrowTo(float value, Tag<Half>) { return {Float16OfFloat(value)}; }
Half NarrowTo(double value, Tag<Half>) { return {Float16OfDouble(value)}; }
BFloat16 NarrowTo(float value, Tag<BFloat16>) { return {Bfloat16OfFloat(value)}; }
BFloat16 NarrowTo(double value, Tag<BFloat16>) { return {Bfloat16OfDouble(value)}; }

template <typename T, typename C>
C FromElement(T value) {
  if constexpr (kIsPair<T> && std::is_same_v<C, Complex>) {
    return {FromElement<decltype(value.real), double>(value.real),
            FromElement<decltype(value.imaginary), double>(value.imaginary)};
  } else if constexpr (kIsPair<T>) {
    return FromElement<decltype(value.real), C>(value.real);
  } else if constexpr (std::is_same_v<C, Complex>) {
    return {FromElement<T, double>(value), 0};
  } else if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
    if constexpr (std::is_same_v<C, int64_t>) {
      return TruncateToLong(static_cast<double>(Widen(value)));
    } else {
      return static_cast<C>(Widen(value));
    }
  } else if constexpr (std::is_same_v<T, Truth>) {
    return static_cast<C>(value.byte != 0 ? 1 : 0);
  } else if constexpr (std::is_floating_point_v<T> && std::is_same_v<C, int64_t>) {
    return TruncateToLong(static_cast<double>(value));
  } else {
    return static_cast<C>(value);
  }
}

template <typename T, typename C>
T ToElement(C value) {
  if constexpr (kIsPair<T> && std::is_same_v<C, Complex>) {
    return {ToElement<decltype(T::real), double>(value.real),
            ToElement<decltype(T::real), double>(value.imaginary)};
  } else if constexpr (kIsPair<T>) {
    return {ToElement<decltype(T::real), C>(value), {}};
  } else if constexpr (std::is_same_v<T, Truth> && std::is_same_v<C, Complex>) {
    return {static_cast<uint8_t>(value != Complex{} ? 1 : 0)};
  } else if constexpr (std::is_same_v<C, Complex>) {
    return ToElement<T, double>(value.real);
  } else if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
    using Real = std::conditional_t<std::is_same_v<C, int64_t>, float, C>;
    return NarrowTo(static_cast<Real>(value), Tag<T>());
  } else if constexpr (std::is_same_v<T, Truth>) {
    return {static_cast<uint8_t>(value != 0 ? 1 : 0)};
  } else if constexpr (std::is_integral_v<T> && !std::is_same_v<C, int64_t>) {
    return static_cast<T>(TruncateToLong(static_cast<double>(value)));
  } else {
    return static_cast<T>(value);
  }
}

// Calls function(Tag<T>()) with the type of the elements.
template <typename Function>
void WithType(ScalarType type, Function function) {
  switch (type) {
    case ScalarType::kByte:
      return function(Tag<uint8_t>());
    case ScalarType::kChar:
      return function(Tag<int8_t>());
    case ScalarType::kShort:
      return function(Tag<int16_t>());
    case ScalarType::kInt:
      return function(Tag<int32_t>());
    case ScalarType::kLong:
      return function(Tag<int64_t>());
    case ScalarType::kHalf:
      return function(Tag<Half>());
    case ScalarType::kFloat:
      return function(Tag<float>());
    case ScalarType::kDouble:
      return function(Tag<double>());
    case ScalarType::kComplexHalf:
      return function(Tag<Pair<Half>>());
    case ScalarType::kComplexFloat:
      return function(Tag<Pair<float>>());
    case ScalarType::kComplexDouble:
      return function(Tag<Pair<double>>());
    case ScalarType::kBool:
      return function(Tag<Truth>());
    case ScalarType::kBFloat16:
      return function(Tag<BFloat16>());
    case ScalarType::kUInt16:
      return function(Tag<uint16_t>());
    case ScalarType::kUInt32:
      return function(Tag<uint32_t>());
    case ScalarType::kUInt64:
      return function(Tag<uint64_t>());
    default:
      return;
  }
}

// Bits of the integral types, with the sign among them.
int BitsOf(ScalarType type) { return static_cast<int>(ElementSize(type)) * 8; }

bool IsUnsigned(ScalarType type) {
  return type == ScalarType::kByte || type == ScalarType::kUInt16 || type == ScalarType::kUInt32 ||
         type == ScalarType::kUInt64;
}

// PyTorch has no complex numbers of bfloat16.
ScalarType ComplexOf(ScalarType real) {
  return real == ScalarType::kDouble ? ScalarType::kComplexDouble
         : real == ScalarType::kHalf ? ScalarType::kComplexHalf
                                     : ScalarType::kComplexFloat;
}

ScalarType SignedOf(int bits) {
  return bits <= 8    ? ScalarType::kChar
         : bits <= 16 ? ScalarType::kShort
         : bits <= 32 ? ScalarType::kInt
                      : ScalarType::kLong;
}

}  // namespace

bool HasNumbers(ScalarType type) {
  bool has = false;
  if (IsComplex(type)) return false;
  WithType(type, [&](auto) { has = true; });
  return has;
}

bool IsIntegral(ScalarType type) { return HasNumbers(type) && !IsFloatingPoint(type); }

ScalarType PromoteTypes(ScalarType a, ScalarType b) {
  if (a == b) return a;
  if (IsComplex(a) || IsComplex(b)) return ComplexOf(PromoteTypes(RealTypeOf(a), RealTypeOf(b)));
  if (IsFloatingPoint(a) && IsFloatingPoint(b)) {
    if (a == ScalarType::kDouble || b == ScalarType::kDouble) return ScalarType::kDouble;
    return ScalarType::kFloat;  // of half and bfloat16 too
  }
  if (IsFloatingPoint(a)) return a;
  if (IsFloatingPoint(b)) return b;
  if (a == ScalarType::kBool) return b;
  if (b == ScalarType::kBool) return a;
  if (IsUnsigned(a) == IsUnsigned(b)) return BitsOf(a) > BitsOf(b) ? a : b;
  const int unsigned_bits = IsUnsigned(a) ? BitsOf(a) : BitsOf(b);
  const int signed_bits = IsUnsigned(a) ? BitsOf(b) : BitsOf(a);
  return SignedOf(signed_bits > unsigned_bits ? signed_bits : 2 * unsigned_bits);
}

Compute ComputeTypeOf(ScalarType type) {
  if (IsComplex(type)) return Compute::kComplex;
  if (type == ScalarType::kDouble) return Compute::kDouble;
  return IsFloatingPoint(type) ? Compute::kFloat : Compute::kLong;
}

template <typename C>
void LoadElements(ScalarType type, const uint8_t* base, int64_t offset, int64_t stride, size_t n,
                  C* to) {
  WithType(type, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    const T* from = reinterpret_cast<const T*>(base) + offset;
    if (stride == 1) {
      for (size_t i = 0; i < n; ++i) to[i] = FromElement<T, C>(from[i]);
    } else {
      for (size_t i = 0; i < n; ++i) {
        to[i] = FromElement<T, C>(from[static_cast<int64_t>(i) * stride]);
      }
    }
  });
}

template <typename C>
void StoreElements(ScalarType type, uint8_t* base, int64_t offset, int64_t stride, size_t n,
                   const C* from) {
  WithType(type, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    T* to = reinterpret_cast<T*>(base) + offset;
    if (stride == 1) {
      for (size_t i = 0; i < n; ++i) to[i] = ToElement<T, C>(from[i]);
    } else {
      for (size_t i = 0; i < n; ++i) {
        to[static_cast<int64_t>(i) * stride] = ToElement<T, C>(from[i]);
      }
    }
  });
}

template void LoadElements(ScalarType, const uint8_t*, int64_t, int64_t, size_t, float*);
template void LoadElements(ScalarType, const uint8_t*, int64_t, int64_t, size_t, double*);
template void LoadElements(ScalarType, const uint8_t*, int64_t, int64_t, size_t, int64_t*);
template void StoreElements(ScalarType, uint8_t*, int64_t, int64_t, size_t, const float*);
template void StoreElements(ScalarType, uint8_t*, int64_t, int64_t, size_t, const double*);
template void LoadElements(ScalarType, const uint8_t*, int64_t, int64_t, size_t, Complex*);
template void StoreElements(ScalarType, uint8_t*, int64_t, int64_t, size_t, const int64_t*);
template void StoreElements(ScalarType, uint8_t*, int64_t, int64_t, size_t, const Complex*);

int64_t TruncateToLong(double value) {
  // 2^63 is the first double past the range; written so that a NaN fails too.
  return value >= -0x1p63 && value < 0x1p63 ? static_cast<int64_t>(value) : INT64_MIN;
}

double LowestOf(ScalarType type) {
  if (IsFloatingPoint(type)) return -HUGE_VAL;
  if (type == ScalarType::kBool || IsUnsigned(type)) return 0;
  return -ldexp(1, BitsOf(type) - 1);
}

double HighestOf(ScalarType type) {
  if (IsFloatingPoint(type)) return HUGE_VAL;
  if (type == ScalarType::kBool) return 1;
  return ldexp(1, BitsOf(type) - (IsUnsigned(type) ? 0 : 1)) - 1;
}

}  // namespace onepack::kernels
