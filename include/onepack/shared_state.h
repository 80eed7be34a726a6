// The state that methods of a program have together: a KV cache that "prefill" fills and "decode"
// goes on with, as the exporter's `share_mutable_buffers` plans it.
//
//     ONEPACK_ASSIGN_OR_RETURN(options.shared_state, SharedState::Create(program));
//     ONEPACK_ASSIGN_OR_RETURN(prefill, Method::Load(program, "prefill", options));
//     ONEPACK_ASSIGN_OR_RETURN(decode, Method::Load(program, "decode", options));
//
// For state of two conversations, for instance, make two of them and load each method with both. A
// method that shares its state is not loaded without one. A program without such state, and a
// method that needs none, may be given one as well: it does nothing.
//
// Ownership: counted; keeps the program. Every method that was loaded with it keeps it.
// Threads:   methods that share it may be loaded and closed on any threads, and run one at a time:
//            a concurrent run is refused (see method.h).
// Memory:    one mapping as large as the largest method's, touched where used. Initial values are
//            there from the start, whichever methods are loaded, and when.

#ifndef ONEPACK_SHARED_STATE_H_
#define ONEPACK_SHARED_STATE_H_

#include <stddef.h>
#include <stdint.h>

#include <atomic>

#include "onepack/array.h"
#include "onepack/export.h"
#include "onepack/program.h"
#include "onepack/ref.h"
#include "onepack/result.h"

namespace onepack {

class PlannedMemory;
struct SharedTensor;

class ONEPACK_API SharedState final : public RefCounted {
 public:
  ~SharedState() override;

  // `max_bytes`: as MethodOptions::max_planned_bytes. Errors: kResourceExhausted for more than
  // that; kInvalidFile for methods that give one buffer two initial values; kUnsupported for an
  // initial value in a data file. Every message names the program's file.
  static Result<Ref<SharedState>> Create(const Ref<Program>& program, uint64_t max_bytes = 0,
                                         const Allocator& allocator = HeapAllocator());

  // State of its own for other methods, which begins as this one is now: see Method::Fork, whose
  // errors it has. kFailedPrecondition while a method that shares this one runs.
  Result<Ref<SharedState>> Fork() const;

  const Program& program() const { return *program_; }
  // 0: no methods of the program share state.
  size_t size_bytes() const;
  // Whether the program's method, by its index, has its state here.
  bool Holds(size_t method) const { return method < holds_.size() && holds_[method]; }

 private:
  friend class Method;
  friend class MethodBuilder;
  template <typename U, typename... Arguments>
  friend Result<Ref<U>> MakeRef(const Allocator& allocator, Arguments&&... arguments);

  SharedState();

  Status Build(uint64_t max_bytes);
  Status BuildFork(const SharedState& from);
  Status AddInitialValues(Span<const SharedTensor> tensors);

  Allocator allocator_{};
  Ref<Program> program_;
  Array<bool> holds_;  // by method; empty: none holds it
  Ref<PlannedMemory> memory_;
  Array<Ref<const RefCounted>> owners_;       // of initial values
  mutable std::atomic<bool> is_used_{false};  // by a method that runs or changes it
};

}  // namespace onepack

#endif  // ONEPACK_SHARED_STATE_H_
