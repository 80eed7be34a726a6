// What XNNPACK has no kernel for on this processor, said by name: its own status is "unsupported
// hardware" and no more. So it is with fp16 on processors without arithmetic for it: Cortex-A53,
// A57, A72.

#ifndef ONEPACK_DELEGATE_OPS_UNSUPPORTED_HARDWARE_H_
#define ONEPACK_DELEGATE_OPS_UNSUPPORTED_HARDWARE_H_

#include "delegate/ops/op.h"

namespace onepack {

// Whether XNNPACK has kernels for the node only where a processor computes with fp16. REQUIRES: the
// operands exist.
bool NeedsFloat16Arithmetic(const NodeValues& values, const wire::xnnpack::XNode& node);

// kUnsupported, for such a node.
Status NoFloat16Kernel();

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_OPS_UNSUPPORTED_HARDWARE_H_
