// Elements picked by indices that are computed at run time.

#include <string.h>

#include "kernels/element.h"
#include "kernels/index_map.h"
#include "kernels/operator_families.h"
#include "kernels/result.h"

namespace onepack::kernels {
namespace {

Status IndexOutOfRange(int64_t index, int64_t size) {
  return Status::Error(StatusCode::kInvalidArgument, "index %lld, below %lld expected",
                       static_cast<long long>(index), static_cast<long long>(size));
}

Status CheckIntegers(const Tensor& index) {
  if (IsIntegral(index.scalar_type()) && index.scalar_type() != ScalarType::kBool) {
    return Status::Ok();
  }
  return Status::Error(StatusCode::kInvalidArgument, "an index of %s",
                       LayoutText(index.layout()).c_str());
}

// embedding(weight, indices, padding_idx, scale_grad_by_freq, sparse, out)
Status Embedding(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments, Elements::kAny);
  const Tensor& weight = read.Input("weight");
  const Tensor& indices = read.Input("indices");
  for (int i = 0; i < 3; ++i) read.Skip();
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  ONEPACK_RETURN_IF_ERROR(CheckIntegers(indices));
  ONEPACK_RETURN_IF_ERROR(CheckConvertible(weight, out));
  if (weight.rank() != 2) return Unfit("weights of rank 2 expected", weight, indices);
  Strided sizes = StridedInput(indices);
  if (sizes.rank == kMaxTensorRank) return Unfit("rank too high", weight, indices);
  sizes.Append(weight.sizes()[1], 0);
  ONEPACK_RETURN_IF_ERROR(ResizeTo(sizes, out));
  const Strided table = StridedInput(weight);
  const Strided result = StridedOutput(out);
  Strided at = StridedInput(indices);
  const size_t width_dimension = at.rank;
  at.Append(1, 0);
  Strided rows = result;
  rows.sizes[width_dimension] = 1;
  Status status;
  ForEachRow(LoopOver<2>({&rows, &at}),
             [&](const int64_t* offsets, const int64_t* /*strides*/, int64_t /*n*/) {
               if (!status.ok()) return;
               const auto index = LoadElement<int64_t>(at.type, at.data, offsets[1]);
               if (index < 0 || index >= table.sizes[0]) {
                 status = IndexOutOfRange(index, table.sizes[0]);
                 return;
               }
               Strided from = table;
               from.Select(0, index);
               Strided to = result;
               to.rank = 0;
               to.Append(result.sizes[width_dimension], result.strides[width_dimension]);
               to.offset = offsets[0];
               CopyStrided(from, to);
             });
  return status;
}

// index(self, indices, out)
Status Index(void* context, Span<Value* const> arguments) {
  ArgumentReader read(arguments, Elements::kAny);
  const Tensor& self = read.Input("self");
  const TensorList indices = read.OptionalInputs("indices");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  ONEPACK_RETURN_IF_ERROR(CheckConvertible(self, out));
  const Strided from = StridedInput(self);
  IndexMap map;
  ONEPACK_RETURN_IF_ERROR(map.Create(from, indices, ContextOf(context).allocator));
  ONEPACK_RETURN_IF_ERROR(ResizeTo(map.ResultSizes(), out));
  return map.ForEach(from, StridedOutput(out), CopyStrided);
}

// index_select(self, dim, index, out)
Status IndexSelect(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments, Elements::kAny);
  const Tensor& self = read.Input("self");
  const int64_t dim = read.Int("dim");
  const Tensor& index = read.Input("index");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  ONEPACK_RETURN_IF_ERROR(CheckIntegers(index));
  ONEPACK_RETURN_IF_ERROR(CheckConvertible(self, out));
  size_t dimension;
  ONEPACK_RETURN_IF_ERROR(ResolveDimension(dim, self.rank(), &dimension));
  if (self.rank() == 0 || index.rank() > 1) return Unfit("one list of indices", self, index);
  Strided sizes = StridedInput(self);
  sizes.sizes[dimension] = CountOf(index.sizes());
  ONEPACK_RETURN_IF_ERROR(ResizeTo(sizes, out));
  for (int64_t i = 0; i < sizes.sizes[dimension]; ++i) {
    const auto at = LoadElement<int64_t>(index.scalar_type(), index.data(), i);
    if (at < 0 || at >= self.sizes()[dimension]) {
      return IndexOutOfRange(at, self.sizes()[dimension]);
    }
    Strided from = StridedInput(self);
    Strided to = StridedOutput(out);
    from.Select(dimension, at);
    to.Select(dimension, i);
    CopyStrided(from, to);
  }
  return Status::Ok();
}

// gather(self, dim, index, sparse_grad, out): out[i][j] = self[index[i][j]][j] for dim 0.
Status Gather(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments, Elements::kAny);
  const Tensor& self = read.Input("self");
  const int64_t dim = read.Int("dim");
  const Tensor& index = read.Input("index");
  read.Skip();
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  ONEPACK_RETURN_IF_ERROR(CheckIntegers(index));
  size_t dimension;
  ONEPACK_RETURN_IF_ERROR(ResolveDimension(dim, self.rank(), &dimension));
  bool fits = self.rank() == index.rank() && self.scalar_type() == out.scalar_type();
  for (size_t i = 0; fits && i < self.rank(); ++i) {
    fits = i == dimension || index.sizes()[i] <= self.sizes()[i];
  }
  if (!fits) return Unfit("indices within the sizes expected", self, index);
  ONEPACK_RETURN_IF_ERROR(out.Resize(index.sizes()));
  // The source without the dimension: that is added element by element.
  Strided from = StridedInput(self);
  const int64_t size = self.rank() == 0 ? 1 : from.sizes[dimension];
  const int64_t stride = self.rank() == 0 ? 0 : from.strides[dimension];
  if (self.rank() > 0) from.strides[dimension] = 0;
  const Strided to = StridedOutput(out);
  const Strided at = StridedInput(index);
  const size_t element_size = ElementSize(self.scalar_type());
  Status status;
  ForEachRow(LoopOver<3>({&to, &from, &at}), [&](const int64_t* offsets, const int64_t* strides,
                                                 int64_t n) {
    for (int64_t i = 0; i < n && status.ok(); ++i) {
      const auto picked = LoadElement<int64_t>(at.type, at.data, offsets[2] + i * strides[2]);
      if (picked < 0 || picked >= size) {
        status = IndexOutOfRange(picked, size);
        return;
      }
      const int64_t source = offsets[1] + i * strides[1] + picked * stride;
      memmove(to.data + static_cast<size_t>(offsets[0] + i * strides[0]) * element_size,
              from.data + static_cast<size_t>(source) * element_size, element_size);
    }
  });
  return status;
}

// The coordinates of the elements that are not 0, in logical order: visit(coordinates, offset).
template <typename Visit>
void ForEachNonzero(const Strided& self, Visit visit) {
  ForEachElement(self, [&](const int64_t* coordinates, int64_t offset) {
    if (LoadElement<double>(self.type, self.data, offset) != 0) visit(coordinates, offset);
  });
}

// nonzero(self, out): [count, rank]
Status Nonzero(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  const Strided from = StridedInput(self);
  Strided sizes;
  sizes.Append(0, 0);
  ForEachNonzero(from, [&](const int64_t*, int64_t) { ++sizes.sizes[0]; });
  sizes.Append(static_cast<int64_t>(from.rank), 0);
  ONEPACK_RETURN_IF_ERROR(ResizeTo(sizes, out));
  const Strided to = StridedOutput(out);
  int64_t row = 0;
  ForEachNonzero(from, [&](const int64_t* coordinates, int64_t) {
    if (row == to.sizes[0]) return;  // an input that the output overlaps
    for (size_t i = 0; i < from.rank; ++i) {
      StoreElement<int64_t>(to.type, to.data,
                            row * to.strides[0] + static_cast<int64_t>(i) * to.strides[1],
                            coordinates[i]);
    }
    ++row;
  });
  return Status::Ok();
}

// repeat_interleave(repeats, output_size?, out): each index as often as `repeats` says there.
Status RepeatInterleave(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& repeats = read.Input("repeats");
  const Optional<int64_t> expected = read.OptionalInt("output_size");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  ONEPACK_RETURN_IF_ERROR(CheckIntegers(repeats));
  if (repeats.rank() != 1) return Unfit("one list of repeats expected", repeats, out);
  const auto repeats_of = [&](int64_t index) {
    return LoadElement<int64_t>(repeats.scalar_type(), repeats.data(), index);
  };
  Strided sizes;
  sizes.Append(0, 0);
  for (int64_t i = 0; i < repeats.sizes()[0]; ++i) {
    const int64_t count = repeats_of(i);
    if (count < 0 || count > INT32_MAX) {
      return Status::Error(StatusCode::kInvalidArgument, "%lld repeats of element %lld",
                           static_cast<long long>(count), static_cast<long long>(i));
    }
    sizes.sizes[0] += count;  // of at most 2^31
  }
  if (expected.is_given && expected.value != sizes.sizes[0]) {
    return Status::Error(
        StatusCode::kInvalidArgument, "output_size is %lld, the repeats sum to %lld",
        static_cast<long long>(expected.value), static_cast<long long>(sizes.sizes[0]));
  }
  ONEPACK_RETURN_IF_ERROR(ResizeTo(sizes, out));
  int64_t next = 0;
  for (int64_t i = 0; i < repeats.sizes()[0]; ++i) {
    // Never past the end, also where the output overlaps the repeats and changes them.
    for (int64_t left = repeats_of(i); left > 0 && next < sizes.sizes[0]; --left) {
      StoreElement<int64_t>(out.scalar_type(), out.mutable_data(), next++, i);
    }
  }
  return Status::Ok();
}

constexpr OperatorRow kRows[] = {
    {"aten::embedding.out", Embedding}, {"aten::gather.out", Gather},
    {"aten::index.Tensor_out", Index},  {"aten::index_select.out", IndexSelect},
    {"aten::nonzero.out", Nonzero},     {"aten::repeat_interleave.Tensor_out", RepeatInterleave},
};

}  // namespace

OperatorRows IndexOperators() { return kRows; }

}  // namespace onepack::kernels
