// The weights of the demo model: which matrices there are.

#ifndef ONEPACK_AOT_LORA_STACK_WEIGHTS_H_
#define ONEPACK_AOT_LORA_STACK_WEIGHTS_H_

#include <stdint.h>

#include "aot/linear_weight.h"
#include "aot/lora_stack.h"

namespace onepack {

// The layers of one block that have a weight in the foundation.
enum class LoraLayer : uint32_t { kGate, kUp, kDown };
// A layer's matrices in an adapter.
enum class LoraPart : uint32_t { kA, kB };

// Names every matrix of the model.
class LoraWeights {
 public:
  explicit LoraWeights(const LoraStackOptions& options) : options_(options) {}

  LinearWeight Base(uint32_t block, LoraLayer layer) const;
  // Always f32. REQUIRES: layer is kGate or kDown.
  LinearWeight Adapter(uint32_t adapter, uint32_t block, LoraLayer layer, LoraPart part) const;

 private:
  LoraStackOptions options_;
};

}  // namespace onepack

#endif  // ONEPACK_AOT_LORA_STACK_WEIGHTS_H_
