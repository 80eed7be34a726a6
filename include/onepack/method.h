// A method of a program, loaded and ready to run.
//
// Ownership: counted; keeps its program, its data files and its delegates' resources.
// Threads:   belongs to one thread at a time, and tells one that comes while another is in it;
//            different methods run in parallel, unless they share state.
// Memory:    one allocation for planned buffers and mutable state (a KV cache), touched only where
//            used; forks have in common what none of them has changed. Constants are views of the
//            mapped files.
// State:     what a run leaves behind for the next one, a KV cache for instance. It starts with its
//            initial value or zeros, and can be reset, saved and restored. Where methods of a
//            program have state together (shared_state.h), it belongs to all of them: each may
//            reset, save and restore it, and while one runs the others are told to wait.
// Errors:    every message names the program's file and the method. After a failed Execute the
//            method can be used again; mutable state is as far as the run got.

#ifndef ONEPACK_METHOD_H_
#define ONEPACK_METHOD_H_

#include <atomic>
#include <string_view>

#include "onepack/array.h"
#include "onepack/backend.h"
#include "onepack/export.h"
#include "onepack/method_state.h"
#include "onepack/named_data_map.h"
#include "onepack/operator_registry.h"
#include "onepack/program.h"
#include "onepack/ref.h"
#include "onepack/result.h"
#include "onepack/shared_state.h"
#include "onepack/value.h"

namespace onepack {

class PlannedMemory;

struct MethodOptions {
  // Data files the program was separated from; null when it needs none.
  Ref<NamedDataMap> named_data;
  // The backends that may take the program's delegates. Used during Load only.
  Span<const Ref<Backend>> backends;
  // For the operators that stayed outside the delegates; they outlive the method.
  OperatorRegistry operators;
  // Where methods that have state together find it; null for those that have none. Of the same
  // Program object. Without it a method that shares its state is refused: alone it would begin with
  // empty state, whatever the others have put there.
  Ref<SharedState> shared_state;
  // The limit for loops, which a damaged program may never leave.
  uint64_t max_instructions_per_run = uint64_t{1} << 20;
  // The most that numbers in the program may make the method plan for: its planned buffers and
  // mutable state; and, each on its own, the activations of its delegates. A load that needs more
  // is kResourceExhausted. 0: the memory that the machine has.
  uint64_t max_planned_bytes = 0;
  Allocator allocator = HeapAllocator();
};

class ONEPACK_API Method final : public RefCounted {
 public:
  ~Method() override;

  // Errors: kNotFound for a method, key or operator that is missing (all missing operators in one
  // message); kMismatch for external data of another type or size; kFailedPrecondition for a method
  // that shares its state and is given none to share; what the backends say of the delegates.
  static Result<Ref<Method>> Load(const Ref<Program>& program, std::string_view name,
                                  const MethodOptions& options);

  const Program& program() const { return *program_; }

  size_t input_count() const { return inputs_.size(); }
  size_t output_count() const { return outputs_.size(); }
  // What kind of value belongs there; for tensors also type and bounds. REQUIRES: index < count.
  const Value& input(size_t index) const { return *inputs_[index]; }

  // Whether loading asked for the key of an entry of MethodOptions::named_data, by its place there:
  // for a tensor, or because a delegate wanted it.
  bool UsesData(size_t entry) const { return entry < uses_data_.size() && uses_data_[entry]; }

  // Copies `value`, a tensor's bytes included (a string only as a view). Lists item by item. Every
  // tensor has to be set before each run, because runs reuse its memory. Errors: kInvalidArgument
  // when kind, type, dim order or sizes do not fit; the input then counts as not set.
  Status SetInput(size_t index, const Value& value);

  // Errors: kFailedPrecondition names an input that was not set, or says that the method, or one
  // that shares its state, is running already; what operators and delegates say.
  Status Execute();

  // Valid until the next SetInput or Execute; where it is state that methods share, also until the
  // next Execute of another one. REQUIRES: index < output_count().
  const Value& output(size_t index) const { return *outputs_[index]; }

  // All of these: kFailedPrecondition while the method, or one that shares its state, runs.

  // Mutable state becomes what it was after Load; shared state what it was when it was created.
  Status Reset();
  // A copy of the mutable state of now; costs memory for the part that is not zero.
  // Errors: kResourceExhausted.
  Result<Ref<MethodState>> SaveState() const;
  // A state of this method, of what MethodState says of one: in another process for instance.
  // Errors: kInvalidArgument for parts that no state of this method has.
  Result<Ref<MethodState>> StateOfParts(uint64_t memory_size, Array<uint64_t> blocks,
                                        Array<uint8_t> contents) const;
  // Errors: kInvalidArgument for a state of another program or method; nothing has changed then.
  Status RestoreState(const MethodState& state);

  // A method with the same weights that goes on from the state of now, independently of this one:
  // both run in parallel, and each can be closed first. It shares the memory of the state until one
  // of them writes to it, page by page. The first fork since this method ran copies what has
  // changed since the fork before, once for all; further ones copy nothing. Inputs are not set in
  // it. It takes no load, with one exception: a delegate that cannot share its runtimes (XNNPACK
  // packs weights for itself, those of depthwise convolutions for instance) creates its own in the
  // first run of each fork, with its own copy of those weights. Operators are called with the same
  // contexts as this method's, from the threads of both: what is behind a context is not part of
  // the state (operator_registry.h). The copy is kept until this method is reset, restored or
  // forked again after a run, even when the forks are gone: what this method writes meanwhile is in
  // memory twice. Address space: each place of the state that is in pages of its own (a KV cache
  // has one or two for each layer, or for each head) takes two mappings in the fork and in this
  // method, of the 65,530 that a process may have (vm.max_map_count). `shared_state`: a fork of the
  // state that it shares (SharedState::Fork), the same for all methods that go on together; null
  // for a method that shares none. Errors: kInvalidArgument for one of another program or none;
  // kResourceExhausted for memory, address space, descriptors; kUnsupported where the system has no
  // files in memory (memfd), or a backend cannot fork. This method is as it was then. kInternal
  // where the system has unmapped memory of this method before it failed, and has none to map it
  // again: this method must then not be used any more.
  Result<Ref<Method>> Fork(const Ref<SharedState>& shared_state = {}) const;
  // Tells `visitor` of the pages that the state takes in memory now, what is left of the last run's
  // activations among them: for each place that has any, how many bytes. A place is the method's
  // own, or one that it shares with its forks. A page of zeros does not count, though one that was
  // written takes memory. Errors: kFailedPrecondition as above; a visitor that counts several
  // methods has been told of those before.
  Status VisitStatePages(const StatePageVisitor& visitor) const;
  // Null: none.
  const Ref<SharedState>& shared_state() const { return shared_state_; }

 private:
  friend class MethodBuilder;
  friend class MethodFork;
  template <typename U, typename... Arguments>
  friend Result<Ref<U>> MakeRef(const Allocator& allocator, Arguments&&... arguments);

  // An instruction with everything looked up. A program has one for each operator call: small.
  struct Step {
    enum class Kind : uint8_t { kOperator, kDelegate, kMove, kJumpFalse, kFree };
    Kind kind = Kind::kFree;
    // In operators_ or delegates_. Of a jump: in steps_, or one past the last.
    uint32_t index = 0;
    // Of a move: from and to. Of a jump: the condition.
    Span<Value* const> arguments;
  };
  static_assert(sizeof(Step) <= 24);

  Method();

  // Does `work` while no other call uses the method or the state that it shares.
  template <typename Work>
  Status Alone(const char* what, const Work& work) const;
  PlannedMemory* SharedMemory() const;
  Span<uint8_t> SharedRoom() const;
  void ForgetInputs();
  Status ExecuteAlone();
  Status Run();
  Status RunStep(const Step& step, size_t* next);
  Status WithName(Status status) const;

  Ref<Program> program_;
  std::string_view name_;
  uint64_t max_instructions_per_run_ = 0;
  Allocator allocator_{};

  // Built once by MethodBuilder; afterwards only what they point to changes.
  Array<Value> values_;
  Array<Tensor> tensors_;
  Array<int32_t> sizes_;      // of all tensors
  Array<Value*> list_items_;  // of all lists of values
  Array<bool> bools_;         // of all bool lists
  Array<double> doubles_;     // of all double lists
  Array<Value*> arguments_;   // of all steps
  Array<Value*> inputs_;
  Array<Value*> outputs_;
  Array<Operator> operators_;  // by index in the program
  Array<Step> steps_;
  Ref<PlannedMemory> memory_;
  Ref<SharedState> shared_state_;                 // null: all of its state is in memory_
  Array<Ref<const RefCounted>> constant_owners_;  // of initial contents and constants used in place

  // Destroyed first: delegates may point into all of the above.
  Array<Ref<BackendSession>> sessions_;  // by backend; null: it has no delegate
  Array<Ref<Delegate>> delegates_;
  Array<size_t> delegate_sessions_;  // by delegate

  Array<bool> uses_data_;  // by entry; empty: none
  Array<bool> input_is_set_;
  mutable std::atomic<bool> is_running_{false};  // or is being changed otherwise
};

}  // namespace onepack

#endif  // ONEPACK_METHOD_H_
