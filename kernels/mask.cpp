// Elements picked or replaced where a mask is true.

#include <math.h>

#include "kernels/arguments.h"
#include "kernels/element.h"
#include "kernels/elementwise.h"
#include "kernels/operator_families.h"
#include "kernels/result.h"

namespace onepack::kernels {
namespace {

// Visits the positions of `a` in logical order, with those of `b`: visit(offset in a, offset in b).
template <typename Visit>
void InOrder(const Strided& a, const Strided& b, Visit visit) {
  ForEachRow(LoopOver<2>({&a, &b}), [&](const int64_t* offsets, const int64_t* strides, int64_t n) {
    for (int64_t i = 0; i < n; ++i) visit(offsets[0] + i * strides[0], offsets[1] + i * strides[1]);
  });
}

void CopyElement(const Strided& from, int64_t source, const Strided& to, int64_t target) {
  CopyStrided({from.type, from.data, source}, {to.type, to.data, target});
}

Status CheckMask(const Tensor& mask) {
  if (mask.scalar_type() == ScalarType::kBool) return Status::Ok();
  return Status::Error(StatusCode::kInvalidArgument, "a mask of %s",
                       LayoutText(mask.layout()).c_str());
}

// masked_select(self, mask, out): the elements where the mask is true, as one row.
Status MaskedSelect(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  const Tensor& mask = read.Input("mask");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  ONEPACK_RETURN_IF_ERROR(CheckMask(mask));
  Strided like;
  int32_t sizes[kMaxTensorRank];
  ONEPACK_RETURN_IF_ERROR(BroadcastSizes(self.sizes(), mask.sizes(), sizes, &like.rank));
  for (size_t i = 0; i < like.rank; ++i) like.sizes[i] = sizes[i];
  ONEPACK_RETURN_IF_ERROR(CheckRepeats(like, self, mask));
  Strided from;
  Strided where;
  ONEPACK_RETURN_IF_ERROR(BroadcastTo(self, like, &from));
  ONEPACK_RETURN_IF_ERROR(BroadcastTo(mask, like, &where));
  Strided row;
  row.Append(0, 0);
  InOrder(from, where, [&](int64_t, int64_t at) { row.sizes[0] += where.data[at] != 0 ? 1 : 0; });
  ONEPACK_RETURN_IF_ERROR(ResizeTo(row, out));
  const Strided to = StridedOutput(out);
  int64_t next = 0;
  InOrder(from, where, [&](int64_t source, int64_t at) {
    // Fewer than counted, should the output overlap the mask.
    if (where.data[at] != 0 && next < row.sizes[0]) CopyElement(from, source, to, next++);
  });
  return Status::Ok();
}

// masked_scatter(self, mask, source, out): the next element of source where the mask is true.
Status MaskedScatter(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  const Tensor& mask = read.Input("mask");
  const Tensor& source = read.Input("source");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  ONEPACK_RETURN_IF_ERROR(CheckMask(mask));
  ONEPACK_RETURN_IF_ERROR(out.Resize(self.sizes()));
  const Strided to = StridedOutput(out);
  CopyStrided(StridedInput(self), to);
  Strided where;
  ONEPACK_RETURN_IF_ERROR(BroadcastTo(mask, to, &where));
  const Strided from = StridedInput(source);
  if (!IsContiguous(from)) return Unfit("elements in this order", source, out);
  const int64_t count = from.count();
  int64_t next = 0;
  InOrder(to, where, [&](int64_t target, int64_t at) {
    if (where.data[at] == 0) return;
    if (next < count) CopyElement(from, next, to, target);
    ++next;
  });
  if (next <= count) return Status::Ok();
  return Status::Error(StatusCode::kInvalidArgument, "%lld elements for %lld places",
                       static_cast<long long>(count), static_cast<long long>(next));
}

// glu(self, dim, out): the first half times the sigmoid of the second.
Status Glu(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  const int64_t dim = read.Int("dim");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  size_t dimension;
  ONEPACK_RETURN_IF_ERROR(ResolveDimension(dim, self.rank(), &dimension));
  if (self.rank() == 0 || self.sizes()[dimension] % 2 != 0) return Unfit("no halves", self, out);
  const int64_t half = self.sizes()[dimension] / 2;
  Strided first = StridedInput(self);
  Strided second = first;
  first.Narrow(dimension, 0, half);
  second.Narrow(dimension, half, half);
  ONEPACK_RETURN_IF_ERROR(ResizeTo(first, out));
  const Strided to = StridedOutput(out);
  ForEachRow(LoopOver<3>({&to, &first, &second}), [&](const int64_t* offsets,
                                                      const int64_t* strides, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
      const auto a = LoadElement<double>(first.type, first.data, offsets[1] + i * strides[1]);
      const auto b = LoadElement<double>(second.type, second.data, offsets[2] + i * strides[2]);
      StoreElement<double>(to.type, to.data, offsets[0] + i * strides[0], a / (1 + exp(-b)));
    }
  });
  return Status::Ok();
}

// native_dropout(input, p, train?, out0, out1): exported for inference, nothing is dropped.
Status NativeDropout(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& input = read.Input("input");
  read.Double("p");
  const Optional<int64_t> is_training = read.OptionalInt("train");
  Tensor& out = read.Output("out0");
  Tensor& kept = read.Output("out1");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  if (is_training.value != 0) {
    return Status::Error(StatusCode::kUnsupported, "dropout while training");
  }
  ONEPACK_RETURN_IF_ERROR(out.Resize(input.sizes()));
  ONEPACK_RETURN_IF_ERROR(kept.Resize(input.sizes()));
  CopyStrided(StridedInput(input), StridedOutput(out));
  FillStrided(StridedOutput(kept), Number::Of(true));
  return Status::Ok();
}

constexpr OperatorRow kRows[] = {
    {"aten::glu.out", Glu},
    {"aten::masked_scatter.out", MaskedScatter},
    {"aten::masked_select.out", MaskedSelect},
    {"aten::native_dropout.out", NativeDropout},
};

}  // namespace

OperatorRows MaskOperators() { return kRows; }

}  // namespace onepack::kernels
