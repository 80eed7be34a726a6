// How one weight is packed: by XNNPACK (one_node_runtime.h), or by a fake in tests.

#ifndef ONEPACK_DELEGATE_PACKING_NODE_PACKER_H_
#define ONEPACK_DELEGATE_PACKING_NODE_PACKER_H_

#include <stddef.h>
#include <stdint.h>

#include "base/result.h"
#include "delegate/packing/shown_weight.h"
#include "delegate/plan/plan.h"
#include "delegate/xnn/packing_provider.h"
#include "weight_cache/pack_key.h"

namespace onepack {

// Threads: any number at once.
class NodePacker {
 public:
  struct Packed {
    LayoutTag tag = 0;
    size_t size = 0;  // in bytes, from where `memory` begins
  };

  virtual ~NodePacker() = default;

  // Packs what is shown of a weight of the plan to the memory that it asks for, once. Equal bytes,
  // equal packed bytes, whichever plan the weight is of. Errors: kResourceExhausted, also where
  // there is no such memory; what XNNPACK says. May throw std::bad_alloc.
  virtual Result<Packed> Pack(const Plan& plan, const Weight& weight, const ShownWeight& shown,
                              PackingMemory& memory) const = 0;

  // The tag of a weight of `to` output channels, if the same layout has `tag` with `from` of them.
  virtual LayoutTag TagWithChannels(LayoutTag tag, size_t from, size_t to) const = 0;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PACKING_NODE_PACKER_H_
