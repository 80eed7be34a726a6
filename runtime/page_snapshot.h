// What was in a memory at one time, in a sealed file in memory that any number of memories show
// without a copy. The system copies a page for the one that writes to it.
//
// A memory that shows a snapshot and has changed since needs no copy of the rest: its next snapshot
// has what changed, and lies on the one before. One below that is no larger than what is new is
// copied with it, so that there are few.
//
// Each run of pages (page_runs.h) is a mapping in each memory that shows it, and splits the one it
// lies in: n runs take at most 2 n + 1 mappings of the 65,530 that a process may have as a rule. A
// memory has at most 2 * PageRuns::kMost runs: those of the lowest snapshot, and of all others
// together. A state in more places than PageRuns::kMost has some of its runs joined: what is
// between them, and not zero, is copied with each snapshot.
//
// Ownership: counted; keeps those below.
// Threads:   never changes: from any thread.
// Errors:    kResourceExhausted for memory, address space, descriptors; kUnsupported where the
//            system has no files in memory.
//
// Pages are the system's. Where it does not say which ones were written (page_map.h), all of them
// may have been: then a snapshot is a copy of all that is not zero.

#ifndef ONEPACK_RUNTIME_PAGE_SNAPSHOT_H_
#define ONEPACK_RUNTIME_PAGE_SNAPSHOT_H_

#include <stddef.h>

#include <utility>

#include "base/fd.h"
#include "base/mapping.h"
#include "onepack/method_state.h"
#include "onepack/ref.h"
#include "onepack/result.h"
#include "runtime/page_runs.h"

namespace onepack {

class PageSnapshot final : public RefCounted {
 public:
  // Of `memory`, which shows `shown` where it was not written since; null: zeros. `shown` itself
  // if nothing was written.
  static Result<Ref<const PageSnapshot>> Take(const Mapping& memory,
                                              const Ref<const PageSnapshot>& shown,
                                              const Allocator& allocator);

  // `memory`, which is all zeros, becomes as it was then.
  Status ShowIn(Mapping& memory) const;
  // The same for the memory that it was taken of, whose own pages go back to the system. After
  // kResourceExhausted it has the same bytes, and some of its pages are still its own; kInternal
  // is that of Mapping::ShowFile.
  Status ShowInOrigin(Mapping& memory) const;

  // Whether the page may be not all zero. (To read one of zeros would take memory for it, in the
  // file too.)
  bool Has(size_t page) const;

  // Those of its file, and of those below it.
  void VisitPages(const StatePageVisitor& visitor) const;

 private:
  template <typename U, typename... Arguments>
  friend Result<Ref<U>> MakeRef(const Allocator& allocator, Arguments&&... arguments);

  // That lie on each other. One more, and the uppermost become one.
  static constexpr size_t kMostHigh = 8;

  PageSnapshot(Fd file, const PageRuns& runs, Ref<const PageSnapshot> below)
      : file_(std::move(file)),
        runs_(runs),
        below_(std::move(below)),
        height_(below_ ? below_->height_ + 1 : 1),
        runs_above_lowest_(below_ ? below_->runs_above_lowest_ + runs_.count() : 0) {}

  bool IsBetterCopiedWith(const PageRuns& runs) const;

  const Fd file_;  // a page is where it is in the memory; what is in no run is a hole
  const PageRuns runs_;
  const Ref<const PageSnapshot> below_;
  const size_t height_;
  const size_t runs_above_lowest_;  // its own, and of those below it but the lowest
};

}  // namespace onepack

#endif  // ONEPACK_RUNTIME_PAGE_SNAPSHOT_H_
