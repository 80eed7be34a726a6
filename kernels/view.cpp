// Operators that give another view of their input, as a copy or in place: see result.h.

#include "kernels/arguments.h"
#include "kernels/element.h"
#include "kernels/operator_families.h"
#include "kernels/result.h"

namespace onepack::kernels {

namespace {

const int64_t* PointerTo(const Optional<int64_t>& value) {
  return value.is_given ? &value.value : nullptr;
}

// An operator that changes the view of its first argument: Change reads its own arguments.
template <Status (*kChange)(ArgumentReader&, const Tensor&, Strided&)>
Status View(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments, Elements::kAny);
  const Tensor& self = read.Input("self");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  Strided view = StridedInput(self);
  ONEPACK_RETURN_IF_ERROR(kChange(read, self, view));
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  return WriteView(self, view, out);
}

Status Alias(ArgumentReader& /*read*/, const Tensor& /*self*/, Strided& /*view*/) {
  return Status::Ok();
}

Status Slice(ArgumentReader& read, const Tensor& self, Strided& view) {
  const int64_t dim = read.Int("dim");
  const Optional<int64_t> start = read.OptionalInt("start");
  const Optional<int64_t> end = read.OptionalInt("end");
  const int64_t step = read.Int("step");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  size_t dimension;
  ONEPACK_RETURN_IF_ERROR(ResolveDimension(dim, self.rank(), &dimension));
  if (self.rank() == 0 || step < 1) {
    return Status::Error(StatusCode::kInvalidArgument, "a slice of rank %zu by steps of %lld",
                         self.rank(), static_cast<long long>(step));
  }
  const SliceRange range =
      ResolveSlice(PointerTo(start), PointerTo(end), step, view.sizes[dimension]);
  view.Narrow(dimension, range.start, range.length);
  // A step past the end is never taken; keep it from overflowing.
  view.strides[dimension] = range.length > 1 ? view.strides[dimension] * step : 0;
  return Status::Ok();
}

// Where `index` is in a dimension of `size`.
Status ResolveIndex(int64_t index, int64_t size, int64_t* resolved) {
  *resolved = index < 0 ? index + size : index;
  if (*resolved >= 0 && *resolved < size) return Status::Ok();
  return Status::Error(StatusCode::kInvalidArgument, "index %lld, from %lld to %lld expected",
                       static_cast<long long>(index), static_cast<long long>(-size),
                       static_cast<long long>(size - 1));
}

Status Select(ArgumentReader& read, const Tensor& self, Strided& view) {
  const int64_t dim = read.Int("dim");
  const int64_t given = read.Int("index");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  size_t dimension;
  int64_t index;
  ONEPACK_RETURN_IF_ERROR(ResolveDimension(dim, self.rank(), &dimension));
  if (self.rank() == 0) return Status::Error(StatusCode::kInvalidArgument, "a number has no index");
  ONEPACK_RETURN_IF_ERROR(ResolveIndex(given, view.sizes[dimension], &index));
  view.Select(dimension, index);
  return Status::Ok();
}

Status Narrow(ArgumentReader& read, const Tensor& self, Strided& view) {
  const int64_t dim = read.Int("dim");
  int64_t start = read.Int("start");
  const int64_t length = read.Int("length");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  size_t dimension;
  ONEPACK_RETURN_IF_ERROR(ResolveDimension(dim, self.rank(), &dimension));
  const int64_t size = self.rank() == 0 ? 0 : view.sizes[dimension];
  if (start < 0) start += size;
  if (start < 0 || start > size || length < 0 || length > size - start) {
    return Status::Error(StatusCode::kInvalidArgument, "%lld elements at %lld of %lld",
                         static_cast<long long>(length), static_cast<long long>(start),
                         static_cast<long long>(size));
  }
  view.Narrow(dimension, start, length);
  return Status::Ok();
}

Status Unsqueeze(ArgumentReader& read, const Tensor& self, Strided& view) {
  const int64_t dim = read.Int("dim");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  size_t dimension;
  ONEPACK_RETURN_IF_ERROR(ResolveDimension(dim, self.rank() + 1, &dimension));
  view.Insert(dimension, 1, 0);
  return Status::Ok();
}

Status SqueezeAll(ArgumentReader& /*read*/, const Tensor& self, Strided& view) {
  for (size_t i = self.rank(); i-- > 0;) {
    if (view.sizes[i] == 1) view.Remove(i);
  }
  return Status::Ok();
}

Status Squeeze(ArgumentReader& read, const Tensor& self, Strided& view) {
  const int64_t dim = read.Int("dim");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  size_t dimension;
  ONEPACK_RETURN_IF_ERROR(ResolveDimension(dim, self.rank(), &dimension));
  if (self.rank() > 0 && view.sizes[dimension] == 1) view.Remove(dimension);
  return Status::Ok();
}

Status SqueezeSeveral(ArgumentReader& read, const Tensor& self, Strided& view) {
  const IntList dims = read.Ints("dim");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  bool is_named[kMaxTensorRank] = {};
  for (size_t i = 0; i < dims.size(); ++i) {
    size_t dimension;
    ONEPACK_RETURN_IF_ERROR(ResolveDimension(dims[i], self.rank(), &dimension));
    is_named[dimension] = true;
  }
  for (size_t i = self.rank(); i-- > 0;) {
    if (is_named[i] && view.sizes[i] == 1) view.Remove(i);
  }
  return Status::Ok();
}

Status Permute(ArgumentReader& read, const Tensor& self, Strided& view) {
  const IntList dims = read.Ints("dims");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  const Strided original = view;
  bool is_named[kMaxTensorRank] = {};
  bool is_permutation = dims.size() == self.rank();
  for (size_t i = 0; is_permutation && i < dims.size(); ++i) {
    size_t dimension;
    ONEPACK_RETURN_IF_ERROR(ResolveDimension(dims[i], self.rank(), &dimension));
    is_permutation = !is_named[dimension];
    is_named[dimension] = true;
    view.sizes[i] = original.sizes[dimension];
    view.strides[i] = original.strides[dimension];
  }
  if (is_permutation) return Status::Ok();
  return Status::Error(StatusCode::kInvalidArgument, "%zu dimensions are no permutation of %zu",
                       dims.size(), self.rank());
}

void SwapDimensions(Strided& view, size_t a, size_t b) {
  std::swap(view.sizes[a], view.sizes[b]);
  std::swap(view.strides[a], view.strides[b]);
}

Status Transpose(ArgumentReader& read, const Tensor& self, Strided& view) {
  const int64_t first = read.Int("dim0");
  const int64_t second = read.Int("dim1");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  size_t a;
  size_t b;
  ONEPACK_RETURN_IF_ERROR(ResolveDimension(first, self.rank(), &a));
  ONEPACK_RETURN_IF_ERROR(ResolveDimension(second, self.rank(), &b));
  if (self.rank() > 0) SwapDimensions(view, a, b);
  return Status::Ok();
}

Status TransposeMatrix(ArgumentReader& /*read*/, const Tensor& self, Strided& view) {
  if (self.rank() > 2) {
    return Status::Error(StatusCode::kInvalidArgument, "rank %zu, at most 2 expected", self.rank());
  }
  if (self.rank() == 2) SwapDimensions(view, 0, 1);
  return Status::Ok();
}

Status Expand(ArgumentReader& read, const Tensor& self, Strided& view) {
  const IntList sizes = read.Ints("size");
  read.Bool("implicit");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  const size_t rank = sizes.size();
  bool fits = rank >= self.rank() && rank <= kMaxTensorRank;
  while (fits && view.rank < rank) view.Insert(0, 1, 0);
  for (size_t i = 0; fits && i < rank; ++i) {
    if (sizes[i] == -1 || sizes[i] == view.sizes[i]) continue;
    fits = view.sizes[i] == 1 && sizes[i] >= 0;
    view.sizes[i] = sizes[i];
    view.strides[i] = 0;
  }
  if (fits) return Status::Ok();
  return Status::Error(StatusCode::kInvalidArgument, "%s does not expand to the %zu sizes given",
                       LayoutText(self.layout()).c_str(), rank);
}

Status Flip(ArgumentReader& read, const Tensor& self, Strided& view) {
  const IntList dims = read.Ints("dims");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  for (size_t i = 0; i < dims.size(); ++i) {
    size_t dimension;
    ONEPACK_RETURN_IF_ERROR(ResolveDimension(dims[i], self.rank(), &dimension));
    if (self.rank() == 0 || view.sizes[dimension] == 0) continue;
    view.offset += (view.sizes[dimension] - 1) * view.strides[dimension];
    view.strides[dimension] = -view.strides[dimension];
  }
  return Status::Ok();
}

// as_strided_copy(self, size, stride, storage_offset?): of the elements as they are stored.
Status AsStrided(ArgumentReader& read, const Tensor& self, Strided& view) {
  const IntList sizes = read.Ints("size");
  const IntList strides = read.Ints("stride");
  const Optional<int64_t> offset = read.OptionalInt("storage_offset");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  view.rank = 0;
  view.offset = offset.value;
  const int64_t count = CountOf(self.sizes());
  int64_t last = offset.value;  // the largest index; no stride is negative
  bool fits = sizes.size() == strides.size() && sizes.size() <= kMaxTensorRank && last >= 0;
  bool is_empty = false;
  for (size_t i = 0; fits && i < sizes.size(); ++i) {
    // No step leads past the count, so that the sum cannot overflow.
    fits = sizes[i] >= 0 && sizes[i] <= INT32_MAX && strides[i] >= 0 && last <= count &&
           (strides[i] == 0 || sizes[i] - 1 <= count / strides[i]);
    if (!fits) break;
    is_empty |= sizes[i] == 0;
    if (sizes[i] > 1) last += (sizes[i] - 1) * strides[i];
    view.Append(sizes[i], sizes[i] > 1 ? strides[i] : 0);
  }
  if (fits && (is_empty || last < count)) return Status::Ok();
  return Status::Error(StatusCode::kInvalidArgument, "strides that lead out of %s",
                       LayoutText(self.layout()).c_str());
}

// unfold_copy(self, dimension, size, step): windows of a dimension, their elements last.
Status Unfold(ArgumentReader& read, const Tensor& self, Strided& view) {
  const int64_t dim = read.Int("dimension");
  const int64_t size = read.Int("size");
  const int64_t step = read.Int("step");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  size_t dimension;
  ONEPACK_RETURN_IF_ERROR(ResolveDimension(dim, self.rank(), &dimension));
  const int64_t length = self.rank() == 0 ? 1 : view.sizes[dimension];
  if (size < 0 || size > length || step < 1 || self.rank() == kMaxTensorRank) {
    return Status::Error(StatusCode::kInvalidArgument, "windows of %lld by %lld in %s",
                         static_cast<long long>(size), static_cast<long long>(step),
                         LayoutText(self.layout()).c_str());
  }
  if (self.rank() == 0) {
    view.Append(size, 0);
    return Status::Ok();
  }
  const int64_t stride = view.strides[dimension];
  const int64_t windows = (length - size) / step + 1;
  view.sizes[dimension] = windows;
  view.strides[dimension] = windows > 1 ? stride * step : 0;
  view.Append(size, stride);
  return Status::Ok();
}

Status Diagonal(ArgumentReader& read, const Tensor& self, Strided& view) {
  const int64_t offset = read.Int("offset");
  const int64_t first = read.Int("dim1");
  const int64_t second = read.Int("dim2");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  size_t a;
  size_t b;
  ONEPACK_RETURN_IF_ERROR(ResolveDimension(first, self.rank(), &a));
  ONEPACK_RETURN_IF_ERROR(ResolveDimension(second, self.rank(), &b));
  if (self.rank() < 2 || a == b) {
    return Status::Error(StatusCode::kInvalidArgument, "no diagonal of dimensions %zu and %zu", a,
                         b);
  }
  const int64_t rows = view.sizes[a] + (offset < 0 && offset > -view.sizes[a] ? offset : 0);
  const int64_t columns = view.sizes[b] - (offset > 0 && offset < view.sizes[b] ? offset : 0);
  const bool is_outside = offset <= -view.sizes[a] || offset >= view.sizes[b];
  const int64_t length = is_outside ? 0 : (rows < columns ? rows : columns);
  const int64_t stride = view.strides[a] + view.strides[b];
  if (length > 0) view.offset += offset < 0 ? -offset * view.strides[a] : offset * view.strides[b];
  view.Remove(a > b ? a : b);
  view.Remove(a > b ? b : a);
  view.Append(length, stride);
  return Status::Ok();
}

// The sizes that a view's arguments mean for `count` elements: one of them may be -1.
Status ResolveSizes(const IntList& given, int64_t count, int32_t* sizes) {
  size_t unknown = given.size();
  int64_t product = 1;
  bool fits = given.size() <= kMaxTensorRank;
  for (size_t i = 0; fits && i < given.size(); ++i) {
    if (given[i] == -1 && unknown == given.size()) {
      unknown = i;
      continue;
    }
    fits = given[i] >= 0 && given[i] <= INT32_MAX &&
           !__builtin_mul_overflow(product, given[i], &product);
    sizes[i] = static_cast<int32_t>(given[i]);
  }
  if (fits && unknown < given.size()) {
    fits = product > 0 && count % product == 0 && count / product <= INT32_MAX;
    if (fits) sizes[unknown] = static_cast<int32_t>(count / product);
  } else {
    fits = fits && product == count;
  }
  if (fits) return Status::Ok();
  return Status::Error(StatusCode::kInvalidArgument, "%zu sizes that do not hold %lld elements",
                       given.size(), static_cast<long long>(count));
}

Status ViewCopy(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments, Elements::kAny);
  const Tensor& self = read.Input("self");
  const IntList given = read.Ints("size");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  int32_t sizes[kMaxTensorRank];
  ONEPACK_RETURN_IF_ERROR(ResolveSizes(given, CountOf(self.sizes()), sizes));
  ONEPACK_RETURN_IF_ERROR(out.Resize({sizes, given.size()}));
  const bool is_in_place = self.is_constant() && self.scalar_type() == out.scalar_type() &&
                           IsWorthAView(out) && IsContiguous(StridedInput(self)) &&
                           IsContiguous(StridedOutput(out));
  return is_in_place ? out.ViewOf(self, 0) : CopyReshaped(self, out);
}

// et_view(self, size, out): never a copy. The exporter has planned for it that self's bytes live as
// long as out.
Status EtView(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments, Elements::kAny);
  const Tensor& self = read.Input("self");
  const IntList given = read.Ints("size");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  if (self.scalar_type() != out.scalar_type()) return Unfit("a view of another type", self, out);
  int32_t sizes[kMaxTensorRank];
  ONEPACK_RETURN_IF_ERROR(ResolveSizes(given, CountOf(self.sizes()), sizes));
  ONEPACK_RETURN_IF_ERROR(out.Resize({sizes, given.size()}));
  return out.ViewOf(self, 0);
}

constexpr OperatorRow kRows[] = {
    {"aten::alias_copy.out", View<Alias>},
    {"aten::as_strided_copy.out", View<AsStrided>},
    {"aten::detach_copy.out", View<Alias>},
    {"aten::diagonal_copy.out", View<Diagonal>},
    {"aten::expand_copy.out", View<Expand>},
    {"aten::flip.out", View<Flip>},
    {"aten::narrow_copy.out", View<Narrow>},
    {"aten::permute_copy.out", View<Permute>},
    {"aten::select_copy.int_out", View<Select>},
    {"aten::slice_copy.Tensor_out", View<Slice>},
    {"aten::squeeze_copy.dim_out", View<Squeeze>},
    {"aten::squeeze_copy.dims_out", View<SqueezeSeveral>},
    {"aten::squeeze_copy.out", View<SqueezeAll>},
    {"aten::t_copy.out", View<TransposeMatrix>},
    {"aten::transpose_copy.int_out", View<Transpose>},
    {"aten::unfold_copy.out", View<Unfold>},
    {"aten::unsqueeze_copy.out", View<Unsqueeze>},
    {"aten::view_copy.out", ViewCopy},
    {"aten::_unsafe_view.out", ViewCopy},
    {"executorch_prim::et_view.default", EtView},
    {"llama::fallback.out", View<Alias>},
};

}  // namespace

OperatorRows ViewOperators() { return kRows; }

}  // namespace onepack::kernels
