// What the delegates of one loaded method run with: the pool of runtimes and the cache of its
// backend, and a lane of its own for runtimes of graphs that no other delegate can have.
//
// Threads: those of the method, one at a time. Delegates that share their runtimes are used and
//          closed by forks of the method, too, in any thread: they take the pool, the cache and the
//          last lane from here, and leave the own lane alone.

#ifndef ONEPACK_DELEGATE_RUNNING_METHOD_CONTEXT_H_
#define ONEPACK_DELEGATE_RUNNING_METHOD_CONTEXT_H_

#include <unistd.h>

#include <atomic>
#include <memory>
#include <utility>

#include "delegate/running/runtime_pool.h"
#include "onepack/ref.h"
#include "onepack/status.h"
#include "weight_cache/packed_weight_cache.h"

struct pthreadpool;

namespace onepack {

// The application's thread pool, and the process that it belongs to.
struct ThreadPool {
  pthreadpool* pool = nullptr;  // null: the thread that runs does all the work
  pid_t owner = 0;
};

class MethodContext final : public RefCounted {
 public:
  static Result<Ref<MethodContext>> Create(std::shared_ptr<PackedWeightCache> cache,
                                           std::shared_ptr<RuntimePool> pool,
                                           const ThreadPool& threads) {
    ONEPACK_ASSIGN_OR_RETURN(Lane own_lane, Lane::Create());
    return MakeRef<MethodContext>(HeapAllocator(), std::move(cache), std::move(pool), threads,
                                  std::move(own_lane));
  }
  // The same with a lane of its own.
  Result<Ref<MethodContext>> Fork() const {
    return Create(std::shared_ptr(cache_), std::shared_ptr(pool_), threads_);
  }

  // For MakeRef, which has no use for constructors that throw: moves only.
  MethodContext(std::shared_ptr<PackedWeightCache> cache, std::shared_ptr<RuntimePool> pool,
                const ThreadPool& threads, Lane own_lane)
      : cache_(std::move(cache)),
        pool_(std::move(pool)),
        threads_(threads),
        own_lane_(std::move(own_lane)) {}

  const std::shared_ptr<PackedWeightCache>& cache() const { return cache_; }
  RuntimePool& pool() const { return *pool_; }
  Lane& own_lane() { return own_lane_; }
  pthreadpool* threadpool() const { return threads_.pool; }
  // kFailedPrecondition in a process that was forked off: the pool has no threads here, and XNNPACK
  // would wait for them without end.
  Status CheckThreadpool() const {
    if (threadpool() == nullptr || getpid() == threads_.owner) return Status::Ok();
    return Status::Error(StatusCode::kFailedPrecondition,
                         "this process was forked off, and the thread pool's threads were not: "
                         "make a pool and a backend here, and load the method again");
  }

  // Where the method's last load put what it created: one that loads its delegates one by one needs
  // no workspace for each. It may be gone.
  const Lane* filled_lane() const { return filled_lane_; }
  void set_filled_lane(const Lane* lane) { filled_lane_ = lane; }

  // Where a delegate of the method ran last: the next one best runs there too. It may be gone.
  // Forks of the method have the same wish, and may run in other threads.
  const Lane* last_lane() const { return last_lane_.load(std::memory_order_relaxed); }
  void set_last_lane(const Lane* lane) { last_lane_.store(lane, std::memory_order_relaxed); }

 private:
  const std::shared_ptr<PackedWeightCache> cache_;
  const std::shared_ptr<RuntimePool> pool_;
  const ThreadPool threads_;
  Lane own_lane_;
  const Lane* filled_lane_ = nullptr;
  std::atomic<const Lane*> last_lane_{nullptr};
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_RUNNING_METHOD_CONTEXT_H_
