#include <algorithm>

#include "base/checked_math.h"
#include "delegate/ops/checks.h"
#include "delegate/ops/families.h"
#include "delegate/ops/window.h"
#include "delegate/xnn/handles.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNArgMaxPooling2d;
using wire::xnnpack::XNNDatatype;
using wire::xnnpack::XNNNode1x1;
using wire::xnnpack::XNNPooling2D;
using wire::xnnpack::XNode;
using wire::xnnpack::XNodeUnion;

const XNNPooling2D& WireOf(const XNode& node) {
  return *static_cast<const XNNPooling2D*>(node.xnode_union());
}
const XNNArgMaxPooling2d& ArgMaxOf(const XNode& node) {
  return *node.xnode_union_as_XNNArgMaxPooling2d();
}
const XNNNode1x1& GlobalOf(const XNode& node) {
  return *node.xnode_union_as_XNNGlobalAvgPooling2d();
}

Window WindowOf(const XNode& node) {
  const XNNPooling2D& wire = WireOf(node);
  Window window{{wire.pooling_height(), wire.stride_height(), wire.dilation_height(),
                 wire.padding_top(), wire.padding_bottom()},
                {wire.pooling_width(), wire.stride_width(), wire.dilation_width(),
                 wire.padding_left(), wire.padding_right()}};
  // XNNPACK's average has no dilation, whatever the file says.
  if (node.xnode_union_type() == XNodeUnion::XNNAvgPooling2d) {
    window.height.dilation = window.width.dilation = 1;
  }
  return window;
}

// A window that lies in the padding altogether has no maximum and no average.
Status CheckPadding(const WindowAxis& axis) {
  if (axis.padding_before < axis.extent() && axis.padding_after < axis.extent()) {
    return Status::Ok();
  }
  return Status::Error(StatusCode::kInvalidFile, "a padding of %u and %u for a window of %zu",
                       axis.padding_before, axis.padding_after, axis.extent());
}

// How many positions can begin in a padding.
size_t RowsWithin(uint32_t padding, uint32_t stride) {
  return (size_t{padding} + stride - 1) / stride;
}

// XNNPACK's average has pointers for the rows that reach into a padding, whether or not there are
// so many, and for one that stands for all others; and a number for each position.
uint64_t KeptByAverage(const Window& window, const Shape& output) {
  const WindowAxis& y = window.height;
  const uint64_t rows =
      RowsWithin(y.padding_before, y.stride) + RowsWithin(y.padding_after, y.stride) + 1;
  uint64_t bytes = 0;
  uint64_t numbers = 0;
  const bool fits = CheckedMultiply<uint64_t>(output[1], output[2], &numbers) &&
                    CheckedMultiply<uint64_t>(numbers, sizeof(float), &numbers) &&
                    CheckedAdd(numbers, IndirectionBytes(window, rows, output[2]), &bytes);
  return fits ? bytes : UINT64_MAX;
}

// XNNPACK's average takes rows whose window reaches into the padding below for such that do not, if
// there are more of them than rows; but it comes to the right pointers if all rows are special as
// it is, because of the padding above.
Status CheckAverage(const WindowAxis& axis, size_t rows) {
  const size_t top = RowsWithin(axis.padding_before, axis.stride);
  const size_t bottom = RowsWithin(axis.padding_after, axis.stride);
  if (bottom <= rows || rows <= top + 1) return Status::Ok();
  return Status::Error(StatusCode::kUnsupported,
                       "a padding of %u below for an output of %zu rows is not supported",
                       axis.padding_after, rows);
}

// With dilations XNNPACK's maximum puts one element of the input in the place of all that lie in
// the padding, which it takes to be under the window too. Where it is not even in the input,
// XNNPACK reads it nevertheless.
Status CheckDilated(const WindowAxis& axis, size_t positions, size_t input) {
  const size_t shift = axis.padding_before % axis.dilation;
  // Of the last position that still begins in the padding, and of the last of all.
  const size_t before = std::min(positions, (shift + axis.stride - 1) / axis.stride);
  size_t furthest = 0;
  if (before > 0) furthest = (before - 1) * axis.stride + axis.dilation - shift;
  if (before < positions) {
    furthest = std::max(furthest, (positions - 1) * axis.stride - shift);
  }
  if (furthest < input) return Status::Ok();
  return Status::Error(StatusCode::kUnsupported,
                       "a dilation of %u with a padding of %u and %u on an input of %zu is not "
                       "supported",
                       axis.dilation, axis.padding_before, axis.padding_after, input);
}

// Where XNNPACK would read what is not the input's.
Status CheckReach(XNodeUnion type, const Window& window, const Shape& input, const Shape& output) {
  if (type == XNodeUnion::XNNAvgPooling2d) return CheckAverage(window.height, output[1]);
  if (window.height.dilation == 1 && window.width.dilation == 1) return Status::Ok();
  ONEPACK_RETURN_IF_ERROR(CheckDilated(window.height, output[1], input[1]));
  return CheckDilated(window.width, output[2], input[2]);
}

Result<Inference> InferWindow(const Window& window, const Shape& input) {
  ONEPACK_RETURN_IF_ERROR(CheckImage(input, SIZE_MAX));
  ONEPACK_RETURN_IF_ERROR(CheckWindow(window));
  ONEPACK_RETURN_IF_ERROR(CheckPadding(window.height));
  ONEPACK_RETURN_IF_ERROR(CheckPadding(window.width));
  ONEPACK_ASSIGN_OR_RETURN(const size_t rows, PositionCount(window.height, input[1]));
  ONEPACK_ASSIGN_OR_RETURN(const size_t columns, PositionCount(window.width, input[2]));
  Inference inference = Inferred({input[0], rows, columns, input[3]});
  inference.kept_bytes = IndirectionBytes(window, rows, columns);
  return inference;
}

// Exporters say XNN_FLAG_KEEP_DIMS of every pooling. It changes nothing where the dims are kept
// anyhow, and XNNPACK does not get to see it there.

// What XNNPACK's maximum does not do, though it could.
Status CheckMaximum(const Window& window) {
  if (window.height.stride <= window.height.size && window.width.stride <= window.width.size) {
    return Status::Ok();
  }
  return Status::Error(StatusCode::kUnsupported,
                       "a stride that is larger than the window is not supported");
}

xnn_status DefineMaximum(xnn_subgraph_t subgraph, const Window& window, const Clamp& clamp,
                         uint32_t input, uint32_t output) {
  const WindowAxis& y = window.height;
  const WindowAxis& x = window.width;
  // Of one element, for which XNNPACK has no maximum, only the clamp is left: the stride is 1, too.
  if (y.size == 1 && x.size == 1) {
    xnn_unary_params params{};
    params.clamp = {clamp.min, clamp.max};
    return xnn_define_unary(subgraph, xnn_unary_clamp, &params, input, output, 0);
  }
  return xnn_define_max_pooling_2d(subgraph, y.padding_before, x.padding_after, y.padding_after,
                                   x.padding_before, y.size, x.size, y.stride, x.stride, y.dilation,
                                   x.dilation, clamp.min, clamp.max, input, output, 0);
}

xnn_status DefineAverage(xnn_subgraph_t subgraph, const Window& window, const Clamp& clamp,
                         uint32_t input, uint32_t output) {
  const WindowAxis& y = window.height;
  const WindowAxis& x = window.width;
  return xnn_define_average_pooling_2d(subgraph, y.padding_before, x.padding_after, y.padding_after,
                                       x.padding_before, y.size, x.size, y.stride, x.stride,
                                       clamp.min, clamp.max, input, output, 0);
}

Window ArgMaxWindowOf(const XNode& node) {
  const XNNArgMaxPooling2d& wire = ArgMaxOf(node);
  return {
      {wire.pooling_height(), wire.pooling_height(), 1, wire.padding_top(), wire.padding_bottom()},
      {wire.pooling_width(), wire.pooling_width(), 1, wire.padding_left(), wire.padding_right()}};
}

}  // namespace

Operands PoolingOperands(const XNode& node) {
  return {{WireOf(node).input_id()}, {WireOf(node).output_id()}, {}};
}

Result<Inference> InferPooling(const Shapes& shapes, const XNode& node) {
  const Window window = WindowOf(node);
  const Shape& input = shapes.at(WireOf(node).input_id());
  ONEPACK_ASSIGN_OR_RETURN(Inference inference, InferWindow(window, input));
  ONEPACK_RETURN_IF_ERROR(CheckReach(node.xnode_union_type(), window, input, inference.outputs[0]));
  if (node.xnode_union_type() == XNodeUnion::XNNAvgPooling2d) {
    inference.kept_bytes = KeptByAverage(window, inference.outputs[0]);
  }
  return inference;
}

Status CheckMaxPooling(const NodeValues& values, const XNode& node) {
  const GraphValue& input = values.value(WireOf(node).input_id());
  const GraphValue& output = values.value(WireOf(node).output_id());
  ONEPACK_RETURN_IF_ERROR(CheckOneDatatype(
      {&input, &output},
      {XNNDatatype::fp32, XNNDatatype::fp16, XNNDatatype::qint8, XNNDatatype::quint8},
      Quantization::kIsEqual));
  ONEPACK_RETURN_IF_ERROR(CheckFlags(WireOf(node).flags(), XNN_FLAG_KEEP_DIMS));
  ONEPACK_RETURN_IF_ERROR(CheckMaximum(WindowOf(node)));
  return CheckClamp(node);
}

Status DefinePooling(const NodeDefinition& definition, const XNode& node) {
  const DefinedValue& input = definition.value(WireOf(node).input_id());
  const DefinedValue& output = definition.value(WireOf(node).output_id());
  const auto define =
      node.xnode_union_type() == XNodeUnion::XNNAvgPooling2d ? DefineAverage : DefineMaximum;
  ONEPACK_RETURN_IF_XNN_ERROR(
      define(definition.subgraph, WindowOf(node), ClampOf(node), input.xnn_id, output.xnn_id),
      "defining the node");
  return Status::Ok();
}

Status CheckAvgPooling(const NodeValues& values, const XNode& node) {
  const GraphValue& input = values.value(WireOf(node).input_id());
  const GraphValue& output = values.value(WireOf(node).output_id());
  ONEPACK_RETURN_IF_ERROR(CheckOneDatatype(
      {&input, &output}, {XNNDatatype::fp32, XNNDatatype::fp16}, Quantization::kIsEqual));
  ONEPACK_RETURN_IF_ERROR(CheckFlags(WireOf(node).flags(), XNN_FLAG_KEEP_DIMS));
  return CheckClamp(node);
}

Operands ArgMaxPoolingOperands(const XNode& node) {
  const XNNArgMaxPooling2d& wire = ArgMaxOf(node);
  return {{wire.input_id()}, {wire.output_value_id(), wire.output_index_id()}, {}};
}

Result<Inference> InferArgMaxPooling(const Shapes& shapes, const XNode& node) {
  ONEPACK_ASSIGN_OR_RETURN(Inference inference,
                           InferWindow(ArgMaxWindowOf(node), shapes.at(ArgMaxOf(node).input_id())));
  inference.outputs.push_back(inference.outputs[0]);
  return inference;
}

Status CheckArgMaxPooling(const NodeValues& values, const XNode& node) {
  const XNNArgMaxPooling2d& wire = ArgMaxOf(node);
  const GraphValue& input = values.value(wire.input_id());
  const GraphValue& output = values.value(wire.output_value_id());
  const GraphValue& index = values.value(wire.output_index_id());
  ONEPACK_RETURN_IF_ERROR(
      CheckOneDatatype({&input, &output}, {XNNDatatype::fp32}, Quantization::kIsEqual));
  if (index.datatype() != XNNDatatype::int32) return NoConversion(input, index);
  ONEPACK_RETURN_IF_ERROR(CheckFlags(wire.flags(), XNN_FLAG_KEEP_DIMS));
  if (wire.pooling_height() > 1 || wire.pooling_width() > 1) return Status::Ok();
  return Status::Error(StatusCode::kUnsupported, "a window of one element is not supported");
}

Status DefineArgMaxPooling(const NodeDefinition& definition, const XNode& node) {
  const XNNArgMaxPooling2d& wire = ArgMaxOf(node);
  const DefinedValue& input = definition.value(wire.input_id());
  const DefinedValue& output = definition.value(wire.output_value_id());
  const DefinedValue& index = definition.value(wire.output_index_id());
  ONEPACK_RETURN_IF_XNN_ERROR(
      xnn_define_argmax_pooling_2d(definition.subgraph, wire.padding_top(), wire.padding_right(),
                                   wire.padding_bottom(), wire.padding_left(),
                                   wire.pooling_height(), wire.pooling_width(), input.xnn_id,
                                   output.xnn_id, index.xnn_id, 0),
      "defining the node");
  return Status::Ok();
}

Operands GlobalAvgPoolingOperands(const XNode& node) {
  return {{GlobalOf(node).input_id()}, {GlobalOf(node).output_id()}, {}};
}

// The mean over the two dims before the innermost.
Result<Inference> InferGlobalAvgPooling(const Shapes& shapes, const XNode& node) {
  const Shape& input = shapes.at(GlobalOf(node).input_id());
  if (input.rank() < 3) {
    return Status::Error(StatusCode::kInvalidFile, "an input %s, rank 3 at least expected",
                         input.Text().c_str());
  }
  const bool keeps_dims = (GlobalOf(node).flags() & XNN_FLAG_KEEP_DIMS) != 0;
  Shape output;
  for (size_t i = 0; i < input.rank(); ++i) {
    const bool is_reduced = i + 3 == input.rank() || i + 2 == input.rank();
    if (is_reduced && input[i] == 0) {
      return Status::Error(StatusCode::kInvalidFile, "the mean of nothing");
    }
    if (!is_reduced || keeps_dims) output.Append(is_reduced ? 1 : input[i]);
  }
  return Inferred(output);
}

Status CheckGlobalAvgPooling(const NodeValues& values, const XNode& node) {
  const GraphValue& input = values.value(GlobalOf(node).input_id());
  const GraphValue& output = values.value(GlobalOf(node).output_id());
  ONEPACK_RETURN_IF_ERROR(CheckOneDatatype(
      {&input, &output},
      {XNNDatatype::fp32, XNNDatatype::fp16, XNNDatatype::qint8, XNNDatatype::quint8},
      Quantization::kMayDiffer));
  ONEPACK_RETURN_IF_ERROR(CheckFlags(GlobalOf(node).flags(), XNN_FLAG_KEEP_DIMS));
  ONEPACK_RETURN_IF_ERROR(CheckClamp(node));
  if (ClampOf(node).is_infinite()) return Status::Ok();
  return Status::Error(StatusCode::kUnsupported, "an output range is not supported");
}

Status DefineGlobalAvgPooling(const NodeDefinition& definition, const XNode& node) {
  const DefinedValue& input = definition.value(GlobalOf(node).input_id());
  const DefinedValue& output = definition.value(GlobalOf(node).output_id());
  const size_t axes[] = {input.rank() - 3, input.rank() - 2};
  ONEPACK_RETURN_IF_XNN_ERROR(
      xnn_define_static_reduce(definition.subgraph, xnn_reduce_mean, 2, axes, input.xnn_id,
                               output.xnn_id, GlobalOf(node).flags()),
      "defining the node");
  return Status::Ok();
}

}  // namespace onepack
