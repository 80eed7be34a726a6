// Copies into another type or dimension order, or over another tensor.

#include "kernels/arguments.h"
#include "kernels/element.h"
#include "kernels/operator_families.h"
#include "kernels/result.h"

namespace onepack::kernels {
namespace {

Status CopyAll(const Tensor& self, Tensor& out) {
  ONEPACK_RETURN_IF_ERROR(CheckConvertible(self, out));
  ONEPACK_RETURN_IF_ERROR(out.Resize(self.sizes()));
  CopyStrided(StridedInput(self), StridedOutput(out));
  return Status::Ok();
}

// op(self, <kSkipped arguments>, out): the type and the order are those of out.
template <size_t kSkipped>
Status Copy(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments, Elements::kAny);
  const Tensor& self = read.Input("self");
  for (size_t i = 0; i < kSkipped; ++i) read.Skip();
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  return CopyAll(self, out);
}

// copy(self, src, non_blocking, out): src in the type and sizes of self.
Status CopyFrom(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments, Elements::kAny);
  const Tensor& self = read.Input("self");
  const Tensor& src = read.Input("src");
  read.Skip();
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  Strided view;
  ONEPACK_RETURN_IF_ERROR(CheckConvertible(src, out));
  ONEPACK_RETURN_IF_ERROR(BroadcastTo(src, StridedInput(self), &view));
  ONEPACK_RETURN_IF_ERROR(out.Resize(self.sizes()));
  CopyStrided(view, StridedOutput(out));
  return Status::Ok();
}

// copy_(self, src, non_blocking): how a program changes its mutable state.
Status CopyOver(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments, Elements::kAny);
  Tensor& self = read.InPlace("self");
  const Tensor& src = read.Input("src");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  Strided view;
  ONEPACK_RETURN_IF_ERROR(CheckConvertible(src, self));
  ONEPACK_RETURN_IF_ERROR(BroadcastTo(src, StridedInput(self), &view));
  CopyStrided(view, StridedOutput(self));
  return Status::Ok();
}

// et_copy_index(out, value, index): out[index] = value, growing out to index + 1 rows. How a loop
// over a tensor's rows collects its results.
Status CopyIndex(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments, Elements::kAny);
  Tensor& out = read.InPlace("copy_to");
  const Tensor& value = read.Input("copy_from");
  const int64_t index = read.Int("index");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  if (out.rank() != value.rank() + 1 || &out == &value || index < 0 || index >= INT32_MAX) {
    return Unfit("no row of one for the other", out, value);
  }
  ONEPACK_RETURN_IF_ERROR(CheckConvertible(value, out));
  int32_t sizes[kMaxTensorRank];
  const auto rows = static_cast<int32_t>(index + 1);
  sizes[0] = out.sizes()[0] < rows ? rows : out.sizes()[0];
  for (size_t i = 0; i < value.rank(); ++i) sizes[i + 1] = value.sizes()[i];
  ONEPACK_RETURN_IF_ERROR(out.Resize({sizes, out.rank()}));
  Strided row = StridedOutput(out);
  row.Select(0, index);
  CopyStrided(StridedInput(value), row);
  return Status::Ok();
}

// empty(size, memory_format?, out): only sizes.
Status Empty(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments, Elements::kAny);
  const IntList sizes = read.Ints("size");
  read.Skip();
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  Strided view;
  for (size_t i = 0; i < sizes.size() && i < kMaxLoopRank; ++i) view.Append(sizes[i], 0);
  return ResizeTo(view, out);
}

constexpr OperatorRow kRows[] = {
    {"aten::_to_copy.out", Copy<2>},  // non_blocking, memory_format
    {"aten::clone.out", Copy<1>},     // memory_format
    {"aten::copy.out", CopyFrom},
    {"aten::copy_", CopyOver},
    {"aten::empty.memory_format_out", Empty},
    {"aten::empty.out", Empty},
    {"aten::lift_fresh_copy.out", Copy<0>},
    {"dim_order_ops::_clone_dim_order.out", Copy<2>},  // non_blocking, dim_order
    {"dim_order_ops::_empty_dim_order.out", Empty},
    {"dim_order_ops::_to_dim_order_copy.out", Copy<2>},
    {"executorch_prim::et_copy_index.tensor", CopyIndex},
};

}  // namespace

OperatorRows CopyOperators() { return kRows; }

}  // namespace onepack::kernels
