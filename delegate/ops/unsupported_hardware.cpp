#include "delegate/ops/unsupported_hardware.h"

#include <sys/auxv.h>

namespace onepack {
namespace {

using wire::xnnpack::XNNDatatype;
using wire::xnnpack::XNodeUnion;

bool HasOperandOf(XNNDatatype datatype, const NodeValues& values, const Operands& operands) {
  bool has = false;
  operands.ForEach([&](uint32_t id) { has = has || values.value(id).datatype() == datatype; });
  return has;
}

// All others move or convert numbers, or compute with each by itself: XNNPACK has kernels for that
// on every processor.
bool SumsOrCompares(XNodeUnion type) {
  switch (type) {
    case XNodeUnion::XNNAvgPooling2d:
    case XNodeUnion::XNNBatchMatrixMultiply:
    case XNodeUnion::XNNConv2d:
    case XNodeUnion::XNNConvTranspose2d:
    case XNodeUnion::XNNDepthwiseConv2d:
    case XNodeUnion::XNNFullyConnected:
    case XNodeUnion::XNNGlobalAvgPooling2d:
    case XNodeUnion::XNNMaxPooling2d:
    case XNodeUnion::XNNScaledDotProductAttention:
    case XNodeUnion::XNNSoftmax:
    case XNodeUnion::XNNStaticResizeBilinear2D:
      return true;
    default:
      return false;
  }
}

// False also where this is not known.
bool LacksFloat16Arithmetic() {
#if defined(__aarch64__)
  constexpr unsigned long kHalfVectors = 1UL << 10;  // HWCAP_ASIMDHP; not every libc names it here
  return (getauxval(AT_HWCAP) & kHalfVectors) == 0;
#else
  return false;
#endif
}

}  // namespace

bool NeedsFloat16Arithmetic(const NodeValues& values, const wire::xnnpack::XNode& node) {
  const XNodeUnion type = node.xnode_union_type();
  const Operands operands = OperandsOf(node);
  if (!HasOperandOf(XNNDatatype::fp16, values, operands)) return false;
  // To quantize at run time, the range of the numbers is found.
  return SumsOrCompares(type) ||
         (type == XNodeUnion::XNNConvert && HasOperandOf(XNNDatatype::qdint8, values, operands));
}

Status NoFloat16Kernel() {
  return Status::Error(StatusCode::kUnsupported,
                       "XNNPACK has no kernel for fp16 on this processor%s",
                       LacksFloat16Arithmetic() ? ", which has no fp16 arithmetic" : "");
}

}  // namespace onepack
