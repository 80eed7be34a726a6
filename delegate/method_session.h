// What the delegates of one loaded method share: a workspace, because they run one after another, and the cache.
//
// A delegate whose reshape or set-up failed may leave the workspace's other users with stale pointers. It says so with
// Distrust(), and every delegate of the method creates its runtime anew before it runs again; the weights are pinned, so
// that costs no packing.
//
// Threads: those of the method, one at a time.

#ifndef ONEPACK_DELEGATE_METHOD_SESSION_H_
#define ONEPACK_DELEGATE_METHOD_SESSION_H_

#include <memory>

#include "delegate/xnn_handles.h"
#include "runtime/backend.h"
#include "weight_cache/weight_cache.h"

namespace onepack {

class MethodSession final : public BackendSession {
 public:
  static Result<Ref<BackendSession>> Open(std::shared_ptr<WeightCache> cache,
                                          pthreadpool* threadpool);

  Result<Ref<Delegate>> LoadDelegate(const DelegateRequest& request) override;

  const std::shared_ptr<WeightCache>& cache() const { return cache_; }
  xnn_workspace_t workspace() const { return workspace_.get(); }
  pthreadpool* threadpool() const { return threadpool_; }

  // Runtimes created in an earlier epoch must not run.
  size_t epoch() const { return epoch_; }
  void Distrust() { ++epoch_; }

  // For MakeRef.
  MethodSession(std::shared_ptr<WeightCache> cache, XnnWorkspace workspace, pthreadpool* threadpool)
      : cache_(std::move(cache)), workspace_(std::move(workspace)), threadpool_(threadpool) {}

 private:
  const std::shared_ptr<WeightCache> cache_;
  const XnnWorkspace workspace_;
  pthreadpool* const threadpool_;
  size_t epoch_ = 0;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_METHOD_SESSION_H_
