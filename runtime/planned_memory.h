// Memory that a program plans for, and what it holds before the first run.
//
// Ownership: counted; of initial contents the bytes are a view.
// Forks:     a memory and its forks have what was there at the time once, until one of them writes
//            to a page of it (page_snapshot.h).
// Threads:   belongs to one thread at a time.

#ifndef ONEPACK_RUNTIME_PLANNED_MEMORY_H_
#define ONEPACK_RUNTIME_PLANNED_MEMORY_H_

#include <stddef.h>
#include <stdint.h>

#include "base/mapping.h"
#include "onepack/array.h"
#include "onepack/method_state.h"
#include "onepack/ref.h"
#include "onepack/result.h"
#include "onepack/span.h"
#include "runtime/page_snapshot.h"

namespace onepack {

// What numbers in a program may make it plan for: `given`, or for 0 the memory of the machine.
uint64_t MostPlannedBytes(uint64_t given);
// kResourceExhausted for more than `most`.
Status CheckPlannedBytes(size_t bytes, uint64_t most);

class PageMap;

class PlannedMemory final : public RefCounted {
 public:
  // Zeros, `size` of them at least, which cost memory only where touched; in whole blocks of a
  // saved state (MethodState). `initial_count`: how often AddInitial will be called.
  static Result<Ref<PlannedMemory>> Create(size_t size, size_t initial_count,
                                           const Allocator& allocator);

  uint8_t* data() const { return memory_.data(); }
  size_t size() const { return memory_.size(); }
  Bytes bytes() const { return memory_.bytes(); }
  Span<uint8_t> room() const { return {memory_.data(), memory_.size()}; }

  // Copies `from` to `to`, in here, now and at each Reset.
  void AddInitial(Bytes from, uint8_t* to);

  void SetToZero();
  void Reset();

  // To be called before anything else writes to it.
  void WillChange() { is_as_forked_ = false; }

  // Another memory with the same bytes. Where this one has changed since its last fork, what has
  // changed is copied once, for this one and all of its forks until it changes again. That copy is
  // kept until SetToZero, Reset, or a next Fork after changes: pages that this one writes meanwhile
  // are there twice, even if no fork is left. Errors: those of PageSnapshot; this one has then the
  // same bytes, but for kInternal (Mapping::ShowFile), when part of it is lost.
  Result<Ref<PlannedMemory>> Fork(const Allocator& allocator);

  // Where `pointer` into `from` points in this one, a fork of it; other pointers stay.
  template <typename T>
  T* Moved(T* pointer, const PlannedMemory& from) const {
    const size_t offset =
        reinterpret_cast<uintptr_t>(pointer) - reinterpret_cast<uintptr_t>(from.data());
    return offset < size() ? reinterpret_cast<T*>(data() + offset) : pointer;
  }

  // Those that it has for itself, and those that it shows of snapshots.
  void VisitPages(const StatePageVisitor& visitor) const;

  // Whether its block of that number (MethodState::kBlock) was never written to, which is cheaper
  // to ask than to read it. False where that is not known.
  bool IsUntouched(size_t block, PageMap& pages) const;

 private:
  template <typename U, typename... Arguments>
  friend Result<Ref<U>> MakeRef(const Allocator& allocator, Arguments&&... arguments);

  struct InitialContent {
    Bytes from;
    uint8_t* to = nullptr;

    void Copy() const;
  };

  PlannedMemory() = default;

  size_t OwnBytes() const;

  Mapping memory_;
  Ref<const PageSnapshot> snapshot_;  // what pages show that were not written since; null: zeros
  bool is_as_forked_ = false;         // nothing was written since
  Array<InitialContent> initial_contents_;
  size_t initial_used_ = 0;
};

}  // namespace onepack

#endif  // ONEPACK_RUNTIME_PLANNED_MEMORY_H_
