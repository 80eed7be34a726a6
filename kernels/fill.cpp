// Tensors made of numbers, and those that keep a triangle.

#include <cmath>

#include "kernels/arguments.h"
#include "kernels/element.h"
#include "kernels/operator_families.h"
#include "kernels/result.h"

namespace onepack::kernels {
namespace {

Status FillSizes(const IntList& sizes, const Number& value, Tensor& out) {
  Strided view;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (i == kMaxTensorRank) return Status::Error(StatusCode::kInvalidArgument, "rank too high");
    view.Append(sizes[i], 0);
  }
  ONEPACK_RETURN_IF_ERROR(ResizeTo(view, out));
  FillStrided(StridedOutput(out), value);
  return Status::Ok();
}

// full(size, fill_value, out)
Status Full(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments, Elements::kComplex);
  const IntList sizes = read.Ints("size");
  const Number value = read.Scalar("fill_value");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  return FillSizes(sizes, value, out);
}

// zeros(size, out), ones(size, out)
template <int kValue>
Status FullOf(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments, Elements::kComplex);
  const IntList sizes = read.Ints("size");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  return FillSizes(sizes, Number::Of(int64_t{kValue}), out);
}

Status FillLike(const Tensor& self, const Number& value, Tensor& out) {
  ONEPACK_RETURN_IF_ERROR(out.Resize(self.sizes()));
  FillStrided(StridedOutput(out), value);
  return Status::Ok();
}

// full_like(self, fill_value, memory_format?, out) and fill(self, value, out)
template <bool kHasFormat>
Status FullLike(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments, Elements::kComplex);
  const Tensor& self = read.Input("self");
  const Number value = read.Scalar("value");
  if (kHasFormat) read.Skip();
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  return FillLike(self, value, out);
}

// zeros_like(self, memory_format?, out), ones_like
template <int kValue>
Status FullLikeOf(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments, Elements::kComplex);
  const Tensor& self = read.Input("self");
  read.Skip();
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  return FillLike(self, Number::Of(int64_t{kValue}), out);
}

// The only element of a tensor as a number.
Status NumberIn(const Tensor& tensor, Number* number) {
  if (CountOf(tensor.sizes()) != 1) {
    return Status::Error(StatusCode::kInvalidArgument, "%s, one element expected",
                         LayoutText(tensor.layout()).c_str());
  }
  *number = IsFloatingPoint(tensor.scalar_type())
                ? Number::Of(LoadElement<double>(tensor.scalar_type(), tensor.data(), 0))
                : Number::Of(LoadElement<int64_t>(tensor.scalar_type(), tensor.data(), 0));
  return Status::Ok();
}

Status FillWithTensor(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  const Tensor& value = read.Input("value");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  Number number;
  ONEPACK_RETURN_IF_ERROR(NumberIn(value, &number));
  return FillLike(self, number, out);
}

// scalar_tensor(s, out)
Status ScalarTensor(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments, Elements::kComplex);
  const Number value = read.Scalar("s");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  return FillSizes({}, value, out);
}

Status FillRange(const Number& start, const Number& end, const Number& step, Tensor& out) {
  const double length = std::ceil((end.real - start.real) / step.real);
  if (!(length >= 0 && length <= INT32_MAX)) {
    return Status::Error(StatusCode::kInvalidArgument, "no range from %g to %g by %g", start.real,
                         end.real, step.real);
  }
  const auto count = static_cast<int32_t>(length);
  ONEPACK_RETURN_IF_ERROR(out.Resize({&count, 1}));
  const bool is_integral = start.type != ScalarType::kDouble && step.type != ScalarType::kDouble;
  for (int32_t i = 0; i < count; ++i) {
    if (is_integral) {
      // Without sign: wraps around where the range is nonsense.
      const uint64_t value = static_cast<uint64_t>(start.integer) +
                             static_cast<uint64_t>(step.integer) * static_cast<uint64_t>(i);
      StoreElement<int64_t>(out.scalar_type(), out.mutable_data(), i, static_cast<int64_t>(value));
    } else {
      StoreElement<double>(out.scalar_type(), out.mutable_data(), i, start.real + step.real * i);
    }
  }
  return Status::Ok();
}

Status Arange(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments, Elements::kComplex);
  const Number end = read.Scalar("end");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  return FillRange(Number::Of(int64_t{0}), end, Number::Of(int64_t{1}), out);
}

Status ArangeFromStart(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments, Elements::kComplex);
  const Number start = read.Scalar("start");
  const Number end = read.Scalar("end");
  const Number step = read.Scalar("step");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  return FillRange(start, end, step, out);
}

// tril(self, diagonal), triu(self, diagonal): row by row, the rest is zero.
template <bool kIsLower>
Status Triangle(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments, Elements::kComplex);
  const Tensor& self = read.Input("self");
  const int64_t diagonal = read.Int("diagonal");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  if (self.rank() < 2) {
    return Status::Error(StatusCode::kInvalidArgument, "%s has no triangle",
                         LayoutText(self.layout()).c_str());
  }
  ONEPACK_RETURN_IF_ERROR(out.Resize(self.sizes()));
  const Strided from = StridedInput(self);
  const Strided to = StridedOutput(out);
  if (to.count() == 0) return Status::Ok();
  FillStrided(to, Number::Of(int64_t{0}));
  const size_t row_dimension = self.rank() - 2;
  const int64_t columns = from.sizes[row_dimension + 1];
  for (int64_t row = 0; row < from.sizes[row_dimension]; ++row) {
    // Kept: up to the diagonal, or from it on.
    int64_t border;
    if (__builtin_add_overflow(row, diagonal, &border)) border = diagonal;
    if (kIsLower && border < INT64_MAX) ++border;
    border = border < 0 ? 0 : (border > columns ? columns : border);
    Strided source = from;
    Strided target = to;
    for (Strided* part : {&source, &target}) {
      part->Narrow(row_dimension + 1, kIsLower ? 0 : border, kIsLower ? border : columns - border);
      part->Select(row_dimension, row);
    }
    CopyStrided(source, target);
  }
  return Status::Ok();
}

// constant_pad_nd(self, pad, value): pairs of before and after, from the last dimension on.
// Negative ones cut off.
Status ConstantPad(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments, Elements::kComplex);
  const Tensor& self = read.Input("self");
  const IntList pad = read.Ints("pad");
  const Number value = read.Scalar("value");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  bool fits = pad.size() % 2 == 0 && pad.size() / 2 <= self.rank();
  Strided from = StridedInput(self);
  Strided padded = from;
  for (size_t i = 0; fits && i < pad.size() / 2; ++i) {
    const size_t dimension = self.rank() - 1 - i;
    const int64_t before = pad[2 * i];
    const int64_t after = pad[2 * i + 1];
    fits = before >= -INT32_MAX && before <= INT32_MAX && after >= -INT32_MAX && after <= INT32_MAX;
    if (fits) padded.sizes[dimension] += before + after;
  }
  if (!fits) {
    return Status::Error(StatusCode::kInvalidArgument, "%zu paddings of %s", pad.size(),
                         LayoutText(self.layout()).c_str());
  }
  ONEPACK_RETURN_IF_ERROR(ResizeTo(padded, out));
  Strided to = StridedOutput(out);
  FillStrided(to, value);
  for (size_t i = 0; i < pad.size() / 2; ++i) {
    const size_t dimension = self.rank() - 1 - i;
    const int64_t before = pad[2 * i];
    const int64_t skipped = before < 0 ? -before : 0;
    const int64_t after = pad[2 * i + 1];
    const int64_t length = from.sizes[dimension] - skipped + (after < 0 ? after : 0);
    if (length <= 0) return Status::Ok();  // nothing of self is left
    from.Narrow(dimension, skipped, length);
    to.Narrow(dimension, before > 0 ? before : 0, length);
  }
  CopyStrided(from, to);
  return Status::Ok();
}

constexpr OperatorRow kRows[] = {
    {"aten::arange.out", Arange},
    {"aten::arange.start_out", ArangeFromStart},
    {"aten::constant_pad_nd.out", ConstantPad},
    {"aten::fill.Scalar_out", FullLike<false>},
    {"aten::fill.Tensor_out", FillWithTensor},
    {"aten::full.out", Full},
    {"aten::full_like.out", FullLike<true>},
    {"aten::ones.out", FullOf<1>},
    {"aten::ones_like.out", FullLikeOf<1>},
    {"aten::scalar_tensor.out", ScalarTensor},
    {"aten::tril.out", Triangle<true>},
    {"aten::triu.out", Triangle<false>},
    {"aten::zeros.out", FullOf<0>},
    {"aten::zeros_like.out", FullLikeOf<0>},
};

}  // namespace

OperatorRows FillOperators() { return kRows; }

}  // namespace onepack::kernels
