// One result from two elements, or from an element and a number.

#include <cmath>
#include <type_traits>

#include "kernels/elementwise.h"
#include "kernels/operator_families.h"

namespace onepack::kernels {
namespace {

template <typename C>
constexpr bool kIsLong = std::is_same_v<C, int64_t>;

// Integers wrap around, so they are added and multiplied without sign.
template <typename C>
C Sum(C a, C b) {
  if constexpr (kIsLong<C>) {
    return static_cast<C>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  } else {
    return a + b;
  }
}

template <typename C>
C Product(C a, C b) {
  if constexpr (kIsLong<C>) {
    return static_cast<C>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  } else {
    return a * b;
  }
}

template <typename C>
C Negated(C a) {
  if constexpr (std::is_same_v<C, Complex>) {
    return -a;
  } else {
    return Product<C>(a, C{-1});
  }
}

// Quotients of integers: b is not 0. The one that overflows wraps around.
int64_t Quotient(int64_t a, int64_t b) { return b == -1 ? Negated(a) : a / b; }
int64_t Modulo(int64_t a, int64_t b) { return b == -1 ? 0 : a % b; }

template <typename C>
C TruncatedQuotient(C a, C b) {
  if constexpr (kIsLong<C>) {
    return Quotient(a, b);
  } else {
    return std::trunc(a / b);
  }
}

template <typename C>
C TruncatedRemainder(C a, C b) {
  if constexpr (kIsLong<C>) {
    return Modulo(a, b);
  } else {
    return std::fmod(a, b);
  }
}

template <typename C>
C FloorQuotient(C a, C b) {
  if constexpr (kIsLong<C>) {
    const int64_t quotient = Quotient(a, b);
    return Modulo(a, b) != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
  } else {
    if (b == 0) return a / b;
    // The remainder is exact, so what is left divides almost evenly: no result off by one.
    const C remainder = std::fmod(a, b);
    C quotient = (a - remainder) / b;
    if (remainder != 0 && (b < 0) != (remainder < 0)) quotient -= C{1};
    if (quotient == 0) return std::copysign(C{0}, a / b);
    const C floor = std::floor(quotient);
    return quotient - floor > C{0.5} ? floor + C{1} : floor;
  }
}

template <typename C>
C FloorRemainder(C a, C b) {
  if constexpr (kIsLong<C>) {
    const int64_t remainder = Modulo(a, b);
    return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
  } else {
    const C remainder = std::fmod(a, b);
    return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
  }
}

int64_t IntegerPower(int64_t base, int64_t exponent) {
  if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent % 2 == 0 ? 1 : -1) : 0;
  int64_t result = 1;
  for (; exponent > 0; exponent >>= 1) {
    if ((exponent & 1) != 0) result = Product(result, base);
    base = Product(base, base);
  }
  return result;
}

// Parameters of all of them: `alpha` of add and sub.
struct Parameters {
  Number alpha = Number::Of(int64_t{1});
};

// An operator is a struct with Apply, `alpha` being that of its schema or 1.
struct Op {
  static constexpr bool kDividesIntegers = false;  // fails where an integer divisor is 0
  static constexpr bool kIsReal = false;           // computes integers as float
  static constexpr bool kIsComplex = false;        // is defined for complex numbers
};

struct RealOp : Op {
  static constexpr bool kIsReal = true;
};
struct ComplexOp : Op {
  static constexpr bool kIsComplex = true;
};
struct Division : RealOp {
  static constexpr bool kIsComplex = true;
};
struct DivisionOp : Op {
  static constexpr bool kDividesIntegers = true;
};

#define ONEPACK_BINARY(Base, Name, expression)           \
  struct Name : Base {                                   \
    template <typename C>                                \
    static C Apply(C a, C b, [[maybe_unused]] C alpha) { \
      return static_cast<C>(expression);                 \
    }                                                    \
  };

ONEPACK_BINARY(ComplexOp, Add, Sum(a, Product(alpha, b)))
ONEPACK_BINARY(ComplexOp, Sub, Sum(a, Negated(Product(alpha, b))))
ONEPACK_BINARY(ComplexOp, ReverseSub, Sum(b, Negated(Product(alpha, a))))
ONEPACK_BINARY(ComplexOp, Mul, Product(a, b))
ONEPACK_BINARY(Op, Maximum, IsNotANumber(a) || a > b ? a : b)  // a NaN wins
ONEPACK_BINARY(Op, Minimum, IsNotANumber(a) || a < b ? a : b)
ONEPACK_BINARY(Op, Eq, a == b ? 1 : 0)
ONEPACK_BINARY(Op, Ne, a != b ? 1 : 0)
ONEPACK_BINARY(Op, Lt, a < b ? 1 : 0)
ONEPACK_BINARY(Op, Le, a <= b ? 1 : 0)
ONEPACK_BINARY(Op, Gt, a > b ? 1 : 0)
ONEPACK_BINARY(Op, Ge, a >= b ? 1 : 0)
ONEPACK_BINARY(Op, LogicalAnd, a != 0 && b != 0 ? 1 : 0)
ONEPACK_BINARY(Op, LogicalOr, a != 0 || b != 0 ? 1 : 0)
ONEPACK_BINARY(Op, LogicalXor, (a != 0) != (b != 0) ? 1 : 0)
ONEPACK_BINARY(Op, PRelu, a > 0 ? a : Product(a, b))
ONEPACK_BINARY(RealOp, Atan2, std::atan2(a, b))
ONEPACK_BINARY(RealOp, Copysign, std::copysign(a, b))
ONEPACK_BINARY(Division, Div, a / b)
ONEPACK_BINARY(DivisionOp, DivFloor, FloorQuotient(a, b))
ONEPACK_BINARY(DivisionOp, DivTrunc, TruncatedQuotient(a, b))
ONEPACK_BINARY(DivisionOp, Fmod, TruncatedRemainder(a, b))
ONEPACK_BINARY(DivisionOp, Remainder, FloorRemainder(a, b))

#undef ONEPACK_BINARY

struct Pow : Op {
  template <typename C>
  static C Apply(C a, C b, C /*alpha*/) {
    if constexpr (kIsLong<C>) {
      return IntegerPower(a, b);
    } else {
      return std::pow(a, b);
    }
  }
};

template <typename Op, typename C>
bool Block(const void* parameters, const C* const* inputs, C* output, size_t n) {
  const C alpha = NumberAs<C>(static_cast<const Parameters*>(parameters)->alpha);
  const C* a = inputs[0];
  const C* b = inputs[1];
  for (size_t i = 0; i < n; ++i) {
    // Read once: the output may overlap the input, so what was checked must be what divides.
    const C of_b = b[i];
    if constexpr (Op::kDividesIntegers && kIsLong<C>) {
      if (of_b == 0) return false;
    }
    output[i] = Op::Apply(a[i], of_b, alpha);
  }
  return true;
}

template <typename Op>
Status Run(const Operand& a, const Operand& b, const Parameters& parameters, Tensor& out) {
  const Operand inputs[] = {a, b};
  ScalarType type = ResultType(inputs);
  BlockFunctions functions{Block<Op, float>, Block<Op, double>, nullptr};
  if constexpr (Op::kIsReal) {
    if (!IsFloatingPoint(type) && !IsComplex(type)) type = ScalarType::kFloat;
  } else {
    functions.in_long = Block<Op, int64_t>;
  }
  if constexpr (Op::kIsComplex) functions.in_complex = Block<Op, Complex>;
  return RunElementwise(inputs, type, functions, &parameters, out);
}

enum class Kind : uint8_t { kTensorTensor, kTensorScalar, kScalarTensor };

Operand ReadOperand(ArgumentReader& read, const char* name, bool is_scalar) {
  return is_scalar ? Operand::Of(read.Scalar(name)) : Operand::Of(read.Input(name));
}

template <typename Op, Kind kKind, bool kHasAlpha = false>
Status Binary(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments, Op::kIsComplex ? Elements::kComplex : Elements::kReal);
  const Operand a = ReadOperand(read, "self", kKind == Kind::kScalarTensor);
  const Operand b = ReadOperand(read, "other", kKind == Kind::kTensorScalar);
  Parameters parameters;
  if constexpr (kHasAlpha) parameters.alpha = read.Scalar("alpha");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  return Run<Op>(a, b, parameters, out);
}

template <Kind kKind>
Status DivWithMode(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Operand a = ReadOperand(read, "self", false);
  const Operand b = ReadOperand(read, "other", kKind == Kind::kTensorScalar);
  const std::string_view mode = read.OptionalText("rounding_mode");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  if (mode == "floor") return Run<DivFloor>(a, b, {}, out);
  if (mode == "trunc") return Run<DivTrunc>(a, b, {}, out);
  if (mode.empty()) return Run<Div>(a, b, {}, out);
  return Status::Error(StatusCode::kUnsupported,
                       "rounding_mode is '%.*s', none, floor or trunc expected",
                       static_cast<int>(mode.size()), mode.data());
}

enum class Bits : uint8_t { kAnd, kOr, kXor, kLeft, kRight };

int64_t ApplyBits(Bits op, int64_t a, int64_t b) {
  const bool is_shift_in_range = b >= 0 && b < 64;
  switch (op) {
    case Bits::kAnd:
      return a & b;
    case Bits::kOr:
      return a | b;
    case Bits::kXor:
      return a ^ b;
    case Bits::kLeft:
      return is_shift_in_range ? static_cast<int64_t>(static_cast<uint64_t>(a) << b) : 0;
    case Bits::kRight:
      return is_shift_in_range ? a >> b : (a < 0 ? -1 : 0);
  }
  return 0;
}

template <Bits kBits>
bool BitsBlock(const void* /*parameters*/, const int64_t* const* inputs, int64_t* output,
               size_t n) {
  for (size_t i = 0; i < n; ++i) output[i] = ApplyBits(kBits, inputs[0][i], inputs[1][i]);
  return true;
}

template <Bits kBits, Kind kKind>
Status Bitwise(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Operand inputs[] = {ReadOperand(read, "self", false),
                            ReadOperand(read, "other", kKind == Kind::kTensorScalar)};
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  return RunElementwise(inputs, ResultType(inputs), {nullptr, nullptr, BitsBlock<kBits>}, nullptr,
                        out);
}

// prelu(self, weight): one weight, or one for each channel, which is dimension 1.
Status PReluOfChannels(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  const Tensor& weight = read.Input("weight");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  if (weight.rank() > 1) return Unfit("weights of channels expected", self, weight);
  // The weights once more, with a dimension of 1 for each that follows the channels.
  int32_t sizes[kMaxTensorRank];
  uint8_t order[kMaxTensorRank];
  const size_t rank = self.rank() > 1 ? self.rank() - 1 : 1;
  for (size_t i = 0; i < rank; ++i) {
    sizes[i] = i == 0 ? static_cast<int32_t>(CountOf(weight.sizes())) : 1;
    order[i] = static_cast<uint8_t>(i);
  }
  ONEPACK_ASSIGN_OR_RETURN(
      const Tensor by_channel,
      Tensor::Over({weight.scalar_type(), {sizes, rank}, {order, rank}},
                   {const_cast<uint8_t*>(weight.data()), weight.size_bytes()}));
  return Run<PRelu>(Operand::Of(self), Operand::Of(by_channel), {}, out);
}

constexpr auto kTT = Kind::kTensorTensor;
constexpr auto kTS = Kind::kTensorScalar;
constexpr auto kST = Kind::kScalarTensor;

constexpr OperatorRow kRows[] = {
    {"aten::_prelu_kernel.out", Binary<PRelu, kTT>},
    {"aten::add.Scalar_out", Binary<Add, kTS, true>},
    {"aten::add.out", Binary<Add, kTT, true>},
    {"aten::atan2.out", Binary<Atan2, kTT>},
    {"aten::bitwise_and.Scalar_out", Bitwise<Bits::kAnd, kTS>},
    {"aten::bitwise_and.Tensor_out", Bitwise<Bits::kAnd, kTT>},
    {"aten::bitwise_left_shift.Tensor_Scalar_out", Bitwise<Bits::kLeft, kTS>},
    {"aten::bitwise_left_shift.Tensor_out", Bitwise<Bits::kLeft, kTT>},
    {"aten::bitwise_or.Scalar_out", Bitwise<Bits::kOr, kTS>},
    {"aten::bitwise_or.Tensor_out", Bitwise<Bits::kOr, kTT>},
    {"aten::bitwise_right_shift.Tensor_Scalar_out", Bitwise<Bits::kRight, kTS>},
    {"aten::bitwise_right_shift.Tensor_out", Bitwise<Bits::kRight, kTT>},
    {"aten::bitwise_xor.Scalar_out", Bitwise<Bits::kXor, kTS>},
    {"aten::bitwise_xor.Tensor_out", Bitwise<Bits::kXor, kTT>},
    {"aten::copysign.out", Binary<Copysign, kTT>},
    {"aten::div.Scalar_mode_out", DivWithMode<kTS>},
    {"aten::div.Scalar_out", Binary<Div, kTS>},
    {"aten::div.out", Binary<Div, kTT>},
    {"aten::div.out_mode", DivWithMode<kTT>},
    {"aten::eq.Scalar_out", Binary<Eq, kTS>},
    {"aten::eq.Tensor_out", Binary<Eq, kTT>},
    {"aten::floor_divide.Scalar_out", Binary<DivFloor, kTS>},
    {"aten::floor_divide.out", Binary<DivFloor, kTT>},
    {"aten::fmod.Scalar_out", Binary<Fmod, kTS>},
    {"aten::fmod.Tensor_out", Binary<Fmod, kTT>},
    {"aten::ge.Scalar_out", Binary<Ge, kTS>},
    {"aten::ge.Tensor_out", Binary<Ge, kTT>},
    {"aten::gt.Scalar_out", Binary<Gt, kTS>},
    {"aten::gt.Tensor_out", Binary<Gt, kTT>},
    {"aten::le.Scalar_out", Binary<Le, kTS>},
    {"aten::le.Tensor_out", Binary<Le, kTT>},
    {"aten::logical_and.out", Binary<LogicalAnd, kTT>},
    {"aten::logical_or.out", Binary<LogicalOr, kTT>},
    {"aten::logical_xor.out", Binary<LogicalXor, kTT>},
    {"aten::lt.Scalar_out", Binary<Lt, kTS>},
    {"aten::lt.Tensor_out", Binary<Lt, kTT>},
    {"aten::maximum.out", Binary<Maximum, kTT>},
    {"aten::minimum.out", Binary<Minimum, kTT>},
    {"aten::mul.Scalar_out", Binary<Mul, kTS>},
    {"aten::mul.out", Binary<Mul, kTT>},
    {"aten::ne.Scalar_out", Binary<Ne, kTS>},
    {"aten::ne.Tensor_out", Binary<Ne, kTT>},
    {"aten::pow.Scalar_out", Binary<Pow, kST>},
    {"aten::pow.Tensor_Scalar_out", Binary<Pow, kTS>},
    {"aten::pow.Tensor_Tensor_out", Binary<Pow, kTT>},
    {"aten::prelu.out", PReluOfChannels},
    {"aten::remainder.Scalar_Tensor_out", Binary<Remainder, kST>},
    {"aten::remainder.Scalar_out", Binary<Remainder, kTS>},
    {"aten::remainder.Tensor_out", Binary<Remainder, kTT>},
    {"aten::rsub.Scalar_out", Binary<ReverseSub, kTS, true>},
    {"aten::rsub.Tensor_out", Binary<ReverseSub, kTT, true>},
    {"aten::sub.Scalar_out", Binary<Sub, kTS, true>},
    {"aten::sub.out", Binary<Sub, kTT, true>},
};

}  // namespace

OperatorRows BinaryOperators() { return kRows; }

}  // namespace onepack::kernels
