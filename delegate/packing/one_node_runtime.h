// Has XNNPACK pack the weight of one node: creates a runtime of that node alone, and throws it
// away.

#ifndef ONEPACK_DELEGATE_PACKING_ONE_NODE_RUNTIME_H_
#define ONEPACK_DELEGATE_PACKING_ONE_NODE_RUNTIME_H_

#include "delegate/packing/node_packer.h"

namespace onepack {

class OneNodeRuntime final : public NodePacker {
 public:
  Result<Packed> Pack(const Plan& plan, const Weight& weight, const ShownWeight& shown,
                      PackingMemory& memory) const override;
  LayoutTag TagWithChannels(LayoutTag tag, size_t from, size_t to) const override;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PACKING_ONE_NODE_RUNTIME_H_
