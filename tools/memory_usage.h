// How much memory this process holds right now, by whether the kernel could drop it.
//
// Anonymous bytes are what a program really costs: packed weights on the heap, activations, stacks.
// File-backed bytes are pages of mapped files, which every process that maps them shares.

#ifndef ONEPACK_TOOLS_MEMORY_USAGE_H_
#define ONEPACK_TOOLS_MEMORY_USAGE_H_

#include <stdint.h>

#include "onepack/result.h"

namespace onepack {

struct MemoryUsage {
  uint64_t resident_bytes = 0;      // anonymous and file-backed together
  uint64_t anonymous_bytes = 0;     // private to this process, gone when freed
  uint64_t file_backed_bytes = 0;   // pages of files (and shared memory) that are mapped
  uint64_t proportional_bytes = 0;  // resident, with shared pages divided by those who share them
};

// Reads /proc/self/smaps_rollup (Linux 4.14 and later).
Result<MemoryUsage> CurrentMemoryUsage();

}  // namespace onepack

#endif  // ONEPACK_TOOLS_MEMORY_USAGE_H_
