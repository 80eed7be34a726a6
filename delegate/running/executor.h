// One delegate of a method: its graph, its weights, and a runtime whenever it runs.
//
// The runtime is not its own. Delegates whose graphs are of one structure, in layers and programs,
// take turns with the runtimes of a pool, which are pointed to the weights of whoever runs. To load
// a delegate of a structure that is known takes its weights and nothing else. Where XNNPACK keeps
// weights to itself, the delegate has a runtime of its own, in the method's own lane.
//
// A runtime is created anew where there is none for it that is free, where sizes ask for another
// plan, and after a failure, which takes all runtimes of its lane with it. That takes no packing:
// the delegate has every shared weight pinned.
//
// Threads: that of its method.

#ifndef ONEPACK_DELEGATE_RUNNING_EXECUTOR_H_
#define ONEPACK_DELEGATE_RUNNING_EXECUTOR_H_

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "delegate/graph/payload.h"
#include "delegate/packing/raw_weights.h"
#include "delegate/plan/graph_builder.h"
#include "delegate/running/delegate_runtime.h"
#include "delegate/running/method_session.h"
#include "delegate/running/runtime_pool.h"
#include "delegate/xnn/xnn_provider.h"
#include "runtime/backend.h"

namespace onepack {

class Executor final : public Delegate {
 public:
  struct Options {
    // What the intermediate values may take: kResourceExhausted when it is more.
    uint64_t max_activation_bytes = 0;
    // Called while weights are packed or found.
    RawWeights::ServedCallback on_served;
    // As in GraphOptions.
    std::function<bool(const std::optional<Digest>& structure)> wants_packable_nodes;
    std::shared_ptr<OnesStore> ones;
    SlicedPacker* sliced_packer = nullptr;
  };

  // A graph that is still to become a runtime, and its weights.
  struct PendingGraph {
    PendingGraph(ContentRegistry* registry, RawWeights::ServedCallback on_served)
        : raw_weights(registry, std::move(on_served)) {}
    RawWeights raw_weights;
    BuiltGraph graph;
  };

  // In two steps, between which weights may be packed ahead. Finish creates a runtime in `lane` if
  // none of the structure is known. Both may throw std::bad_alloc.
  static Result<Ref<Executor>> Prepare(Ref<MethodSession> session,
                                       std::shared_ptr<const Payload> payload,
                                       const Options& options);
  Status Finish(Lane& lane);

  // REQUIRES, for both: between the two steps.
  const Payload& payload() const { return *payload_; }
  PendingGraph& pending() { return *pending_; }

  Status Execute(Span<Value* const> arguments) override;

  // For MakeRef.
  Executor(Ref<MethodSession> session, std::shared_ptr<const Payload> payload,
           uint64_t max_activation_bytes);
  ~Executor() override;

 private:
  Result<std::unique_ptr<PendingGraph>> MakeGraph(const Options& options, bool trust_cache) const;
  // From now on, its runtimes are for others too, or not.
  void Share(const Digest& structure);
  void Unshare();
  void Describe(BuiltGraph& graph);
  // Takes all that runtimes of the structure have in their tables. False if that is not possible.
  Result<bool> TakeWeights(PendingGraph& pending, Lane& lane);
  Result<DelegateRuntime*> CreateRuntime(std::unique_ptr<PendingGraph> pending, Lane& lane,
                                         bool uses_threads = true);
  Result<DelegateRuntime*> CreateRuntimeFromNothing(Lane& lane, bool uses_threads = true);
  Result<std::unique_ptr<DelegateRuntime>> CreateOnce(PendingGraph& pending, Lane& lane,
                                                      bool uses_threads);
  Status RunIn(Lane& lane, Span<Value* const> arguments);
  // One that has taken the inputs.
  Result<DelegateRuntime*> CreateFor(Span<Value* const> arguments, Lane& lane);
  // The same of those that there are; null if none can.
  Result<DelegateRuntime*> FindFor(Span<Value* const> arguments, Lane& lane);

  const Ref<MethodSession> session_;
  const std::shared_ptr<const Payload> payload_;
  const uint64_t max_activation_bytes_;
  const DelegateRuntime::UserId id_;
  std::unique_ptr<PendingGraph> pending_;  // between Prepare and Finish
  XnnProvider provider_;
  bool is_shared_ = false;
  Digest key_;  // of its runtimes in lanes: the structure, or, if not shared, its own
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_RUNNING_EXECUTOR_H_
