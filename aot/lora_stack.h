// Writes a demo model: one base program and LoRA programs over the same foundation, with recorded
// cases.
//
// The model is a stack of blocks, x + down(g * sigmoid(g) * up(x)) with g = gate(x). In a LoRA
// program gate and down are y + 2 * lora_b(lora_a(x)). All weights are f32, random, and the same
// for the same seed. The files look like those of the public exporter: keys are the SHA-256 of the
// bytes, the 2 comes as a constant argument of the delegate call.
//
//     foundation.ptd                     weights of all base linears
//     loraK.ptd                          weights of adapter K
//     base.pte, loraK.pte                the programs
//     base.json/.bin, loraK.json/.bin    calls with 1 and 4 rows and what must come back, computed
//     here
//
// Memory:  a row of a matrix at a time; weights are generated again wherever they are needed.
// Threads: one at a time for one folder.
// Errors:  kIoError or kNotFound name the path; kInvalidArgument for a size of zero.

#ifndef ONEPACK_AOT_LORA_STACK_H_
#define ONEPACK_AOT_LORA_STACK_H_

#include <stdint.h>

#include <string>

#include "base/status.h"

namespace onepack {

struct LoraStackOptions {
  uint32_t width = 64;    // of x
  uint32_t hidden = 128;  // between gate and down
  uint32_t blocks = 2;
  uint32_t rank = 4;       // of an adapter
  uint32_t adapters = 2;   // LoRA programs besides the base
  uint32_t max_rows = 64;  // bound of the dynamic dimension, at least 4
  uint64_t seed = 0;
};

// `folder` exists; files in it are replaced.
Status WriteLoraStack(const std::string& folder, const LoraStackOptions& options);

// Bytes of weights in foundation.ptd, for choosing sizes.
inline uint64_t FoundationSizeBytes(const LoraStackOptions& options) {
  return uint64_t{3} * options.blocks * options.width * options.hidden * sizeof(float);
}

}  // namespace onepack

#endif  // ONEPACK_AOT_LORA_STACK_H_
