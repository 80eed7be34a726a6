// The demo model in plain loops: what its programs must give, computed without any of the code
// under test.

#ifndef ONEPACK_AOT_LORA_STACK_REFERENCE_H_
#define ONEPACK_AOT_LORA_STACK_REFERENCE_H_

#include <vector>

#include "aot/lora_stack_weights.h"

namespace onepack {

// Rows of `width` numbers, one behind the other.
struct LoraRows {
  uint32_t width = 0;
  std::vector<float> numbers;

  size_t count() const { return numbers.size() / width; }
  const float* row(size_t index) const { return numbers.data() + index * width; }
};

// Outputs for `input` of the base program and then of every LoRA program. All are computed side by
// side, so that each row of the foundation is generated once.
std::vector<LoraRows> ComputeLoraStack(const LoraStackOptions& options, const LoraRows& input);

}  // namespace onepack

#endif  // ONEPACK_AOT_LORA_STACK_REFERENCE_H_
