#include "base/checked_math.h"
#include "delegate/ops/checks.h"
#include "delegate/ops/families.h"
#include "delegate/ops/window.h"
#include "delegate/xnn/handles.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNDatatype;
using wire::xnnpack::XNNStaticResizeBilinear2D;
using wire::xnnpack::XNode;

// The four neighbours of each point of the output and two weights.
constexpr uint64_t kBytesPerPoint = 4 * sizeof(void*) + 2 * sizeof(float);

const XNNStaticResizeBilinear2D& WireOf(const XNode& node) {
  return *node.xnode_union_as_XNNStaticResizeBilinear2D();
}

}  // namespace

Operands ResizeOperands(const XNode& node) {
  return {{WireOf(node).input_id()}, {WireOf(node).output_id()}, {}};
}

Result<Inference> InferResize(const Shapes& shapes, const XNode& node) {
  const XNNStaticResizeBilinear2D& wire = WireOf(node);
  const Shape& input = shapes.at(wire.input_id());
  ONEPACK_RETURN_IF_ERROR(CheckImage(input, SIZE_MAX));
  ONEPACK_RETURN_IF_ERROR(CheckGeometry("new height", wire.new_height()));
  ONEPACK_RETURN_IF_ERROR(CheckGeometry("new width", wire.new_width()));
  Inference inference = Inferred({input[0], wire.new_height(), wire.new_width(), input[3]});
  // Of 24 bits each: the product fits.
  inference.kept_bytes = uint64_t{wire.new_height()} * wire.new_width() * kBytesPerPoint;
  return inference;
}

Status CheckResize(const NodeValues& values, const XNode& node) {
  const XNNStaticResizeBilinear2D& wire = WireOf(node);
  const GraphValue& input = values.value(wire.input_id());
  const GraphValue& output = values.value(wire.output_id());
  ONEPACK_RETURN_IF_ERROR(CheckOneDatatype(
      {&input, &output},
      {XNNDatatype::fp32, XNNDatatype::fp16, XNNDatatype::qint8, XNNDatatype::quint8},
      Quantization::kIsEqual));
  return CheckFlags(wire.flags(), XNN_FLAG_ALIGN_CORNERS | XNN_FLAG_TENSORFLOW_LEGACY_MODE);
}

Status DefineResize(const NodeDefinition& definition, const XNode& node) {
  const XNNStaticResizeBilinear2D& wire = WireOf(node);
  const DefinedValue& input = definition.value(wire.input_id());
  const DefinedValue& output = definition.value(wire.output_id());
  ONEPACK_RETURN_IF_XNN_ERROR(
      xnn_define_static_resize_bilinear_2d(definition.subgraph, wire.new_height(), wire.new_width(),
                                           input.xnn_id, output.xnn_id, wire.flags()),
      "defining the node");
  return Status::Ok();
}

}  // namespace onepack
