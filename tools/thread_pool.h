// The threads that XNNPACK computes with, joined with their owner.

#ifndef ONEPACK_TOOLS_THREAD_POOL_H_
#define ONEPACK_TOOLS_THREAD_POOL_H_

#include <pthreadpool.h>

#include <algorithm>
#include <memory>
#include <thread>

#include "onepack/result.h"

namespace onepack {

struct ThreadPoolDeleter {
  void operator()(pthreadpool* pool) const { pthreadpool_destroy(pool); }
};
using ThreadPool = std::unique_ptr<pthreadpool, ThreadPoolDeleter>;

// As many threads as there are processors at most: the pool's threads wait for each other by
// spinning, and those that wait for a processor would keep all others from working. Null for one
// thread: XNNPACK then computes on the thread that calls it.
inline Result<ThreadPool> CreateThreadPool(size_t threads) {
  const size_t processors = std::thread::hardware_concurrency();  // 0 when it is not known
  if (processors > 0) threads = std::min(threads, processors);
  if (threads <= 1) return ThreadPool();
  ThreadPool pool(pthreadpool_create(threads));
  if (pool == nullptr) {
    return Status::Error(StatusCode::kResourceExhausted, "cannot start %zu threads", threads);
  }
  return pool;
}

}  // namespace onepack

#endif  // ONEPACK_TOOLS_THREAD_POOL_H_
