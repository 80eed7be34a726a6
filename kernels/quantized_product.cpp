// Products with a matrix of int8 weights that is quantized in groups, and inputs that are not.

#include "kernels/arguments.h"
#include "kernels/element.h"
#include "kernels/lane.h"
#include "kernels/operator_families.h"
#include "kernels/result.h"

namespace onepack::kernels {
namespace {

struct Factors {
  const Tensor& input;   // [rows, depth]
  const Tensor& weight;  // int8
  const Tensor& scales;
  const Tensor* zero_points;
};

Factors ReadFactors(ArgumentReader& read) {
  const Tensor& input = read.Input("input");
  const Tensor& weight = read.Input("weight");
  const Tensor& scales = read.Input("weight_scales");
  return {input, weight, scales, read.OptionalInput("weight_zero_points")};
}

Status CheckFactors(const Factors& factors, size_t depth_dimension, size_t highest_scale_rank) {
  const Tensor& weight = factors.weight;
  if (factors.zero_points != nullptr) {
    return Status::Error(StatusCode::kUnsupported, "zero points of weights");
  }
  const bool fits = factors.input.rank() == 2 && weight.rank() == 2 &&
                    weight.scalar_type() == ScalarType::kChar &&
                    IsFloatingPoint(factors.input.scalar_type()) &&
                    weight.sizes()[depth_dimension] == factors.input.sizes()[1];
  if (!fits) return Unfit("a matrix and int8 weights of its depth expected", factors.input, weight);
  const bool has_scales = factors.scales.rank() >= 1 &&
                          factors.scales.rank() <= highest_scale_rank &&
                          factors.scales.sizes()[0] == weight.sizes()[0];
  return has_scales ? Status::Ok() : Unfit("a scale for each row expected", factors.scales, weight);
}

// sum(row, column) is an element of out [rows of input, columns].
template <typename Sum>
Status WriteProduct(const Tensor& input, int64_t columns, Tensor& out, Sum sum) {
  Strided sizes = StridedInput(input);
  sizes.sizes[1] = columns;
  ONEPACK_RETURN_IF_ERROR(ResizeTo(sizes, out));
  const Strided to = StridedOutput(out);
  for (int64_t row = 0; row < to.sizes[0]; ++row) {
    for (int64_t column = 0; column < columns; ++column) {
      StoreElement<double>(to.type, to.data, row * to.strides[0] + column * to.strides[1],
                           sum(row, column));
    }
  }
  return Status::Ok();
}

double ElementAt(const Strided& matrix, int64_t row, int64_t column) {
  return LoadElement<double>(matrix.type, matrix.data,
                             row * matrix.strides[0] + column * matrix.strides[1]);
}

// mixed_mm(input, weight, weight_scales, weight_zero_points?, out): weight [depth, columns], scales
// [depth]
Status MixedMm(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Factors factors = ReadFactors(read);
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  ONEPACK_RETURN_IF_ERROR(CheckFactors(factors, 0, 1));
  const Strided a = StridedInput(factors.input);
  const Strided b = StridedInput(factors.weight);
  const Lane scales = LaneAt(StridedInput(factors.scales), 0, 1);
  return WriteProduct(factors.input, b.sizes[1], out, [&](int64_t row, int64_t column) {
    double sum = 0;
    for (int64_t k = 0; k < a.sizes[1]; ++k) {
      sum += ElementAt(a, row, k) * ElementAt(b, k, column) * scales.At<double>(k);
    }
    return sum;
  });
}

// mixed_linear(input, weight, weight_scales, weight_zero_points?, dtype?, out): weight
// [columns, depth], scales [columns] or [columns, groups of the depth]
Status MixedLinear(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Factors factors = ReadFactors(read);
  read.Skip();  // the type is that of out
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  ONEPACK_RETURN_IF_ERROR(CheckFactors(factors, 1, 2));
  const Strided a = StridedInput(factors.input);
  const Strided b = StridedInput(factors.weight);
  Strided scales = StridedInput(factors.scales);
  if (scales.rank == 1) scales.Append(1, 0);
  const int64_t depth = a.sizes[1];
  const int64_t groups = scales.sizes[1];
  if (groups < 1) return Unfit("a scale for each group expected", factors.scales, factors.weight);
  const int64_t group = depth == 0 ? 1 : (depth - 1) / groups + 1;
  return WriteProduct(factors.input, b.sizes[0], out, [&](int64_t row, int64_t column) {
    double sum = 0;
    for (int64_t k = 0; k < depth; ++k) {
      sum += ElementAt(a, row, k) * ElementAt(b, column, k) * ElementAt(scales, column, k / group);
    }
    return sum;
  });
}

constexpr OperatorRow kRows[] = {
    {"quantized_decomposed::mixed_linear.out", MixedLinear},
    {"quantized_decomposed::mixed_mm.out", MixedMm},
};

}  // namespace

OperatorRows QuantizedProductOperators() { return kRows; }

}  // namespace onepack::kernels
