// Fourier transforms over some dimensions of a tensor, from real numbers, to them, or neither.

#include <cmath>

#include "kernels/arguments.h"
#include "kernels/element.h"
#include "kernels/fiber.h"
#include "kernels/fourier_transform.h"
#include "kernels/operator_families.h"
#include "kernels/result.h"

namespace onepack::kernels {
namespace {

using Direction = FourierTransform::Direction;

// Dimensions of a tensor, in the order of the argument; each once.
struct Dimensions {
  size_t count = 0;
  size_t at[kMaxTensorRank] = {};
  size_t last() const { return at[count - 1]; }
};

Status ResolveDimensions(const IntList& dims, const Tensor& self, Dimensions* dimensions) {
  bool is_named[kMaxTensorRank] = {};
  bool fits = !dims.empty() && dims.size() <= self.rank();
  for (size_t i = 0; fits && i < dims.size(); ++i) {
    size_t dimension;
    ONEPACK_RETURN_IF_ERROR(ResolveDimension(dims[i], self.rank(), &dimension));
    fits = !is_named[dimension] && self.sizes()[dimension] > 0;
    is_named[dimension] = true;
    dimensions->at[dimensions->count++] = dimension;
  }
  if (fits) return Status::Ok();
  return Status::Error(StatusCode::kInvalidArgument,
                       "a transform over %zu dimensions of %s: each once, and not empty, expected",
                       dims.size(), LayoutText(self.layout()).c_str());
}

// What all operators here take: (self, dim, normalization, an option of their own, out).
struct Arguments {
  const Tensor* self;
  Tensor* out;
  Dimensions dimensions;
  int64_t normalization;

  // What the result is multiplied by: by normalization, 0 nothing, 1 the root of the number of
  // elements that are transformed together, 2 that number. `sizes` are those of the real side.
  double Scale(const Strided& sizes) const {
    double count = 1;
    for (size_t i = 0; i < dimensions.count; ++i) {
      count *= static_cast<double>(sizes.sizes[dimensions.at[i]]);
    }
    return normalization == 0 ? 1 : 1 / (normalization == 1 ? std::sqrt(count) : count);
  }
};

template <typename Option>
Status ReadArguments(Span<Value* const> values, Option (ArgumentReader::*read_option)(const char*),
                     const char* option_name, Arguments* arguments, Option* option) {
  ArgumentReader read(values, Elements::kComplex);
  arguments->self = &read.Input("self");
  const IntList dims = read.Ints("dim");
  arguments->normalization = read.Int("normalization");
  *option = (read.*read_option)(option_name);
  arguments->out = &read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  if (arguments->normalization < 0 || arguments->normalization > 2) {
    return Status::Error(StatusCode::kInvalidArgument, "normalization %lld, 0 to 2 expected",
                         static_cast<long long>(arguments->normalization));
  }
  return ResolveDimensions(dims, *arguments->self, &arguments->dimensions);
}

Status CheckTypes(const Tensor& real, const Tensor& complex) {
  if (IsFloatingPoint(real.scalar_type()) && IsComplex(complex.scalar_type()) &&
      RealTypeOf(complex.scalar_type()) == real.scalar_type()) {
    return Status::Ok();
  }
  return Unfit("real numbers and the complex ones of their type expected", real, complex);
}

FourierTransform::Precision PrecisionOf(const Tensor& complex) {
  return complex.scalar_type() == ScalarType::kComplexDouble ? FourierTransform::Precision::kDouble
                                                             : FourierTransform::Precision::kFloat;
}

// A transform of each fiber of `from`, filled by `load(fiber, row)` and stored by `store(row,
// fiber)`.
template <typename Load, typename Store>
void TransformFibers(const Strided& from, const Strided& to, size_t dimension,
                     FourierTransform& transform, Load load, Store store) {
  const Strided tensors[] = {to, from};
  ForEachFiber(tensors, dimension, [&](const Fiber(&fibers)[2]) {
    load(fibers[1], transform.row());
    transform.Run();
    store(transform.row(), fibers[0]);
  });
}

void LoadRow(const Fiber& fiber, Span<Complex> row) {
  fiber.Load<Complex>(0, row.size(), row.data());
}

void ScaleRow(Span<Complex> row, double scale) {
  for (Complex& number : row) number = number * scale;
}

// Over one dimension, from complex numbers to complex ones; `to` may be `from`.
Status TransformComplex(const Strided& from, const Strided& to, size_t dimension,
                        Direction direction, FourierTransform::Precision precision, double scale,
                        const Allocator& allocator) {
  ONEPACK_ASSIGN_OR_RETURN(
      FourierTransform transform,
      FourierTransform::Create(from.sizes[dimension], direction, precision, allocator));
  TransformFibers(from, to, dimension, transform, LoadRow,
                  [&](Span<Complex> row, const Fiber& fiber) {
                    ScaleRow(row, scale);
                    fiber.Store<Complex>(0, row.size(), row.data());
                  });
  return Status::Ok();
}

// _fft_c2c(self, dim, normalization, forward, out)
Status ComplexToComplex(void* context, Span<Value* const> values) {
  Arguments arguments;
  bool is_forward;
  ONEPACK_RETURN_IF_ERROR(
      ReadArguments(values, &ArgumentReader::Bool, "forward", &arguments, &is_forward));
  const Tensor& self = *arguments.self;
  Tensor& out = *arguments.out;
  const Dimensions& dimensions = arguments.dimensions;
  if (!IsComplex(self.scalar_type()) || self.scalar_type() != out.scalar_type()) {
    return Unfit("complex numbers of one type expected", self, out);
  }
  const Direction direction = is_forward ? Direction::kForward : Direction::kBackward;
  Strided from = StridedInput(self);
  const double scale = arguments.Scale(from);
  ONEPACK_RETURN_IF_ERROR(out.Resize(self.sizes()));
  const Strided to = StridedOutput(out);
  for (size_t i = 0; i < dimensions.count; ++i) {
    ONEPACK_RETURN_IF_ERROR(TransformComplex(from, to, dimensions.at[i], direction,
                                             PrecisionOf(out), i == 0 ? scale : 1,
                                             ContextOf(context).allocator));
    from = to;
  }
  return Status::Ok();
}

// _fft_r2c(self, dim, normalization, onesided, out): of the last of the dimensions only the first
// half is kept where onesided; the other is its mirror image.
Status RealToComplex(void* context, Span<Value* const> values) {
  Arguments arguments;
  bool is_onesided;
  ONEPACK_RETURN_IF_ERROR(
      ReadArguments(values, &ArgumentReader::Bool, "onesided", &arguments, &is_onesided));
  const Dimensions& dimensions = arguments.dimensions;
  Tensor& out = *arguments.out;
  ONEPACK_RETURN_IF_ERROR(CheckTypes(*arguments.self, out));
  const Strided from = StridedInput(*arguments.self);
  const double scale = arguments.Scale(from);
  const size_t last = dimensions.last();
  Strided sizes = from;
  if (is_onesided) sizes.sizes[last] = from.sizes[last] / 2 + 1;
  ONEPACK_RETURN_IF_ERROR(ResizeTo(sizes, out));
  const Strided to = StridedOutput(out);
  const Allocator& allocator = ContextOf(context).allocator;
  ONEPACK_ASSIGN_OR_RETURN(
      FourierTransform transform,
      FourierTransform::Create(from.sizes[last], Direction::kForward, PrecisionOf(out), allocator));
  TransformFibers(from, to, last, transform, LoadRow, [&](Span<Complex> row, const Fiber& fiber) {
    ScaleRow(row, scale);
    fiber.Store<Complex>(0, static_cast<size_t>(sizes.sizes[last]), row.data());
  });
  for (size_t i = 0; i + 1 < dimensions.count; ++i) {
    ONEPACK_RETURN_IF_ERROR(TransformComplex(to, to, dimensions.at[i], Direction::kForward,
                                             PrecisionOf(out), 1, allocator));
  }
  return Status::Ok();
}

// All of a row of which the first half is given. What cannot be imaginary does not count as such.
void LoadMirrored(const Fiber& fiber, Span<Complex> row) {
  const size_t half = row.size() / 2;
  fiber.Load<Complex>(0, half + 1, row.data());
  row[0].imaginary = 0;
  if (row.size() % 2 == 0) row[half].imaginary = 0;
  for (size_t i = half + 1; i < row.size(); ++i) row[i] = Conjugate(row[row.size() - i]);
}

// A copy of what `view` shows in numbers of double.
Status CopyInDouble(const Strided& view, const Allocator& allocator, Array<Complex>* memory,
                    Strided* copy) {
  ONEPACK_ASSIGN_OR_RETURN(*memory,
                           Array<Complex>::Create(allocator, static_cast<size_t>(view.count())));
  copy->type = ScalarType::kComplexDouble;
  copy->data = reinterpret_cast<uint8_t*>(memory->data());
  int64_t stride = view.count();
  for (size_t i = 0; i < view.rank; ++i) {
    stride = view.sizes[i] == 0 ? 0 : stride / view.sizes[i];
    copy->Append(view.sizes[i], stride);
  }
  CopyStrided(view, *copy);
  return Status::Ok();
}

// _fft_c2r(self, dim, normalization, last_dim_size, out): the other way round. self has the first
// half of the last of the dimensions, which gets last_dim_size.
Status ComplexToReal(void* context, Span<Value* const> values) {
  Arguments arguments;
  int64_t last_size;
  ONEPACK_RETURN_IF_ERROR(
      ReadArguments(values, &ArgumentReader::Int, "last_dim_size", &arguments, &last_size));
  const Tensor& self = *arguments.self;
  const Dimensions& dimensions = arguments.dimensions;
  Tensor& out = *arguments.out;
  ONEPACK_RETURN_IF_ERROR(CheckTypes(out, self));
  const size_t last = dimensions.last();
  Strided from = StridedInput(self);
  if (last_size < 1 || last_size / 2 + 1 > from.sizes[last]) {
    return Status::Error(StatusCode::kInvalidArgument, "%s, half of %lld elements expected",
                         LayoutText(self.layout()).c_str(), static_cast<long long>(last_size));
  }
  Strided sizes = from;
  sizes.sizes[last] = last_size;
  const double scale = arguments.Scale(sizes);
  ONEPACK_RETURN_IF_ERROR(ResizeTo(sizes, out));
  from.Narrow(last, 0, last_size / 2 + 1);
  const Allocator& allocator = ContextOf(context).allocator;
  Array<Complex> memory;
  if (dimensions.count > 1) {
    Strided copy;
    ONEPACK_RETURN_IF_ERROR(CopyInDouble(from, allocator, &memory, &copy));
    from = copy;
  }
  for (size_t i = 0; i + 1 < dimensions.count; ++i) {
    ONEPACK_RETURN_IF_ERROR(TransformComplex(from, from, dimensions.at[i], Direction::kBackward,
                                             PrecisionOf(self), 1, allocator));
  }
  ONEPACK_ASSIGN_OR_RETURN(
      FourierTransform transform,
      FourierTransform::Create(last_size, Direction::kBackward, PrecisionOf(self), allocator));
  TransformFibers(from, StridedOutput(out), last, transform, LoadMirrored,
                  [&](Span<Complex> row, const Fiber& fiber) {
                    ScaleRow(row, scale);
                    fiber.Store<Complex>(0, row.size(), row.data());
                  });
  return Status::Ok();
}

constexpr OperatorRow kRows[] = {
    {"aten::_fft_c2c.out", ComplexToComplex},
    {"aten::_fft_c2r.out", ComplexToReal},
    {"aten::_fft_r2c.out", RealToComplex},
};

}  // namespace

OperatorRows FourierOperators() { return kRows; }

}  // namespace onepack::kernels
