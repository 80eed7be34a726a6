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
