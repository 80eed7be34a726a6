// Which methods of a program keep state in one memory.
//
// The exporter's `share_mutable_buffers` puts every buffer of the module that some method changes
// in planned buffer 2, at the same place in all methods, and all else in buffer 1. The file says no
// more than that. What tells such a program from one that has several planned buffers for other
// reasons: its buffer 2 holds nothing that a method is given or computes a place for, and where
// tensors of two methods meet there, they are the same bytes.
//
// Ownership: a view of the program. Threads: immutable; any thread.

#ifndef ONEPACK_SCHEMA_STATE_SHARING_H_
#define ONEPACK_SCHEMA_STATE_SHARING_H_

#include <stddef.h>
#include <stdint.h>

#include "onepack/array.h"
#include "onepack/result.h"
#include "onepack/span.h"

namespace onepack {

namespace wire::program {
struct ExecutionPlan;
struct Program;
struct Tensor;
}  // namespace wire::program

// A tensor of a method in the memory that methods share.
struct SharedTensor {
  const wire::program::Tensor* wire = nullptr;
  size_t method = 0;  // its index
  uint64_t offset = 0;
  size_t size_bytes = 0;
};

class StateSharing {
 public:
  // The planned buffer that may be shared.
  static constexpr uint32_t kBuffer = 2;

  // REQUIRES: a verified program. Takes no memory unless two methods have such a buffer.
  // Errors: kResourceExhausted.
  static Result<StateSharing> Of(const wire::program::Program& program, const Allocator& allocator);

  // Whether a method has such a buffer at all; only then may it share.
  static bool MayShare(const wire::program::ExecutionPlan& plan);

  bool Shares(size_t method) const { return !shares_.empty() && shares_[method]; }
  // Of the memory that holds the state of all of them.
  size_t size_bytes() const { return size_bytes_; }
  // Those of the methods that share, by offset. Several may be in one place.
  Span<const SharedTensor> tensors() const { return {tensors_.data(), tensor_count_}; }

 private:
  StateSharing() = default;

  Status Collect(const wire::program::Program& program, const Allocator& allocator);
  bool IsConsistent() const;
  void FindMethods(const wire::program::Program& program);

  Array<SharedTensor> tensors_;
  size_t tensor_count_ = 0;
  Array<bool> shares_;  // by method; empty: none does
  size_t size_bytes_ = 0;
};

}  // namespace onepack

#endif  // ONEPACK_SCHEMA_STATE_SHARING_H_
