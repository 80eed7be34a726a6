// Writes a model of linear layers: one base program and LoRA programs over the same foundation,
// with recorded cases.
//
// The model is a stack of blocks, x + down(g * sigmoid(g) * up(x)) with g = gate(x). In a LoRA
// program gate and down are y + 2 * lora_b(lora_a(x)). All weights are random, and the same for the
// same seed; those of adapters are f32. The files look like those of the public exporter: keys are
// the SHA-256 of the bytes, the 2 comes as a constant argument of the delegate call.
//
//     foundation.ptd                     weights of all base linears
//     loraK.ptd                          weights of adapter K
//     base.pte, loraK.pte                the programs
//     base.json/.bin, loraK.json/.bin    calls with 1 and 4 rows and the expected results, computed
//     here
//
// Memory:  a row of a matrix at a time; weights are generated again wherever they are needed.
// Threads: one at a time for one folder.
// Errors:  kIoError or kNotFound name the path; kFailedPrecondition for a name that is taken;
//          kInvalidArgument for sizes that do not fit. Then nothing was written.

#ifndef ONEPACK_AOT_LORA_STACK_H_
#define ONEPACK_AOT_LORA_STACK_H_

#include <stdint.h>

#include <string>

#include "aot/linear_weight.h"
#include "aot/output_files.h"
#include "onepack/status.h"

namespace onepack {

// Where a model's weights are: in data files, or in each program, as segments with names, or inside
// the payloads. A payload is put together in memory.
enum class DataPlace { kDataFiles, kProgram, kPayload };

// Building a payload cannot fail, so cancellation is checked between programs.
inline Watch WatchOfWeights(DataPlace place, const Watch& watch) {
  return place == DataPlace::kPayload ? Watch() : watch;
}

struct LoraStackOptions {
  uint32_t width = 64;    // of x
  uint32_t hidden = 128;  // between gate and down
  uint32_t blocks = 2;
  uint32_t rank = 4;       // of an adapter
  uint32_t adapters = 2;   // LoRA programs besides the base
  uint32_t max_rows = 64;  // bound of the dynamic dimension, at least 4
  uint64_t seed = 0;
  WeightType weights = WeightType::kFloat32;  // of the base linears
  uint32_t group = 32;                        // of kInt4
  DataPlace data = DataPlace::kDataFiles;

  ExistingFile existing = ExistingFile::kRefuse;
  Watch watch;  // told of each byte of a weight when it is hashed and when it is written
};

// `folder` exists. Files appear in it when all are written.
Status WriteLoraStackPrograms(const std::string& folder, const LoraStackOptions& options);
// For existing programs with the data files that `options` describe.
Status WriteLoraStackCases(const std::string& folder, const LoraStackOptions& options);
// Both.
Status WriteLoraStack(const std::string& folder, const LoraStackOptions& options);

// Bytes of weights in foundation.ptd, for choosing sizes.
uint64_t FoundationSizeBytes(const LoraStackOptions& options);

}  // namespace onepack

#endif  // ONEPACK_AOT_LORA_STACK_H_
