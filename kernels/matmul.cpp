// Products of matrices.

#include <pthreadpool.h>

#include "kernels/arguments.h"
#include "kernels/element.h"
#include "kernels/operator_families.h"
#include "kernels/result.h"
#include "kernels/vector_loops.h"

namespace onepack::kernels {
namespace {

// Columns of a result row that are computed together.
constexpr int64_t kColumns = static_cast<int64_t>(kBlockSize);

// out[m][n] = beta * bias[m][n] + alpha * sum over k of a[m][k] * b[k][n], for each batch. All have
// rank 3; bias may be missing, and repeat with strides of 0.
struct Product {
  Strided a, b, out, bias;
  bool has_bias = false;
  Number alpha = Number::Of(int64_t{1});
  Number beta = Number::Of(int64_t{1});
  const VectorLoops* loops = nullptr;

  int64_t rows() const { return a.sizes[1]; }
  int64_t depth() const { return a.sizes[2]; }
  int64_t columns() const { return b.sizes[2]; }
};

int64_t Place(const Strided& tensor, int64_t batch, int64_t row, int64_t column) {
  return tensor.offset + batch * tensor.strides[0] + row * tensor.strides[1] +
         column * tensor.strides[2];
}

template <typename C>
void AddProduct(C factor, const C* from, size_t n, C* to) {
  for (size_t i = 0; i < n; ++i) to[i] = MultiplyAdd(factor, from[i], to[i]);
}

// n sums of a row, from `column` on, in the type C.
template <typename C>
void SumRow(const Product& product, int64_t batch, int64_t row, int64_t column, size_t n, C* sums) {
  C of_b[kColumns];
  for (size_t i = 0; i < n; ++i) sums[i] = C{};
  for (int64_t k = 0; k < product.depth(); ++k) {
    const C factor =
        LoadElement<C>(product.a.type, product.a.data, Place(product.a, batch, row, k));
    LoadElements<C>(product.b.type, product.b.data, Place(product.b, batch, k, column),
                    product.b.strides[2], n, of_b);
    AddProduct(factor, of_b, n, sums);
  }
}

// The same where all are floats that the vector loops can take as they are. False: they cannot.
bool SumFloatRow(const Product& product, int64_t batch, int64_t row, int64_t column, size_t n,
                 float* sums) {
  const Strided& a = product.a;
  const Strided& b = product.b;
  if (a.type != ScalarType::kFloat || b.type != ScalarType::kFloat || a.strides[2] != 1) {
    return false;
  }
  const float* of_a = reinterpret_cast<const float*>(a.data) + Place(a, batch, row, 0);
  const float* of_b = reinterpret_cast<const float*>(b.data) + Place(b, batch, 0, column);
  const auto depth = static_cast<size_t>(product.depth());
  if (b.strides[2] == 1) {
    for (size_t i = 0; i < n; ++i) sums[i] = 0;
    const FloatRows rows{of_b, static_cast<size_t>(b.strides[1]), depth, n};
    product.loops->add_weighted_rows(&of_a, 1, rows, &sums);
  } else if (b.strides[1] == 1) {
    const FloatRows rows{of_b, static_cast<size_t>(b.strides[2]), n, depth};
    product.loops->dot_products(&of_a, 1, rows, 1, &sums);
  } else {
    return false;
  }
  return true;
}

template <typename C>
void FinishRow(const Product& product, int64_t batch, int64_t row, int64_t column, size_t n,
               C* sums) {
  const C alpha = NumberAs<C>(product.alpha);
  const C beta = NumberAs<C>(product.beta);
  for (size_t i = 0; i < n; ++i) sums[i] = MultiplyAdd(sums[i], alpha, C{});
  if (product.has_bias && beta != C{}) {  // a bias that does not count may be anything
    C bias[kColumns];
    LoadElements<C>(product.bias.type, product.bias.data, Place(product.bias, batch, row, column),
                    product.bias.strides[2], n, bias);
    AddProduct(beta, bias, n, sums);
  }
  StoreElements<C>(product.out.type, product.out.data, Place(product.out, batch, row, column),
                   product.out.strides[2], n, sums);
}

template <typename C>
void RunRow(const Product& product, size_t task) {
  const int64_t batch = static_cast<int64_t>(task) / product.rows();
  const int64_t row = static_cast<int64_t>(task) % product.rows();
  for (int64_t column = 0; column < product.columns(); column += kColumns) {
    const int64_t left = product.columns() - column;
    const auto n = static_cast<size_t>(left < kColumns ? left : kColumns);
    C sums[kColumns];
    bool is_summed = false;
    if constexpr (std::is_same_v<C, float>) {
      is_summed = SumFloatRow(product, batch, row, column, n, sums);
    }
    if (!is_summed) SumRow<C>(product, batch, row, column, n, sums);
    FinishRow<C>(product, batch, row, column, n, sums);
  }
}

template <typename C>
void RunRowTask(void* product, size_t task) {
  RunRow<C>(*static_cast<const Product*>(product), task);
}

void RunProduct(Product& product, void* context) {
  if (product.out.count() == 0) return;
  product.loops = &VectorLoopsOfThisMachine();
  const ScalarType type = PromoteTypes(product.a.type, product.b.type);
  const auto run = [&](pthreadpool_task_1d_t task) {
    pthreadpool_parallelize_1d(ContextOf(context).threadpool(), task, &product,
                               static_cast<size_t>(product.a.sizes[0] * product.rows()), 0);
  };
  switch (ComputeTypeOf(type)) {
    case Compute::kFloat:
      return run(RunRowTask<float>);
    case Compute::kDouble:
      return run(RunRowTask<double>);
    case Compute::kLong:
      return run(RunRowTask<int64_t>);
    case Compute::kComplex:
      return run(RunRowTask<Complex>);
  }
}

// As rank 3, with a batch of one where there is none.
Strided WithBatch(Strided matrix) {
  if (matrix.rank == 2) matrix.Insert(0, 1, 0);
  return matrix;
}

Status Prepare(const Tensor& a, const Tensor& b, size_t rank, Tensor& out, Product* product) {
  const bool fits = a.rank() == rank && b.rank() == rank &&
                    a.sizes()[rank - 1] == b.sizes()[rank - 2] &&
                    (rank == 2 || a.sizes()[0] == b.sizes()[0]);
  if (!fits) return Unfit("no product", a, b);
  product->a = WithBatch(StridedInput(a));
  product->b = WithBatch(StridedInput(b));
  Strided sizes = StridedInput(a);
  sizes.sizes[rank - 1] = b.sizes()[rank - 1];
  ONEPACK_RETURN_IF_ERROR(ResizeTo(sizes, out));
  product->out = WithBatch(StridedOutput(out));
  return Status::Ok();
}

// A bias repeated to the sizes of the result.
Status AddBias(const Tensor& bias, const Tensor& out, Product* product) {
  product->has_bias = true;
  product->bias = StridedInput(bias);
  bool fits = bias.rank() <= out.rank();
  while (fits && product->bias.rank < 3) product->bias.Insert(0, 1, 0);
  for (size_t i = 0; fits && i < 3; ++i) {
    if (product->bias.sizes[i] == product->out.sizes[i]) continue;
    fits = product->bias.sizes[i] == 1;
    product->bias.strides[i] = 0;
  }
  return fits ? Status::Ok() : Unfit("a bias of another size", bias, out);
}

// mm(self, mat2, out) of rank 2, bmm of rank 3
template <size_t kRank>
Status Mm(void* context, Span<Value* const> arguments) {
  ArgumentReader read(arguments, Elements::kComplex);
  const Tensor& a = read.Input("self");
  const Tensor& b = read.Input("mat2");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  Product product;
  ONEPACK_RETURN_IF_ERROR(Prepare(a, b, kRank, out, &product));
  RunProduct(product, context);
  return Status::Ok();
}

// addmm(self, mat1, mat2, beta, alpha, out) of rank 2, baddbmm of rank 3
template <size_t kRank>
Status Addmm(void* context, Span<Value* const> arguments) {
  ArgumentReader read(arguments, Elements::kComplex);
  const Tensor& bias = read.Input("self");
  const Tensor& a = read.Input("mat1");
  const Tensor& b = read.Input("mat2");
  Product product;
  product.beta = read.Scalar("beta");
  product.alpha = read.Scalar("alpha");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  ONEPACK_RETURN_IF_ERROR(Prepare(a, b, kRank, out, &product));
  ONEPACK_RETURN_IF_ERROR(AddBias(bias, out, &product));
  RunProduct(product, context);
  return Status::Ok();
}

// linear(input, weight, bias?, out): input [..., in], weight [out, in].
Status Linear(void* context, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& input = read.Input("input");
  const Tensor& weight = read.Input("weight");
  const Tensor* bias = read.OptionalInput("bias");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  const bool fits = weight.rank() == 2 && input.rank() >= 1 &&
                    input.sizes()[input.rank() - 1] == weight.sizes()[1] &&
                    IsContiguous(StridedInput(input)) && weight.sizes()[1] > 0;
  if (!fits) return Unfit("no product", input, weight);
  Strided sizes = StridedInput(input);
  sizes.sizes[sizes.rank - 1] = weight.sizes()[0];
  ONEPACK_RETURN_IF_ERROR(ResizeTo(sizes, out));
  if (!IsContiguous(StridedOutput(out))) return Unfit("a result in this order", input, out);
  // All rows as one matrix.
  const int64_t depth = weight.sizes()[1];
  const int64_t rows = CountOf(input.sizes()) / depth;
  Product product;
  product.a = StridedInput(input);
  product.a.rank = 0;
  product.a.Append(1, 0);
  product.a.Append(rows, depth);
  product.a.Append(depth, 1);
  product.b = WithBatch(StridedInput(weight));
  std::swap(product.b.sizes[1], product.b.sizes[2]);
  std::swap(product.b.strides[1], product.b.strides[2]);
  product.out = StridedOutput(out);
  product.out.rank = 0;
  product.out.Append(1, 0);
  product.out.Append(rows, weight.sizes()[0]);
  product.out.Append(weight.sizes()[0], 1);
  if (bias != nullptr) {
    if (bias->rank() != 1) return Unfit("a bias of rank 1 expected", *bias, out);
    ONEPACK_RETURN_IF_ERROR(AddBias(*bias, out, &product));
  }
  RunProduct(product, context);
  return Status::Ok();
}

constexpr OperatorRow kRows[] = {
    {"aten::addmm.out", Addmm<2>}, {"aten::baddbmm.out", Addmm<3>}, {"aten::bmm.out", Mm<3>},
    {"aten::linear.out", Linear},  {"aten::mm.out", Mm<2>},
};

}  // namespace

OperatorRows MatmulOperators() { return kRows; }

}  // namespace onepack::kernels
