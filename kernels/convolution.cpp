// Convolutions over one to three dimensions that no delegate took, transposed ones too.
//
// Row by row of the output: each weight adds a row of the input to it. Sums are made in double, or
// in int64_t for integers.

#include <pthreadpool.h>

#include "kernels/element.h"
#include "kernels/operator_families.h"
#include "kernels/result.h"
#include "kernels/spatial.h"

namespace onepack::kernels {
namespace {

constexpr int64_t kColumns = static_cast<int64_t>(kBlockSize);

struct Convolution {
  Strided input, weight, output;  // five dimensions each
  const Tensor* bias = nullptr;
  bool is_transposed = false;
  int64_t groups = 1;
  int64_t stride[kMaxSpatial], padding[kMaxSpatial], dilation[kMaxSpatial];
  int64_t output_padding[kMaxSpatial];

  int64_t outputs_per_group() const { return output.sizes[1] / groups; }
  int64_t inputs_per_group() const { return input.sizes[1] / groups; }
};

// Which input index meets an output index at an index of the kernel; -1: none.
int64_t InputIndex(const Convolution& c, size_t d, int64_t out, int64_t kernel) {
  if (!c.is_transposed) {
    const int64_t in = out * c.stride[d] - c.padding[d] + kernel * c.dilation[d];
    return in >= 0 && in < c.input.sizes[2 + d] ? in : -1;
  }
  const int64_t scaled = out + c.padding[d] - kernel * c.dilation[d];
  if (scaled < 0 || scaled % c.stride[d] != 0) return -1;
  const int64_t in = scaled / c.stride[d];
  return in < c.input.sizes[2 + d] ? in : -1;
}

int64_t CeilDivide(int64_t a, int64_t b) { return a <= 0 ? 0 : (a - 1) / b + 1; }

// Input columns [first_in, first_in + n * in_step) meet the output columns
// [first_out, first_out + n * out_step).
struct ColumnRun {
  int64_t first_in, in_step, first_out, out_step, n;
};

// The run within output columns [begin, end) for one column of the kernel.
ColumnRun RunOf(const Convolution& c, int64_t kernel, int64_t begin, int64_t end) {
  const size_t d = kMaxSpatial - 1;
  const int64_t shift = kernel * c.dilation[d] - c.padding[d];
  const int64_t width = c.input.sizes[2 + d];
  if (!c.is_transposed) {
    // in = out * stride + shift
    int64_t first = CeilDivide(-shift, c.stride[d]);
    if (first < begin) first = begin;
    int64_t last = CeilDivide(width - shift, c.stride[d]);
    if (last > end) last = end;
    return {first * c.stride[d] + shift, c.stride[d], first, 1, last - first};
  }
  // out = in * stride + shift
  const int64_t first = CeilDivide(begin - shift, c.stride[d]);
  int64_t last = CeilDivide(end - shift, c.stride[d]);
  if (last > width) last = width;
  return {first, 1, first * c.stride[d] + shift, c.stride[d], last - first};
}

// One output row of a channel, in blocks of columns.
template <typename C>
class RowSum {
 public:
  RowSum(const Convolution& c, int64_t batch, int64_t channel)
      : c_(c), batch_(batch), channel_(channel), group_(channel / c.outputs_per_group()) {}

  void Run(int64_t z, int64_t y, int64_t begin, int64_t n) {
    const C bias = c_.bias == nullptr
                       ? C{}
                       : LoadElement<C>(c_.bias->scalar_type(), c_.bias->data(), channel_);
    for (int64_t i = 0; i < n; ++i) sums_[i] = bias;
    // Without input channels the kernel has no elements, but may have any size.
    const int64_t depth = c_.inputs_per_group() == 0 ? 0 : c_.weight.sizes[2];
    for (int64_t kz = 0; kz < depth; ++kz) {
      const int64_t iz = InputIndex(c_, 0, z, kz);
      for (int64_t ky = 0; iz >= 0 && ky < c_.weight.sizes[3]; ++ky) {
        const int64_t iy = InputIndex(c_, 1, y, ky);
        if (iy < 0) continue;
        for (int64_t kx = 0; kx < c_.weight.sizes[4]; ++kx) {
          AddColumns(iz, iy, kz, ky, kx, begin, n);
        }
      }
    }
    const Strided& to = c_.output;
    StoreElements<C>(to.type, to.data,
                     batch_ * to.strides[0] + channel_ * to.strides[1] + z * to.strides[2] +
                         y * to.strides[3] + begin * to.strides[4],
                     to.strides[4], static_cast<size_t>(n), sums_);
  }

 private:
  // All input channels of the group.
  void AddColumns(int64_t iz, int64_t iy, int64_t kz, int64_t ky, int64_t kx, int64_t begin,
                  int64_t n) {
    const ColumnRun run = RunOf(c_, kx, begin, begin + n);
    if (run.n <= 0) return;
    const Strided& from = c_.input;
    const int64_t at_kernel =
        kz * c_.weight.strides[2] + ky * c_.weight.strides[3] + kx * c_.weight.strides[4];
    for (int64_t i = 0; i < c_.inputs_per_group(); ++i) {
      const int64_t input_channel = group_ * c_.inputs_per_group() + i;
      const C weight = WeightAt(i, input_channel, at_kernel);
      LoadElements<C>(from.type, from.data,
                      batch_ * from.strides[0] + input_channel * from.strides[1] +
                          iz * from.strides[2] + iy * from.strides[3] +
                          run.first_in * from.strides[4],
                      run.in_step * from.strides[4], static_cast<size_t>(run.n), inputs_);
      C* sums = sums_ + (run.first_out - begin);
      for (int64_t k = 0; k < run.n; ++k) {
        C& sum = sums[k * run.out_step];
        sum = MultiplyAdd(weight, inputs_[k], sum);
      }
    }
  }

  // weight: [outputs, inputs of a group, ...]; transposed: [inputs, outputs of a group, ...]
  C WeightAt(int64_t input_in_group, int64_t input_channel, int64_t at_kernel) const {
    const Strided& weight = c_.weight;
    const int64_t first = c_.is_transposed ? input_channel : channel_;
    const int64_t second = c_.is_transposed ? channel_ % c_.outputs_per_group() : input_in_group;
    return LoadElement<C>(weight.type, weight.data,
                          first * weight.strides[0] + second * weight.strides[1] + at_kernel);
  }

  const Convolution& c_;
  const int64_t batch_;
  const int64_t channel_;
  const int64_t group_;
  C sums_[kColumns];
  C inputs_[kColumns];
};

template <typename C>
void RunChannel(void* context, size_t task) {
  const auto& c = *static_cast<const Convolution*>(context);
  const int64_t channels = c.output.sizes[1];
  RowSum<C> row(c, static_cast<int64_t>(task) / channels, static_cast<int64_t>(task) % channels);
  for (int64_t z = 0; z < c.output.sizes[2]; ++z) {
    for (int64_t y = 0; y < c.output.sizes[3]; ++y) {
      for (int64_t x = 0; x < c.output.sizes[4]; x += kColumns) {
        const int64_t left = c.output.sizes[4] - x;
        row.Run(z, y, x, left < kColumns ? left : kColumns);
      }
    }
  }
}

Status CheckChannels(const Convolution& c, const Tensor& input, const Tensor& weight) {
  const int64_t of_weight =
      weight.sizes()[c.is_transposed ? 0 : 1] * (c.is_transposed ? 1 : c.groups);
  const bool fits = input.sizes()[1] == of_weight && input.sizes()[1] % c.groups == 0 &&
                    (c.is_transposed || weight.sizes()[0] % c.groups == 0);
  if (!fits) return Unfit("channels that do not fit", input, weight);
  const int64_t outputs = c.is_transposed ? weight.sizes()[1] * c.groups : weight.sizes()[0];
  if (c.bias == nullptr || (c.bias->rank() == 1 && c.bias->sizes()[0] == outputs)) {
    return Status::Ok();
  }
  return Unfit("a bias for each output channel expected", *c.bias, weight);
}

// Sizes of the output, in `sizes` with the input's rank.
Status OutputSizes(const Convolution& c, const Tensor& input, const Tensor& weight,
                   Strided* sizes) {
  const size_t spatial = input.rank() - 2;
  sizes->Append(input.sizes()[0], 0);
  sizes->Append(c.is_transposed ? weight.sizes()[1] * c.groups : weight.sizes()[0], 0);
  for (size_t i = 0; i < spatial; ++i) {
    const size_t d = kMaxSpatial - spatial + i;
    const int64_t in = input.sizes()[2 + i];
    const int64_t kernel = weight.sizes()[2 + i];
    const int64_t reach = c.dilation[d] * (kernel - 1) + 1;
    const int64_t padded = in + 2 * c.padding[d];
    const int64_t out =
        c.is_transposed  ? (in - 1) * c.stride[d] - 2 * c.padding[d] + reach + c.output_padding[d]
        : padded < reach ? 0
                         : (padded - reach) / c.stride[d] + 1;
    if (out < 1 || kernel < 1) return Unfit("a kernel larger than the input", input, weight);
    sizes->Append(out, 0);
  }
  return Status::Ok();
}

// convolution(input, weight, bias?, stride, padding, dilation, transposed, output_padding, groups,
// out)
Status Convolve(void* context, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  Convolution c;
  const Tensor& input = read.Input("input");
  const Tensor& weight = read.Input("weight");
  c.bias = read.OptionalInput("bias");
  const IntList stride = read.Ints("stride");
  const IntList padding = read.Ints("padding");
  const IntList dilation = read.Ints("dilation");
  c.is_transposed = read.Bool("transposed");
  const IntList output_padding = read.Ints("output_padding");
  c.groups = read.Int("groups");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  const size_t rank = input.rank();
  if (rank < 3 || rank > 2 + kMaxSpatial || weight.rank() != rank || c.groups < 1 ||
      c.groups > INT32_MAX) {
    return Unfit("no convolution", input, weight);
  }
  ONEPACK_RETURN_IF_ERROR(ReadSpatial(stride, rank - 2, "stride", 1, 1, c.stride));
  ONEPACK_RETURN_IF_ERROR(ReadSpatial(padding, rank - 2, "padding", 0, 0, c.padding));
  ONEPACK_RETURN_IF_ERROR(ReadSpatial(dilation, rank - 2, "dilation", 1, 1, c.dilation));
  ONEPACK_RETURN_IF_ERROR(
      ReadSpatial(output_padding, rank - 2, "output_padding", 0, 0, c.output_padding));
  ONEPACK_RETURN_IF_ERROR(CheckChannels(c, input, weight));
  Strided sizes;
  ONEPACK_RETURN_IF_ERROR(OutputSizes(c, input, weight, &sizes));
  ONEPACK_RETURN_IF_ERROR(ResizeTo(sizes, out));
  c.input = WithThreeSpatial(StridedInput(input));
  c.weight = WithThreeSpatial(StridedInput(weight));
  c.output = WithThreeSpatial(StridedOutput(out));
  const bool is_real = IsFloatingPoint(input.scalar_type());
  pthreadpool_parallelize_1d(ContextOf(context).threadpool(),
                             is_real ? RunChannel<double> : RunChannel<int64_t>, &c,
                             static_cast<size_t>(c.output.sizes[0] * c.output.sizes[1]), 0);
  return Status::Ok();
}

constexpr OperatorRow kRows[] = {
    {"aten::convolution.out", Convolve},
};

}  // namespace

OperatorRows ConvolutionOperators() { return kRows; }

}  // namespace onepack::kernels
