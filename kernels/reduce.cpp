// Many elements to one: over some dimensions, or over all.
//
// Everything is summed in double or int64_t: the order of the sum then hardly shows in the result.

#include <cmath>

#include "kernels/arguments.h"
#include "kernels/element.h"
#include "kernels/operator_families.h"
#include "kernels/result.h"

namespace onepack::kernels {
namespace {

// The dimensions of a tensor in two groups: those kept, and those reduced.
struct Reduction {
  Strided kept;     // of the input; parallel to the output's dimensions
  Strided reduced;  // offset 0: around each element of kept
  Strided output;
  int64_t count() const { return reduced.count(); }
};

Status NamedDimensions(const Optional<IntList>& dims, size_t rank, bool* is_reduced) {
  // No dimensions mean all.
  const bool all = !dims.is_given || dims.value.empty();
  for (size_t i = 0; i < rank; ++i) is_reduced[i] = all;
  for (size_t i = 0; !all && i < dims.value.size(); ++i) {
    size_t dimension;
    ONEPACK_RETURN_IF_ERROR(ResolveDimension(dims.value[i], rank, &dimension));
    is_reduced[dimension] = true;
  }
  return Status::Ok();
}

Status ResizeToKept(const Tensor& self, const bool* is_reduced, bool keepdim, Tensor& out) {
  Strided kept;
  for (size_t i = 0; i < self.rank(); ++i) {
    if (!is_reduced[i]) {
      kept.Append(self.sizes()[i], 0);
    } else if (keepdim) {
      kept.Append(1, 0);
    }
  }
  return ResizeTo(kept, out);
}

Status PrepareReduction(const Tensor& self, const Optional<IntList>& dims, bool keepdim,
                        Tensor& out, Reduction* reduction) {
  bool is_reduced[kMaxTensorRank] = {};
  ONEPACK_RETURN_IF_ERROR(NamedDimensions(dims, self.rank(), is_reduced));
  ONEPACK_RETURN_IF_ERROR(ResizeToKept(self, is_reduced, keepdim, out));
  const Strided input = StridedInput(self);
  const Strided output = StridedOutput(out);
  reduction->kept = input;
  reduction->kept.rank = 0;
  reduction->reduced = reduction->kept;
  reduction->output = output;
  reduction->output.rank = 0;
  size_t next = 0;  // of the output's dimensions
  for (size_t i = 0; i < input.rank; ++i) {
    if (is_reduced[i]) {
      reduction->reduced.Append(input.sizes[i], input.strides[i]);
      if (keepdim) ++next;
    } else {
      reduction->kept.Append(input.sizes[i], input.strides[i]);
      reduction->output.Append(output.sizes[next], output.strides[next]);
      ++next;
    }
  }
  return Status::Ok();
}

// Calls add(block, n) with all elements around one, and finish(element of the output) after them.
template <typename C, typename Reducer>
void Reduce(const Reduction& reduction, const Reducer& initial) {
  Loop<2> outer = LoopOver<2>({&reduction.output, &reduction.kept});
  Loop<1> inner = LoopOver<1>({&reduction.reduced});
  Simplify(outer);
  Simplify(inner);
  ForEachRow(outer, [&](const int64_t* offsets, const int64_t* strides, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
      Reducer reducer = initial;
      const int64_t origin = offsets[1] + i * strides[1];
      ForEachRow(inner, [&](const int64_t* at, const int64_t* step, int64_t length) {
        C block[kBlockSize];
        for (int64_t start = 0; start < length; start += static_cast<int64_t>(kBlockSize)) {
          const int64_t left = length - start;
          const size_t size =
              left < static_cast<int64_t>(kBlockSize) ? static_cast<size_t>(left) : kBlockSize;
          LoadElements<C>(reduction.kept.type, reduction.kept.data,
                          origin + at[0] + start * step[0], step[0], size, block);
          reducer.Add(block, size);
        }
      });
      StoreElement<C>(reduction.output.type, reduction.output.data, offsets[0] + i * strides[0],
                      reducer.Finish());
    }
  });
}

// Four sums, because one would wait for the previous addition each time.
double SumOf(const double* numbers, size_t n) {
  double sums[4] = {};
  size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    for (size_t k = 0; k < 4; ++k) sums[k] += numbers[i + k];
  }
  for (; i < n; ++i) sums[0] += numbers[i];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

int64_t SumOf(const int64_t* numbers, size_t n) {
  uint64_t sum = 0;
  for (size_t i = 0; i < n; ++i) sum += static_cast<uint64_t>(numbers[i]);
  return static_cast<int64_t>(sum);
}

Complex SumOf(const Complex* numbers, size_t n) {
  Complex sum;
  for (size_t i = 0; i < n; ++i) sum = sum + numbers[i];
  return sum;
}

template <typename C>
struct Sum {
  C total{};
  void Add(const C* block, size_t n) {
    const C added[] = {total, SumOf(block, n)};  // integers wrap around
    total = SumOf(added, 2);
  }
  C Finish() const { return total; }
};

template <typename C>
struct Product {
  C total{1};
  void Add(const C* block, size_t n) {
    for (size_t i = 0; i < n; ++i) {
      if constexpr (std::is_same_v<C, int64_t>) {
        total = static_cast<C>(static_cast<uint64_t>(total) * static_cast<uint64_t>(block[i]));
      } else {
        total *= block[i];
      }
    }
  }
  C Finish() const { return total; }
};

struct Mean {
  int64_t count;
  double total = 0;
  void Add(const double* block, size_t n) { total += SumOf(block, n); }
  double Finish() const { return total / static_cast<double>(count); }
};

// A NaN wins.
template <typename C, bool kIsMax>
struct Extreme {
  C best{};
  bool any = false;
  void Add(const C* block, size_t n) {
    for (size_t i = 0; i < n; ++i) {
      const C x = block[i];
      if (!any || Beats<kIsMax>(x, best)) best = x;
      any = true;
    }
  }
  C Finish() const { return best; }
};

template <typename C, bool kIsAny>
struct Truths {
  bool found = !kIsAny;
  void Add(const C* block, size_t n) {
    for (size_t i = 0; i < n; ++i) found = kIsAny ? found || block[i] != 0 : found && block[i] != 0;
  }
  C Finish() const { return found ? 1 : 0; }
};

// Welford's: one pass without cancellation.
struct Variance {
  double correction;
  int64_t count = 0;
  double mean = 0;
  double squares = 0;
  void Add(const double* block, size_t n) {
    for (size_t i = 0; i < n; ++i) {
      const double delta = block[i] - mean;
      mean += delta / static_cast<double>(++count);
      squares += delta * (block[i] - mean);
    }
  }
  double Finish() const {
    const double divisor = static_cast<double>(count) - correction;
    return divisor > 0 ? squares / divisor : std::nan("");
  }
};

// Whether the reducer is defined for complex numbers: they have no order, and none is asked for
// their product.
template <template <typename> typename Reducer>
constexpr bool kIsOfComplex = false;
template <>
constexpr bool kIsOfComplex<Sum> = true;

template <template <typename> typename Reducer>
constexpr Elements kElementsOf = kIsOfComplex<Reducer> ? Elements::kComplex : Elements::kReal;

// The reducers of an operator: for floating point, for integers, and for complex numbers.
template <template <typename> typename Reducer>
Status RunReducer(const Tensor& self, const Tensor& out, const Reduction& reduction) {
  if constexpr (kIsOfComplex<Reducer>) {
    if (IsComplex(self.scalar_type())) {
      Reduce<Complex>(reduction, Reducer<Complex>());
      return Status::Ok();
    }
  }
  if (IsFloatingPoint(self.scalar_type()) || IsFloatingPoint(out.scalar_type())) {
    Reduce<double>(reduction, Reducer<double>());
  } else {
    Reduce<int64_t>(reduction, Reducer<int64_t>());
  }
  return Status::Ok();
}

template <typename C>
using Max = Extreme<C, true>;
template <typename C>
using Min = Extreme<C, false>;
template <typename C>
using Any = Truths<C, true>;
template <typename C>
using All = Truths<C, false>;

// How the dimensions are given: not at all, one, or a list.
enum class Dims : uint8_t { kNone, kOne, kList };

struct DimArguments {
  Optional<IntList> dims;
  bool keepdim = false;
  Value* item = nullptr;  // of a list made for one dimension
  Value one;
};

void ReadDims(ArgumentReader& read, Dims kind, DimArguments* arguments) {
  if (kind == Dims::kNone) return;
  if (kind == Dims::kOne) {
    const Optional<int64_t> dim = read.OptionalInt("dim");
    arguments->one = Value::OfInt(dim.value);
    arguments->item = &arguments->one;
    arguments->dims = {dim.is_given, IntList({&arguments->item, 1})};
  } else {
    arguments->dims = read.OptionalInts("dim");
  }
  arguments->keepdim = read.Bool("keepdim");
}

// op(self, dim?, keepdim, dtype?, out), as far as the schema has them.
template <template <typename> typename Reducer, Dims kDims, bool kHasType, bool kNeedsElements>
Status ReduceTo(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments, kElementsOf<Reducer>);
  const Tensor& self = read.Input("self");
  DimArguments dims;
  ReadDims(read, kDims, &dims);
  if (kHasType) read.Skip();  // that of out
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  Reduction reduction;
  ONEPACK_RETURN_IF_ERROR(PrepareReduction(self, dims.dims, dims.keepdim, out, &reduction));
  if (kNeedsElements && reduction.count() == 0 && reduction.output.count() > 0) {
    return Status::Error(StatusCode::kInvalidArgument, "the extreme of no elements of %s",
                         LayoutText(self.layout()).c_str());
  }
  return RunReducer<Reducer>(self, out, reduction);
}

template <Dims kDims>
Status MeanOf(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  DimArguments dims;
  ReadDims(read, kDims, &dims);
  read.Skip();  // dtype
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  Reduction reduction;
  ONEPACK_RETURN_IF_ERROR(PrepareReduction(self, dims.dims, dims.keepdim, out, &reduction));
  Reduce<double>(reduction, Mean{reduction.count()});
  return Status::Ok();
}

Status RunVariance(const Tensor& self, const Optional<IntList>& dims, double correction,
                   bool keepdim, Tensor& out) {
  Reduction reduction;
  ONEPACK_RETURN_IF_ERROR(PrepareReduction(self, dims, keepdim, out, &reduction));
  Variance variance{};
  variance.correction = correction;
  Reduce<double>(reduction, variance);
  return Status::Ok();
}

// var(self, dim?, unbiased, keepdim, out)
Status VarUnbiased(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  const Optional<IntList> dims = read.OptionalInts("dim");
  const bool is_unbiased = read.Bool("unbiased");
  const bool keepdim = read.Bool("keepdim");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  return RunVariance(self, dims, is_unbiased ? 1 : 0, keepdim, out);
}

// var(self, dim?, correction?, keepdim, out)
Status VarCorrected(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  const Optional<IntList> dims = read.OptionalInts("dim");
  const Optional<double> correction = read.OptionalDouble("correction");
  const bool keepdim = read.Bool("keepdim");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  return RunVariance(self, dims, correction.is_given ? correction.value : 1, keepdim, out);
}

// var_mean(self, dim?, correction?, keepdim, out0, out1)
Status VarMean(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  const Optional<IntList> dims = read.OptionalInts("dim");
  const Optional<double> correction = read.OptionalDouble("correction");
  const bool keepdim = read.Bool("keepdim");
  Tensor& variance = read.Output("out0");
  Tensor& mean = read.Output("out1");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  ONEPACK_RETURN_IF_ERROR(
      RunVariance(self, dims, correction.is_given ? correction.value : 1, keepdim, variance));
  Reduction reduction;
  ONEPACK_RETURN_IF_ERROR(PrepareReduction(self, dims, keepdim, mean, &reduction));
  Reduce<double>(reduction, Mean{reduction.count()});
  return Status::Ok();
}

constexpr OperatorRow kRows[] = {
    {"aten::all.all_out", ReduceTo<All, Dims::kNone, false, false>},
    {"aten::all.dims_out", ReduceTo<All, Dims::kList, false, false>},
    {"aten::all.out", ReduceTo<All, Dims::kOne, false, false>},
    {"aten::amax.out", ReduceTo<Max, Dims::kList, false, true>},
    {"aten::amin.out", ReduceTo<Min, Dims::kList, false, true>},
    {"aten::any.all_out", ReduceTo<Any, Dims::kNone, false, false>},
    {"aten::any.dims_out", ReduceTo<Any, Dims::kList, false, false>},
    {"aten::any.out", ReduceTo<Any, Dims::kOne, false, false>},
    {"aten::max.unary_out", ReduceTo<Max, Dims::kNone, false, true>},
    {"aten::mean.dtype_out", MeanOf<Dims::kNone>},
    {"aten::mean.out", MeanOf<Dims::kList>},
    {"aten::min.unary_out", ReduceTo<Min, Dims::kNone, false, true>},
    {"aten::prod.int_out", ReduceTo<Product, Dims::kOne, true, false>},
    {"aten::prod.out", ReduceTo<Product, Dims::kNone, true, false>},
    {"aten::sum.IntList_out", ReduceTo<Sum, Dims::kList, true, false>},
    {"aten::sum.out", ReduceTo<Sum, Dims::kNone, true, false>},
    {"aten::var.correction_out", VarCorrected},
    {"aten::var.out", VarUnbiased},
    {"aten::var_mean.correction_out", VarMean},
};

}  // namespace

OperatorRows ReduceOperators() { return kRows; }

}  // namespace onepack::kernels
