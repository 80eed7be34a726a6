#include <math.h>

#include "delegate/ops/between.h"
#include "delegate/ops/checks.h"
#include "delegate/ops/families.h"
#include "delegate/xnn/handles.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNDatatype;
using wire::xnnpack::XNNNode1x1;
using wire::xnnpack::XNode;
using wire::xnnpack::XNodeUnion;

// What the wire tables of this family have in common.
struct Unary {
  uint32_t input_id;
  uint32_t output_id;
  uint32_t flags;
};

template <typename Wire>
Unary IdsOf(const Wire& wire) {
  return {wire.input_id(), wire.output_id(), wire.flags()};
}

Unary UnaryOf(const XNode& node) {
  switch (node.xnode_union_type()) {
    case XNodeUnion::XNNELU:
      return IdsOf(*node.xnode_union_as_XNNELU());
    case XNodeUnion::XNNLeakyReLU:
      return IdsOf(*node.xnode_union_as_XNNLeakyReLU());
    default:
      // All others have the one wire type, whatever their member of the union.
      return IdsOf(*static_cast<const XNNNode1x1*>(node.xnode_union()));
  }
}

// XNNPACK has a reference kernel where it has no fast one.
bool IsConvertible(XNNDatatype input, XNNDatatype output) {
  const auto is_plain = [](XNNDatatype datatype) {
    return datatype == XNNDatatype::fp32 || datatype == XNNDatatype::fp16 ||
           datatype == XNNDatatype::bf16 || datatype == XNNDatatype::qint8 ||
           datatype == XNNDatatype::quint8 || datatype == XNNDatatype::int32;
  };
  if (output == XNNDatatype::qdint8) {
    return input == XNNDatatype::fp32 || input == XNNDatatype::fp16 || input == XNNDatatype::bf16;
  }
  return is_plain(input) && is_plain(output);
}

bool IsForIntegers(XNodeUnion type) {
  return type == XNodeUnion::XNNAbs || type == XNodeUnion::XNNClamp ||
         type == XNodeUnion::XNNCopy || type == XNodeUnion::XNNNegate ||
         type == XNodeUnion::XNNSquare;
}

Status CheckDatatypes(XNodeUnion type, const GraphValue& input, const GraphValue& output) {
  if (type == XNodeUnion::XNNConvert) {
    return IsConvertible(input.datatype(), output.datatype()) ? Status::Ok()
                                                              : NoConversion(input, output);
  }
  const Quantization quantization =
      type == XNodeUnion::XNNCopy ? Quantization::kIsEqual : Quantization::kMayDiffer;
  if (IsForIntegers(type) && input.datatype() == XNNDatatype::int32) {
    return CheckOneDatatype({&input, &output}, {XNNDatatype::int32}, quantization);
  }
  return CheckOneDatatype({&input, &output},
                          {XNNDatatype::fp32, XNNDatatype::fp16, XNNDatatype::bf16,
                           XNNDatatype::qint8, XNNDatatype::quint8},
                          quantization);
}

xnn_unary_operator OperatorOf(XNodeUnion type) {
  switch (type) {
    case XNodeUnion::XNNAbs:
      return xnn_unary_abs;
    case XNodeUnion::XNNCeiling:
      return xnn_unary_ceiling;
    case XNodeUnion::XNNClamp:
      return xnn_unary_clamp;
    case XNodeUnion::XNNConvert:
      return xnn_unary_convert;
    case XNodeUnion::XNNCos:
      return xnn_unary_cosine;
    case XNodeUnion::XNNELU:
      return xnn_unary_elu;
    case XNodeUnion::XNNExp:
      return xnn_unary_exp;
    case XNodeUnion::XNNFloor:
      return xnn_unary_floor;
    case XNodeUnion::XNNGelu:
      return xnn_unary_gelu;
    case XNodeUnion::XNNHardswish:
      return xnn_unary_hardswish;
    case XNodeUnion::XNNLeakyReLU:
      return xnn_unary_leaky_relu;
    case XNodeUnion::XNNLog:
      return xnn_unary_log;
    case XNodeUnion::XNNNegate:
      return xnn_unary_negate;
    case XNodeUnion::XNNReciprocalSquareRoot:
      return xnn_unary_reciprocal_square_root;
    case XNodeUnion::XNNSigmoid:
      return xnn_unary_sigmoid;
    case XNodeUnion::XNNSin:
      return xnn_unary_sine;
    case XNodeUnion::XNNSquare:
      return xnn_unary_square;
    case XNodeUnion::XNNSquareRoot:
      return xnn_unary_square_root;
    case XNodeUnion::XNNTanh:
      return xnn_unary_tanh;
    default:
      return xnn_unary_invalid;
  }
}

// Of the two types that XNNPACK has fast kernels for: the others have reference kernels, which
// compute in floats.
Status CheckScales(const XNode& node, const GraphValue& input, const GraphValue& output) {
  const bool is_quantized =
      input.datatype() == XNNDatatype::qint8 || input.datatype() == XNNDatatype::quint8;
  if (!is_quantized || input.datatype() != output.datatype()) return Status::Ok();
  const float ratio = ScaleOf(input) / ScaleOf(output);
  const bool is_leaky = node.xnode_union_type() == XNodeUnion::XNNLeakyReLU;
  if (!is_leaky && node.xnode_union_type() != XNodeUnion::XNNConvert) return Status::Ok();
  ONEPACK_RETURN_IF_ERROR(CheckScaleRatio(ratio, 0x1p-8f, 0x1p+7f));
  if (!is_leaky) return Status::Ok();
  const float negative = ratio * node.xnode_union_as_XNNLeakyReLU()->negative_slope();
  return negative < 0 ? CheckScaleRatio(-negative, 0x1p-8f, 0x1.fffc00p+6f)
                      : CheckScaleRatio(negative, 0x1p-8f, 0x1p+7f);
}

Status CheckFactor(float factor) {
  if (isfinite(factor)) return Status::Ok();
  return Status::Error(StatusCode::kInvalidFile, "a factor of %g, a finite number expected",
                       static_cast<double>(factor));
}

Status CheckParams(const XNode& node) {
  switch (node.xnode_union_type()) {
    case XNodeUnion::XNNClamp:
      return CheckClamp(node);
    case XNodeUnion::XNNELU:
      return CheckFactor(node.xnode_union_as_XNNELU()->alpha());
    case XNodeUnion::XNNLeakyReLU:
      return CheckFactor(node.xnode_union_as_XNNLeakyReLU()->negative_slope());
    default:
      return Status::Ok();
  }
}

xnn_unary_params ParamsOf(const XNode& node) {
  xnn_unary_params params{};
  if (node.xnode_union_type() == XNodeUnion::XNNClamp) {
    const Clamp clamp = ClampOf(node);
    params.clamp = {clamp.min, clamp.max};
  } else if (const auto* elu = node.xnode_union_as_XNNELU()) {
    params.elu.alpha = elu->alpha();
  } else if (const auto* leaky_relu = node.xnode_union_as_XNNLeakyReLU()) {
    params.leaky_relu.negative_slope = leaky_relu->negative_slope();
  }
  return params;
}

}  // namespace

Operands UnaryOperands(const XNode& node) {
  const Unary unary = UnaryOf(node);
  return {{unary.input_id}, {unary.output_id}, {}};
}

Result<Inference> InferUnary(const Shapes& shapes, const XNode& node) {
  return Inferred(shapes.at(UnaryOf(node).input_id));
}

Status CheckUnary(const NodeValues& values, const XNode& node) {
  const Unary unary = UnaryOf(node);
  const GraphValue& input = values.value(unary.input_id);
  const GraphValue& output = values.value(unary.output_id);
  ONEPACK_RETURN_IF_ERROR(CheckDatatypes(node.xnode_union_type(), input, output));
  ONEPACK_RETURN_IF_ERROR(CheckScales(node, input, output));
  ONEPACK_RETURN_IF_ERROR(CheckFlags(unary.flags));
  return CheckParams(node);
}

Status DefineUnary(const NodeDefinition& definition, const XNode& node) {
  const DefinedValue& input = definition.value(UnaryOf(node).input_id);
  const DefinedValue& output = definition.value(UnaryOf(node).output_id);
  const XNodeUnion type = node.xnode_union_type();
  uint32_t input_id = input.xnn_id;
  // XNNPACK quantizes no bf16 at run time.
  if (output.datatype == XNNDatatype::qdint8 && input.datatype == XNNDatatype::bf16) {
    ONEPACK_ASSIGN_OR_RETURN(input_id, WidenFloats(definition.subgraph, input));
  }
  const xnn_unary_params params = ParamsOf(node);
  const xnn_status status = type == XNodeUnion::XNNCopy
                                ? xnn_define_copy(definition.subgraph, input_id, output.xnn_id, 0)
                                : xnn_define_unary(definition.subgraph, OperatorOf(type), &params,
                                                   input_id, output.xnn_id, 0);
  ONEPACK_RETURN_IF_XNN_ERROR(status, "defining the node");
  return Status::Ok();
}

}  // namespace onepack
