// One delegate, ready to run: an XNNPACK runtime, reshaped whenever the sizes of its inputs change.
//
// clang-format off
//   state   event                                next
//   ------  -----------------------------------  --------------------------------------------------
//   built   Execute, sizes as before             run (set up again if an argument's address changed)
//   built   Execute, other sizes                 reshape, resize outputs, set up, run
//   built   Execute, sizes of another pattern    created anew, then as above (ShapePattern)
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

// The part of the input sizes that XNNPACK's plan of the memory rests on.
//
// When XNNPACK plans, it lets an output take the place of an input of the same size, and it does
// not look again when sizes change without growing. That is wrong once the input has become the
// smaller operand of a broadcast. Which operands broadcast depends, in a graph whose nodes keep
// dims, only on which input dims are 1; in other graphs with broadcasts we take every change of
// sizes for a change of the pattern.
using ShapePattern = std::vector<size_t>;

class Executor final : public Delegate {
 public:
  // `on_served` is called while this runs. kResourceExhausted when the intermediate values take
  // more than `max_activation_bytes`. May throw std::bad_alloc.
  static Result<Ref<Delegate>> Create(Ref<MethodSession> session,
                                      std::shared_ptr<const Payload> payload,
                                      uint64_t max_activation_bytes,
                                      const RawWeights::ServedCallback& on_served);

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
    std::vector<size_t> dims;  // in the order of storage
    void* data = nullptr;
  };

  Status BuildRuntime(const RawWeights::ServedCallback& on_served);
  Status TryBuildRuntime(const RawWeights::ServedCallback& on_served, bool trust_cache,
                         bool* was_surprised);
  Status CreateRuntime(BuiltGraph& graph, RawWeights& raw_weights);
  Status ExecuteBound(Span<Value* const> arguments);
  Status CheckArguments(Span<Value* const> arguments) const;
  Status CheckArgument(const Value* argument, const Binding& binding) const;
  // Takes over the inputs' sizes; true if any changed.
  bool UpdateInputDims(Span<Value* const> arguments);
  ShapePattern CurrentPattern() const;
  Status Reshape();
  Status ResizeOutputs(Span<Value* const> arguments);
  // Takes over the addresses of all arguments; true if any changed.
  bool UpdateAddresses(Span<Value* const> arguments);
  Status SetUp();
  Status Broken(Status status);

  const Ref<MethodSession> session_;
  const std::shared_ptr<const Payload> payload_;
  const uint64_t max_activation_bytes_;
  // Outlives the runtime, which holds its address.
  XnnProvider provider_;
  GraphParts graph_;
  std::vector<Binding> bindings_;
  ShapePattern pattern_;  // that the runtime's memory was planned for

  XnnRuntime runtime_;  // null when broken
  size_t epoch_ = 0;    // of the session when it was created
  bool is_shaped_ = false;
  bool is_set_up_ = false;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_EXECUTOR_H_
