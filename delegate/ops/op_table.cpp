#include <algorithm>
#include <string>

#include "delegate/ops/families.h"
#include "delegate/ops/op.h"

namespace onepack {
namespace {

using wire::xnnpack::XNodeUnion;

constexpr Op kOps[] = {
    // clang-format off
    // type                                keeps_dims  broadcasts  operands                identify                define
    {XNodeUnion::XNNAdd,                 true,       true,       BinaryOperands,         nullptr,                DefineBinary},
    {XNodeUnion::XNNDiv,                 true,       true,       BinaryOperands,         nullptr,                DefineBinary},
    {XNodeUnion::XNNMaximum,             true,       true,       BinaryOperands,         nullptr,                DefineBinary},
    {XNodeUnion::XNNMinimum,             true,       true,       BinaryOperands,         nullptr,                DefineBinary},
    {XNodeUnion::XNNMultiply,            true,       true,       BinaryOperands,         nullptr,                DefineBinary},
    {XNodeUnion::XNNPReLU,               true,       true,       BinaryOperands,         nullptr,                DefineBinary},
    {XNodeUnion::XNNSubtract,            true,       true,       BinaryOperands,         nullptr,                DefineBinary},
    {XNodeUnion::XNNAbs,                 true,       false,      UnaryOperands,          nullptr,                DefineUnary},
    {XNodeUnion::XNNCeiling,             true,       false,      UnaryOperands,          nullptr,                DefineUnary},
    {XNodeUnion::XNNClamp,               true,       false,      UnaryOperands,          nullptr,                DefineUnary},
    {XNodeUnion::XNNConvert,             true,       false,      UnaryOperands,          nullptr,                DefineUnary},
    {XNodeUnion::XNNCopy,                true,       false,      UnaryOperands,          nullptr,                DefineUnary},
    {XNodeUnion::XNNCos,                 true,       false,      UnaryOperands,          nullptr,                DefineUnary},
    {XNodeUnion::XNNELU,                 true,       false,      UnaryOperands,          nullptr,                DefineUnary},
    {XNodeUnion::XNNExp,                 true,       false,      UnaryOperands,          nullptr,                DefineUnary},
    {XNodeUnion::XNNFloor,               true,       false,      UnaryOperands,          nullptr,                DefineUnary},
    {XNodeUnion::XNNGelu,                true,       false,      UnaryOperands,          nullptr,                DefineUnary},
    {XNodeUnion::XNNHardswish,           true,       false,      UnaryOperands,          nullptr,                DefineUnary},
    {XNodeUnion::XNNLeakyReLU,           true,       false,      UnaryOperands,          nullptr,                DefineUnary},
    {XNodeUnion::XNNLog,                 true,       false,      UnaryOperands,          nullptr,                DefineUnary},
    {XNodeUnion::XNNNegate,              true,       false,      UnaryOperands,          nullptr,                DefineUnary},
    {XNodeUnion::XNNReciprocalSquareRoot,true,       false,      UnaryOperands,          nullptr,                DefineUnary},
    {XNodeUnion::XNNSigmoid,             true,       false,      UnaryOperands,          nullptr,                DefineUnary},
    {XNodeUnion::XNNSin,                 true,       false,      UnaryOperands,          nullptr,                DefineUnary},
    {XNodeUnion::XNNSquare,              true,       false,      UnaryOperands,          nullptr,                DefineUnary},
    {XNodeUnion::XNNSquareRoot,          true,       false,      UnaryOperands,          nullptr,                DefineUnary},
    {XNodeUnion::XNNTanh,                true,       false,      UnaryOperands,          nullptr,                DefineUnary},
    {XNodeUnion::XNNConcatenate2,        false,      false,      ConcatenateOperands,    nullptr,                DefineConcatenate},
    {XNodeUnion::XNNConcatenate3,        false,      false,      ConcatenateOperands,    nullptr,                DefineConcatenate},
    {XNodeUnion::XNNConcatenate4,        false,      false,      ConcatenateOperands,    nullptr,                DefineConcatenate},
    {XNodeUnion::XNNConcatenate5,        false,      false,      ConcatenateOperands,    nullptr,                DefineConcatenate},
    {XNodeUnion::XNNFullyConnected,      true,       false,      FullyConnectedOperands, IdentifyFullyConnected, DefineFullyConnected},
    // clang-format on
};

}  // namespace

const Op* FindOp(XNodeUnion type) {
  for (const Op& op : kOps) {
    if (op.type == type) return &op;
  }
  return nullptr;
}

const char* NodeTypeName(XNodeUnion type) {
  return type >= XNodeUnion::MIN && type <= XNodeUnion::MAX
             ? wire::xnnpack::EnumNameXNodeUnion(type)
             : "unknown";
}

std::string DimsText(Span<const uint32_t> dims) {
  std::string text = "[";
  for (const uint32_t dim : dims) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(dim);
  }
  return text + "]";
}

Status CheckDims(const GraphValue& output, Span<const uint32_t> expected) {
  const Span<const uint32_t> found = DimsOf(output.tensor());
  if (std::equal(found.begin(), found.end(), expected.begin(), expected.end())) return Status::Ok();
  return Status::Error(StatusCode::kInvalidFile, "an output %s, %s expected",
                       DimsText(found).c_str(), DimsText(expected).c_str());
}

Clamp ClampOf(const wire::xnnpack::XNode& node) {
  Clamp clamp;
  if (node.output_min_max() != nullptr) {
    clamp.min = node.output_min_max()->output_min();
    clamp.max = node.output_min_max()->output_max();
  }
  return clamp;
}

Result<Clamp> CheckedClampOf(const wire::xnnpack::XNode& node) {
  const Clamp clamp = ClampOf(node);
  if (clamp.min <= clamp.max) return clamp;
  return Status::Error(StatusCode::kInvalidFile, "an output range from %g to %g",
                       static_cast<double>(clamp.min), static_cast<double>(clamp.max));
}

Status CheckFlags(uint32_t flags, uint32_t allowed) {
  if ((flags & ~allowed) == 0) return Status::Ok();
  return Status::Error(StatusCode::kUnsupported, "flags 0x%x are not supported", flags);
}

}  // namespace onepack
