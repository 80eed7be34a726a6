// Numbers to quantized integers and back, and the choice of the scales between them.
//
// Whether there is one scale for the tensor, one for each channel, token or block: it is a tensor
// of scales whose elements repeat along some dimensions, and so a matter of strides.

#include <cmath>

#include "kernels/arguments.h"
#include "kernels/element.h"
#include "kernels/operator_families.h"
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

struct QuantizedRange {
  int64_t lowest;
  int64_t highest;
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

QuantizedRange ReadRange(ArgumentReader& read) {
  const int64_t lowest = read.Int("quant_min");
  return {lowest, read.Int("quant_max")};
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

// Each dimension as blocks, and what is in a block.
Status SplitInBlocks(const Tensor& tensor, const Strided& whole, const IntList& block_sizes,
                     Strided* split) {
  bool fits = block_sizes.size() == tensor.rank();
  *split = whole;
  split->rank = 0;
  for (size_t i = 0; fits && i < tensor.rank(); ++i) {
    // -1: the whole dimension.
    const int64_t block = block_sizes[i] == -1 ? whole.sizes[i] : block_sizes[i];
    fits = block > 0 ? whole.sizes[i] % block == 0 : whole.sizes[i] == 0;
    if (!fits) break;
    split->Append(block == 0 ? 0 : whole.sizes[i] / block, whole.strides[i] * block);
    split->Append(block, whole.strides[i]);
  }
  if (fits) return Status::Ok();
  return Status::Error(StatusCode::kInvalidArgument, "%zu block sizes that do not divide %s",
                       block_sizes.size(), LayoutText(tensor.layout()).c_str());
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

struct Extremes {
  float lowest = 0;
  float highest = 0;
};

// Of a part of a tensor, and 0.
Extremes ExtremesOf(const Strided& part) {
  Extremes extremes;
  Loop<1> loop = LoopOver<1>({&part});
  Simplify(loop);
  ForEachRow(loop, [&](const int64_t* offsets, const int64_t* strides, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
      const auto x = LoadElement<float>(part.type, part.data, offsets[0] + i * strides[0]);
      extremes.lowest = x < extremes.lowest ? x : extremes.lowest;
      extremes.highest = x > extremes.highest ? x : extremes.highest;
    }
  });
  return extremes;
}

struct ChosenParameters {
  double scale;
  int64_t zero_point;
};

ChosenParameters ChooseAsymmetric(const Extremes& extremes, const QuantizedRange& range,
                                  double smallest_scale) {
  const double span = static_cast<double>(range.highest) - static_cast<double>(range.lowest);
  double scale =
      (static_cast<double>(extremes.highest) - static_cast<double>(extremes.lowest)) / span;
  if (!(scale > smallest_scale)) scale = smallest_scale > 0 ? smallest_scale : 1;
  // The end of the range that loses less by rounding decides.
  const double from_low =
      static_cast<double>(range.lowest) - static_cast<double>(extremes.lowest) / scale;
  const double from_high =
      static_cast<double>(range.highest) - static_cast<double>(extremes.highest) / scale;
  const double error_low =
      std::fabs(static_cast<double>(range.lowest)) + std::fabs(extremes.lowest / scale);
  const double error_high =
      std::fabs(static_cast<double>(range.highest)) + std::fabs(extremes.highest / scale);
  const double exact = error_low < error_high ? from_low : from_high;
  const double rounded = std::nearbyint(exact);
  const auto low = static_cast<double>(range.lowest);
  const auto high = static_cast<double>(range.highest);
  return {scale, TruncateToLong(rounded < low ? low : (rounded > high ? high : rounded))};
}

// The zero point that PyTorch's affine functions choose: from the lower end.
ChosenParameters ChooseFromLowest(const Extremes& extremes, const QuantizedRange& range,
                                  double smallest_scale) {
  ChosenParameters chosen = ChooseAsymmetric(extremes, range, smallest_scale);
  const auto low = static_cast<double>(range.lowest);
  const auto high = static_cast<double>(range.highest);
  const double zero = low - std::nearbyint(static_cast<double>(extremes.lowest) / chosen.scale);
  chosen.zero_point = TruncateToLong(zero < low ? low : (zero > high ? high : zero));
  return chosen;
}

ChosenParameters ChooseSymmetric(const Extremes& extremes, const QuantizedRange& range,
                                 double smallest_scale) {
  const double largest =
      std::fmax(-static_cast<double>(extremes.lowest), static_cast<double>(extremes.highest));
  const double span = static_cast<double>(range.highest) - static_cast<double>(range.lowest);
  const double scale = std::fmax(largest / (span / 2), smallest_scale);
  return {scale,
          TruncateToLong(std::floor(
              (static_cast<double>(range.highest) + static_cast<double>(range.lowest) + 1) / 2))};
}

void StoreChosen(const ChosenParameters& chosen, int64_t index, Tensor& scales,
                 Tensor& zero_points) {
  StoreElement<double>(scales.scalar_type(), scales.mutable_data(), index, chosen.scale);
  StoreElement<int64_t>(zero_points.scalar_type(), zero_points.mutable_data(), index,
                        chosen.zero_point);
}

// choose_qparams(input, quant_min, quant_max, eps, dtype, scale_out, zero_point_out)
Status ChooseForTensor(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& input = read.Input("input");
  const QuantizedRange range = ReadRange(read);
  const double eps = read.Double("eps");
  read.SkipToTensor();
  Tensor& scale = read.Output("scale_out");
  Tensor& zero_point = read.Output("zero_point_out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  const int32_t one = 1;
  ONEPACK_RETURN_IF_ERROR(scale.Resize({&one, 1}));
  ONEPACK_RETURN_IF_ERROR(zero_point.Resize({&one, 1}));
  StoreChosen(ChooseAsymmetric(ExtremesOf(StridedInput(input)), range, eps), 0, scale, zero_point);
  return Status::Ok();
}

// choose_qparams_per_token_asymmetric(input, dtype, scale_out, zero_point_out): for int8.
Status ChooseForTokens(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& input = read.Input("input");
  read.SkipToTensor();
  Tensor& scales = read.Output("scale_out");
  Tensor& zero_points = read.Output("zero_point_out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  if (input.rank() == 0) return Unfit("rank 1 at least expected", input, scales);
  Strided tokens = StridedInput(input);
  Strided token = tokens;
  const size_t last = tokens.rank - 1;
  tokens.sizes[last] = 1;
  ONEPACK_RETURN_IF_ERROR(ResizeTo(tokens, scales));
  ONEPACK_RETURN_IF_ERROR(ResizeTo(tokens, zero_points));
  token.rank = 0;
  token.Append(input.sizes()[last], tokens.strides[last]);
  int64_t index = 0;
  ForEachRow(LoopOver<1>({&tokens}),
             [&](const int64_t* offsets, const int64_t* /*strides*/, int64_t /*n*/) {
               token.offset = offsets[0];
               StoreChosen(ChooseAsymmetric(ExtremesOf(token), {-128, 127}, 1.1920929e-7), index++,
                           scales, zero_points);
             });
  return Status::Ok();
}

// choose_qparams_affine(input, mapping_type, block_size, target_dtype, quant_min?, quant_max?,
// eps?, scale_dtype?, zero_point_dtype?, out0, out1)
Status ChooseForBlocks(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& input = read.Input("input");
  const std::string_view mapping = read.OptionalText("mapping_type");
  const IntList block_sizes = read.Ints("block_size");
  read.Skip();
  const Optional<double> lowest = read.OptionalDouble("quant_min");
  const Optional<double> highest = read.OptionalDouble("quant_max");
  const Optional<double> eps = read.OptionalDouble("eps");
  read.SkipToTensor();
  Tensor& scales = read.Output("out0");
  Tensor& zero_points = read.Output("out1");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  Strided split;
  ONEPACK_RETURN_IF_ERROR(SplitInBlocks(input, StridedInput(input), block_sizes, &split));
  Strided blocks = split;
  Strided block = split;
  blocks.rank = block.rank = 0;
  for (size_t i = 0; i < split.rank; i += 2) {
    blocks.Append(split.sizes[i], split.strides[i]);
    block.Append(split.sizes[i + 1], split.strides[i + 1]);
  }
  // Dimensions of one block may be left out of the result; what counts is how many there are.
  if (CountOf(scales.bounds()) < blocks.count() || CountOf(zero_points.bounds()) < blocks.count()) {
    return Unfit("a result for each block expected", scales, zero_points);
  }
  for (Tensor* out : {&scales, &zero_points}) {
    const bool has_rank = out->rank() == blocks.rank;
    ONEPACK_RETURN_IF_ERROR(has_rank ? ResizeTo(blocks, *out) : out->Resize(out->bounds()));
  }
  const QuantizedRange range{lowest.is_given ? TruncateToLong(lowest.value) : -128,
                             highest.is_given ? TruncateToLong(highest.value) : 127};
  const double smallest = eps.is_given ? eps.value : 1.1920929e-7;
  const bool is_symmetric = mapping.substr(0, 9) == "SYMMETRIC";
  int64_t index = 0;
  ForEachRow(LoopOver<1>({&blocks}),
             [&](const int64_t* offsets, const int64_t* strides, int64_t n) {
               for (int64_t i = 0; i < n; ++i) {
                 block.offset = offsets[0] + i * strides[0];
                 const Extremes extremes = ExtremesOf(block);
                 StoreChosen(is_symmetric ? ChooseSymmetric(extremes, range, smallest)
                                          : ChooseFromLowest(extremes, range, smallest),
                             index++, scales, zero_points);
               }
             });
  return Status::Ok();
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
    {"quantized_decomposed::choose_qparams.Tensor_out", ChooseForTensor},
    {"quantized_decomposed::choose_qparams_per_token_asymmetric.out", ChooseForTokens},
    {"quantized_decomposed::dequantize_per_channel.out", PerParameter<false, kChannel>},
    {"quantized_decomposed::dequantize_per_tensor.Tensor_out", PerParameter<false, kTensor>},
    {"quantized_decomposed::dequantize_per_tensor.out", PerTensor<false>},
    {"quantized_decomposed::dequantize_per_token.out", PerParameter<false, kToken>},
    {"quantized_decomposed::quantize_per_channel.out", PerParameter<true, kChannel>},
    {"quantized_decomposed::quantize_per_tensor.Tensor_out", PerParameter<true, kTensor>},
    {"quantized_decomposed::quantize_per_tensor.out", PerTensor<true>},
    {"quantized_decomposed::quantize_per_token.out", PerParameter<true, kToken>},
    {"torchao::choose_qparams_affine.out", ChooseForBlocks},
    {"torchao::dequantize_affine.out", Affine<false>},
    {"torchao::quantize_affine.out", Affine<true>},
};

}  // namespace

OperatorRows QuantizeOperators() { return kRows; }

}  // namespace onepack::kernels
