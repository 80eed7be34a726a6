// The mean or the largest of the elements in windows over two dimensions.

#include <cmath>

#include "kernels/element.h"
#include "kernels/operator_families.h"
#include "kernels/result.h"
#include "kernels/spatial.h"

namespace onepack::kernels {
namespace {

// Of the last two of the three spatial dimensions.
struct Windows {
  int64_t kernel[kMaxSpatial], stride[kMaxSpatial], padding[kMaxSpatial], dilation[kMaxSpatial];
  bool is_ceil = false;
};

// [channels, height, width] or [batch, channels, height, width], as five dimensions.
Strided WithBatch(Strided tensor) {
  if (tensor.rank == 3) tensor.Insert(0, 1, 0);
  return WithThreeSpatial(tensor);
}

Status ReadWindows(const IntList& kernel, const IntList& stride, const IntList& padding,
                   const IntList* dilation, bool is_ceil, Windows* windows) {
  windows->is_ceil = is_ceil;
  ONEPACK_RETURN_IF_ERROR(ReadSpatial(kernel, 2, "kernel_size", 1, 1, windows->kernel));
  ONEPACK_RETURN_IF_ERROR(
      ReadSpatial(stride.empty() ? kernel : stride, 2, "stride", 1, 1, windows->stride));
  ONEPACK_RETURN_IF_ERROR(ReadSpatial(padding, 2, "padding", 0, 0, windows->padding));
  return ReadSpatial(dilation != nullptr ? *dilation : IntList(), 2, "dilation", 1, 1,
                     windows->dilation);
}

// How many windows there are in dimension d of `size`; the last one starts within the padded input.
int64_t WindowCount(const Windows& w, size_t d, int64_t size) {
  const int64_t reach = w.dilation[d] * (w.kernel[d] - 1) + 1;
  const int64_t room = size + 2 * w.padding[d] - reach;
  if (room < 0) return 0;
  int64_t count = (room + (w.is_ceil ? w.stride[d] - 1 : 0)) / w.stride[d] + 1;
  if (w.is_ceil && (count - 1) * w.stride[d] >= size + w.padding[d]) --count;
  return count;
}

Status ResizeToWindows(const Tensor& self, const Windows& windows, Tensor& out) {
  if (self.rank() != 3 && self.rank() != 4) {
    return Status::Error(StatusCode::kInvalidArgument, "%s, rank 3 or 4 expected",
                         LayoutText(self.layout()).c_str());
  }
  Strided sizes = StridedInput(self);
  for (size_t i = 0; i < 2; ++i) {
    int64_t& size = sizes.sizes[self.rank() - 2 + i];
    if (2 * windows.padding[1 + i] > windows.dilation[1 + i] * windows.kernel[1 + i]) {
      return Status::Error(StatusCode::kInvalidArgument, "padding of %lld of a kernel of %lld",
                           static_cast<long long>(windows.padding[1 + i]),
                           static_cast<long long>(windows.kernel[1 + i]));
    }
    size = WindowCount(windows, 1 + i, size);
    if (size < 1) {
      return Status::Error(StatusCode::kInvalidArgument, "windows larger than %s",
                           LayoutText(self.layout()).c_str());
    }
  }
  return ResizeTo(sizes, out);
}

int64_t Clamp(int64_t value, int64_t highest) {
  return value < 0 ? 0 : (value > highest ? highest : value);
}

// The elements of a kernel that lie inside the input: at origin + k * dilation, begin <= k < end.
struct KernelRange {
  int64_t origin, begin, end;
};

KernelRange RangeInside(const Windows& w, size_t d, int64_t out, int64_t size) {
  const int64_t origin = out * w.stride[d] - w.padding[d];
  const int64_t begin = origin < 0 ? (-origin - 1) / w.dilation[d] + 1 : 0;
  const int64_t end = origin < size ? (size - origin - 1) / w.dilation[d] + 1 : 0;
  return {origin, begin, end < w.kernel[d] ? end : w.kernel[d]};
}

double SumOf(const Strided& from, int64_t n, int64_t c, const int64_t (&begin)[2],
             const int64_t (&end)[2]) {
  double sum = 0;
  for (int64_t y = begin[0]; y < end[0]; ++y) {
    for (int64_t x = begin[1]; x < end[1]; ++x) {
      sum += LoadElement<double>(from.type, from.data, Place(from, n, c, y, x));
    }
  }
  return sum;
}

// avg_pool2d(self, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override?,
// out)
Status AvgPool(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  const IntList kernel = read.Ints("kernel_size");
  const IntList stride = read.Ints("stride");
  const IntList padding = read.Ints("padding");
  const bool is_ceil = read.Bool("ceil_mode");
  const bool counts_padding = read.Bool("count_include_pad");
  const Optional<int64_t> divisor = read.OptionalInt("divisor_override");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  Windows w;
  ONEPACK_RETURN_IF_ERROR(ReadWindows(kernel, stride, padding, nullptr, is_ceil, &w));
  ONEPACK_RETURN_IF_ERROR(ResizeToWindows(self, w, out));
  const Strided from = WithBatch(StridedInput(self));
  const Strided to = WithBatch(StridedOutput(out));
  ForEachPixel(to, [&](int64_t n, int64_t c, int64_t y, int64_t x) {
    const int64_t at[2] = {y, x};
    int64_t begin[2];
    int64_t end[2];
    int64_t padded = 1;
    int64_t inside = 1;
    for (size_t i = 0; i < 2; ++i) {
      const int64_t size = from.sizes[3 + i];
      begin[i] = at[i] * w.stride[1 + i] - w.padding[1 + i];
      end[i] = begin[i] + w.kernel[1 + i];
      if (end[i] > size + w.padding[1 + i]) end[i] = size + w.padding[1 + i];
      padded *= end[i] - begin[i];
      begin[i] = Clamp(begin[i], size);
      end[i] = Clamp(end[i], size);
      inside *= end[i] - begin[i];
    }
    const int64_t count = divisor.is_given ? divisor.value : (counts_padding ? padded : inside);
    const double sum = SumOf(from, n, c, begin, end);
    StoreElement<double>(to.type, to.data, Place(to, n, c, y, x),
                         inside == 0 ? 0 : sum / static_cast<double>(count));
  });
  return Status::Ok();
}

// max_pool2d_with_indices(self, kernel_size, stride, padding, dilation, ceil_mode, out, indices)
Status MaxPool(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  const IntList kernel = read.Ints("kernel_size");
  const IntList stride = read.Ints("stride");
  const IntList padding = read.Ints("padding");
  const IntList dilation = read.Ints("dilation");
  const bool is_ceil = read.Bool("ceil_mode");
  Tensor& out = read.Output("out");
  Tensor& indices = read.Output("indices");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  Windows w;
  ONEPACK_RETURN_IF_ERROR(ReadWindows(kernel, stride, padding, &dilation, is_ceil, &w));
  ONEPACK_RETURN_IF_ERROR(ResizeToWindows(self, w, out));
  ONEPACK_RETURN_IF_ERROR(ResizeToWindows(self, w, indices));
  const Strided from = WithBatch(StridedInput(self));
  const Strided to = WithBatch(StridedOutput(out));
  const Strided to_index = WithBatch(StridedOutput(indices));
  ForEachPixel(to, [&](int64_t n, int64_t c, int64_t y, int64_t x) {
    double best = -HUGE_VAL;
    int64_t index = -1;
    const KernelRange rows = RangeInside(w, 1, y, from.sizes[3]);
    const KernelRange columns = RangeInside(w, 2, x, from.sizes[4]);
    for (int64_t ky = rows.begin; ky < rows.end; ++ky) {
      const int64_t iy = rows.origin + ky * w.dilation[1];
      for (int64_t kx = columns.begin; kx < columns.end; ++kx) {
        const int64_t ix = columns.origin + kx * w.dilation[2];
        const auto value = LoadElement<double>(from.type, from.data, Place(from, n, c, iy, ix));
        if (index >= 0 && !(value > best || std::isnan(value))) continue;
        best = value;
        index = iy * from.sizes[4] + ix;
      }
    }
    StoreElement<double>(to.type, to.data, Place(to, n, c, y, x), best);
    StoreElement<int64_t>(to_index.type, to_index.data, Place(to_index, n, c, y, x), index);
  });
  return Status::Ok();
}

// _adaptive_avg_pool2d(self, output_size, out): windows that share the input out evenly.
Status AdaptiveAvgPool(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  const IntList output_size = read.Ints("output_size");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  int64_t wanted[kMaxSpatial];
  ONEPACK_RETURN_IF_ERROR(ReadSpatial(output_size, 2, "output_size", 0, 0, wanted));
  if (self.rank() != 3 && self.rank() != 4) return Unfit("rank 3 or 4 expected", self, out);
  Strided sizes = StridedInput(self);
  sizes.sizes[self.rank() - 2] = wanted[1];
  sizes.sizes[self.rank() - 1] = wanted[2];
  ONEPACK_RETURN_IF_ERROR(ResizeTo(sizes, out));
  const Strided from = WithBatch(StridedInput(self));
  const Strided to = WithBatch(StridedOutput(out));
  ForEachPixel(to, [&](int64_t n, int64_t c, int64_t y, int64_t x) {
    const int64_t at[2] = {y, x};
    int64_t begin[2];
    int64_t end[2];
    for (size_t i = 0; i < 2; ++i) {
      begin[i] = at[i] * from.sizes[3 + i] / wanted[1 + i];
      end[i] = ((at[i] + 1) * from.sizes[3 + i] + wanted[1 + i] - 1) / wanted[1 + i];
    }
    const auto count = static_cast<double>((end[0] - begin[0]) * (end[1] - begin[1]));
    StoreElement<double>(to.type, to.data, Place(to, n, c, y, x),
                         SumOf(from, n, c, begin, end) / count);
  });
  return Status::Ok();
}

constexpr OperatorRow kRows[] = {
    {"aten::_adaptive_avg_pool2d.out", AdaptiveAvgPool},
    {"aten::adaptive_avg_pool2d.out", AdaptiveAvgPool},
    {"aten::avg_pool2d.out", AvgPool},
    {"aten::max_pool2d_with_indices.out", MaxPool},
};

}  // namespace

OperatorRows PoolingOperators() { return kRows; }

}  // namespace onepack::kernels
