// Products of numbers with int8 weights, whose scales are for a row or for a part of it.

#include "base/rounding.h"
#include "kernels/arguments.h"
#include "kernels/element.h"
#include "kernels/operator_families.h"
#include "kernels/strided.h"
#include "kernels/vector_loops.h"

namespace onepack::kernels {
namespace {

// out[row][column] = sum over k of input[row][k] * (weight - zero point)[k][column] * scale. All
// have two dimensions, [k][column] where they are of the weight; its scales are one for a k, or one
// for a column and so many k.
struct Product {
  Strided input, weight, scales, zero_points, out;
  bool has_zero_points = false;
  int64_t inputs_of_scale = 1;
  size_t column_blocks = 0;
};

int64_t Place(const Strided& tensor, int64_t row, int64_t column) {
  return tensor.offset + row * tensor.strides[0] + column * tensor.strides[1];
}

float ScaleAt(const Product& product, int64_t k, int64_t column) {
  return LoadElement<float>(product.scales.type, product.scales.data,
                            Place(product.scales, k / product.inputs_of_scale, column));
}

float ZeroPointAt(const Product& product, int64_t k, int64_t column) {
  if (!product.has_zero_points) return 0;
  return LoadElement<float>(product.zero_points.type, product.zero_points.data,
                            Place(product.zero_points, k / product.inputs_of_scale, column));
}

size_t SmallerOf(int64_t left, size_t most) {
  return left < static_cast<int64_t>(most) ? static_cast<size_t>(left) : most;
}

// n sums where the columns of the weight lie side by side, and a scale is for a k.
void SumColumns(const Product& product, int64_t row, int64_t column, size_t n, float* sums) {
  const VectorLoops& loops = VectorLoopsOfThisMachine();
  float weights[kBlockSize];
  for (int64_t k = 0; k < product.input.sizes[1]; ++k) {
    LoadElements<float>(product.weight.type, product.weight.data, Place(product.weight, k, column),
                        product.weight.strides[1], n, weights);
    const float zero_point = ZeroPointAt(product, k, column);
    for (size_t i = 0; i < n; ++i) weights[i] -= zero_point;
    const auto factor =
        LoadElement<float>(product.input.type, product.input.data, Place(product.input, row, k));
    loops.scale_and_add(sums, n, 1, weights, factor * ScaleAt(product, k, column));
  }
}

// n sums where the k of a column lie side by side, and a scale is for some of them.
void SumRows(const Product& product, int64_t row, int64_t column, size_t n, float* sums) {
  const VectorLoops& loops = VectorLoopsOfThisMachine();
  float inputs[kBlockSize];
  float weights[kBlockSize];
  const float* const factors = inputs;
  size_t count;
  for (int64_t k = 0; k < product.input.sizes[1]; k += static_cast<int64_t>(count)) {
    const int64_t left = product.input.sizes[1] - k;
    const int64_t left_of_scale = product.inputs_of_scale - k % product.inputs_of_scale;
    count = SmallerOf(left < left_of_scale ? left : left_of_scale, kBlockSize);
    LoadElements<float>(product.input.type, product.input.data, Place(product.input, row, k),
                        product.input.strides[1], count, inputs);
    for (size_t i = 0; i < n; ++i) {
      const int64_t at = column + static_cast<int64_t>(i);
      LoadElements<float>(product.weight.type, product.weight.data, Place(product.weight, k, at),
                          product.weight.strides[0], count, weights);
      const float zero_point = ZeroPointAt(product, k, at);
      for (size_t j = 0; j < count; ++j) weights[j] -= zero_point;
      float sum = 0;
      float* const results = &sum;
      loops.dot_products(&factors, 1, {weights, 0, 1, count}, ScaleAt(product, k, at), &results);
      sums[i] += sum;
    }
  }
}

using Sum = void (*)(const Product&, int64_t row, int64_t column, size_t n, float* sums);

// Some columns of a row.
template <Sum kSum>
void RunTask(void* context, size_t task) {
  const Product& product = *static_cast<const Product*>(context);
  const auto row = static_cast<int64_t>(task / product.column_blocks);
  const auto column = static_cast<int64_t>(task % product.column_blocks * kBlockSize);
  const size_t n = SmallerOf(product.out.sizes[1] - column, kBlockSize);
  float sums[kBlockSize] = {};
  kSum(product, row, column, n, sums);
  StoreElements<float>(product.out.type, product.out.data, Place(product.out, row, column),
                       product.out.strides[1], n, sums);
}

struct Arguments {
  const Tensor* input;
  const Tensor* weight;
  const Tensor* scales;
  const Tensor* zero_points;
};

Arguments Read(ArgumentReader& read) {
  Arguments a{};
  a.input = &read.Input("input");
  a.weight = &read.Input("weight");
  a.scales = &read.Input("weight_scales");
  a.zero_points = read.OptionalInput("weight_zero_points");
  return a;
}

bool IsReal(const Tensor& tensor) {
  return IsFloatingPoint(tensor.scalar_type()) && tensor.scalar_type() != ScalarType::kDouble;
}

Status Check(const Arguments& a, size_t depth_of_weight, const Tensor& out) {
  const bool fits = a.input->rank() == 2 && a.weight->rank() == 2 &&
                    a.input->sizes()[1] == a.weight->sizes()[depth_of_weight];
  if (!fits) return Unfit("input and weight do not fit", *a.input, *a.weight);
  if (a.weight->scalar_type() != ScalarType::kChar || !IsReal(*a.input) || !IsReal(out)) {
    return Status::Error(StatusCode::kUnsupported, "a product of %s and %s",
                         LayoutText(a.input->layout()).c_str(),
                         LayoutText(a.weight->layout()).c_str());
  }
  // One for each row of the weight, or for each part of it.
  const size_t rank = a.scales->rank();
  const bool is_for_rows = (rank == 1 || (rank == 2 && depth_of_weight == 1)) &&
                           a.scales->sizes()[0] == a.weight->sizes()[0];
  if (!is_for_rows || (rank == 2 && a.scales->sizes()[1] == 0)) {
    return Unfit("scales for the rows of the weight expected", *a.scales, *a.weight);
  }
  if (a.zero_points == nullptr || SameSizes(a.zero_points->sizes(), a.scales->sizes())) {
    return Status::Ok();
  }
  return Unfit("a zero point for each scale expected", *a.zero_points, *a.scales);
}

// As [k or part of k][column] where the parameters are those of row k of the weight, or of row
// `column`.
Strided ParametersOf(const Tensor& tensor, size_t depth_of_weight, int64_t columns) {
  Strided parameters = StridedInput(tensor);
  if (depth_of_weight == 0) {
    parameters.Append(columns, 0);
    return parameters;
  }
  if (parameters.rank == 1) parameters.Append(1, 0);
  std::swap(parameters.sizes[0], parameters.sizes[1]);
  std::swap(parameters.strides[0], parameters.strides[1]);
  return parameters;
}

// `depth_of_weight`: the dimension of the weight that the sum is over.
Status Run(const Arguments& a, size_t depth_of_weight, Tensor& out, pthreadpool_t threadpool) {
  ONEPACK_RETURN_IF_ERROR(Check(a, depth_of_weight, out));
  const int32_t sizes[] = {a.input->sizes()[0], a.weight->sizes()[1 - depth_of_weight]};
  ONEPACK_RETURN_IF_ERROR(out.Resize({sizes, 2}));
  Product product;
  product.input = StridedInput(*a.input);
  product.weight = StridedInput(*a.weight);
  if (depth_of_weight == 1) {
    std::swap(product.weight.sizes[0], product.weight.sizes[1]);
    std::swap(product.weight.strides[0], product.weight.strides[1]);
  }
  product.out = StridedOutput(out);
  product.scales = ParametersOf(*a.scales, depth_of_weight, sizes[1]);
  product.has_zero_points = a.zero_points != nullptr;
  if (product.has_zero_points) {
    product.zero_points = ParametersOf(*a.zero_points, depth_of_weight, sizes[1]);
  }
  if (depth_of_weight == 1) {
    const int64_t parts = product.scales.sizes[0];
    const int64_t depth = product.input.sizes[1];
    product.inputs_of_scale = depth == 0 ? 1 : DivideUp(depth, parts);
  }
  if (out.size_bytes() == 0) return Status::Ok();
  product.column_blocks = DivideUp(static_cast<size_t>(sizes[1]), kBlockSize);
  pthreadpool_parallelize_1d(threadpool,
                             depth_of_weight == 0 ? RunTask<SumColumns> : RunTask<SumRows>,
                             &product, static_cast<size_t>(sizes[0]) * product.column_blocks, 0);
  return Status::Ok();
}

// mixed_mm(input, weight, weight_scales, weight_zero_points?, out): weight [k, columns].
Status MixedMm(void* context, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Arguments a = Read(read);
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  return Run(a, 0, out, ContextOf(context).threadpool());
}

// mixed_linear(input, weight, weight_scales, weight_zero_points?, dtype?, out): weight [columns,
// k].
Status MixedLinear(void* context, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Arguments a = Read(read);
  read.SkipToTensor();
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  return Run(a, 1, out, ContextOf(context).threadpool());
}

constexpr OperatorRow kRows[] = {
    {"quantized_decomposed::mixed_linear.out", MixedLinear},
    {"quantized_decomposed::mixed_mm.out", MixedMm},
};

}  // namespace

OperatorRows MixedProductOperators() { return kRows; }

}  // namespace onepack::kernels
