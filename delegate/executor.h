// One delegate, ready to run: an XNNPACK runtime, reshaped whenever the sizes of its inputs change.
//
// clang-format off
//   state   event                                next
//   ------  -----------------------------------  --------------------------------------------------
//   built   Execute, sizes as before             run (set up again if an argument's address changed)
//   built   Execute, other sizes                 infer, reshape, resize outputs, set up, run
//   built   Execute, sizes of another pattern    created anew, then as above (ShapePattern)
//   built   Execute, nothing to compute          infer, resize outputs
//   built   Execute, sizes that do not fit       the same; nothing was changed
//   built   reshape, set-up or run fails         broken; the method's other delegates are told
//   broken  Execute                              created anew, then as above
// clang-format on
//
// Creating anew takes no packing: this delegate's provider has every shared weight pinned.
//
// Threads: that of its method.

#ifndef ONEPACK_DELEGATE_EXECUTOR_H_
#define ONEPACK_DELEGATE_EXECUTOR_H_

#include <memory>
#include <vector>

#include "delegate/graph_builder.h"
#include "delegate/method_session.h"
#include "delegate/payload.h"
#include "runtime/backend.h"
#include "weight_cache/xnn_provider.h"

namespace onepack {

class Executor final : public Delegate {
 public:
  struct Options {
    // What the intermediate values may take: kResourceExhausted when it is more.
    uint64_t max_activation_bytes = 0;
    // Called while weights are packed or found.
    RawWeights::ServedCallback on_served;
    // Of the graph that Prepare leaves pending.
    bool wants_packable_nodes = false;
    std::shared_ptr<OnesStore> ones;  // GraphOptions::ones
  };

  // A graph that is still to become a runtime, and its weights.
  struct PendingGraph {
    PendingGraph(ContentRegistry* registry, RawWeights::ServedCallback on_served)
        : raw_weights(registry, std::move(on_served)) {}
    RawWeights raw_weights;
    BuiltGraph graph;
  };

  // In two steps, between which weights may be packed ahead. Both may throw std::bad_alloc.
  static Result<Ref<Executor>> Prepare(Ref<MethodSession> session,
                                       std::shared_ptr<const Payload> payload,
                                       const Options& options);
  Status Finish() { return MakeRuntime(std::move(pending_)); }

  // REQUIRES, for both: between the two steps.
  const Payload& payload() const { return *payload_; }
  PendingGraph& pending() { return *pending_; }

  Status Execute(Span<Value* const> arguments) override;

  // For MakeRef.
  Executor(Ref<MethodSession> session, std::shared_ptr<const Payload> payload,
           uint64_t max_activation_bytes)
      : session_(std::move(session)),
        payload_(std::move(payload)),
        max_activation_bytes_(max_activation_bytes),
        provider_(session_->cache()) {}

 private:
  // What an argument was at the last run, and the value it belongs to.
  struct Binding {
    ExternalValue external;
    Shape shape;
    bool is_known = false;  // `shape` is that of the last run
    void* data = nullptr;
    size_t size_bytes = 0;
    // What XNNPACK writes instead of an output that overlaps an input, or that is of int64: XNNPACK
    // computes 32 bits. Empty for others.
    std::vector<uint8_t> stand_in;
    bool is_widened = false;
  };

  Result<std::unique_ptr<PendingGraph>> MakeGraph(const Options& options, bool trust_cache) const;
  Status MakeRuntime(std::unique_ptr<PendingGraph> pending);
  Status CreateRuntime(PendingGraph& pending);
  // From nothing, once more.
  Status Rebuild();
  Status ExecuteBound(Span<Value* const> arguments);
  Status CheckArguments(Span<Value* const> arguments) const;
  Status CheckArgument(const Value* argument, const Binding& binding) const;
  // Takes over the inputs' shapes; true if any changed.
  bool UpdateInputShapes(Span<Value* const> arguments);
  // From the inputs' shapes to a runtime that is ready for them.
  Status Shapen();
  Status InferShapes();
  Status Reshape();
  Status ResizeOutputs(Span<Value* const> arguments);
  // Takes over the places of all arguments; true if any changed.
  bool UpdatePlaces(Span<Value* const> arguments);
  void ChooseStandIns();
  Status SetUp();
  void CopyStandIns();
  Status Broken(Status status);

  const Ref<MethodSession> session_;
  const std::shared_ptr<const Payload> payload_;
  const uint64_t max_activation_bytes_;
  std::unique_ptr<PendingGraph> pending_;  // between Prepare and Finish
  // Outlives the runtime, which holds its address.
  XnnProvider provider_;
  GraphParts graph_;
  std::vector<Binding> bindings_;
  ShapePattern pattern_;  // that the runtime was planned for, if it was
  bool is_planned_ = false;

  XnnRuntime runtime_;  // null when broken
  size_t epoch_ = 0;    // of the session when it was created
  bool is_shaped_ = false;
  bool is_empty_ = false;  // no output has an element
  bool is_set_up_ = false;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_EXECUTOR_H_
