// What the delegates of one loaded method share: the pool of runtimes and the cache of its backend,
// and a lane of its own for runtimes that no other program can use.
//
// Threads: those of the method, one at a time.

#ifndef ONEPACK_DELEGATE_RUNNING_METHOD_SESSION_H_
#define ONEPACK_DELEGATE_RUNNING_METHOD_SESSION_H_

#include <sys/types.h>

#include <memory>
#include <utility>
#include <vector>

#include "delegate/packing/packer.h"
#include "delegate/plan/plan.h"
#include "delegate/running/runtime_pool.h"
#include "delegate/xnnpack_backend.h"
#include "runtime/backend.h"
#include "weight_cache/weight_cache.h"

namespace onepack {

class MethodSession final : public BackendSession {
 public:
  // REQUIRES: options.weight_cache.
  // `owner` is the process that the thread pool belongs to.
  static Result<Ref<BackendSession>> Open(XnnpackBackendOptions options,
                                          std::shared_ptr<RuntimePool> pool, pid_t owner);

  Status LoadDelegates(Span<const DelegateRequest> requests,
                       Span<Ref<Delegate>> delegates) override;

  const std::shared_ptr<WeightCache>& cache() const { return options_.weight_cache; }
  RuntimePool& pool() const { return *pool_; }
  Lane& home() { return home_; }
  pthreadpool* threadpool() const { return options_.threadpool; }
  // kFailedPrecondition in a process that was forked off: the pool has no threads here, and XNNPACK
  // would wait for them without end.
  Status CheckThreadpool() const;

  // That a delegate of the method ran in: the next one had better run there too. It may be gone.
  const Lane* last_lane() const { return last_lane_; }
  void set_last_lane(const Lane* lane) { last_lane_ = lane; }

  // For MakeRef, which has no use for constructors that throw: moves only.
  MethodSession(XnnpackBackendOptions options, std::shared_ptr<RuntimePool> pool, pid_t owner,
                Lane home)
      : options_(std::move(options)),
        pool_(std::move(pool)),
        owner_(owner),
        home_(std::move(home)) {}

 private:
  Result<std::vector<Plan>> MakePlans(Span<const DelegateRequest> requests);
  Result<Plan> MakePlan(const DelegateRequest& request, KeyVerifier* verifier);
  PackerOptions packer_options() const;

  const XnnpackBackendOptions options_;
  const std::shared_ptr<RuntimePool> pool_;
  const pid_t owner_;
  Lane home_;
  const Lane* last_lane_ = nullptr;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_RUNNING_METHOD_SESSION_H_
