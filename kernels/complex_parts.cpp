// Complex numbers as pairs of real ones, and the other way round.

#include "kernels/arguments.h"
#include "kernels/element.h"
#include "kernels/operator_families.h"
#include "kernels/result.h"

namespace onepack::kernels {
namespace {

// The real numbers of a complex tensor: its dimensions, and one of 2.
Strided PartsOf(Strided complex) {
  complex.type = RealTypeOf(complex.type);
  complex.offset *= 2;
  for (size_t i = 0; i < complex.rank; ++i) complex.strides[i] *= 2;
  complex.Append(2, 1);
  return complex;
}

// view_as_real_copy(self, out): self [...] complex, out [..., 2]
Status ViewAsReal(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments, Elements::kComplex);
  const Tensor& self = read.Input("self");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  if (!IsComplex(self.scalar_type()) || IsComplex(out.scalar_type()) ||
      self.rank() == kMaxTensorRank) {
    return Unfit("complex numbers, and real ones of a rank more, expected", self, out);
  }
  const Strided parts = PartsOf(StridedInput(self));
  ONEPACK_RETURN_IF_ERROR(ResizeTo(parts, out));
  CopyStrided(parts, StridedOutput(out));
  return Status::Ok();
}

// view_as_complex_copy(self, out): self [..., 2], out [...] complex
Status ViewAsComplex(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments, Elements::kComplex);
  const Tensor& self = read.Input("self");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  const Strided from = StridedInput(self);
  if (from.rank == 0 || from.sizes[from.rank - 1] != 2 || IsComplex(self.scalar_type()) ||
      !IsComplex(out.scalar_type())) {
    return Unfit("pairs of real numbers, and complex ones, expected", self, out);
  }
  Strided sizes = from;
  sizes.Remove(from.rank - 1);
  ONEPACK_RETURN_IF_ERROR(ResizeTo(sizes, out));
  CopyStrided(from, PartsOf(StridedOutput(out)));
  return Status::Ok();
}

constexpr OperatorRow kRows[] = {
    {"aten::view_as_complex_copy.out", ViewAsComplex},
    {"aten::view_as_real_copy.out", ViewAsReal},
};

}  // namespace

OperatorRows ComplexPartOperators() { return kRows; }

}  // namespace onepack::kernels
