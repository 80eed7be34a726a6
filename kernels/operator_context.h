// What an operator of ours finds beside its arguments.
//
// Ownership: CpuOperators owns the one that all of its operators are registered with; its address
//            stays, because they hold it.
// Threads:   read only, but for the random stream, which is atomic.

#ifndef ONEPACK_KERNELS_OPERATOR_CONTEXT_H_
#define ONEPACK_KERNELS_OPERATOR_CONTEXT_H_

#include <pthreadpool.h>
#include <stdint.h>
#include <sys/types.h>

#include <atomic>

#include "onepack/allocator.h"

namespace onepack::kernels {

// What every operator of ours is called with.
struct OperatorContext {
  pthreadpool_t threads = nullptr;
  Allocator allocator{};
  pid_t process = 0;
  uint64_t random_seed = 0;
  mutable std::atomic<uint64_t> random_taken{0};  // how many numbers of the stream

  // None in a child process: a fork does not copy threads, and waiting for them never ends.
  pthreadpool_t threadpool() const;
};

}  // namespace onepack::kernels

#endif  // ONEPACK_KERNELS_OPERATOR_CONTEXT_H_
