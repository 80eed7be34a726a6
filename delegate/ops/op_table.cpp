#include <algorithm>
#include <string>

#include "delegate/ops/families.h"
#include "delegate/ops/op.h"

namespace onepack {
namespace {

using wire::xnnpack::XNodeUnion;

constexpr Op kOps[] = {
    // clang-format off
    // type                         keeps_dims  broadcasts  operands                identify                define
    {XNodeUnion::XNNAdd,            true,       true,       BinaryOperands,         nullptr,                DefineBinary},
    {XNodeUnion::XNNSubtract,       true,       true,       BinaryOperands,         nullptr,                DefineBinary},
    {XNodeUnion::XNNMultiply,       true,       true,       BinaryOperands,         nullptr,                DefineBinary},
    {XNodeUnion::XNNConvert,        true,       false,      UnaryOperands,          nullptr,                DefineUnary},
    {XNodeUnion::XNNSigmoid,        true,       false,      UnaryOperands,          nullptr,                DefineUnary},
    {XNodeUnion::XNNFullyConnected, true,       false,      FullyConnectedOperands, IdentifyFullyConnected, DefineFullyConnected},
    // clang-format on
};

std::string DimsText(Span<const uint32_t> dims) {
  std::string text = "[";
  for (const uint32_t dim : dims) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(dim);
  }
  return text + "]";
}

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

}  // namespace onepack
