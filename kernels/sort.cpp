// Elements of a dimension in order: all of them, or the first few.

#include <algorithm>

#include "kernels/arguments.h"
#include "kernels/element.h"
#include "kernels/operator_families.h"
#include "kernels/result.h"
#include "onepack/array.h"

namespace onepack::kernels {
namespace {

template <typename C>
struct Ranked {
  C value;
  int64_t index;
};

// Whether a comes before b: a NaN is larger than all, equal values keep their order.
template <typename C>
struct IsBefore {
  bool descending;

  bool operator()(const Ranked<C>& a, const Ranked<C>& b) const {
    const bool a_is_nan = a.value != a.value;
    const bool b_is_nan = b.value != b.value;
    if (a_is_nan != b_is_nan) return a_is_nan == descending;
    if (!a_is_nan && a.value != b.value) return descending ? a.value > b.value : a.value < b.value;
    return a.index < b.index;
  }
};

// The first `kept` in order, before the others.
template <typename C>
void SortFirst(Ranked<C>* elements, size_t kept, size_t n, bool descending) {
  const IsBefore<C> is_before{descending};
  if (kept < n) std::nth_element(elements, elements + kept, elements + n, is_before);
  std::sort(elements, elements + kept, is_before);
}

struct SortProblem {
  Strided self, values, indices;  // the last two with `kept` elements in the dimension
  size_t dimension = 0;
  bool descending = false;
};

int64_t StrideOf(const Strided& tensor, size_t dimension) {
  return tensor.rank == 0 ? 0 : tensor.strides[dimension];
}

template <typename C>
Status SortFibers(const SortProblem& problem, const Allocator& allocator) {
  if (problem.values.count() == 0) return Status::Ok();
  const size_t d = problem.dimension;
  const bool is_number = problem.self.rank == 0;
  const auto length = static_cast<size_t>(is_number ? 1 : problem.self.sizes[d]);
  const auto kept = static_cast<size_t>(is_number ? 1 : problem.values.sizes[d]);
  ONEPACK_ASSIGN_OR_RETURN(Array<Ranked<C>> memory, Array<Ranked<C>>::Create(allocator, length));
  Strided self = problem.self;
  Strided values = problem.values;
  Strided indices = problem.indices;
  if (!is_number) {
    for (Strided* tensor : {&self, &values, &indices}) tensor->Remove(d);
  }
  ForEachRow(LoopOver<3>({&self, &values, &indices}), [&](const int64_t* offsets,
                                                          const int64_t* strides, int64_t n) {
    for (int64_t fiber = 0; fiber < n; ++fiber) {
      for (size_t i = 0; i < length; ++i) {
        const int64_t at =
            offsets[0] + fiber * strides[0] + static_cast<int64_t>(i) * StrideOf(problem.self, d);
        memory[i] = {LoadElement<C>(self.type, self.data, at), static_cast<int64_t>(i)};
      }
      SortFirst(memory.data(), kept, length, problem.descending);
      for (size_t i = 0; i < kept; ++i) {
        const auto step = static_cast<int64_t>(i);
        StoreElement<C>(values.type, values.data,
                        offsets[1] + fiber * strides[1] + step * StrideOf(problem.values, d),
                        memory[i].value);
        StoreElement<int64_t>(indices.type, indices.data,
                              offsets[2] + fiber * strides[2] + step * StrideOf(problem.indices, d),
                              memory[i].index);
      }
    }
  });
  return Status::Ok();
}

Status RunSort(const Tensor& self, int64_t dim, const int64_t* k, bool descending, Tensor& values,
               Tensor& indices, void* context) {
  SortProblem problem;
  problem.descending = descending;
  ONEPACK_RETURN_IF_ERROR(ResolveDimension(dim, self.rank(), &problem.dimension));
  Strided sizes = StridedInput(self);
  if (k != nullptr) {
    const int64_t size = self.rank() == 0 ? 1 : sizes.sizes[problem.dimension];
    if (*k < 0 || *k > size) {
      return Status::Error(StatusCode::kInvalidArgument, "the first %lld of %lld elements",
                           static_cast<long long>(*k), static_cast<long long>(size));
    }
    if (self.rank() > 0) sizes.sizes[problem.dimension] = *k;
  }
  ONEPACK_RETURN_IF_ERROR(ResizeTo(sizes, values));
  ONEPACK_RETURN_IF_ERROR(ResizeTo(sizes, indices));
  problem.self = StridedInput(self);
  problem.values = StridedOutput(values);
  problem.indices = StridedOutput(indices);
  const Allocator& allocator = ContextOf(context).allocator;
  return IsFloatingPoint(self.scalar_type()) ? SortFibers<double>(problem, allocator)
                                             : SortFibers<int64_t>(problem, allocator);
}

// topk(self, k, dim, largest, sorted, values, indices): sorted either way.
Status TopK(void* context, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  const int64_t k = read.Int("k");
  const int64_t dim = read.Int("dim");
  const bool is_largest = read.Bool("largest");
  read.Skip();
  Tensor& values = read.Output("values");
  Tensor& indices = read.Output("indices");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  return RunSort(self, dim, &k, is_largest, values, indices, context);
}

// sort(self, dim, descending, values, indices); sort.stable with the flag before dim.
template <bool kHasStable>
Status Sort(void* context, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  if (kHasStable) read.Skip();  // always
  const int64_t dim = read.Int("dim");
  const bool descending = read.Bool("descending");
  Tensor& values = read.Output("values");
  Tensor& indices = read.Output("indices");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  return RunSort(self, dim, nullptr, descending, values, indices, context);
}

constexpr OperatorRow kRows[] = {
    {"aten::sort.values", Sort<false>},
    {"aten::sort.values_stable", Sort<true>},
    {"aten::topk.values", TopK},
};

}  // namespace

OperatorRows SortOperators() { return kRows; }

}  // namespace onepack::kernels
