// One delegate of a method: its constants, its pinned weights, and a runtime whenever it runs.
//
// The runtime is not its own. Delegates whose graphs are of one structure, in layers and programs,
// take turns with the runtimes of a pool, which are pointed to the weights of the one that runs. To
// load a delegate of a structure that is known takes its weights and nothing else. Where XNNPACK
// keeps weights to itself, the delegate has a runtime of its own, in the method's own lane.
//
// A runtime is created again where there is none for it that is free, where sizes ask for another
// plan, and after a failure, which takes all runtimes of its lane with it. That takes no packing:
// the delegate has every shared weight pinned.
//
// Threads: one that shares its runtimes keeps nothing from one run to the next: any, in parallel.
//          One that has its own: that of its method.

#ifndef ONEPACK_DELEGATE_RUNNING_EXECUTOR_H_
#define ONEPACK_DELEGATE_RUNNING_EXECUTOR_H_

#include <stdint.h>

#include <memory>

#include "delegate/packing/packer.h"
#include "delegate/plan/plan.h"
#include "delegate/running/delegate_runtime.h"
#include "delegate/running/method_context.h"
#include "delegate/running/runtime_pool.h"
#include "onepack/backend.h"

namespace onepack {

class Executor final : public Delegate {
 public:
  // `pins` are those of `plan`, which was made with `options`. If
  // no runtime of its structure is known, creates one in `lane`, with ones from `ones`. May throw
  // std::bad_alloc.
  static Result<Ref<Executor>> Load(Ref<MethodContext> context, Plan plan, PinnedWeights pins,
                                    const PlanOptions& options, Lane& lane, OnesStore& ones);

  Status Execute(Span<Value* const> arguments) override;

  bool is_shared() const { return is_shared_; }
  // One that does not share: the same with runtimes of its own, made when it runs, in the lane of
  // `context`. May throw std::bad_alloc.
  Result<Ref<Executor>> Fork(Ref<MethodContext> context) const;

  // For MakeRef.
  Executor(Ref<MethodContext> context, std::shared_ptr<const PayloadContents> contents,
           PinnedWeights pins, const PlanOptions& options);
  ~Executor() override;

 private:
  Status CreateFirstRuntime(Plan plan, Lane& lane, OnesStore& ones);
  Status Create(DelegateRuntime& runtime, Lane& lane, OnesStore& ones) const;
  Status RunIn(Lane& lane, Span<Value* const> arguments);
  // One that has taken the inputs.
  Result<DelegateRuntime*> CreateFor(Span<Value* const> arguments, Lane& lane) const;
  // The same of those that there are; null if none can.
  Result<DelegateRuntime*> FindFor(Span<Value* const> arguments, Lane& lane) const;

  const Ref<MethodContext> context_;
  const std::shared_ptr<const PayloadContents> contents_;
  const PinnedWeights pins_;
  const PlanOptions options_;
  const DelegateRuntime::UserId id_;
  bool is_shared_ = false;  // its runtimes are in the pool's lanes
  Digest key_;              // of its runtimes in lanes: the structure, or, if not shared, its own
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_RUNNING_EXECUTOR_H_
