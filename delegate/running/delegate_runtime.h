// An XNNPACK runtime, reshaped whenever the sizes of its inputs change, and lent to one delegate
// after another: all whose graphs are of one structure (BuiltGraph::structure) can use it.
//
// clang-format off
//   state   event                                 next
//   ------  ------------------------------------  -------------------------------------------------
//   ready   LendTo another delegate               its weights; reshaped and set up at the next run
//   ready   TakeInputs, sizes as before           nothing
//   ready   TakeInputs, other sizes               shapes are inferred; reshaped at the next run
//   ready   TakeInputs, sizes of another pattern  needs_another_plan (ShapePattern)
//   ready   TakeInputs, of sizes for which        needs_another_plan
//           threads are worth it no more, or now
//   ready   TakeInputs, sizes that do not fit     an error; the next sizes count
//   ready   Run, nothing to compute               resize outputs
//   ready   Run                                   reshape if need be, resize outputs, set up if an
//                                                 argument's address changed, run
//   ready   reshape, set-up or run fails          broken, with all that shares its workspace
// clang-format on
//
// Ownership: keeps the constants that XNNPACK reads in place; not the workspace, and not the packed
//            weights, which whom it is lent to has pinned.
// Threads:   one at a time.

#ifndef ONEPACK_DELEGATE_RUNNING_DELEGATE_RUNTIME_H_
#define ONEPACK_DELEGATE_RUNNING_DELEGATE_RUNTIME_H_

#include <memory>
#include <optional>
#include <vector>

#include "delegate/graph/payload.h"
#include "delegate/plan/built_graph.h"
#include "delegate/xnn/handles.h"
#include "delegate/xnn/xnn_provider.h"
#include "runtime/value.h"

namespace onepack {

class DelegateRuntime {
 public:
  // The backend's pool, null for none, and whether the runtime computes on it.
  struct Threads {
    pthreadpool* pool = nullptr;
    bool are_used = true;
  };

  // Numbers that tell delegates apart, also those that are gone.
  using UserId = uint64_t;

  // Defines the graph and creates a runtime of it for `user`. Its weights are served by `provider`,
  // where they are described already; `observer` is told of them. REQUIRES: nobody else uses the
  // workspace. May throw std::bad_alloc.
  static Result<std::unique_ptr<DelegateRuntime>> Create(const Payload& payload, BuiltGraph graph,
                                                         XnnProvider& provider,
                                                         PackingObserver& observer,
                                                         xnn_workspace_t workspace,
                                                         const Threads& threads, UserId user);

  const WeightTable& weights() const { return weights_; }
  UserId user() const { return user_; }
  // Whom it was created for, if it depends on that one's files.
  std::optional<UserId> owner() const;

  // It is to be deleted by whoever has its lane.
  void Condemn() { is_condemned_ = true; }
  bool is_condemned() const { return is_condemned_; }

  // For the runs from now on. False if `provider` lacks one of the weights.
  bool LendTo(UserId user, const XnnProvider& provider);

  // For all below: of the delegate that it is lent to. May throw std::bad_alloc.
  Status TakeInputs(Span<Value* const> arguments);
  // Then this is of no use for what TakeInputs took: a new runtime is.
  bool needs_another_plan() const { return needs_another_plan_; }
  // Whether there is enough to compute for it. REQUIRES: TakeInputs succeeded.
  bool wants_threads() const { return wants_threads_; }
  // REQUIRES: TakeInputs of the same arguments succeeded and nothing since.
  Status Run(Span<Value* const> arguments);
  // Nothing in its workspace must run again.
  bool is_broken() const { return is_broken_; }

 private:
  // What an argument was at the last run, and the value it belongs to.
  struct Binding {
    ExternalValue external;
    Shape shape;
    bool is_known = false;  // `shape` is that of the last run
    void* data = nullptr;
    size_t size_bytes = 0;
    // What XNNPACK writes instead of an output that overlaps another argument, or that is of int64:
    // XNNPACK computes 32 bits. Empty for others.
    std::vector<uint8_t> stand_in;
    bool is_widened = false;
  };

  DelegateRuntime(Ref<const AlignedCopy> graph_bytes, GraphParts graph, const Threads& threads,
                  UserId user);

  Status CheckArguments(Span<Value* const> arguments) const;
  Status CheckArgument(const Value* argument, const Binding& binding) const;
  // Takes over the inputs' shapes; true if any changed.
  bool UpdateInputShapes(Span<Value* const> arguments);
  Status InferShapes();
  Status Reshape();
  Status ResizeOutputs(Span<Value* const> arguments);
  Status CheckOutputSizes(Span<Value* const> arguments) const;
  // Of an argument in this run.
  static size_t SizeBytes(const Binding& binding, const Tensor& tensor);
  // Takes over the places of all arguments; true if any changed.
  bool UpdatePlaces(Span<Value* const> arguments);
  void ChooseStandIns();
  Status SetUp();
  void CopyStandIns();
  Status Broken(Status status);

  const Ref<const AlignedCopy> graph_bytes_;  // graph_ refers to them
  const UserId maker_;
  const Threads threads_;
  GraphParts graph_;
  WeightTable weights_;  // outlives the runtime, which holds its address
  XnnRuntime runtime_;
  UserId user_;
  std::vector<Binding> bindings_;
  ShapePattern pattern_;  // of the shapes that were inferred last
  bool wants_threads_ = true;
  bool is_planned_ = false;
  bool needs_another_plan_ = false;
  bool is_inferred_ = false;
  bool is_shaped_ = false;
  bool is_empty_ = false;  // no output has an element
  bool is_set_up_ = false;
  bool is_broken_ = false;
  bool is_condemned_ = false;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_RUNNING_DELEGATE_RUNTIME_H_
