// Numbers that a program computes while it runs: sizes, positions, conditions of jumps.

#include <cmath>

#include "kernels/arguments.h"
#include "kernels/element.h"
#include "kernels/operator_families.h"
#include "kernels/strided.h"

namespace onepack::kernels {
namespace {

Value ValueOf(const Number& number) {
  if (number.type == ScalarType::kDouble) return Value::OfDouble(number.real);
  if (number.type == ScalarType::kBool) return Value::OfBool(number.integer != 0);
  return Value::OfInt(number.integer);
}

// _local_scalar_dense(self): the only element.
Status LocalScalar(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  Value& result = read.Result("result");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  if (CountOf(self.sizes()) != 1) {
    return Status::Error(StatusCode::kInvalidArgument, "%s, one element expected",
                         LayoutText(self.layout()).c_str());
  }
  const ScalarType type = self.scalar_type();
  if (IsFloatingPoint(type)) {
    result = Value::OfDouble(LoadElement<double>(type, self.data(), 0));
  } else {
    const auto integer = LoadElement<int64_t>(type, self.data(), 0);
    result = type == ScalarType::kBool ? Value::OfBool(integer != 0) : Value::OfInt(integer);
  }
  return Status::Ok();
}

enum class Of : uint8_t { kSize, kStride };

template <Of kOf>
Status SizeOrStride(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  const int64_t dim = read.Int("dim");
  Value& result = read.Result("result");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  size_t dimension;
  ONEPACK_RETURN_IF_ERROR(ResolveDimension(dim, self.rank(), &dimension));
  if (self.rank() == 0) return Status::Error(StatusCode::kInvalidArgument, "a number has no sizes");
  const Strided strided = StridedInput(self);
  result = Value::OfInt(kOf == Of::kSize ? strided.sizes[dimension] : strided.strides[dimension]);
  return Status::Ok();
}

Status ElementCount(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  Value& result = read.Result("result");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  result = Value::OfInt(CountOf(self.sizes()));
  return Status::Ok();
}

bool IsReal(const Number& a) { return a.type == ScalarType::kDouble; }
bool IsReal(const Number& a, const Number& b) { return IsReal(a) || IsReal(b); }

Number Wrapped(uint64_t value) { return Number::Of(static_cast<int64_t>(value)); }

uint64_t Unsigned(const Number& number) { return static_cast<uint64_t>(number.integer); }

Status Add(const Number& a, const Number& b, Number* result) {
  *result = IsReal(a, b) ? Number::Of(a.real + b.real) : Wrapped(Unsigned(a) + Unsigned(b));
  return Status::Ok();
}

Status Sub(const Number& a, const Number& b, Number* result) {
  *result = IsReal(a, b) ? Number::Of(a.real - b.real) : Wrapped(Unsigned(a) - Unsigned(b));
  return Status::Ok();
}

Status Mul(const Number& a, const Number& b, Number* result) {
  *result = IsReal(a, b) ? Number::Of(a.real * b.real) : Wrapped(Unsigned(a) * Unsigned(b));
  return Status::Ok();
}

Status CheckDivisor(const Number& b) {
  if (b.real != 0) return Status::Ok();
  return Status::Error(StatusCode::kInvalidArgument, "a number is divided by zero");
}

// As Python: what the remainder, which is exact, leaves. Rounding a / b can give one more.
double FloorDivReal(double a, double b) {
  if (b == 0) return std::copysign(HUGE_VAL, a);
  const double remainder = std::fmod(a, b);
  const bool is_above = remainder != 0 && (remainder < 0) != (b < 0);
  return std::nearbyint((a - remainder) / b) - (is_above ? 1 : 0);
}

// Rounded down, as Python's //.
Status FloorDiv(const Number& a, const Number& b, Number* result) {
  if (IsReal(a, b)) {
    *result = Number::Of(FloorDivReal(a.real, b.real));
    return Status::Ok();
  }
  ONEPACK_RETURN_IF_ERROR(CheckDivisor(b));
  if (b.integer == -1) return Sub(Number::Of(int64_t{0}), a, result);
  const int64_t quotient = a.integer / b.integer;
  const bool is_above = a.integer % b.integer != 0 && (a.integer < 0) != (b.integer < 0);
  *result = Number::Of(is_above ? quotient - 1 : quotient);
  return Status::Ok();
}

Status TrueDiv(const Number& a, const Number& b, Number* result) {
  *result = Number::Of(a.real / b.real);
  return Status::Ok();
}

// With the sign of the divisor, as Python's %.
Status Mod(const Number& a, const Number& b, Number* result) {
  if (IsReal(a, b)) {
    const double remainder = std::fmod(a.real, b.real);
    const bool is_other_side = remainder != 0 && (remainder < 0) != (b.real < 0);
    *result = Number::Of(is_other_side ? remainder + b.real : remainder);
    return Status::Ok();
  }
  ONEPACK_RETURN_IF_ERROR(CheckDivisor(b));
  const int64_t remainder = b.integer == -1 ? 0 : a.integer % b.integer;
  const bool is_other_side = remainder != 0 && (remainder < 0) != (b.integer < 0);
  *result = Number::Of(is_other_side ? remainder + b.integer : remainder);
  return Status::Ok();
}

// -1, 0 or 1 as a is below, at or above b; 2 where one is no number.
int Compare(const Number& a, const Number& b) {
  if (!IsReal(a, b)) return a.integer < b.integer ? -1 : (a.integer > b.integer ? 1 : 0);
  if (std::isnan(a.real) || std::isnan(b.real)) return 2;
  return a.real < b.real ? -1 : (a.real > b.real ? 1 : 0);
}

Status Eq(const Number& a, const Number& b, Number* result) {
  *result = Number::Of(Compare(a, b) == 0);
  return Status::Ok();
}
Status Ne(const Number& a, const Number& b, Number* result) {
  *result = Number::Of(Compare(a, b) != 0);
  return Status::Ok();
}
Status Lt(const Number& a, const Number& b, Number* result) {
  *result = Number::Of(Compare(a, b) == -1);
  return Status::Ok();
}
Status Le(const Number& a, const Number& b, Number* result) {
  *result = Number::Of(Compare(a, b) <= 0);
  return Status::Ok();
}
Status Gt(const Number& a, const Number& b, Number* result) {
  *result = Number::Of(Compare(a, b) == 1);
  return Status::Ok();
}
Status Ge(const Number& a, const Number& b, Number* result) {
  const int compared = Compare(a, b);
  *result = Number::Of(compared == 0 || compared == 1);
  return Status::Ok();
}
Status Max(const Number& a, const Number& b, Number* result) {
  *result = Compare(a, b) == -1 ? b : a;
  return Status::Ok();
}
Status Min(const Number& a, const Number& b, Number* result) {
  *result = Compare(a, b) == 1 ? b : a;
  return Status::Ok();
}
Status And(const Number& a, const Number& b, Number* result) {
  *result = Number::Of(a.real != 0 && b.real != 0);
  return Status::Ok();
}
Status Or(const Number& a, const Number& b, Number* result) {
  *result = Number::Of(a.real != 0 || b.real != 0);
  return Status::Ok();
}

template <Status (*kFunction)(const Number&, const Number&, Number*)>
Status OfTwo(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Number a = read.Scalar("a");
  const Number b = read.Scalar("b");
  Value& result = read.Result("result");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  Number number;
  ONEPACK_RETURN_IF_ERROR(kFunction(a, b, &number));
  result = ValueOf(number);
  return Status::Ok();
}

Number Neg(const Number& a) {
  return IsReal(a) ? Number::Of(-a.real) : Wrapped(uint64_t{0} - Unsigned(a));
}
Number Not(const Number& a) { return Number::Of(a.real == 0); }
Number SymFloat(const Number& a) { return Number::Of(a.real); }
Number Ceil(const Number& a) {
  return IsReal(a) ? Number::Of(TruncateToLong(std::ceil(a.real))) : a;
}
Number Round(const Number& a) {  // ties to even, as in Python
  return IsReal(a) ? Number::Of(TruncateToLong(std::nearbyint(a.real))) : a;
}
Number Trunc(const Number& a) { return IsReal(a) ? Number::Of(TruncateToLong(a.real)) : a; }
Number SymInt(const Number& a) { return Number::Of(NumberAs<int64_t>(a)); }

template <Number (*kFunction)(const Number&)>
Status OfOne(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Number a = read.Scalar("a");
  Value& result = read.Result("result");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  result = ValueOf(kFunction(a));
  return Status::Ok();
}

// sym_ite(b, t, f): t or f, whatever kind of number it is.
Status IfThenElse(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Number condition = read.Scalar("b");
  const Number if_true = read.Scalar("t");
  const Number if_false = read.Scalar("f");
  Value& result = read.Result("result");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  result = ValueOf(condition.real != 0 ? if_true : if_false);
  return Status::Ok();
}

constexpr OperatorRow kRows[] = {
    {"aten::_local_scalar_dense", LocalScalar},
    {"aten::item", LocalScalar},
    {"aten::sym_numel", ElementCount},
    {"aten::sym_size.int", SizeOrStride<Of::kSize>},
    {"aten::sym_stride.int", SizeOrStride<Of::kStride>},
    {"executorch_prim::add.Scalar", OfTwo<Add>},
    {"executorch_prim::add.int", OfTwo<Add>},
    {"executorch_prim::and.Scalar", OfTwo<And>},
    {"executorch_prim::ceil.Scalar", OfOne<Ceil>},
    {"executorch_prim::eq.Scalar", OfTwo<Eq>},
    {"executorch_prim::eq.int", OfTwo<Eq>},
    {"executorch_prim::floordiv.Scalar", OfTwo<FloorDiv>},
    {"executorch_prim::floordiv.int", OfTwo<FloorDiv>},
    {"executorch_prim::ge.Scalar", OfTwo<Ge>},
    {"executorch_prim::gt.Scalar", OfTwo<Gt>},
    {"executorch_prim::le.Scalar", OfTwo<Le>},
    {"executorch_prim::lt.Scalar", OfTwo<Lt>},
    {"executorch_prim::mod.Scalar", OfTwo<Mod>},
    {"executorch_prim::mod.int", OfTwo<Mod>},
    {"executorch_prim::mul.Scalar", OfTwo<Mul>},
    {"executorch_prim::mul.int", OfTwo<Mul>},
    {"executorch_prim::ne.Scalar", OfTwo<Ne>},
    {"executorch_prim::ne.int", OfTwo<Ne>},
    {"executorch_prim::neg.Scalar", OfOne<Neg>},
    {"executorch_prim::not.Scalar", OfOne<Not>},
    {"executorch_prim::or.Scalar", OfTwo<Or>},
    {"executorch_prim::round.Scalar", OfOne<Round>},
    {"executorch_prim::sub.Scalar", OfTwo<Sub>},
    {"executorch_prim::sub.int", OfTwo<Sub>},
    {"executorch_prim::sym_float.Scalar", OfOne<SymFloat>},
    {"executorch_prim::sym_int.Scalar", OfOne<SymInt>},
    {"executorch_prim::sym_ite.Scalar", IfThenElse},
    {"executorch_prim::sym_max.Scalar", OfTwo<Max>},
    {"executorch_prim::sym_min.Scalar", OfTwo<Min>},
    {"executorch_prim::sym_not.Scalar", OfOne<Not>},
    {"executorch_prim::truediv.Scalar", OfTwo<TrueDiv>},
    {"executorch_prim::trunc.Scalar", OfOne<Trunc>},
};

}  // namespace

OperatorRows ScalarOperators() { return kRows; }

}  // namespace onepack::kernels
