#include "delegate/running/runtime_pool.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace onepack {
namespace {

constexpr ptrdiff_t kPlansKept = 2;

std::list<Lane> CutOut(std::list<Lane>& from, std::list<Lane>::iterator lane) {
  std::list<Lane> taken;
  taken.splice(taken.end(), from, lane);
  return taken;
}

}  // namespace

Result<Lane> Lane::Create() {
  xnn_workspace_t workspace = nullptr;
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_create_workspace(&workspace), "creating a workspace");
  Lane lane;
  lane.workspace_.reset(workspace);
  return lane;
}

Lane::Runtimes* Lane::Find(const Digest& structure) {
  const auto found = runtimes_.find(structure);
  return found != runtimes_.end() ? &found->second : nullptr;
}

void Lane::MakeRoom(const Digest& structure, DelegateRuntime::UserId user) {
  Runtimes* runtimes = Find(structure);
  if (runtimes == nullptr) return;
  // Runtimes that depend on other delegates are of no use to this one, and not in its way.
  const auto is_counted = [user](const auto& runtime) {
    return runtime->owner().value_or(user) == user;
  };
  const auto count = std::count_if(runtimes->begin(), runtimes->end(), is_counted);
  if (count < kPlansKept) return;
  const auto last = std::find_if(runtimes->rbegin(), runtimes->rend(), is_counted);
  runtimes->erase(std::next(last).base());
}

DelegateRuntime* Lane::Add(const Digest& structure, std::unique_ptr<DelegateRuntime> runtime) {
  Runtimes& runtimes = runtimes_[structure];
  return runtimes.insert(runtimes.begin(), std::move(runtime))->get();
}

void Lane::RemoveCondemned() {
  for (auto entry = runtimes_.begin(); entry != runtimes_.end();) {
    Runtimes& runtimes = entry->second;
    const auto is_condemned = [](const auto& runtime) { return runtime->is_condemned(); };
    runtimes.erase(std::remove_if(runtimes.begin(), runtimes.end(), is_condemned), runtimes.end());
    entry = runtimes.empty() ? runtimes_.erase(entry) : std::next(entry);
  }
}

void Lane::Clear() {
  runtimes_.clear();
  is_spoiled_ = false;
}

RuntimePool::Lease::~Lease() {
  if (!lane_.empty()) pool_->GiveBack(std::move(lane_));
}

Result<RuntimePool::Lease> RuntimePool::Take(const Digest& structure, DelegateRuntime::UserId user,
                                             const Lane* last) {
  {
    const std::lock_guard<ForkSafeMutex> lock(mutex_);
    const auto chosen = Choose(structure, user, last);
    if (chosen != idle_.end()) return Lease(this, CutOut(idle_, chosen));
  }
  return TakeNew();
}

std::list<Lane>::iterator RuntimePool::Choose(const Digest& structure, DelegateRuntime::UserId user,
                                              const Lane* last) {
  auto best = idle_.end();
  int best_rank = 0;
  for (auto lane = idle_.begin(); lane != idle_.end(); ++lane) {
    const Lane::Runtimes* runtimes = lane->Find(structure);
    if (runtimes != nullptr && runtimes->front()->user() == user) return lane;
    const int rank = 1 + (runtimes != nullptr ? 2 : 0) + (&*lane == last ? 1 : 0);
    if (rank <= best_rank) continue;
    best = lane;
    best_rank = rank;
  }
  return best;
}

Result<RuntimePool::Lease> RuntimePool::TakeToFill(const Lane* last) {
  if (last != nullptr) {
    const std::lock_guard<ForkSafeMutex> lock(mutex_);
    const auto found = std::find_if(idle_.begin(), idle_.end(),
                                    [last](const Lane& lane) { return &lane == last; });
    if (found != idle_.end()) return Lease(this, CutOut(idle_, found));
  }
  return TakeNew();
}

Result<RuntimePool::Lease> RuntimePool::TakeNew() {
  ONEPACK_ASSIGN_OR_RETURN(Lane lane, Lane::Create());
  std::list<Lane> taken;
  taken.push_back(std::move(lane));
  return Lease(this, std::move(taken));
}

// Deleting a runtime may unmap a file and run the application's code, so it is not done under the
// mutex; the lane is in no other use meanwhile.
void RuntimePool::GiveBack(std::list<Lane> lane) {
  while (!lane.front().is_spoiled()) {
    {
      const std::lock_guard<ForkSafeMutex> lock(mutex_);
      if (lane.front().departures_ == departures_) {
        if (!lane.front().is_empty()) idle_.splice(idle_.begin(), lane);
        return;
      }
      CondemnUnused(lane.front());
      lane.front().departures_ = departures_;
    }
    lane.front().RemoveCondemned();
  }
}

void RuntimePool::Join(const Digest& structure, DelegateRuntime::UserId user) {
  const std::lock_guard<ForkSafeMutex> lock(mutex_);
  structures_[structure].users.insert(user);
}

void RuntimePool::Leave(const Digest& structure, DelegateRuntime::UserId user) {
  std::list<Lane> affected;
  {
    const std::lock_guard<ForkSafeMutex> lock(mutex_);
    const auto found = structures_.find(structure);
    found->second.users.erase(user);
    const bool is_last = found->second.users.empty();
    if (is_last) structures_.erase(found);
    ++departures_;
    for (auto lane = idle_.begin(); lane != idle_.end();) {
      const auto next = std::next(lane);
      const Lane::Runtimes* runtimes = lane->Find(structure);
      const bool is_affected =
          runtimes != nullptr &&
          std::any_of(runtimes->begin(), runtimes->end(),
                      [&](const auto& runtime) { return is_last || runtime->owner() == user; });
      if (is_affected) affected.splice(affected.end(), idle_, lane);
      lane = next;
    }
  }
  while (!affected.empty()) GiveBack(CutOut(affected, affected.begin()));
}

void RuntimePool::CondemnUnused(Lane& lane) const {
  for (const auto& [structure, runtimes] : lane.runtimes_) {
    const auto found = structures_.find(structure);
    for (const auto& runtime : runtimes) {
      const bool is_wanted =
          found != structures_.end() &&
          (!runtime->owner() || found->second.users.count(*runtime->owner()) > 0);
      if (!is_wanted) runtime->Condemn();
    }
  }
}

bool RuntimePool::Knows(const Digest& structure) const {
  const std::lock_guard<ForkSafeMutex> lock(mutex_);
  const auto known = structures_.find(structure);
  return known != structures_.end() && known->second.is_known;
}

void RuntimePool::Learn(const Digest& structure) {
  const std::lock_guard<ForkSafeMutex> lock(mutex_);
  structures_.at(structure).is_known = true;
}

RuntimePoolStats RuntimePool::Stats() const {
  const std::lock_guard<ForkSafeMutex> lock(mutex_);
  RuntimePoolStats stats;
  stats.structures = structures_.size();
  stats.idle_lanes = idle_.size();
  for (const Lane& lane : idle_) {
    for (const auto& [structure, runtimes] : lane.runtimes_) stats.idle_runtimes += runtimes.size();
  }
  return stats;
}

}  // namespace onepack
