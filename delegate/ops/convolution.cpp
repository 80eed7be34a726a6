// Convolutions in two dims: plain, depthwise, transposed. Images are [batch, height, width,
// channels].

#include <iterator>

#include "base/checked_math.h"
#include "delegate/ops/families.h"
#include "delegate/ops/weights.h"
#include "delegate/ops/window.h"
#include "delegate/xnn/handles.h"
#include "delegate/xnn/quirks.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNDatatype;
using wire::xnnpack::XNNNodeConv;
using wire::xnnpack::XNode;
using wire::xnnpack::XNodeUnion;

// All nodes of this family have the one wire type, whatever their member of the union.
const XNNNodeConv& WireOf(const XNode& node) {
  return *static_cast<const XNNNodeConv*>(node.xnode_union());
}

// What XNNPACK has kernels for, as the values are once 16-bit weights are widened.
constexpr WeightedTypes kFloatTypes[] = {
    {XNNDatatype::fp32, XNNDatatype::fp32, XNNDatatype::fp32, XNNDatatype::fp32},
    {XNNDatatype::fp16, XNNDatatype::fp32, XNNDatatype::fp32, XNNDatatype::fp16},
};
constexpr WeightedTypes kQuantizedTypes[] = {
    {XNNDatatype::qint8, XNNDatatype::qcint8, XNNDatatype::qcint32, XNNDatatype::qint8},
    {XNNDatatype::qint8, XNNDatatype::qint8, XNNDatatype::qint32, XNNDatatype::qint8},
    {XNNDatatype::quint8, XNNDatatype::quint8, XNNDatatype::qint32, XNNDatatype::quint8},
};
constexpr WeightedTypes kDynamicTypes[] = {
    {XNNDatatype::qdint8, XNNDatatype::qcint8, XNNDatatype::fp32, XNNDatatype::fp32},
    {XNNDatatype::qdint8, XNNDatatype::qcint8, XNNDatatype::fp32, XNNDatatype::fp16},
};

bool IsDepthwise(const XNode& node) {
  return node.xnode_union_type() == XNodeUnion::XNNDepthwiseConv2d;
}
bool IsTransposed(const XNode& node) {
  return node.xnode_union_type() == XNodeUnion::XNNConvTranspose2d;
}

Status CheckDatatypes(const XNode& node, const WeightedValues& values) {
  Span<const WeightedTypes> table = kFloatTypes;
  if (values.input.datatype() == XNNDatatype::qint8 ||
      values.input.datatype() == XNNDatatype::quint8) {
    table = kQuantizedTypes;
  } else if (values.input.datatype() == XNNDatatype::qdint8 && !IsDepthwise(node)) {
    // The transposed one has no kernel with an fp16 output.
    table = {kDynamicTypes, IsTransposed(node) ? size_t{1} : std::size(kDynamicTypes)};
  }
  return CheckTypes(values, table);
}

Window WindowOf(const XNode& node) {
  const XNNNodeConv& wire = WireOf(node);
  return {{wire.kernel_height(), wire.subsampling_height(), wire.dilation_height(),
           wire.padding_top(), wire.padding_bottom()},
          {wire.kernel_width(), wire.subsampling_width(), wire.dilation_width(),
           wire.padding_left(), wire.padding_right()}};
}

struct Channels {
  size_t inputs;
  size_t outputs;
};

Result<Channels> ChannelsOf(const XNode& node) {
  const XNNNodeConv& wire = WireOf(node);
  ONEPACK_RETURN_IF_ERROR(CheckGeometry("number of groups", wire.groups()));
  ONEPACK_RETURN_IF_ERROR(CheckGeometry("group_input_channels", wire.group_input_channels()));
  ONEPACK_RETURN_IF_ERROR(CheckGeometry("group_output_channels", wire.group_output_channels()));
  if (IsDepthwise(node) && wire.group_input_channels() != 1) {
    return Status::Error(StatusCode::kInvalidFile, "a depthwise convolution of %u channels a group",
                         wire.group_input_channels());
  }
  const size_t groups = wire.groups();
  return Channels{groups * wire.group_input_channels(), groups * wire.group_output_channels()};
}

Status CheckFilter(const XNode& node, const Shape& filter, const Channels& channels) {
  const XNNNodeConv& wire = WireOf(node);
  const Shape expected = IsDepthwise(node)
                             ? Shape{1, wire.kernel_height(), wire.kernel_width(), channels.outputs}
                             : Shape{channels.outputs, wire.kernel_height(), wire.kernel_width(),
                                     wire.group_input_channels()};
  if (filter == expected) return Status::Ok();
  return Status::Error(StatusCode::kInvalidFile, "a filter %s, %s expected", filter.Text().c_str(),
                       expected.Text().c_str());
}

// In one direction of a transposed convolution; the padding is cut off the output.
Result<size_t> TransposedSize(const WindowAxis& axis, uint32_t adjustment, size_t input) {
  if (adjustment >= axis.stride) {
    return Status::Error(StatusCode::kInvalidFile, "an adjustment of %u with a stride of %u",
                         adjustment, axis.stride);
  }
  // The input has 32 bits, everything else 24.
  const size_t full = axis.stride * (input - 1) + adjustment + axis.extent();
  const size_t padding = size_t{axis.padding_before} + axis.padding_after;
  if (full > padding) return full - padding;
  return Status::Error(StatusCode::kInvalidFile, "a padding of %zu for an output of %zu", padding,
                       full);
}

struct ImageSize {
  size_t rows;
  size_t columns;
};

Result<ImageSize> OutputSize(const XNode& node, const Window& window, const Shape& input) {
  ImageSize size{};
  if (!IsTransposed(node)) {
    ONEPACK_ASSIGN_OR_RETURN(size.rows, PositionCount(window.height, input[1]));
    ONEPACK_ASSIGN_OR_RETURN(size.columns, PositionCount(window.width, input[2]));
    return size;
  }
  ONEPACK_ASSIGN_OR_RETURN(
      size.rows, TransposedSize(window.height, WireOf(node).adjustment_height(), input[1]));
  ONEPACK_ASSIGN_OR_RETURN(size.columns,
                           TransposedSize(window.width, WireOf(node).adjustment_width(), input[2]));
  return size;
}

// Whether XNNPACK computes it in phases, one for each place that a stride can begin at.
bool HasPhases(const XNode& node, const Window& window) {
  const WindowAxis& y = window.height;
  const WindowAxis& x = window.width;
  return IsTransposed(node) && (y.stride > 1 || x.stride > 1) && y.dilation == 1 &&
         x.dilation == 1 && y.stride <= y.size && x.stride <= x.size;
}

// A phase that begins beyond the end of the output has, to XNNPACK, nearly 2^64 positions.
Status CheckPhases(const WindowAxis& axis, size_t output) {
  if (output + 1 >= axis.stride) return Status::Ok();
  return Status::Error(StatusCode::kUnsupported,
                       "an output of %zu with a stride of %u is not supported", output,
                       axis.stride);
}

// XNNPACK has 32 bits for the packed weights of an output channel of a transposed convolution.
Status CheckPackedChannel(const Window& window, uint32_t group_inputs) {
  constexpr uint64_t kMaxTile = 64;  // that input channels are rounded up to
  const uint64_t inputs = (group_inputs + kMaxTile - 1) / kMaxTile * kMaxTile;
  const uint64_t bytes = sizeof(float) * inputs * window.height.size * window.width.size;
  if (bytes <= UINT32_MAX) return Status::Ok();
  return Status::Error(StatusCode::kUnsupported,
                       "a transposed convolution with %llu bytes of weights for an output channel, "
                       "at most %llu expected",
                       static_cast<unsigned long long>(bytes),
                       static_cast<unsigned long long>(UINT32_MAX));
}

Status CheckTransposed(const XNode& node, const Window& window, const ImageSize& output) {
  ONEPACK_RETURN_IF_ERROR(CheckPackedChannel(window, WireOf(node).group_input_channels()));
  if (!HasPhases(node, window)) return Status::Ok();
  ONEPACK_RETURN_IF_ERROR(CheckPhases(window.height, output.rows));
  return CheckPhases(window.width, output.columns);
}

// Each phase has rows of pointers of its own, of whole tiles of positions. A window of one element
// at every point of the image needs none.
uint64_t KeptBytes(const XNode& node, const Window& window, const ImageSize& output) {
  constexpr uint64_t kMaxTile = 16;
  const WindowAxis& y = window.height;
  const WindowAxis& x = window.width;
  if (HasPhases(node, window)) {
    const uint64_t tiles = output.columns / x.stride / kMaxTile + 1;
    return IndirectionBytes(window, output.rows, tiles * kMaxTile * x.stride);
  }
  const bool is_product = node.xnode_union_type() == XNodeUnion::XNNConv2d && y.size == 1 &&
                          x.size == 1 && y.stride == 1 && x.stride == 1 && y.padding_before == 0 &&
                          y.padding_after == 0 && x.padding_before == 0 && x.padding_after == 0;
  return is_product ? 0 : IndirectionBytes(window, output.rows, output.columns);
}

// Quirks 3 and 4 (xnn/quirks.h).
Packing PackingOf(const XNode& node) {
  if (IsDepthwise(node)) return kDepthwiseKeepsItsFilter ? Packing::kPrivate : Packing::kLookedUp;
  const bool is_one_to_one = kOneToOnePacksUnasked && WireOf(node).group_input_channels() == 1 &&
                             WireOf(node).group_output_channels() == 1;
  return IsTransposed(node) || is_one_to_one ? Packing::kUnasked : Packing::kLookedUp;
}

// XNNPACK has no kernel for weights of 16 bits.
XNNDatatype Widened(XNNDatatype datatype) {
  const bool is_narrow = datatype == XNNDatatype::fp16 || datatype == XNNDatatype::bf16;
  return is_narrow ? WidenedDatatype(datatype) : datatype;
}

WeightedValues ValuesOf(const NodeValues& values, const XNode& node) {
  WeightedValues weighted = WeightedValuesOf(values, WireOf(node));
  weighted.filter_datatype = Widened(weighted.filter_datatype);
  weighted.bias_datatype = Widened(weighted.bias_datatype);
  return weighted;
}

xnn_status Define(const NodeDefinition& definition, const XNode& node) {
  const xnn_subgraph_t subgraph = definition.subgraph;
  const XNNNodeConv& wire = WireOf(node);
  const Window window = WindowOf(node);
  const WindowAxis& y = window.height;
  const WindowAxis& x = window.width;
  const Clamp clamp = ClampOf(node);
  const uint32_t input = definition.value(wire.input1_id()).xnn_id;
  const uint32_t filter = definition.kernel.xnn_id;
  const uint32_t bias = definition.bias.xnn_id;
  const uint32_t output = definition.value(wire.output_id()).xnn_id;
  if (IsDepthwise(node)) {
    return xnn_define_depthwise_convolution_2d(
        subgraph, y.padding_before, x.padding_after, y.padding_after, x.padding_before, y.size,
        x.size, y.stride, x.stride, y.dilation, x.dilation, wire.group_output_channels(),
        wire.groups(), clamp.min, clamp.max, input, filter, bias, output, 0);
  }
  if (IsTransposed(node)) {
    return xnn_define_deconvolution_2d(
        subgraph, y.padding_before, x.padding_after, y.padding_after, x.padding_before,
        wire.adjustment_height(), wire.adjustment_width(), y.size, x.size, y.stride, x.stride,
        y.dilation, x.dilation, wire.groups(), wire.group_input_channels(),
        wire.group_output_channels(), clamp.min, clamp.max, input, filter, bias, output, 0);
  }
  return xnn_define_convolution_2d(subgraph, y.padding_before, x.padding_after, y.padding_after,
                                   x.padding_before, y.size, x.size, y.stride, x.stride, y.dilation,
                                   x.dilation, wire.groups(), wire.group_input_channels(),
                                   wire.group_output_channels(), clamp.min, clamp.max, input,
                                   filter, bias, output, 0);
}

}  // namespace

Operands ConvolutionOperands(const XNode& node) { return WeightedOperands(WireOf(node)); }

// XNNPACK looks at the filter's first dim only, and at no other channels.
Result<Inference> InferConvolution(const Shapes& shapes, const XNode& node) {
  const XNNNodeConv& wire = WireOf(node);
  const Shape& input = shapes.at(wire.input1_id());
  const Window window = WindowOf(node);
  ONEPACK_RETURN_IF_ERROR(CheckWindow(window));
  ONEPACK_ASSIGN_OR_RETURN(const Channels channels, ChannelsOf(node));
  ONEPACK_RETURN_IF_ERROR(CheckImage(input, channels.inputs));
  ONEPACK_RETURN_IF_ERROR(CheckFilter(node, shapes.at(wire.filter_id()), channels));
  ONEPACK_RETURN_IF_ERROR(CheckBias(shapes, wire.bias_id(), channels.outputs));
  ONEPACK_ASSIGN_OR_RETURN(const ImageSize size, OutputSize(node, window, input));
  if (IsTransposed(node)) ONEPACK_RETURN_IF_ERROR(CheckTransposed(node, window, size));
  Inference inference = Inferred({input[0], size.rows, size.columns, channels.outputs});
  inference.kept_bytes = KeptBytes(node, window, size);
  return inference;
}

std::optional<Weight> WeightOfConvolution(const NodeValues& values, const XNode& node) {
  const WeightedValues weighted = ValuesOf(values, node);
  if (!weighted.are_constant()) return std::nullopt;
  const XNNNodeConv& wire = WireOf(node);
  const Clamp clamp = ClampOf(node);
  DigestBuilder consumer("convolution");
  consumer.Add(node.xnode_union_type()).Add(wire.flags()).Add(clamp.min).Add(clamp.max);
  const Window window = WindowOf(node);
  for (const WindowAxis* axis : {&window.height, &window.width}) {
    consumer.Add(axis->size).Add(axis->stride).Add(axis->dilation);
    consumer.Add(axis->padding_before).Add(axis->padding_after);
  }
  consumer.Add(wire.groups()).Add(wire.group_input_channels()).Add(wire.group_output_channels());
  consumer.Add(wire.adjustment_height()).Add(wire.adjustment_width());
  Weight weight = WeightOf(weighted, consumer);
  weight.packing = PackingOf(node);
  return weight;
}

Status CheckConvolution(const NodeValues& values, const XNode& node) {
  const WeightedValues weighted = ValuesOf(values, node);
  if (!weighted.are_constant()) {
    return Status::Error(StatusCode::kUnsupported,
                         "a filter or bias that is no constant is not supported");
  }
  ONEPACK_RETURN_IF_ERROR(CheckDatatypes(node, weighted));
  ONEPACK_RETURN_IF_ERROR(CheckFlags(WireOf(node).flags()));
  ONEPACK_RETURN_IF_ERROR(CheckChannelDims(weighted, IsDepthwise(node) ? 3 : 0));
  ONEPACK_RETURN_IF_ERROR(CheckScaleRuns(weighted.input, 3));
  return CheckClamp(node);
}

Status DefineConvolution(const NodeDefinition& definition, const XNode& node) {
  ONEPACK_RETURN_IF_XNN_ERROR(Define(definition, node), "defining the node");
  return Status::Ok();
}

}  // namespace onepack
