// The runtimes that the methods of a backend take turns with.
//
// A runtime belongs to a structure, not to a program: the layers of a model run with a handful of
// them, and so do all adapters of a foundation. They stand in lanes. A lane has a workspace of
// XNNPACK's, whose runtimes run one after another; a run of a delegate takes a lane for as long
// as that takes. So lanes go with what runs at the same time, and with the loads that brought new
// structures, not with the number of programs.
//
// clang-format off
//   Take finds an idle lane with a runtime of the structure   that one: the delegate's own of the
//                                                             last time first, then one of the
//                                                             method's last lane
//   else an idle lane                                         that one; the caller adds a runtime
//   else                                                      a new lane
// clang-format on
//
// A runtime goes with the last delegate of its structure, and with the delegate whose files it
// depends on; a lane, and what its workspace grew to, with its last runtime.
//
// Threads: any. Nothing is waited for but the mutex, under which nothing is created, deleted or
//          run.

#ifndef ONEPACK_DELEGATE_RUNNING_RUNTIME_POOL_H_
#define ONEPACK_DELEGATE_RUNNING_RUNTIME_POOL_H_

#include <list>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/digest.h"
#include "base/fork_safe_mutex.h"
#include "delegate/graph/graph_store.h"
#include "delegate/running/delegate_runtime.h"

namespace onepack {

// Of one user at a time.
class Lane {
 public:
  // The latest used first. Two at most: where XNNPACK plans one row and many differently, a method
  // that is prompted and one that decodes would otherwise have a runtime created again at every
  // turn.
  using Runtimes = std::vector<std::unique_ptr<DelegateRuntime>>;

  static Result<Lane> Create();

  xnn_workspace_t workspace() const { return workspace_.get(); }
  // Null if it has none.
  Runtimes* Find(const Digest& structure);
  // For one that is about to be created for `user`.
  void MakeRoom(const Digest& structure, DelegateRuntime::UserId user);
  DelegateRuntime* Add(const Digest& structure, std::unique_ptr<DelegateRuntime> runtime);
  void Remove(const Digest& structure) { runtimes_.erase(structure); }
  void RemoveCondemned();
  void Clear();

  bool is_empty() const { return runtimes_.empty(); }
  // Nothing in it must run any more.
  bool is_spoiled() const { return is_spoiled_; }
  void Spoil() { is_spoiled_ = true; }

 private:
  friend class RuntimePool;

  XnnWorkspace workspace_;                                     // outlives the runtimes
  std::unordered_map<Digest, Runtimes, DigestHash> runtimes_;  // none without a runtime
  bool is_spoiled_ = false;
  size_t departures_ = 0;  // that were seen to: see RuntimePool::departures_
};

struct RuntimePoolStats {
  size_t structures = 0;  // that some delegate has
  size_t idle_lanes = 0;
  size_t idle_runtimes = 0;  // in them
};

class RuntimePool {
 public:
  // A lane that is taken, and given back in the end, or deleted if it is spoiled.
  class Lease {
   public:
    Lease(Lease&& other) noexcept : pool_(other.pool_) { lane_.swap(other.lane_); }
    Lease& operator=(Lease&& other) = delete;
    ~Lease();

    Lane& lane() { return lane_.front(); }

   private:
    friend class RuntimePool;
    Lease(RuntimePool* pool, std::list<Lane> lane) : pool_(pool), lane_(std::move(lane)) {}

    RuntimePool* pool_;
    std::list<Lane> lane_;  // one; a list's nodes are moved without allocating
  };

  // `user` and `last` are preferences, and may no longer exist. Errors: kResourceExhausted.
  Result<Lease> Take(const Digest& structure, DelegateRuntime::UserId user, const Lane* last);
  // To be filled by a load: `last`, if it is idle and still there, else a new one.
  Result<Lease> TakeToFill(const Lane* last);

  // A delegate says that it is there, and later that it is not. May throw std::bad_alloc.
  void Join(const Digest& structure, DelegateRuntime::UserId user);
  void Leave(const Digest& structure, DelegateRuntime::UserId user);

  // Whether XNNPACK has created a runtime of the structure, which some delegate has. Then a load
  // needs none.
  bool Knows(const Digest& structure) const;
  // REQUIRES: joined.
  void Learn(const Digest& structure);

  // Of the delegates that share this pool.
  GraphStore& graphs() { return graphs_; }

  RuntimePoolStats Stats() const;

 private:
  struct Structure {
    std::unordered_set<DelegateRuntime::UserId> users;
    bool is_known = false;
  };

  Result<Lease> TakeNew();
  void GiveBack(std::list<Lane> lane);
  // For both, the mutex is held.
  std::list<Lane>::iterator Choose(const Digest& structure, DelegateRuntime::UserId user,
                                   const Lane* last);
  void CondemnUnused(Lane& lane) const;

  GraphStore graphs_;

  mutable ForkSafeMutex mutex_;
  // Guarded by it.
  std::list<Lane> idle_;
  std::unordered_map<Digest, Structure, DigestHash> structures_;
  size_t departures_ = 0;  // of delegates
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_RUNNING_RUNTIME_POOL_H_
