// The loop of all operators that compute one element from one of each input.
//
// Inputs are broadcast to the sizes of the output, loaded block by block in the type to compute in,
// and the results stored in the output's type. An operator brings a function over such blocks.

#ifndef ONEPACK_KERNELS_ELEMENTWISE_H_
#define ONEPACK_KERNELS_ELEMENTWISE_H_

#include "kernels/arguments.h"
#include "kernels/element.h"

namespace onepack::kernels {

inline constexpr size_t kMaxOperands = 3;

// An input: a tensor, or a number that stands for a tensor of it.
struct Operand {
  const Tensor* tensor = nullptr;
  Number number;

  static Operand Of(const Tensor& tensor) { return {&tensor, {}}; }
  static Operand Of(const Number& number) { return {nullptr, number}; }
};

// Computes a block of n results from a block of each input. `parameters` is the operator's own.
// False: an input has no result, a division by zero of integers for example.
template <typename C>
using BlockFunction = bool (*)(const void* parameters, const C* const* inputs, C* output, size_t n);

// A null function: the operator is not defined in that type.
struct BlockFunctions {
  BlockFunction<float> in_float = nullptr;
  BlockFunction<double> in_double = nullptr;
  BlockFunction<int64_t> in_long = nullptr;
  BlockFunction<Complex> in_complex = nullptr;
};

// PyTorch's type of the result: tensors count before tensors of rank 0, and those before numbers,
// as far as they are of the same kind (bool, integer, floating point, complex).
ScalarType ResultType(Span<const Operand> operands);

// Sets the sizes of `out` and computes all of it. Errors: inputs that do not broadcast together; an
// output that is another size; a type without function; a block without result.
Status RunElementwise(Span<const Operand> inputs, ScalarType type, const BlockFunctions& functions,
                      const void* parameters, Tensor& out);

// The sizes that a and b broadcast to. `sizes` has room for kMaxTensorRank.
Status BroadcastSizes(Span<const int32_t> a, Span<const int32_t> b, int32_t* sizes, size_t* rank);

}  // namespace onepack::kernels

#endif  // ONEPACK_KERNELS_ELEMENTWISE_H_
