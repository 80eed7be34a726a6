// The threads that XNNPACK computes with, joined with their owner.

#ifndef ONEPACK_TOOLS_THREAD_POOL_H_
#define ONEPACK_TOOLS_THREAD_POOL_H_

#include <pthreadpool.h>

#include <memory>

#include "base/result.h"

namespace onepack {

struct ThreadPoolDeleter {
  void operator()(pthreadpool* pool) const { pthreadpool_destroy(pool); }
};
using ThreadPool = std::unique_ptr<pthreadpool, ThreadPoolDeleter>;

// Null for one thread: XNNPACK then computes on the thread that calls it.
inline Result<ThreadPool> CreateThreadPool(size_t threads) {
  if (threads <= 1) return ThreadPool();
  ThreadPool pool(pthreadpool_create(threads));
  if (pool == nullptr) {
    return Status::Error(StatusCode::kResourceExhausted, "cannot start %zu threads", threads);
  }
  return pool;
}

}  // namespace onepack

#endif  // ONEPACK_TOOLS_THREAD_POOL_H_
