// What programs that train pass backwards: gradients of convolutions and of pooling.
//
// Each element of a gradient is summed on its own, in double.

#include "kernels/element.h"
#include "kernels/operator_families.h"
#include "kernels/result.h"
#include "kernels/spatial.h"

namespace onepack::kernels {
namespace {

// A convolution that is not transposed: [batch, channels, three spatial dimensions] each.
struct Convolution {
  Strided input, weight, gradient;  // the last one of its output
  int64_t groups = 1;
  int64_t stride[kMaxSpatial], padding[kMaxSpatial], dilation[kMaxSpatial];

  int64_t inputs_per_group() const { return weight.sizes[1]; }
  int64_t outputs_per_group() const { return weight.sizes[0] / groups; }
};

int64_t PlaceOf(const Strided& tensor, int64_t first, int64_t second,
                const int64_t (&spatial)[kMaxSpatial]) {
  int64_t place = first * tensor.strides[0] + second * tensor.strides[1];
  for (size_t d = 0; d < kMaxSpatial; ++d) place += spatial[d] * tensor.strides[2 + d];
  return place;
}

double At(const Strided& tensor, int64_t place) {
  return LoadElement<double>(tensor.type, tensor.data, place);
}

// visit(position) for all positions of the three spatial dimensions.
template <typename Visit>
void ForEachPosition(const Strided& tensor, Visit visit) {
  int64_t at[kMaxSpatial];
  for (at[0] = 0; at[0] < tensor.sizes[2]; ++at[0]) {
    for (at[1] = 0; at[1] < tensor.sizes[3]; ++at[1]) {
      for (at[2] = 0; at[2] < tensor.sizes[4]; ++at[2]) visit(at);
    }
  }
}

// The input position that an output position meets with a position of the kernel. False: padding.
bool InputPosition(const Convolution& c, const int64_t (&out)[kMaxSpatial],
                   const int64_t (&kernel)[kMaxSpatial], int64_t (&in)[kMaxSpatial]) {
  for (size_t d = 0; d < kMaxSpatial; ++d) {
    in[d] = out[d] * c.stride[d] - c.padding[d] + kernel[d] * c.dilation[d];
    if (in[d] < 0 || in[d] >= c.input.sizes[2 + d]) return false;
  }
  return true;
}

// The output position that an input position comes into with one of the kernel. False: none.
bool OutputPosition(const Convolution& c, const int64_t (&in)[kMaxSpatial],
                    const int64_t (&kernel)[kMaxSpatial], int64_t (&out)[kMaxSpatial]) {
  for (size_t d = 0; d < kMaxSpatial; ++d) {
    const int64_t scaled = in[d] + c.padding[d] - kernel[d] * c.dilation[d];
    if (scaled < 0 || scaled % c.stride[d] != 0) return false;
    out[d] = scaled / c.stride[d];
    if (out[d] >= c.gradient.sizes[2 + d]) return false;
  }
  return true;
}

void WriteInputGradient(const Convolution& c, const Strided& to) {
  for (int64_t batch = 0; batch < to.sizes[0]; ++batch) {
    for (int64_t channel = 0; channel < to.sizes[1]; ++channel) {
      const int64_t group = channel / c.inputs_per_group();
      const int64_t in_group = channel % c.inputs_per_group();
      ForEachPosition(to, [&](const int64_t(&in)[kMaxSpatial]) {
        double sum = 0;
        ForEachPosition(c.weight, [&](const int64_t(&kernel)[kMaxSpatial]) {
          int64_t out[kMaxSpatial];
          if (!OutputPosition(c, in, kernel, out)) return;
          for (int64_t i = 0; i < c.outputs_per_group(); ++i) {
            const int64_t output = group * c.outputs_per_group() + i;
            sum += At(c.gradient, PlaceOf(c.gradient, batch, output, out)) *
                   At(c.weight, PlaceOf(c.weight, output, in_group, kernel));
          }
        });
        StoreElement<double>(to.type, to.data, PlaceOf(to, batch, channel, in), sum);
      });
    }
  }
}

void WriteWeightGradient(const Convolution& c, const Strided& to) {
  for (int64_t output = 0; output < to.sizes[0]; ++output) {
    const int64_t group = output / c.outputs_per_group();
    for (int64_t in_group = 0; in_group < to.sizes[1]; ++in_group) {
      const int64_t channel = group * c.inputs_per_group() + in_group;
      ForEachPosition(to, [&](const int64_t(&kernel)[kMaxSpatial]) {
        double sum = 0;
        ForEachPosition(c.gradient, [&](const int64_t(&out)[kMaxSpatial]) {
          int64_t in[kMaxSpatial];
          if (!InputPosition(c, out, kernel, in)) return;
          for (int64_t batch = 0; batch < c.input.sizes[0]; ++batch) {
            sum += At(c.gradient, PlaceOf(c.gradient, batch, output, out)) *
                   At(c.input, PlaceOf(c.input, batch, channel, in));
          }
        });
        StoreElement<double>(to.type, to.data, PlaceOf(to, output, in_group, kernel), sum);
      });
    }
  }
}

void WriteBiasGradient(const Convolution& c, Tensor& to) {
  for (int64_t output = 0; output < c.gradient.sizes[1]; ++output) {
    double sum = 0;
    for (int64_t batch = 0; batch < c.gradient.sizes[0]; ++batch) {
      ForEachPosition(c.gradient, [&](const int64_t(&out)[kMaxSpatial]) {
        sum += At(c.gradient, PlaceOf(c.gradient, batch, output, out));
      });
    }
    StoreElement<double>(to.scalar_type(), to.mutable_data(), output, sum);
  }
}

Status CheckSizes(const Convolution& c, const Tensor& gradient, const Tensor& input) {
  bool fits = c.groups >= 1 && c.weight.sizes[0] % c.groups == 0 &&
              c.input.sizes[1] == c.inputs_per_group() * c.groups && c.inputs_per_group() > 0 &&
              c.outputs_per_group() > 0 && c.gradient.sizes[0] == c.input.sizes[0] &&
              c.gradient.sizes[1] == c.weight.sizes[0];
  for (size_t d = 0; fits && d < kMaxSpatial; ++d) {
    const int64_t room =
        c.input.sizes[2 + d] + 2 * c.padding[d] - c.dilation[d] * (c.weight.sizes[2 + d] - 1) - 1;
    fits =
        c.weight.sizes[2 + d] > 0 && room >= 0 && c.gradient.sizes[2 + d] == room / c.stride[d] + 1;
  }
  return fits ? Status::Ok() : Unfit("no convolution makes one of the other", gradient, input);
}

// convolution_backward(grad_output, input, weight, bias_sizes?, stride, padding, dilation,
// transposed, output_padding, groups, output_mask, grad_input, grad_weight, grad_bias)
Status ConvolutionBackward(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& gradient = read.Input("grad_output");
  const Tensor& input = read.Input("input");
  const Tensor& weight = read.Input("weight");
  read.Skip();  // as many as output channels
  const IntList stride = read.Ints("stride");
  const IntList padding = read.Ints("padding");
  const IntList dilation = read.Ints("dilation");
  const bool is_transposed = read.Bool("transposed");
  read.Skip();
  Convolution c;
  c.groups = read.Int("groups");
  const Span<const bool> mask = read.Bools("output_mask");
  Tensor& grad_input = read.Output("out0");
  Tensor& grad_weight = read.Output("out1");
  Tensor& grad_bias = read.Output("out2");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  const size_t spatial = input.rank() >= 3 ? input.rank() - 2 : 0;
  if (spatial < 1 || spatial > kMaxSpatial || weight.rank() != input.rank() ||
      gradient.rank() != input.rank() || mask.size() != 3) {
    return Unfit("pictures and their gradient expected", input, gradient);
  }
  if (is_transposed) {
    return Status::Error(StatusCode::kUnsupported, "gradients of a transposed convolution");
  }
  ONEPACK_RETURN_IF_ERROR(ReadSpatial(stride, spatial, "stride", 1, 1, c.stride));
  ONEPACK_RETURN_IF_ERROR(ReadSpatial(padding, spatial, "padding", 0, 0, c.padding));
  ONEPACK_RETURN_IF_ERROR(ReadSpatial(dilation, spatial, "dilation", 1, 1, c.dilation));
  c.input = WithThreeSpatial(StridedInput(input));
  c.weight = WithThreeSpatial(StridedInput(weight));
  c.gradient = WithThreeSpatial(StridedInput(gradient));
  ONEPACK_RETURN_IF_ERROR(CheckSizes(c, gradient, input));
  if (mask[0]) {
    ONEPACK_RETURN_IF_ERROR(grad_input.Resize(input.sizes()));
    WriteInputGradient(c, WithThreeSpatial(StridedOutput(grad_input)));
  }
  if (mask[1]) {
    ONEPACK_RETURN_IF_ERROR(grad_weight.Resize(weight.sizes()));
    WriteWeightGradient(c, WithThreeSpatial(StridedOutput(grad_weight)));
  }
  if (mask[2]) {
    const int32_t outputs = weight.sizes()[0];
    ONEPACK_RETURN_IF_ERROR(grad_bias.Resize({&outputs, 1}));
    WriteBiasGradient(c, grad_bias);
  }
  return Status::Ok();
}

// max_pool2d_with_indices_backward(grad_output, self, kernel_size, stride, padding, dilation,
// ceil_mode, indices, grad_input): each gradient goes to the pixel that was the largest.
Status MaxPoolBackward(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& gradient = read.Input("grad_output");
  const Tensor& self = read.Input("self");
  for (int i = 0; i < 5; ++i) read.Skip();  // the indices tell it all
  const Tensor& indices = read.Input("indices");
  Tensor& out = read.Output("grad_input");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  const size_t rank = self.rank();
  bool fits = (rank == 3 || rank == 4) && gradient.rank() == rank &&
              SameSizes(gradient.sizes(), indices.sizes()) && IsIntegral(indices.scalar_type());
  for (size_t i = 0; fits && i + 2 < rank; ++i) fits = gradient.sizes()[i] == self.sizes()[i];
  if (!fits) return Unfit("pictures and their gradient expected", self, gradient);
  ONEPACK_RETURN_IF_ERROR(out.Resize(self.sizes()));
  const auto with_batch = [](Strided pictures) {
    if (pictures.rank == 3) pictures.Insert(0, 1, 0);
    return pictures;
  };
  const Strided from = with_batch(StridedInput(gradient));
  const Strided largest = with_batch(StridedInput(indices));
  const Strided to = with_batch(StridedOutput(out));
  FillStrided(to, Number::Of(int64_t{0}));
  Status status;
  ForEachPixel(from, [&](int64_t n, int64_t c, int64_t y, int64_t x) {
    const auto index = LoadElement<int64_t>(largest.type, largest.data, Place(largest, n, c, y, x));
    if (index < 0 || index >= to.sizes[2] * to.sizes[3]) {
      if (status.ok() && index != -1) {  // of a window without pixels
        status = Status::Error(StatusCode::kInvalidArgument, "index %lld, below %lld expected",
                               static_cast<long long>(index),
                               static_cast<long long>(to.sizes[2] * to.sizes[3]));
      }
      return;
    }
    const int64_t place = Place(to, n, c, index / to.sizes[3], index % to.sizes[3]);
    StoreElement<double>(to.type, to.data, place,
                         At(to, place) + At(from, Place(from, n, c, y, x)));
  });
  return status;
}

constexpr OperatorRow kRows[] = {
    {"aten::convolution_backward.out", ConvolutionBackward},
    {"aten::max_pool2d_with_indices_backward.grad_input", MaxPoolBackward},
};

}  // namespace

OperatorRows GradientOperators() { return kRows; }

}  // namespace onepack::kernels
