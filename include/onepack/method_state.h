// A saved copy of a method's mutable state: the KV cache after a long prompt, for instance.
//
// Ownership: counted; keeps the program it belongs to.
// Threads:   read only once it is made: from any thread.
// Memory:    that of the blocks which are not all zero. A program does not say which of its planned
//            buffers are state, so what is left of the last run's activations is in it too.
// Parts:     blocks of the method's memory that are not all zero. Kept in a
//            file, for instance, they become a state again with Method::StateOfParts.

#ifndef ONEPACK_METHOD_STATE_H_
#define ONEPACK_METHOD_STATE_H_

#include <stddef.h>
#include <stdint.h>

#include <string_view>

#include "onepack/array.h"
#include "onepack/export.h"
#include "onepack/program.h"
#include "onepack/ref.h"
#include "onepack/result.h"
#include "onepack/span.h"

namespace onepack {

class PlannedMemory;

// Told where a method's state is in memory (Method::VisitStatePages). The same place again is the
// same pages: forks have in common what they have not written, and methods what they share.
struct StatePageVisitor {
  void (*visit)(void* context, const void* place, size_t bytes) = nullptr;
  void* context = nullptr;

  void operator()(const void* place, size_t bytes) const { visit(context, place, bytes); }
};

class ONEPACK_API MethodState final : public RefCounted {
 public:
  // Memory is saved in blocks; a method's is a number of whole ones.
  static constexpr size_t kBlock = 4096;

  size_t size_bytes() const { return contents_.size() + blocks_.size() * sizeof(blocks_[0]); }

  // Changes when the same program's tensors get other places in its memory, or blocks another size.
  static constexpr uint32_t kLayoutVersion = 1;

  size_t memory_size() const { return memory_size_; }
  Span<const uint64_t> blocks() const { return blocks_; }
  Bytes contents() const { return contents_; }

 private:
  friend class Method;
  template <typename U, typename... Arguments>
  friend Result<Ref<U>> MakeRef(const Allocator& allocator, Arguments&&... arguments);

  MethodState() = default;

  // Of a method's own memory and then of that which it shares; null: none.
  static Result<Ref<MethodState>> Of(const PlannedMemory& own, const PlannedMemory* shared,
                                     const Allocator& allocator);
  // Errors: kInvalidArgument for parts that no memory of this size has.
  static Result<Ref<MethodState>> OfParts(size_t memory_size, Array<uint64_t> blocks,
                                          Array<uint8_t> contents, const Allocator& allocator);
  // REQUIRES: both are as large as they were, and all zeros.
  void CopyTo(Span<uint8_t> own, Span<uint8_t> shared) const;

  Ref<Program> program_;
  std::string_view method_name_;  // the program's own
  size_t memory_size_ = 0;
  Array<uint64_t> blocks_;   // which ones are not zero, ascending; those that are shared last
  Array<uint8_t> contents_;  // theirs, one after the other
};

}  // namespace onepack

#endif  // ONEPACK_METHOD_STATE_H_
