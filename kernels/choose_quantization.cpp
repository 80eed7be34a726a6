// The choice of scales and zero points for what is quantized while a program runs.

#include <cmath>

#include "kernels/element.h"
#include "kernels/operator_families.h"
#include "kernels/quantized_range.h"
#include "kernels/result.h"

namespace onepack::kernels {

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
    // No block is larger than its dimension, but where that has no element.
    const int64_t count = whole.sizes[i] == 0 ? 0 : whole.sizes[i] / block;
    split->Append(count, count == 0 ? 0 : whole.strides[i] * block);
    split->Append(count == 0 ? 0 : block, whole.strides[i]);
  }
  if (fits) return Status::Ok();
  return Status::Error(StatusCode::kInvalidArgument, "%zu block sizes that do not divide %s",
                       block_sizes.size(), LayoutText(tensor.layout()).c_str());
}

namespace {

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

// A symmetric one whose two ends of the range both hold what they have to.
ChosenParameters ChooseWithoutClipping(const Extremes& extremes, const QuantizedRange& range,
                                       double smallest_scale) {
  const double from_low = static_cast<double>(extremes.lowest) / static_cast<double>(range.lowest);
  const double from_high =
      static_cast<double>(extremes.highest) / static_cast<double>(range.highest);
  ChosenParameters chosen = ChooseSymmetric(extremes, range, smallest_scale);
  chosen.scale = std::fmax(from_low > from_high ? from_low : from_high, smallest_scale);
  return chosen;
}

using Choose = ChosenParameters (*)(const Extremes&, const QuantizedRange&, double);

Status FindMappingType(std::string_view name, Choose* choose) {
  struct MappingType {
    std::string_view name;
    Choose choose;
  };
  constexpr MappingType kMappingTypes[] = {{"ASYMMETRIC", ChooseFromLowest},
                                           {"SYMMETRIC", ChooseSymmetric},
                                           {"SYMMETRIC_NO_CLIPPING_ERR", ChooseWithoutClipping}};
  for (const MappingType& type : kMappingTypes) {
    if (type.name != name) continue;
    *choose = type.choose;
    return Status::Ok();
  }
  return Status::Error(StatusCode::kUnsupported, "mapping_type is '%.*s'",
                       static_cast<int>(name.size()), name.data());
}

// What the type holds, where the range is not given.
Status RangeOf(const Optional<int64_t>& type, const Optional<double>& lowest,
               const Optional<double>& highest, QuantizedRange* range) {
  if (!lowest.is_given || !highest.is_given) {
    const bool is_known =
        type.is_given && type.value >= 0 && type.value <= static_cast<int64_t>(ScalarType::kInt);
    if (!is_known) {
      return Status::Error(StatusCode::kUnsupported, "target_dtype is %lld, and no range is given",
                           static_cast<long long>(type.is_given ? type.value : -1));
    }
    const auto known = static_cast<ScalarType>(type.value);
    *range = {TruncateToLong(LowestOf(known)), TruncateToLong(HighestOf(known))};
  }
  if (lowest.is_given) range->lowest = TruncateToLong(lowest.value);
  if (highest.is_given) range->highest = TruncateToLong(highest.value);
  return Status::Ok();
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
  const Optional<int64_t> type = read.OptionalInt("target_dtype");
  const Optional<double> lowest = read.OptionalDouble("quant_min");
  const Optional<double> highest = read.OptionalDouble("quant_max");
  const Optional<double> eps = read.OptionalDouble("eps");
  read.SkipToTensor();
  Tensor& scales = read.Output("out0");
  Tensor& zero_points = read.Output("out1");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  Choose choose = nullptr;
  ONEPACK_RETURN_IF_ERROR(FindMappingType(mapping, &choose));
  QuantizedRange range{};
  ONEPACK_RETURN_IF_ERROR(RangeOf(type, lowest, highest, &range));
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
  const double smallest = eps.is_given ? eps.value : 1.1920929e-7;
  int64_t index = 0;
  ForEachRow(
      LoopOver<1>({&blocks}), [&](const int64_t* offsets, const int64_t* strides, int64_t n) {
        for (int64_t i = 0; i < n; ++i) {
          block.offset = offsets[0] + i * strides[0];
          StoreChosen(choose(ExtremesOf(block), range, smallest), index++, scales, zero_points);
        }
      });
  return Status::Ok();
}

constexpr OperatorRow kRows[] = {
    {"quantized_decomposed::choose_qparams.Tensor_out", ChooseForTensor},
    {"quantized_decomposed::choose_qparams_per_token_asymmetric.out", ChooseForTokens},
    {"torchao::choose_qparams_affine.out", ChooseForBlocks},
};

}  // namespace

OperatorRows ChooseQuantizationOperators() { return kRows; }

}  // namespace onepack::kernels
