// Operators along one dimension, each fiber on its own.

#include <cmath>

#include "kernels/arguments.h"
#include "kernels/element.h"
#include "kernels/fiber.h"
#include "kernels/operator_families.h"
#include "kernels/result.h"

namespace onepack::kernels {
namespace {

// visit(block, first, n): all elements of a fiber, block by block.
template <typename C, typename Visit>
void ForEachBlock(const Fiber& fiber, int64_t length, Visit visit) {
  C block[kBlockSize];
  for (int64_t first = 0; first < length; first += static_cast<int64_t>(kBlockSize)) {
    const int64_t left = length - first;
    const size_t n =
        left < static_cast<int64_t>(kBlockSize) ? static_cast<size_t>(left) : kBlockSize;
    fiber.Load<C>(first, n, block);
    visit(block, first, n);
  }
}

int64_t LengthOf(const Tensor& tensor, size_t dimension) {
  return tensor.rank() == 0 ? 1 : tensor.sizes()[dimension];
}

// In double, so that half and float lose nothing in sums over long rows.
template <bool kIsLog>
void SoftmaxOfFiber(const Fiber& from, const Fiber& to, int64_t length) {
  double maximum = -HUGE_VAL;
  ForEachBlock<double>(from, length, [&](const double* block, int64_t, size_t n) {
    for (size_t i = 0; i < n; ++i) maximum = block[i] > maximum ? block[i] : maximum;
  });
  double sum = 0;
  ForEachBlock<double>(from, length, [&](const double* block, int64_t, size_t n) {
    for (size_t i = 0; i < n; ++i) sum += std::exp(block[i] - maximum);
  });
  const double log_sum = std::log(sum);
  ForEachBlock<double>(from, length, [&](double* block, int64_t first, size_t n) {
    for (size_t i = 0; i < n; ++i) {
      const double x = block[i] - maximum;
      block[i] = kIsLog ? x - log_sum : std::exp(x) / sum;
    }
    to.Store<double>(first, n, block);
  });
}

// What an operator needs that makes a fiber of its output from each of its input's.
struct FiberMap {
  Strided tensors[2];  // the output, the input
  size_t dimension = 0;
  int64_t length = 0;
};

// (self, dim, a type that is the output's, out). The output has the sizes of self.
Status ReadFiberMap(Span<Value* const> arguments, FiberMap* map) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  const int64_t dim = read.Int("dim");
  read.Skip();
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  ONEPACK_RETURN_IF_ERROR(ResolveDimension(dim, self.rank(), &map->dimension));
  ONEPACK_RETURN_IF_ERROR(out.Resize(self.sizes()));
  map->length = LengthOf(self, map->dimension);
  map->tensors[0] = StridedOutput(out);
  map->tensors[1] = StridedInput(self);
  return Status::Ok();
}

// _softmax(self, dim, half_to_float, out)
template <bool kIsLog>
Status Softmax(void* /*context*/, Span<Value* const> arguments) {
  FiberMap map;
  ONEPACK_RETURN_IF_ERROR(ReadFiberMap(arguments, &map));
  ForEachFiber(map.tensors, map.dimension, [&](const Fiber(&fibers)[2]) {
    SoftmaxOfFiber<kIsLog>(fibers[1], fibers[0], map.length);
  });
  return Status::Ok();
}

template <typename C>
void CumulativeSum(const Fiber& from, const Fiber& to, int64_t length) {
  C total{};
  ForEachBlock<C>(from, length, [&](C* block, int64_t first, size_t n) {
    for (size_t i = 0; i < n; ++i) {
      if constexpr (std::is_same_v<C, int64_t>) {
        total = static_cast<C>(static_cast<uint64_t>(total) + static_cast<uint64_t>(block[i]));
      } else {
        total += block[i];
      }
      block[i] = total;
    }
    to.Store<C>(first, n, block);
  });
}

// cumsum(self, dim, dtype?, out)
Status Cumsum(void* /*context*/, Span<Value* const> arguments) {
  FiberMap map;
  ONEPACK_RETURN_IF_ERROR(ReadFiberMap(arguments, &map));
  const bool is_real = IsFloatingPoint(map.tensors[0].type) || IsFloatingPoint(map.tensors[1].type);
  ForEachFiber(map.tensors, map.dimension, [&](const Fiber(&fibers)[2]) {
    if (is_real) {
      CumulativeSum<double>(fibers[1], fibers[0], map.length);
    } else {
      CumulativeSum<int64_t>(fibers[1], fibers[0], map.length);
    }
  });
  return Status::Ok();
}

// The best element of the fibers it has seen: the first of equal ones; a NaN beats all.
template <typename C, bool kIsMax>
struct Best {
  C value{};
  int64_t index = -1;
  int64_t seen = 0;
  void Find(const Fiber& fiber, int64_t length) {
    ForEachBlock<C>(fiber, length, [&](const C* block, int64_t /*first*/, size_t n) {
      for (size_t i = 0; i < n; ++i, ++seen) {
        const C x = block[i];
        if (index >= 0 && !Beats<kIsMax>(x, value)) continue;
        value = x;
        index = seen;
      }
    });
  }
};

// use(Best of the type that the elements are compared in)
template <bool kIsMax, typename Use>
void WithBest(ScalarType type, Use use) {
  if (IsFloatingPoint(type)) {
    use(Best<double, kIsMax>());
  } else {
    use(Best<int64_t, kIsMax>());
  }
}

Status CheckNotEmpty(const Tensor& self, int64_t length, const Tensor& out) {
  if (length > 0 || CountOf(out.sizes()) == 0) return Status::Ok();
  return Status::Error(StatusCode::kInvalidArgument, "the extreme of no elements of %s",
                       LayoutText(self.layout()).c_str());
}

// Sizes `out` to those of self with one element, or none, in a dimension.
Status ResizeWithout(const Tensor& self, size_t dimension, bool keepdim, Tensor& out) {
  Strided sizes = StridedInput(self);
  if (sizes.rank > 0) {
    if (keepdim) {
      sizes.sizes[dimension] = 1;
    } else {
      sizes.Remove(dimension);
    }
  }
  return ResizeTo(sizes, out);
}

// With the dimension that ResizeWithout removed.
Strided WithDimension(Tensor& out, size_t dimension, size_t rank) {
  Strided strided = StridedOutput(out);
  if (strided.rank < rank) strided.Insert(dimension, 1, 0);
  return strided;
}

// max(self, dim, keepdim, values, indices)
template <bool kIsMax>
Status BestOfDimension(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  const int64_t dim = read.Int("dim");
  const bool keepdim = read.Bool("keepdim");
  Tensor& values = read.Output("values");
  Tensor& indices = read.Output("indices");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  size_t dimension;
  ONEPACK_RETURN_IF_ERROR(ResolveDimension(dim, self.rank(), &dimension));
  ONEPACK_RETURN_IF_ERROR(ResizeWithout(self, dimension, keepdim, values));
  ONEPACK_RETURN_IF_ERROR(ResizeWithout(self, dimension, keepdim, indices));
  const int64_t length = LengthOf(self, dimension);
  ONEPACK_RETURN_IF_ERROR(CheckNotEmpty(self, length, values));
  const Strided tensors[] = {WithDimension(values, dimension, self.rank()),
                             WithDimension(indices, dimension, self.rank()), StridedInput(self)};
  ForEachFiber(tensors, dimension, [&](const Fiber(&fibers)[3]) {
    WithBest<kIsMax>(fibers[2].type, [&](auto best) {
      best.Find(fibers[2], length);
      fibers[0].StoreAt(0, best.value);
      fibers[1].StoreAt(0, best.index);
    });
  });
  return Status::Ok();
}

// argmax(self, dim?, keepdim, out): without dim over all elements in logical order.
template <bool kIsMax>
Status ArgBest(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  const Optional<int64_t> dim = read.OptionalInt("dim");
  const bool keepdim = read.Bool("keepdim");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  if (!dim.is_given) {
    Strided sizes;
    for (size_t i = 0; keepdim && i < self.rank(); ++i) sizes.Append(1, 0);
    ONEPACK_RETURN_IF_ERROR(ResizeTo(sizes, out));
    const Strided from = StridedInput(self);
    ONEPACK_RETURN_IF_ERROR(CheckNotEmpty(self, from.count(), out));
    WithBest<kIsMax>(from.type, [&](auto best) {
      // Not simplified: that may change the order.
      ForEachRow(LoopOver<1>({&from}), [&](const int64_t* at, const int64_t* step, int64_t n) {
        best.Find(FiberAt(from, at[0], step[0]), n);
      });
      FiberAt(StridedOutput(out), 0, 0).StoreAt(0, best.index);
    });
    return Status::Ok();
  }
  size_t dimension;
  ONEPACK_RETURN_IF_ERROR(ResolveDimension(dim.value, self.rank(), &dimension));
  ONEPACK_RETURN_IF_ERROR(ResizeWithout(self, dimension, keepdim, out));
  const int64_t length = LengthOf(self, dimension);
  ONEPACK_RETURN_IF_ERROR(CheckNotEmpty(self, length, out));
  const Strided tensors[] = {WithDimension(out, dimension, self.rank()), StridedInput(self)};
  ForEachFiber(tensors, dimension, [&](const Fiber(&fibers)[2]) {
    WithBest<kIsMax>(fibers[1].type, [&](auto best) {
      best.Find(fibers[1], length);
      fibers[0].StoreAt(0, best.index);
    });
  });
  return Status::Ok();
}

constexpr OperatorRow kRows[] = {
    {"aten::_log_softmax.out", Softmax<true>},
    {"aten::_softmax.out", Softmax<false>},
    {"aten::argmax.out", ArgBest<true>},
    {"aten::argmin.out", ArgBest<false>},
    {"aten::cumsum.out", Cumsum},
    {"aten::max.dim_max", BestOfDimension<true>},
    {"aten::min.dim_min", BestOfDimension<false>},
};

}  // namespace

OperatorRows LaneOperators() { return kRows; }

}  // namespace onepack::kernels
