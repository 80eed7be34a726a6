// The runtimes that the methods of a backend take turns with.
//
// A runtime belongs to a structure, not to a program: the layers of a model run with a handful of
// them, and so do all adapters of a foundation. They stand in lanes. A lane has a workspace of
// XNNPACK's, whose runtimes run one after another; whoever runs a delegate takes a lane for as long
// as that takes. So there come to be as many lanes as programs run at the same time, however many
// are loaded.
//
// clang-format off
//   Take finds an idle lane with a runtime of the structure   that one: the delegate's own of the
//                                                             last time first, then one of the
//                                                             method's last lane
//   else an idle lane                                         that one; the caller adds a runtime
//   else                                                      a new lane
// clang-format on
//
// A runtime goes with the last delegate of its structure, a lane with its last runtime.
//
// Threads: any. Nothing is waited for but the mutex, which is held for a few instructions, or while
//          runtimes are deleted.

#ifndef ONEPACK_DELEGATE_RUNTIME_POOL_H_
#define ONEPACK_DELEGATE_RUNTIME_POOL_H_

#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "delegate/delegate_runtime.h"
#include "weight_cache/digest.h"

namespace onepack {

// Of one user at a time.
struct Lane {
  static Result<Lane> Create();
  // Null if it has none.
  DelegateRuntime* Find(const Digest& structure) const;
  void Clear();

  XnnWorkspace workspace;  // outlives the runtimes
  std::unordered_map<Digest, std::unique_ptr<DelegateRuntime>, DigestHash> runtimes;
  size_t departures = 0;    // that were seen to: see RuntimePool::departures_
  bool is_spoiled = false;  // nothing in it must run any more
};

struct RuntimePoolStats {
  size_t structures = 0;     // that some delegate has
  size_t idle_lanes = 0;
  size_t idle_runtimes = 0;  // in them
};

class RuntimePool {
 public:
  // A lane that is taken, and given back in the end.
  class Lease {
   public:
    Lease(Lease&& other) noexcept : pool_(other.pool_) { lane_.swap(other.lane_); }
    Lease& operator=(Lease&& other) = delete;
    ~Lease();

    Lane& lane() { return lane_.front(); }
    // Deletes the lane instead of giving it back.
    void Discard() { lane_.clear(); }

   private:
    friend class RuntimePool;
    Lease(RuntimePool* pool, std::list<Lane> lane) : pool_(pool), lane_(std::move(lane)) {}

    RuntimePool* pool_;
    std::list<Lane> lane_;  // one; a list's nodes are moved without allocating
  };

  // `user` and `last` may be of nobody: they are preferences. Errors: kResourceExhausted.
  Result<Lease> Take(const Digest& structure, DelegateRuntime::UserId user, const Lane* last);
  // One that nobody else has seen, to be filled.
  Result<Lease> TakeNew();

  // A delegate says that it is there, and later that it is not. May throw std::bad_alloc.
  void Join(const Digest& structure);
  void Leave(const Digest& structure);

  // What the runtimes of a structure have in their tables, once one was created: then true. May
  // throw std::bad_alloc.
  bool Knows(const Digest& structure, std::vector<WeightTable::Entry>* entries = nullptr) const;
  // REQUIRES: joined.
  void Learn(const Digest& structure, const std::vector<WeightTable::Entry>& entries);

  RuntimePoolStats Stats() const;

 private:
  struct Structure {
    size_t users = 0;
    bool is_known = false;
    std::vector<WeightTable::Entry> entries;
  };

  void GiveBack(std::list<Lane> lane);
  // The mutex is held.
  std::list<Lane>::iterator Choose(const Digest& structure, DelegateRuntime::UserId user,
                                   const Lane* last);
  bool DropRuntimesOfNobody(Lane& lane) const;

  mutable std::mutex mutex_;
  // Guarded by it.
  std::list<Lane> idle_;
  std::unordered_map<Digest, Structure, DigestHash> structures_;
  size_t departures_ = 0;  // of last delegates of a structure
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_RUNTIME_POOL_H_
