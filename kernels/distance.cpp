// Distances between the rows of matrices, in the norm of a number p.

#include <cmath>

#include "kernels/arguments.h"
#include "kernels/elementwise.h"
#include "kernels/fiber.h"
#include "kernels/operator_families.h"
#include "kernels/result.h"

namespace onepack::kernels {
namespace {

// The sum of powers of differences, or what it becomes for a p of 0 (how many there are) and of
// infinity (the largest).
struct Norm {
  double p;

  double Add(double total, double difference) const {
    const double size = std::fabs(difference);
    if (p == 0) return total + (size == 0 ? 0 : 1);
    if (p == 1) return total + size;
    if (p == 2) return total + size * size;
    if (std::isinf(p)) return Beats<true>(size, total) ? size : total;
    return total + std::pow(size, p);
  }
  double Finish(double total) const {
    if (p == 0 || p == 1 || std::isinf(p)) return total;
    return p == 2 ? std::sqrt(total) : std::pow(total, 1 / p);
  }
};

double DistanceOf(const Fiber& a, const Fiber& b, int64_t length, const Norm& norm) {
  double of_a[kBlockSize];
  double of_b[kBlockSize];
  double total = 0;
  for (int64_t first = 0; first < length; first += static_cast<int64_t>(kBlockSize)) {
    const int64_t left = length - first;
    const size_t n =
        left < static_cast<int64_t>(kBlockSize) ? static_cast<size_t>(left) : kBlockSize;
    a.Load<double>(first, n, of_a);
    b.Load<double>(first, n, of_b);
    for (size_t i = 0; i < n; ++i) total = norm.Add(total, of_a[i] - of_b[i]);
  }
  return norm.Finish(total);
}

// Row `row` of a matrix.
Fiber RowOf(const Strided& matrix, int64_t row) {
  return FiberAt(matrix, matrix.offset + row * matrix.strides[0], matrix.strides[1]);
}

Status CheckNorm(double p) {
  if (p >= 0) return Status::Ok();  // no NaN either
  return Status::Error(StatusCode::kInvalidArgument, "p is %g, 0 or more expected", p);
}

// The matrices of a tensor one by one: its last two dimensions, at `offset` further on.
Strided MatrixAt(const Strided& tensor, int64_t offset) {
  Strided matrix = tensor;
  matrix.offset = offset;
  matrix.rank = 0;
  for (size_t i = tensor.rank - 2; i < tensor.rank; ++i) {
    matrix.Append(tensor.sizes[i], tensor.strides[i]);
  }
  return matrix;
}

// The dimensions before the last two, repeated to those of `like`.
Strided BatchesOf(const Strided& tensor, const Strided& like) {
  Strided batches = tensor;
  batches.rank -= 2;
  while (batches.rank + 2 < like.rank) batches.Insert(0, 1, 0);
  for (size_t i = 0; i < batches.rank; ++i) {
    if (batches.sizes[i] != like.sizes[i]) batches.strides[i] = 0;
    batches.sizes[i] = like.sizes[i];
  }
  return batches;
}

void WriteDistances(const Strided& a, const Strided& b, const Strided& out, const Norm& norm) {
  for (int64_t i = 0; i < a.sizes[0]; ++i) {
    for (int64_t j = 0; j < b.sizes[0]; ++j) {
      RowOf(out, i).StoreAt(j, DistanceOf(RowOf(a, i), RowOf(b, j), a.sizes[1], norm));
    }
  }
}

// _cdist_forward(x1, x2, p, compute_mode?, out): x1 [..., P, M], x2 [..., R, M], out [..., P, R].
// The mode says how, and not what, to compute.
Status CrossDistances(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& x1 = read.Input("x1");
  const Tensor& x2 = read.Input("x2");
  const Norm norm{read.Double("p")};
  read.Skip();
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  ONEPACK_RETURN_IF_ERROR(CheckNorm(norm.p));
  const bool fits = x1.rank() >= 2 && x2.rank() >= 2 && IsFloatingPoint(x1.scalar_type()) &&
                    x1.scalar_type() == x2.scalar_type() &&
                    x1.sizes()[x1.rank() - 1] == x2.sizes()[x2.rank() - 1];
  if (!fits) return Unfit("rows of one length expected", x1, x2);
  int32_t sizes[kMaxTensorRank];
  size_t rank = 0;
  ONEPACK_RETURN_IF_ERROR(BroadcastSizes(x1.sizes().subspan(0, x1.rank() - 2),
                                         x2.sizes().subspan(0, x2.rank() - 2), sizes, &rank));
  sizes[rank++] = x1.sizes()[x1.rank() - 2];
  sizes[rank++] = x2.sizes()[x2.rank() - 2];
  ONEPACK_RETURN_IF_ERROR(out.Resize({sizes, rank}));
  const Strided a = StridedInput(x1);
  const Strided b = StridedInput(x2);
  const Strided to = StridedOutput(out);
  if (to.count() == 0) return Status::Ok();
  const Strided batches_of_to = BatchesOf(to, to);
  const Strided batches_of_a = BatchesOf(a, to);
  const Strided batches_of_b = BatchesOf(b, to);
  ForEachRow(LoopOver<3>({&batches_of_to, &batches_of_a, &batches_of_b}),
             [&](const int64_t* offsets, const int64_t* strides, int64_t n) {
               for (int64_t i = 0; i < n; ++i) {
                 WriteDistances(MatrixAt(a, offsets[1] + i * strides[1]),
                                MatrixAt(b, offsets[2] + i * strides[2]),
                                MatrixAt(to, offsets[0] + i * strides[0]), norm);
               }
             });
  return Status::Ok();
}

// _pdist_forward(self, p, out): of each row to those after it, [n * (n - 1) / 2].
Status PairDistances(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  const Norm norm{read.Double("p")};
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  ONEPACK_RETURN_IF_ERROR(CheckNorm(norm.p));
  if (self.rank() != 2 || !IsFloatingPoint(self.scalar_type())) {
    return Unfit("a matrix expected", self, out);
  }
  const Strided from = StridedInput(self);
  const int64_t rows = from.sizes[0];
  Strided sizes;
  sizes.Append(rows * (rows - 1) / 2, 0);
  ONEPACK_RETURN_IF_ERROR(ResizeTo(sizes, out));
  const Fiber to = FiberAt(StridedOutput(out), 0, 1);
  int64_t next = 0;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = i + 1; j < rows; ++j) {
      to.StoreAt(next++, DistanceOf(RowOf(from, i), RowOf(from, j), from.sizes[1], norm));
    }
  }
  return Status::Ok();
}

constexpr OperatorRow kRows[] = {
    {"aten::_cdist_forward.out", CrossDistances},
    {"aten::_pdist_forward.out", PairDistances},
};

}  // namespace

OperatorRows DistanceOperators() { return kRows; }

}  // namespace onepack::kernels
