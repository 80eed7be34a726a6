// One result from one element.

#include <cmath>
#include <type_traits>

#include "kernels/elementwise.h"
#include "kernels/operator_families.h"

namespace onepack::kernels {
namespace {

constexpr double kSqrtHalf = 0.70710678118654752440;
constexpr double kSqrtTwoOverPi = 0.79788456080286535588;

// An operator is a struct with Apply. REAL: for floating point only. SAME: for integers too, which
// it keeps; their expression comes second.
#define ONEPACK_REAL(Name, expression)   \
  struct Name {                          \
    template <typename C>                \
    static C Apply(C x) {                \
      return static_cast<C>(expression); \
    }                                    \
  };
#define ONEPACK_SAME(Name, expression, of_integer)         \
  struct Name {                                            \
    static float Apply(float x) { return expression; }     \
    static double Apply(double x) { return expression; }   \
    static int64_t Apply(int64_t x) { return of_integer; } \
  };

ONEPACK_REAL(Acos, std::acos(x))
ONEPACK_REAL(Acosh, std::acosh(x))
ONEPACK_REAL(Asin, std::asin(x))
ONEPACK_REAL(Asinh, std::asinh(x))
ONEPACK_REAL(Atan, std::atan(x))
ONEPACK_REAL(Atanh, std::atanh(x))
ONEPACK_REAL(Cos, std::cos(x))
ONEPACK_REAL(Cosh, std::cosh(x))
ONEPACK_REAL(Erf, std::erf(x))
ONEPACK_REAL(Exp, std::exp(x))
ONEPACK_REAL(Exp2, std::exp2(x))
ONEPACK_REAL(Expm1, std::expm1(x))
ONEPACK_REAL(HardSigmoid, (x < -3 ? C{0} : (x > 3 ? C{6} : x + C{3})) / C{6})  // keeps a NaN
ONEPACK_REAL(HardSwish, x* std::fmin(std::fmax(x + C{3}, C{0}), C{6}) / C{6})
ONEPACK_REAL(Log, std::log(x))
ONEPACK_REAL(Log10, std::log10(x))
ONEPACK_REAL(Log1p, std::log1p(x))
ONEPACK_REAL(Log2, std::log2(x))
ONEPACK_REAL(LogSigmoid, std::fmin(x, C{0}) - std::log1p(std::exp(-std::fabs(x))))
ONEPACK_REAL(Mish, x* std::tanh(x > C{20} ? x : std::log1p(std::exp(x))))
ONEPACK_REAL(Reciprocal, C{1} / x)
ONEPACK_REAL(Rsqrt, C{1} / std::sqrt(x))
ONEPACK_REAL(Sigmoid, C{1} / (C{1} + std::exp(-x)))
ONEPACK_REAL(Silu, x / (C{1} + std::exp(-x)))
ONEPACK_REAL(Sin, std::sin(x))
ONEPACK_REAL(Sinh, std::sinh(x))
ONEPACK_REAL(Sqrt, std::sqrt(x))
ONEPACK_REAL(Tan, std::tan(x))
ONEPACK_REAL(Tanh, std::tanh(x))
ONEPACK_REAL(GeluByErf, C{0.5} * x * (C{1} + std::erf(x * static_cast<C>(kSqrtHalf))))
ONEPACK_REAL(GeluByTanh, C{0.5} * x *
                             (C{1} + std::tanh(static_cast<C>(kSqrtTwoOverPi) *
                                               (x + static_cast<C>(0.044715) * x * x * x))))

// The smallest integer is its own negative, as in PyTorch.
constexpr int64_t Negative(int64_t x) {
  return static_cast<int64_t>(uint64_t{0} - static_cast<uint64_t>(x));
}

ONEPACK_SAME(Abs, std::fabs(x), x < 0 ? Negative(x) : x)
ONEPACK_SAME(Ceil, std::ceil(x), x)
ONEPACK_SAME(Floor, std::floor(x), x)
ONEPACK_SAME(IsInf, std::isinf(x) ? 1 : 0, x * 0)
ONEPACK_SAME(IsNan, std::isnan(x) ? 1 : 0, x * 0)
ONEPACK_SAME(LogicalNot, x == 0 ? 1 : 0, x == 0 ? 1 : 0)
ONEPACK_SAME(Neg, -x, Negative(x))
ONEPACK_SAME(Relu, x < 0 ? 0 : x, x < 0 ? 0 : x)  // keeps a NaN
ONEPACK_SAME(Relu6, x < 0 ? 0 : (x > 6 ? 6 : x), x < 0 ? 0 : (x > 6 ? 6 : x))
ONEPACK_SAME(Round, std::nearbyint(x), x)  // ties to even
ONEPACK_SAME(Sign, static_cast<decltype(x)>((x > 0 ? 1 : 0) - (x < 0 ? 1 : 0)),
             (x > 0 ? 1 : 0) - (x < 0 ? 1 : 0))
ONEPACK_SAME(Square, x* x,
             static_cast<int64_t>(static_cast<uint64_t>(x) * static_cast<uint64_t>(x)))
ONEPACK_SAME(Trunc, std::trunc(x), x)

#undef ONEPACK_REAL
#undef ONEPACK_SAME

// What is defined for complex numbers too.
struct ComplexAbs : Abs {
  using Abs::Apply;
  static Complex Apply(Complex x) { return {std::hypot(x.real, x.imaginary), 0}; }
};
struct ComplexNeg : Neg {
  using Neg::Apply;
  static Complex Apply(Complex x) { return -x; }
};
struct ConjugateOf {
  template <typename C>
  static C Apply(C x) {
    if constexpr (std::is_same_v<C, Complex>) {
      return Conjugate(x);
    } else {
      return x;
    }
  }
};

template <typename Op, typename = void>
constexpr bool kIsOfComplex = false;
template <typename Op>
constexpr bool kIsOfComplex<Op, std::void_t<decltype(Op::Apply(Complex{}))>> = true;

template <typename Op, typename C>
bool Block(const void* /*parameters*/, const C* const* inputs, C* output, size_t n) {
  for (size_t i = 0; i < n; ++i) output[i] = Op::Apply(inputs[0][i]);
  return true;
}

ScalarType FloatingTypeOf(const Tensor& tensor) {
  return IsFloatingPoint(tensor.scalar_type()) ? tensor.scalar_type() : ScalarType::kFloat;
}

template <typename Op>
Status Real(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  const Operand inputs[] = {Operand::Of(self)};
  return RunElementwise(inputs, FloatingTypeOf(self),
                        {Block<Op, float>, Block<Op, double>, nullptr}, nullptr, out);
}

template <typename Op>
Status Same(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments, kIsOfComplex<Op> ? Elements::kComplex : Elements::kReal);
  const Tensor& self = read.Input("self");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  const Operand inputs[] = {Operand::Of(self)};
  BlockFunctions functions{Block<Op, float>, Block<Op, double>, Block<Op, int64_t>};
  if constexpr (kIsOfComplex<Op>) functions.in_complex = Block<Op, Complex>;
  return RunElementwise(inputs, self.scalar_type(), functions, nullptr, out);
}

bool InvertBits(const void* /*parameters*/, const int64_t* const* inputs, int64_t* output,
                size_t n) {
  for (size_t i = 0; i < n; ++i) output[i] = ~inputs[0][i];
  return true;
}

Status BitwiseNot(void* context, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  if (self.scalar_type() == ScalarType::kBool) return Same<LogicalNot>(context, arguments);
  const Operand inputs[] = {Operand::Of(self)};
  return RunElementwise(inputs, self.scalar_type(), {nullptr, nullptr, InvertBits}, nullptr, out);
}

// gelu(self, approximate)
Status Gelu(void* context, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  read.Input("self");
  const std::string_view approximate = read.OptionalText("approximate");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  Value out_value = Value::OfTensor(&out);
  Value* const without_text[] = {arguments[0], &out_value};
  if (approximate == "tanh") return Real<GeluByTanh>(context, without_text);
  if (approximate.empty() || approximate == "none") return Real<GeluByErf>(context, without_text);
  return Status::Error(StatusCode::kUnsupported, "approximate is '%.*s', none or tanh expected",
                       static_cast<int>(approximate.size()), approximate.data());
}

// Operators with numbers of their own: Read takes them in the order of the schema.
struct LeakyRelu {
  double slope;
  void Read(ArgumentReader& read) { slope = read.Double("negative_slope"); }
  template <typename C>
  C Apply(C x) const {
    return x > 0 ? x : static_cast<C>(slope) * x;
  }
};

struct Elu {
  double alpha, scale, input_scale;
  void Read(ArgumentReader& read) {
    alpha = read.Double("alpha");
    scale = read.Double("scale");
    input_scale = read.Double("input_scale");
  }
  template <typename C>
  C Apply(C x) const {
    const C factor = static_cast<C>(scale);
    if (x > 0) return x * factor;
    return std::expm1(x * static_cast<C>(input_scale)) * static_cast<C>(alpha) * factor;
  }
};

struct Softplus {
  double beta, threshold;
  void Read(ArgumentReader& read) {
    beta = read.Double("beta");
    threshold = read.Double("threshold");
  }
  template <typename C>
  C Apply(C x) const {
    const C scaled = x * static_cast<C>(beta);
    if (scaled > static_cast<C>(threshold)) return x;
    return std::log1p(std::exp(scaled)) / static_cast<C>(beta);
  }
};

struct Logit {
  Optional<double> eps;
  void Read(ArgumentReader& read) { eps = read.OptionalDouble("eps"); }
  template <typename C>
  C Apply(C x) const {
    if (eps.is_given) {
      const auto low = static_cast<C>(eps.value);
      x = x < low ? low : (x > C{1} - low ? C{1} - low : x);
    }
    return std::log(x / (C{1} - x));
  }
};

struct RoundTo {
  double factor;
  void Read(ArgumentReader& read) { factor = std::pow(10.0, read.Double("decimals")); }
  template <typename C>
  C Apply(C x) const {
    return static_cast<C>(std::nearbyint(static_cast<double>(x) * factor) / factor);
  }
};

template <typename Op, typename C>
bool BlockWith(const void* parameters, const C* const* inputs, C* output, size_t n) {
  const Op& op = *static_cast<const Op*>(parameters);
  for (size_t i = 0; i < n; ++i) output[i] = op.Apply(inputs[0][i]);
  return true;
}

template <typename Op>
Status With(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  Op op;
  op.Read(read);
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  const Operand inputs[] = {Operand::Of(self)};
  return RunElementwise(inputs, FloatingTypeOf(self),
                        {BlockWith<Op, float>, BlockWith<Op, double>, nullptr}, &op, out);
}

constexpr OperatorRow kRows[] = {
    {"aten::_conj_physical.out", Same<ConjugateOf>},
    {"aten::abs.out", Same<ComplexAbs>},
    {"aten::acos.out", Real<Acos>},
    {"aten::acosh.out", Real<Acosh>},
    {"aten::asin.out", Real<Asin>},
    {"aten::asinh.out", Real<Asinh>},
    {"aten::atan.out", Real<Atan>},
    {"aten::atanh.out", Real<Atanh>},
    {"aten::bitwise_not.out", BitwiseNot},
    {"aten::ceil.out", Same<Ceil>},
    {"aten::cos.out", Real<Cos>},
    {"aten::cosh.out", Real<Cosh>},
    {"aten::elu.out", With<Elu>},
    {"aten::erf.out", Real<Erf>},
    {"aten::exp.out", Real<Exp>},
    {"aten::exp2.out", Real<Exp2>},
    {"aten::expm1.out", Real<Expm1>},
    {"aten::floor.out", Same<Floor>},
    {"aten::gelu.out", Gelu},
    {"aten::hardsigmoid.out", Real<HardSigmoid>},
    {"aten::hardswish.out", Real<HardSwish>},
    {"aten::isinf.out", Same<IsInf>},
    {"aten::isnan.out", Same<IsNan>},
    {"aten::leaky_relu.out", With<LeakyRelu>},
    {"aten::log.out", Real<Log>},
    {"aten::log10.out", Real<Log10>},
    {"aten::log1p.out", Real<Log1p>},
    {"aten::log2.out", Real<Log2>},
    {"aten::log_sigmoid.out", Real<LogSigmoid>},
    {"aten::logical_not.out", Same<LogicalNot>},
    {"aten::logit.out", With<Logit>},
    {"aten::mish.out", Real<Mish>},
    {"aten::neg.out", Same<ComplexNeg>},
    {"aten::reciprocal.out", Real<Reciprocal>},
    {"aten::relu.out", Same<Relu>},
    {"aten::relu6.out", Same<Relu6>},
    {"aten::round.decimals_out", With<RoundTo>},
    {"aten::round.out", Same<Round>},
    {"aten::rsqrt.out", Real<Rsqrt>},
    {"aten::sigmoid.out", Real<Sigmoid>},
    {"aten::sign.out", Same<Sign>},
    {"aten::silu.out", Real<Silu>},
    {"aten::sin.out", Real<Sin>},
    {"aten::sinh.out", Real<Sinh>},
    {"aten::softplus.out", With<Softplus>},
    {"aten::sqrt.out", Real<Sqrt>},
    {"aten::square.out", Same<Square>},
    {"aten::tan.out", Real<Tan>},
    {"aten::tanh.out", Real<Tanh>},
    {"aten::trunc.out", Same<Trunc>},
};

}  // namespace

OperatorRows UnaryOperators() { return kRows; }

}  // namespace onepack::kernels
