// One result from three elements; those with bounds that may be absent, too.

#include "kernels/elementwise.h"
#include "kernels/operator_families.h"

namespace onepack::kernels {
namespace {

struct Parameters {
  bool has_low = true;
  bool has_high = true;
  Number value;
};

// x, low, high. A NaN stays.
template <typename C>
bool ClampBlock(const void* parameters, const C* const* inputs, C* output, size_t n) {
  const auto& bounds = *static_cast<const Parameters*>(parameters);
  for (size_t i = 0; i < n; ++i) {
    C x = inputs[0][i];
    if (bounds.has_low && x < inputs[1][i]) x = inputs[1][i];
    if (bounds.has_high && x > inputs[2][i]) x = inputs[2][i];
    output[i] = x;
  }
  return true;
}

// condition, a, b
template <typename C>
bool WhereBlock(const void* /*parameters*/, const C* const* inputs, C* output, size_t n) {
  for (size_t i = 0; i < n; ++i) output[i] = inputs[0][i] != 0 ? inputs[1][i] : inputs[2][i];
  return true;
}

// x, a, b
template <typename C>
bool AddcmulBlock(const void* parameters, const C* const* inputs, C* output, size_t n) {
  const C value = NumberAs<C>(static_cast<const Parameters*>(parameters)->value);
  for (size_t i = 0; i < n; ++i) {
    output[i] = inputs[0][i] + value * inputs[1][i] * inputs[2][i];
  }
  return true;
}

template <typename C>
bool AddcdivBlock(const void* parameters, const C* const* inputs, C* output, size_t n) {
  const C value = NumberAs<C>(static_cast<const Parameters*>(parameters)->value);
  for (size_t i = 0; i < n; ++i) {
    output[i] = inputs[0][i] + value * inputs[1][i] / inputs[2][i];
  }
  return true;
}

constexpr BlockFunctions kClamp{ClampBlock<float>, ClampBlock<double>, ClampBlock<int64_t>};
constexpr BlockFunctions kWhere{WhereBlock<float>, WhereBlock<double>, WhereBlock<int64_t>};
constexpr BlockFunctions kAddcmul{AddcmulBlock<float>, AddcmulBlock<double>, nullptr};
constexpr BlockFunctions kAddcdiv{AddcdivBlock<float>, AddcdivBlock<double>, nullptr};

// An absent bound is any number that does not change the type.
constexpr Operand kAbsent{nullptr, {ScalarType::kBool, 0, 0}};

Status RunClamp(const Operand& self, const Operand& low, const Operand& high,
                const Parameters& parameters, Tensor& out) {
  const Operand inputs[] = {self, low, high};
  return RunElementwise(inputs, ResultType(inputs), kClamp, &parameters, out);
}

// clamp(self, min?, max?) and hardtanh(self, min, max)
Status Clamp(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  const Optional<Number> low = read.OptionalScalar("min");
  const Optional<Number> high = read.OptionalScalar("max");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  return RunClamp(Operand::Of(self), low.is_given ? Operand::Of(low.value) : kAbsent,
                  high.is_given ? Operand::Of(high.value) : kAbsent,
                  {low.is_given, high.is_given, {}}, out);
}

Status ClampToTensors(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  const Tensor* low = read.OptionalInput("min");
  const Tensor* high = read.OptionalInput("max");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  return RunClamp(Operand::Of(self), low != nullptr ? Operand::Of(*low) : kAbsent,
                  high != nullptr ? Operand::Of(*high) : kAbsent,
                  {low != nullptr, high != nullptr, {}}, out);
}

template <bool kHasLow>
Status ClampOneSide(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  const Operand bound = Operand::Of(read.Scalar(kHasLow ? "min" : "max"));
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  return RunClamp(Operand::Of(self), kHasLow ? bound : kAbsent, kHasLow ? kAbsent : bound,
                  {kHasLow, !kHasLow, {}}, out);
}

Status RunWhere(const Tensor& condition, const Operand& a, const Operand& b, Tensor& out) {
  const Operand values[] = {a, b};
  const Operand inputs[] = {Operand::Of(condition), a, b};
  return RunElementwise(inputs, ResultType(values), kWhere, nullptr, out);
}

Status Where(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& condition = read.Input("condition");
  const Tensor& self = read.Input("self");
  const Tensor& other = read.Input("other");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  return RunWhere(condition, Operand::Of(self), Operand::Of(other), out);
}

// masked_fill(self, mask, value): in the type of self.
template <bool kIsTensor>
Status MaskedFill(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  const Tensor& mask = read.Input("mask");
  const Operand value =
      kIsTensor ? Operand::Of(read.Input("value")) : Operand::Of(read.Scalar("value"));
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  const Operand inputs[] = {Operand::Of(mask), value, Operand::Of(self)};
  return RunElementwise(inputs, self.scalar_type(), kWhere, nullptr, out);
}

template <const BlockFunctions& kFunctions>
Status AddProduct(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Operand inputs[] = {Operand::Of(read.Input("self")), Operand::Of(read.Input("tensor1")),
                            Operand::Of(read.Input("tensor2"))};
  Parameters parameters;
  parameters.value = read.Scalar("value");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  return RunElementwise(inputs, ResultType(inputs), kFunctions, &parameters, out);
}

constexpr OperatorRow kRows[] = {
    {"aten::addcdiv.out", AddProduct<kAddcdiv>},
    {"aten::addcmul.out", AddProduct<kAddcmul>},
    {"aten::clamp.Tensor_out", ClampToTensors},
    {"aten::clamp.out", Clamp},
    {"aten::clamp_max.out", ClampOneSide<false>},
    {"aten::clamp_min.out", ClampOneSide<true>},
    {"aten::hardtanh.out", Clamp},
    {"aten::masked_fill.Scalar_out", MaskedFill<false>},
    {"aten::masked_fill.Tensor_out", MaskedFill<true>},
    {"aten::where.self_out", Where},
};

}  // namespace

OperatorRows TernaryOperators() { return kRows; }

}  // namespace onepack::kernels
