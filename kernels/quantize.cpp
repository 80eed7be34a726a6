// Numbers to quantized integers and back.
//
// Whether there is one scale for the tensor, one for each channel, token or block: it is a tensor
// of scales whose elements repeat along some dimensions, and so a matter of strides.

#include <cmath>

#include "kernels/element.h"
#include "kernels/operator_families.h"
#include "kernels/quantized_range.h"
#include "kernels/result.h"

namespace onepack::kernels {
namespace {

constexpr float kNoZeroPoint = 0;

// Scales and zero points with the dimensions of the tensor that they are for.
struct Parameters {
  Strided scale;
  Strided zero_point;
};

// Room for parameters that are numbers in the call.
struct NumberParameters {
  float scale;
  float zero_point;

  Parameters Over(const Strided& like) const {
    return {Repeated(scale, like), Repeated(zero_point, like)};
  }
  static Strided Repeated(const float& number, const Strided& like) {
    Strided repeated;
    repeated.type = ScalarType::kFloat;
    repeated.data = reinterpret_cast<uint8_t*>(const_cast<float*>(&number));
    for (size_t i = 0; i < like.rank; ++i) repeated.Append(like.sizes[i], 0);
    return repeated;
  }
};

// visit(blocks of input, scale and zero point, block of results, n) over all elements.
template <typename Visit>
void ForEachBlock(const Strided& out, const Strided& input, const Parameters& parameters,
                  Visit visit) {
  Loop<4> loop = LoopOver<4>({&out, &input, &parameters.scale, &parameters.zero_point});
  Simplify(loop);
  const Strided* const operands[] = {&out, &input, &parameters.scale, &parameters.zero_point};
  ForEachRow(loop, [&](const int64_t* offsets, const int64_t* strides, int64_t n) {
    float blocks[4][kBlockSize];
    for (int64_t start = 0; start < n; start += static_cast<int64_t>(kBlockSize)) {
      const int64_t left = n - start;
      const size_t size =
          left < static_cast<int64_t>(kBlockSize) ? static_cast<size_t>(left) : kBlockSize;
      for (size_t k = 1; k < 4; ++k) {
        LoadElements<float>(operands[k]->type, operands[k]->data, offsets[k] + start * strides[k],
                            strides[k], size, blocks[k]);
      }
      visit(blocks[1], blocks[2], blocks[3], blocks[0], size);
      StoreElements<float>(out.type, out.data, offsets[0] + start * strides[0], strides[0], size,
                           blocks[0]);
    }
  });
}

float Quantized(float x, float scale, float zero_point, const QuantizedRange& range) {
  // To nearest, ties to even, as PyTorch; with the scale's inverse, as PyTorch.
  const float value = std::nearbyint(x * (1.0F / scale)) + zero_point;
  const auto lowest = static_cast<float>(range.lowest);
  const auto highest = static_cast<float>(range.highest);
  return value < lowest ? lowest : (value > highest ? highest : value);
}

Status Quantize(const Strided& input, const Parameters& parameters, const QuantizedRange& range,
                const Strided& out) {
  ForEachBlock(out, input, parameters,
               [&](const float* x, const float* scale, const float* zero, float* y, size_t n) {
                 for (size_t i = 0; i < n; ++i) y[i] = Quantized(x[i], scale[i], zero[i], range);
               });
  return Status::Ok();
}

Status Dequantize(const Strided& input, const Parameters& parameters, const Strided& out) {
  ForEachBlock(out, input, parameters,
               [&](const float* x, const float* scale, const float* zero, float* y, size_t n) {
                 for (size_t i = 0; i < n; ++i) y[i] = (x[i] - zero[i]) * scale[i];
               });
  return Status::Ok();
}

Status RunEither(bool is_quantize, const Tensor& input, const Parameters& parameters,
                 const QuantizedRange& range, Tensor& out) {
  ONEPACK_RETURN_IF_ERROR(out.Resize(input.sizes()));
  const Strided from = StridedInput(input);
  const Strided to = StridedOutput(out);
  return is_quantize ? Quantize(from, parameters, range, to) : Dequantize(from, parameters, to);
}

// (de)quantize_per_tensor(input, scale, zero_point, quant_min, quant_max, dtype, out)
template <bool kIsQuantize>
Status PerTensor(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& input = read.Input("input");
  NumberParameters numbers;
  numbers.scale = static_cast<float>(read.Double("scale"));
  numbers.zero_point = static_cast<float>(read.Int("zero_point"));
  const QuantizedRange range = ReadRange(read);
  read.SkipToTensor();
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  return RunEither(kIsQuantize, input, numbers.Over(StridedInput(input)), range, out);
}

Status CheckParameters(const Tensor& scales, const Tensor* zero_points, int64_t count) {
  if (CountOf(scales.sizes()) == count &&
      (zero_points == nullptr || CountOf(zero_points->sizes()) == count) &&
      IsContiguous(StridedInput(scales)) &&
      (zero_points == nullptr || IsContiguous(StridedInput(*zero_points)))) {
    return Status::Ok();
  }
  return Status::Error(StatusCode::kInvalidArgument, "%s as scales, %lld and zero points expected",
                       LayoutText(scales.layout()).c_str(), static_cast<long long>(count));
}

// The parameters, one after the other, walked with `strides` over the dimensions of `like`.
Parameters Walked(const Tensor& scales, const Tensor* zero_points, const Strided& like,
                  const int64_t* strides) {
  Parameters parameters{StridedInput(scales), zero_points != nullptr
                                                  ? StridedInput(*zero_points)
                                                  : NumberParameters::Repeated(kNoZeroPoint, like)};
  parameters.scale.rank = 0;
  parameters.zero_point.rank = 0;
  for (size_t i = 0; i < like.rank; ++i) {
    parameters.scale.Append(like.sizes[i], strides[i]);
    parameters.zero_point.Append(like.sizes[i], zero_points != nullptr ? strides[i] : 0);
  }
  return parameters;
}

// Where the parameters are tensors: of one element, for each channel, or for each token.
enum class Per : uint8_t { kTensor, kChannel, kToken };

template <bool kIsQuantize, Per kPer>
Status PerParameter(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& input = read.Input("input");
  const Tensor& scales = read.Input("scales");
  const Tensor* zero_points = read.OptionalInput("zero_points");
  const int64_t axis = kPer == Per::kChannel ? read.Int("axis") : 0;
  const QuantizedRange range = ReadRange(read);
  read.SkipToTensor();
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  const Strided like = StridedInput(input);
  int64_t strides[kMaxLoopRank] = {};
  int64_t count = 1;
  if (kPer == Per::kChannel) {
    size_t channel;
    ONEPACK_RETURN_IF_ERROR(ResolveDimension(axis, input.rank(), &channel));
    if (input.rank() > 0) {
      strides[channel] = 1;
      count = like.sizes[channel];
    }
  } else if (kPer == Per::kToken) {  // all dimensions but the last
    for (size_t i = input.rank() > 0 ? input.rank() - 1 : 0; i-- > 0;) {
      strides[i] = count;
      count *= like.sizes[i];
    }
  }
  ONEPACK_RETURN_IF_ERROR(CheckParameters(scales, zero_points, count));
  return RunEither(kIsQuantize, input, Walked(scales, zero_points, like, strides), range, out);
}

// The strides that walk one parameter for each block; their count.
int64_t BlockStrides(const Strided& split, int64_t* strides) {
  int64_t count = 1;
  for (size_t i = split.rank; i >= 2; i -= 2) {
    strides[i - 1] = 0;
    strides[i - 2] = count;
    count *= split.sizes[i - 2];
  }
  return count;
}

// quantize_affine(input, block_size, scale, zero_point?, output_dtype, quant_min?, quant_max?, out)
// and dequantize_affine(..., input_dtype, quant_min?, quant_max?, output_dtype, out)
template <bool kIsQuantize>
Status Affine(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& input = read.Input("input");
  const IntList block_sizes = read.Ints("block_size");
  const Tensor& scales = read.Input("scale");
  const Tensor* zero_points = read.OptionalInput("zero_point");
  read.Skip();
  const Optional<double> lowest = read.OptionalDouble("quant_min");
  const Optional<double> highest = read.OptionalDouble("quant_max");
  read.SkipToTensor();
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  ONEPACK_RETURN_IF_ERROR(out.Resize(input.sizes()));
  Strided from;
  Strided to;
  ONEPACK_RETURN_IF_ERROR(SplitInBlocks(input, StridedInput(input), block_sizes, &from));
  ONEPACK_RETURN_IF_ERROR(SplitInBlocks(out, StridedOutput(out), block_sizes, &to));
  int64_t strides[kMaxLoopRank];
  const int64_t count = BlockStrides(from, strides);
  ONEPACK_RETURN_IF_ERROR(CheckParameters(scales, zero_points, count));
  const Parameters parameters = Walked(scales, zero_points, from, strides);
  if (!kIsQuantize) return Dequantize(from, parameters, to);
  const double low = lowest.is_given ? lowest.value : LowestOf(out.scalar_type());
  const double high = highest.is_given ? highest.value : HighestOf(out.scalar_type());
  return Quantize(from, parameters, {TruncateToLong(low), TruncateToLong(high)}, to);
}

struct QuantizedOperand {
  const Tensor* tensor = nullptr;
  double scale = 1;
  int64_t zero_point = 0;
  QuantizedRange range{};
};

void ReadScale(ArgumentReader& read, QuantizedOperand* operand) {
  operand->scale = read.Double("scale");
  operand->zero_point = read.Int("zero_point");
  operand->range = ReadRange(read);
}

// add(a, a_scale, a_zero_point, a_quant_min, a_quant_max, b, ..., out_scale, ..., out)
Status QuantizedAdd(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  QuantizedOperand a;
  QuantizedOperand b;
  QuantizedOperand sum;
  a.tensor = &read.Input("a");
  ReadScale(read, &a);
  b.tensor = &read.Input("b");
  ReadScale(read, &b);
  ReadScale(read, &sum);
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  if (!SameSizes(a.tensor->sizes(), b.tensor->sizes()))
    return Unfit("no sum", *a.tensor, *b.tensor);
  ONEPACK_RETURN_IF_ERROR(out.Resize(a.tensor->sizes()));
  const Strided of_a = StridedInput(*a.tensor);
  const Strided of_b = StridedInput(*b.tensor);
  const Strided to = StridedOutput(out);
  const auto value = [](const Strided& from, int64_t at, const QuantizedOperand& operand) {
    return (LoadElement<float>(from.type, from.data, at) - static_cast<float>(operand.zero_point)) *
           static_cast<float>(operand.scale);
  };
  ForEachRow(LoopOver<3>({&to, &of_a, &of_b}),
             [&](const int64_t* offsets, const int64_t* strides, int64_t n) {
               for (int64_t i = 0; i < n; ++i) {
                 const float total = value(of_a, offsets[1] + i * strides[1], a) +
                                     value(of_b, offsets[2] + i * strides[2], b);
                 StoreElement<float>(to.type, to.data, offsets[0] + i * strides[0],
                                     Quantized(total, static_cast<float>(sum.scale),
                                               static_cast<float>(sum.zero_point), sum.range));
               }
             });
  return Status::Ok();
}

constexpr auto kTensor = Per::kTensor;
constexpr auto kChannel = Per::kChannel;
constexpr auto kToken = Per::kToken;

constexpr OperatorRow kRows[] = {
    {"quantized_decomposed::add.out", QuantizedAdd},
    {"quantized_decomposed::dequantize_per_channel.out", PerParameter<false, kChannel>},
    {"quantized_decomposed::dequantize_per_tensor.Tensor_out", PerParameter<false, kTensor>},
    {"quantized_decomposed::dequantize_per_tensor.out", PerTensor<false>},
    {"quantized_decomposed::dequantize_per_token.out", PerParameter<false, kToken>},
    {"quantized_decomposed::quantize_per_channel.out", PerParameter<true, kChannel>},
    {"quantized_decomposed::quantize_per_tensor.Tensor_out", PerParameter<true, kTensor>},
    {"quantized_decomposed::quantize_per_tensor.out", PerTensor<true>},
    {"quantized_decomposed::quantize_per_token.out", PerParameter<true, kToken>},
    {"torchao::dequantize_affine.out", Affine<false>},
    {"torchao::quantize_affine.out", Affine<true>},
};

}  // namespace

OperatorRows QuantizeOperators() { return kRows; }

}  // namespace onepack::kernels
