// The Hadamard transform of each row, which spreads outliers over a row before it is quantized.

#include <math.h>

#include "kernels/arguments.h"
#include "kernels/element.h"
#include "kernels/operator_families.h"
#include "kernels/strided.h"
#include "onepack/array.h"

namespace onepack::kernels {
namespace {

// Rows are 2^n numbers, or so many times 2^n.
constexpr size_t kOrder = 28;
constexpr size_t kCirculant = kOrder / 4;

// The matrix of order 28 is Williamson's: four circulant symmetric matrices of order 7, of which
// these are the first rows,
constexpr int8_t kFirstRows[4][kCirculant] = {{1, -1, -1, -1, -1, -1, -1},
                                              {1, 1, -1, -1, -1, -1, 1},
                                              {1, -1, 1, -1, -1, 1, -1},
                                              {1, -1, -1, 1, 1, -1, -1}};
// and which of them, counted from 1, with which sign, is where.
constexpr int8_t kBlocks[4][4] = {{1, 2, 3, 4}, {-2, 1, -4, 3}, {-3, 4, 1, -2}, {-4, -3, 2, 1}};

struct Signs {
  int8_t at[kOrder][kOrder] = {};

  constexpr Signs() {
    for (size_t row = 0; row < kOrder; ++row) {
      for (size_t column = 0; column < kOrder; ++column) {
        const int block = kBlocks[row / kCirculant][column / kCirculant];
        const int8_t* first_row = kFirstRows[(block > 0 ? block : -block) - 1];
        const int sign = first_row[(column + kOrder - row) % kCirculant];
        at[row][column] = static_cast<int8_t>(block > 0 ? sign : -sign);
      }
    }
  }
};
constexpr Signs kSigns;

// Of 2^n numbers, scaled to keep their length.
template <typename C>
void TransformPowerOfTwo(C* numbers, size_t size) {
  for (size_t step = 1; step < size; step *= 2) {
    for (size_t first = 0; first < size; first += 2 * step) {
      C* const a = numbers + first;
      C* const b = a + step;
      for (size_t i = 0; i < step; ++i) {
        const C sum = a[i] + b[i];
        b[i] = a[i] - b[i];
        a[i] = sum;
      }
    }
  }
  const auto factor = static_cast<C>(1 / sqrt(static_cast<double>(size)));
  for (size_t i = 0; i < size; ++i) numbers[i] *= factor;
}

constexpr size_t kColumns = 32;  // at a time

// The matrix of order 28 times 28 rows of `size` numbers, of which n columns; not scaled.
template <typename C>
void MultiplyColumns(C* numbers, size_t size, size_t n) {
  C products[kOrder][kColumns] = {};
  for (size_t row = 0; row < kOrder; ++row) {
    for (size_t k = 0; k < kOrder; ++k) {
      const auto sign = static_cast<C>(kSigns.at[row][k]);
      for (size_t i = 0; i < n; ++i) products[row][i] += sign * numbers[k * size + i];
    }
  }
  for (size_t row = 0; row < kOrder; ++row) {
    for (size_t i = 0; i < n; ++i) numbers[row * size + i] = products[row][i];
  }
}

template <typename C>
void TransformRow(C* numbers, size_t length) {
  const size_t parts = length % kOrder == 0 ? kOrder : 1;
  const size_t size = length / parts;
  for (size_t part = 0; part < parts; ++part) TransformPowerOfTwo(numbers + part * size, size);
  for (size_t first = 0; parts > 1 && first < size; first += kColumns) {
    MultiplyColumns(numbers + first, size, size - first < kColumns ? size - first : kColumns);
  }
}

bool IsTransformable(size_t length) {
  const size_t size = length % kOrder == 0 ? length / kOrder : length;
  return size > 0 && (size & (size - 1)) == 0;
}

// Where row `index` begins; `rows` has no more dimension for what is in a row.
int64_t OffsetOf(const Strided& rows, size_t index) {
  int64_t offset = rows.offset;
  for (size_t i = rows.rank; i-- > 0;) {
    const auto size = static_cast<size_t>(rows.sizes[i]);
    offset += static_cast<int64_t>(index % size) * rows.strides[i];
    index /= size;
  }
  return offset;
}

template <typename C>
struct Transform {
  Strided from, to;  // rows, without the last dimension
  int64_t from_stride = 1, to_stride = 1;
  size_t rows = 0, length = 0;
  size_t tasks = 0;
  C* scratch = nullptr;  // a row for each task

  // Every so many rows.
  static void Run(void* context, size_t task) {
    const Transform& transform = *static_cast<const Transform*>(context);
    const size_t length = transform.length;
    C* const numbers = transform.scratch + task * length;
    for (size_t row = task; row < transform.rows; row += transform.tasks) {
      LoadElements<C>(transform.from.type, transform.from.data, OffsetOf(transform.from, row),
                      transform.from_stride, length, numbers);
      TransformRow(numbers, length);
      StoreElements<C>(transform.to.type, transform.to.data, OffsetOf(transform.to, row),
                       transform.to_stride, length, numbers);
    }
  }
};

template <typename C>
Status TransformRows(const Strided& from, const Strided& to, const OperatorContext& context) {
  const size_t last = to.rank - 1;
  Transform<C> transform;
  transform.from = from;
  transform.to = to;
  transform.from.Remove(last);
  transform.to.Remove(last);
  transform.from_stride = from.strides[last];
  transform.to_stride = to.strides[last];
  transform.rows = static_cast<size_t>(transform.to.count());
  transform.length = static_cast<size_t>(to.sizes[last]);
  const size_t threads = pthreadpool_get_threads_count(context.threadpool());
  transform.tasks = transform.rows < threads ? transform.rows : threads;
  Array<C> scratch;
  ONEPACK_ASSIGN_OR_RETURN(scratch,
                           Array<C>::Create(context.allocator, transform.tasks * transform.length));
  transform.scratch = scratch.data();
  pthreadpool_parallelize_1d(context.threadpool(), Transform<C>::Run, &transform, transform.tasks,
                             0);
  return Status::Ok();
}

// fast_hadamard_transform(mat, out)
Status FastHadamardTransform(void* context, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& mat = read.Input("mat");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  if (!IsFloatingPoint(mat.scalar_type()) || !IsFloatingPoint(out.scalar_type())) {
    return Unfit("real numbers expected", mat, out);
  }
  ONEPACK_RETURN_IF_ERROR(out.Resize(mat.sizes()));
  if (CountOf(mat.sizes()) == 0) return Status::Ok();
  Strided from = StridedInput(mat);
  Strided to = StridedOutput(out);
  if (from.rank == 0) {  // a row of one
    from.Append(1, 1);
    to.Append(1, 1);
  }
  if (!IsTransformable(static_cast<size_t>(to.sizes[to.rank - 1]))) {
    return Status::Error(StatusCode::kInvalidArgument,
                         "rows of %s, a power of two or %zu times one expected",
                         LayoutText(mat.layout()).c_str(), kOrder);
  }
  const bool is_double = mat.scalar_type() == ScalarType::kDouble;
  return is_double ? TransformRows<double>(from, to, ContextOf(context))
                   : TransformRows<float>(from, to, ContextOf(context));
}

constexpr OperatorRow kRows[] = {
    {"llama::fast_hadamard_transform.out", FastHadamardTransform},
};

}  // namespace

OperatorRows HadamardOperators() { return kRows; }

}  // namespace onepack::kernels
