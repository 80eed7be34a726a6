// How one weight is shown to XNNPACK, and packed: by XNNPACK, or by a fake in tests.

#ifndef ONEPACK_DELEGATE_PACKING_NODE_PACKER_H_
#define ONEPACK_DELEGATE_PACKING_NODE_PACKER_H_

#include <stddef.h>
#include <stdint.h>

#include <optional>

#include "delegate/plan/plan.h"
#include "delegate/xnn/packing_provider.h"
#include "onepack/result.h"
#include "weight_cache/pack_key.h"

namespace onepack {

// Where XNNPACK is told that a constant is. It reads neither of the two before it packs, but for
// the scales, which it checks when the constant is defined.
struct ShownConstant {
  const void* data = nullptr;
  const void* scales = nullptr;  // null for a constant without scales of its own
};

struct ShownWeight {
  ShownConstant kernel;
  ShownConstant bias;  // without data if there is none
  // Only so many of the output channels, from where `kernel` and `bias` are on; all if absent.
  std::optional<size_t> channels;
};

// Defines kernel and bias of a weight for its node alone, and notes them in `node`.
Status DefineWeight(const Plan& plan, const Weight& weight, const ShownWeight& shown,
                    NodeDefinition* node);

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

// Has XNNPACK pack the weight of one node: creates a runtime of that node alone, and throws it
// away.
class OneNodeRuntime final : public NodePacker {
 public:
  Result<Packed> Pack(const Plan& plan, const Weight& weight, const ShownWeight& shown,
                      PackingMemory& memory) const override;
  LayoutTag TagWithChannels(LayoutTag tag, size_t from, size_t to) const override;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PACKING_NODE_PACKER_H_
