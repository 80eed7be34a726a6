// What the delegates of one loaded method share: a workspace, because they run one after another,
// and the cache.
//
// A delegate whose reshape or set-up failed may leave the workspace's other users with stale
// pointers. It says so with Distrust(), and every delegate of the method creates its runtime anew
// before it runs again; the weights are pinned, so that costs no packing.
//
// Threads: those of the method, one at a time.

#ifndef ONEPACK_DELEGATE_METHOD_SESSION_H_
#define ONEPACK_DELEGATE_METHOD_SESSION_H_

#include <sys/types.h>

#include <memory>

#include "delegate/xnn_handles.h"
#include "delegate/xnnpack_backend.h"
#include "runtime/backend.h"
#include "weight_cache/weight_cache.h"

namespace onepack {

class Executor;
class LoadReporter;
class OnesStore;
class Payload;

class MethodSession final : public BackendSession {
 public:
  // REQUIRES: options.weight_cache.
  // `owner` is the process that the thread pool belongs to.
  static Result<Ref<BackendSession>> Open(XnnpackBackendOptions options, pid_t owner);

  Status LoadDelegates(Span<const DelegateRequest> requests,
                       Span<Ref<Delegate>> delegates) override;

  const std::shared_ptr<WeightCache>& cache() const { return options_.weight_cache; }
  xnn_workspace_t workspace() const { return workspace_.get(); }
  pthreadpool* threadpool() const { return options_.threadpool; }
  // kFailedPrecondition in a process that was forked off: the pool has no threads here, and XNNPACK
  // would wait for them for ever.
  Status CheckThreadpool() const;

  // Runtimes created in an earlier epoch must not run.
  size_t epoch() const { return epoch_; }
  void Distrust() { ++epoch_; }

  // For MakeRef, which has no use for constructors that throw: moves only.
  MethodSession(XnnpackBackendOptions options, pid_t owner, XnnWorkspace workspace)
      : options_(std::move(options)), owner_(owner), workspace_(std::move(workspace)) {}

 private:
  // What the steps of one load have in common.
  struct Load {
    Span<const DelegateRequest> requests;
    Span<const std::shared_ptr<const Payload>> payloads;  // parallel to requests
    LoadReporter& reporter;
    std::shared_ptr<OnesStore> ones;
  };

  Status PackOnTheWay(const Load& load, Span<Ref<Delegate>> delegates);
  Status PackAheadAndFinish(const Load& load, Span<Ref<Delegate>> delegates);
  Result<Ref<Executor>> Prepare(const Load& load, size_t index);
  static Status Finish(const DelegateRequest& request, Executor& executor);

  const XnnpackBackendOptions options_;
  const pid_t owner_;
  const XnnWorkspace workspace_;
  size_t epoch_ = 0;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_METHOD_SESSION_H_
