#include "aot/lora_stack_weights.h"

#include "aot/random_numbers.h"

namespace onepack {

LinearWeight LoraWeights::Base(uint32_t block, LoraLayer layer) const {
  LinearWeight weight;
  weight.seed = CombineSeeds(CombineSeeds(options_.seed, block), static_cast<uint32_t>(layer));
  const bool is_down = layer == LoraLayer::kDown;
  weight.outputs = is_down ? options_.width : options_.hidden;
  weight.inputs = is_down ? options_.hidden : options_.width;
  weight.type = options_.weights;
  weight.group = options_.group;
  return weight;
}

LinearWeight LoraWeights::Adapter(uint32_t adapter, uint32_t block, LoraLayer layer,
                                  LoraPart part) const {
  const LinearWeight base = Base(block, layer);
  LinearWeight weight;
  weight.seed = CombineSeeds(CombineSeeds(base.seed, 1000 + adapter), static_cast<uint32_t>(part));
  weight.outputs = part == LoraPart::kA ? options_.rank : base.outputs;
  weight.inputs = part == LoraPart::kA ? base.inputs : options_.rank;
  return weight;
}

}  // namespace onepack
