// Loads the delegates of one method: plans them, has their weights packed and pinned, and creates
// the runtimes that are missing.
//
// Threads: those of the method, one at a time. (Forks of a method do not load.)

#ifndef ONEPACK_DELEGATE_RUNNING_METHOD_SESSION_H_
#define ONEPACK_DELEGATE_RUNNING_METHOD_SESSION_H_

#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "delegate/graph/key_verifier.h"
#include "delegate/packing/packer.h"
#include "delegate/plan/plan.h"
#include "delegate/running/method_context.h"
#include "onepack/backend.h"
#include "onepack/load_progress.h"

namespace onepack {

struct SessionOptions {
  std::shared_ptr<PackedWeightCache> cache;  // never null
  ThreadPool threads;
  ProgressCallback on_progress;  // may be empty
  PackerOptions packer;
  bool verify_keys = false;
  LinearLayout linears = LinearLayout::kAuto;
};

class MethodSession final : public BackendSession {
 public:
  static Result<Ref<BackendSession>> Open(SessionOptions options,
                                          std::shared_ptr<RuntimePool> pool);

  Status LoadDelegates(Span<const DelegateRequest> requests,
                       Span<Ref<Delegate>> delegates) override;

  // Delegates that share their runtimes are the same ones in all forks.
  Result<Ref<BackendSession>> Fork(Span<const Ref<Delegate>> delegates,
                                   Span<Ref<Delegate>> forks) override;

  // For MakeRef, which has no use for constructors that throw: moves only.
  MethodSession(SessionOptions options, Ref<MethodContext> context)
      : options_(std::move(options)), context_(std::move(context)) {}

 private:
  Result<std::vector<Plan>> MakePlans(Span<const DelegateRequest> requests) const;
  PlanOptions PlanOptionsFor(const DelegateRequest& request) const {
    return {request.max_planned_bytes, options_.linears};
  }
  // Of the load at hand, one for each graph: layers of a model have the same.
  using PlansByGraph = std::unordered_map<Digest, const Plan*, DigestHash>;
  Result<Plan> MakePlan(const DelegateRequest& request, KeyVerifier* verifier,
                        const PlansByGraph& known) const;

  const SessionOptions options_;
  const Ref<MethodContext> context_;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_RUNNING_METHOD_SESSION_H_
