// Copies of a tensor in which some elements are replaced.

#include <string.h>

#include "kernels/element.h"
#include "kernels/index_map.h"
#include "kernels/operator_families.h"
#include "kernels/result.h"

namespace onepack::kernels {
namespace {

// Adds `from` to `to`, element by element: in their own type, as double or integers.
void AddStrided(const Strided& from, const Strided& to) {
  ForEachRow(LoopOver<2>({&to, &from}), [&](const int64_t* offsets, const int64_t* strides,
                                            int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
      const int64_t at = offsets[0] + i * strides[0];
      const int64_t source = offsets[1] + i * strides[1];
      if (IsFloatingPoint(to.type)) {
        StoreElement<double>(to.type, to.data, at,
                             LoadElement<double>(to.type, to.data, at) +
                                 LoadElement<double>(from.type, from.data, source));
      } else {
        const auto sum = static_cast<uint64_t>(LoadElement<int64_t>(to.type, to.data, at)) +
                         static_cast<uint64_t>(LoadElement<int64_t>(from.type, from.data, source));
        StoreElement<int64_t>(to.type, to.data, at, static_cast<int64_t>(sum));
      }
    }
  });
}

Status CopySelf(const Tensor& self, Tensor& out) {
  ONEPACK_RETURN_IF_ERROR(out.Resize(self.sizes()));
  CopyStrided(StridedInput(self), StridedOutput(out));
  return Status::Ok();
}

Status PutAt(Tensor& target, const TensorList& indices, const Tensor& values, bool accumulate,
             void* context) {
  const Strided to = StridedOutput(target);
  IndexMap map;
  ONEPACK_RETURN_IF_ERROR(map.Create(to, indices, ContextOf(context).allocator));
  Strided from;
  ONEPACK_RETURN_IF_ERROR(BroadcastTo(values, map.ResultSizes(), &from));
  ONEPACK_RETURN_IF_ERROR(CheckRepeats(from, target, values));
  return map.ForEach(to, from, [&](const Strided& part, const Strided& value) {
    if (accumulate) {
      AddStrided(value, part);
    } else {
      CopyStrided(value, part);
    }
  });
}

// index_put(self, indices, values, accumulate, out)
Status IndexPut(void* context, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  const TensorList indices = read.OptionalInputs("indices");
  const Tensor& values = read.Input("values");
  const bool accumulate = read.Bool("accumulate");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  ONEPACK_RETURN_IF_ERROR(CopySelf(self, out));
  return PutAt(out, indices, values, accumulate, context);
}

// index_put_(self, indices, values, accumulate): a KV cache's new entries, for instance.
Status IndexPutInPlace(void* context, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  Tensor& self = read.InPlace("self");
  const TensorList indices = read.OptionalInputs("indices");
  const Tensor& values = read.Input("values");
  const bool accumulate = read.Bool("accumulate");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  return PutAt(self, indices, values, accumulate, context);
}

// Where the elements of an index tensor lead to along a dimension of the output: the strides of
// output and index over the sizes of the index.
Status PrepareScatter(const Tensor& self, int64_t dim, const Tensor& index, size_t* dimension) {
  ONEPACK_RETURN_IF_ERROR(ResolveDimension(dim, self.rank(), dimension));
  bool fits = index.rank() == self.rank() && IsIntegral(index.scalar_type()) &&
              index.scalar_type() != ScalarType::kBool;
  for (size_t i = 0; fits && i < self.rank(); ++i) {
    fits = i == *dimension || index.sizes()[i] <= self.sizes()[i];
  }
  return fits ? Status::Ok() : Unfit("indices within the sizes expected", self, index);
}

// visit(offset in out, offset in src) for each element of the index.
template <typename Visit>
Status ForEachTarget(const Strided& out, size_t dimension, const Tensor& index, const Strided& src,
                     Visit visit) {
  const Strided at = StridedInput(index);
  Strided target = out;
  const int64_t size = out.rank == 0 ? 1 : out.sizes[dimension];
  const int64_t stride = out.rank == 0 ? 0 : out.strides[dimension];
  if (out.rank > 0) target.strides[dimension] = 0;
  Status status;
  ForEachRow(LoopOver<3>({&at, &target, &src}), [&](const int64_t* offsets, const int64_t* strides,
                                                    int64_t n) {
    for (int64_t i = 0; i < n && status.ok(); ++i) {
      const auto place = LoadElement<int64_t>(at.type, at.data, offsets[0] + i * strides[0]);
      if (place < 0 || place >= size) {
        status = Status::Error(StatusCode::kInvalidArgument, "index %lld, below %lld expected",
                               static_cast<long long>(place), static_cast<long long>(size));
        return;
      }
      visit(offsets[1] + i * strides[1] + place * stride, offsets[2] + i * strides[2]);
    }
  });
  return status;
}

// scatter(self, dim, index, src, out), scatter_add
template <bool kAdds>
Status ScatterFrom(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  const int64_t dim = read.Int("dim");
  const Tensor& index = read.Input("index");
  const Tensor& src = read.Input("src");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  size_t dimension;
  ONEPACK_RETURN_IF_ERROR(PrepareScatter(self, dim, index, &dimension));
  bool fits = src.rank() == index.rank() && src.scalar_type() == out.scalar_type();
  for (size_t i = 0; fits && i < src.rank(); ++i) fits = index.sizes()[i] <= src.sizes()[i];
  if (!fits) return Unfit("indices within the source expected", src, index);
  ONEPACK_RETURN_IF_ERROR(CopySelf(self, out));
  const Strided to = StridedOutput(out);
  const Strided from = StridedInput(src);
  const size_t element = ElementSize(to.type);
  return ForEachTarget(to, dimension, index, from, [&](int64_t target, int64_t source) {
    if (kAdds) {
      Strided one_target{to.type, to.data, target};
      const Strided one_source{from.type, from.data, source};
      AddStrided(one_source, one_target);
    } else {
      memmove(to.data + static_cast<size_t>(target) * element,
              from.data + static_cast<size_t>(source) * element, element);
    }
  });
}

// scatter(self, dim, index, value, out)
Status ScatterValue(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  const int64_t dim = read.Int("dim");
  const Tensor& index = read.Input("index");
  const Number value = read.Scalar("value");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  size_t dimension;
  ONEPACK_RETURN_IF_ERROR(PrepareScatter(self, dim, index, &dimension));
  ONEPACK_RETURN_IF_ERROR(CopySelf(self, out));
  const Strided to = StridedOutput(out);
  return ForEachTarget(to, dimension, index, StridedInput(index), [&](int64_t target, int64_t) {
    FillStrided({to.type, to.data, target}, value);
  });
}

// select_scatter(self, src, dim, index, out)
Status SelectScatter(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  const Tensor& src = read.Input("src");
  const int64_t dim = read.Int("dim");
  int64_t index = read.Int("index");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  size_t dimension;
  ONEPACK_RETURN_IF_ERROR(ResolveDimension(dim, self.rank(), &dimension));
  const int64_t size = self.rank() == 0 ? 0 : self.sizes()[dimension];
  if (index < 0) index += size;
  if (index < 0 || index >= size) return Unfit("no such index", self, src);
  ONEPACK_RETURN_IF_ERROR(CopySelf(self, out));
  Strided part = StridedOutput(out);
  part.Select(dimension, index);
  Strided from;
  ONEPACK_RETURN_IF_ERROR(BroadcastTo(src, part, &from));
  CopyStrided(from, part);
  return Status::Ok();
}

// slice_scatter(self, src, dim, start?, end?, step, out)
Status SliceScatter(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  const Tensor& src = read.Input("src");
  const int64_t dim = read.Int("dim");
  const Optional<int64_t> start = read.OptionalInt("start");
  const Optional<int64_t> end = read.OptionalInt("end");
  const int64_t step = read.Int("step");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  size_t dimension;
  ONEPACK_RETURN_IF_ERROR(ResolveDimension(dim, self.rank(), &dimension));
  if (self.rank() == 0 || step < 1) return Unfit("no slice", self, src);
  ONEPACK_RETURN_IF_ERROR(CopySelf(self, out));
  Strided part = StridedOutput(out);
  const SliceRange range =
      ResolveSlice(start.is_given ? &start.value : nullptr, end.is_given ? &end.value : nullptr,
                   step, part.sizes[dimension]);
  part.Narrow(dimension, range.start, range.length);
  part.strides[dimension] = range.length > 1 ? part.strides[dimension] * step : 0;
  Strided from;
  ONEPACK_RETURN_IF_ERROR(BroadcastTo(src, part, &from));
  CopyStrided(from, part);
  return Status::Ok();
}

constexpr OperatorRow kRows[] = {
    {"aten::index_put.out", IndexPut},
    {"aten::index_put_", IndexPutInPlace},
    {"aten::scatter.src_out", ScatterFrom<false>},
    {"aten::scatter.value_out", ScatterValue},
    {"aten::scatter_add.out", ScatterFrom<true>},
    {"aten::select_scatter.out", SelectScatter},
    {"aten::slice_scatter.out", SliceScatter},
};

}  // namespace

OperatorRows ScatterOperators() { return kRows; }

}  // namespace onepack::kernels
