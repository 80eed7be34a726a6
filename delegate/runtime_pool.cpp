#include "delegate/runtime_pool.h"

#include <utility>

namespace onepack {

Result<Lane> Lane::Create() {
  xnn_workspace_t workspace = nullptr;
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_create_workspace(&workspace), "creating a workspace");
  Lane lane;
  lane.workspace.reset(workspace);
  return lane;
}

DelegateRuntime* Lane::Find(const Digest& structure) const {
  const auto found = runtimes.find(structure);
  return found != runtimes.end() ? found->second.get() : nullptr;
}

void Lane::Clear() {
  runtimes.clear();
  is_spoiled = false;
}

RuntimePool::Lease::~Lease() {
  if (!lane_.empty()) pool_->GiveBack(std::move(lane_));
}

Result<RuntimePool::Lease> RuntimePool::Take(const Digest& structure, DelegateRuntime::UserId user,
                                             const Lane* last) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto chosen = Choose(structure, user, last);
    if (chosen != idle_.end()) {
      std::list<Lane> lane;
      lane.splice(lane.end(), idle_, chosen);
      return Lease(this, std::move(lane));
    }
  }
  return TakeNew();
}

std::list<Lane>::iterator RuntimePool::Choose(const Digest& structure, DelegateRuntime::UserId user,
                                              const Lane* last) {
  auto best = idle_.end();
  int best_rank = 0;
  for (auto lane = idle_.begin(); lane != idle_.end(); ++lane) {
    const DelegateRuntime* runtime = lane->Find(structure);
    if (runtime != nullptr && runtime->user() == user) return lane;
    const int rank = 1 + (runtime != nullptr ? 2 : 0) + (&*lane == last ? 1 : 0);
    if (rank <= best_rank) continue;
    best = lane;
    best_rank = rank;
  }
  return best;
}

Result<RuntimePool::Lease> RuntimePool::TakeNew() {
  ONEPACK_ASSIGN_OR_RETURN(Lane lane, Lane::Create());
  std::list<Lane> taken;
  taken.push_back(std::move(lane));
  return Lease(this, std::move(taken));
}

void RuntimePool::GiveBack(std::list<Lane> lane) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (DropRuntimesOfNobody(lane.front())) idle_.splice(idle_.begin(), lane);
}

void RuntimePool::Join(const Digest& structure) {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++structures_[structure].users;
}

void RuntimePool::Leave(const Digest& structure) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = structures_.find(structure);
  if (--found->second.users > 0) return;
  structures_.erase(found);
  ++departures_;
  idle_.remove_if([this](Lane& lane) { return !DropRuntimesOfNobody(lane); });
}

// False if nothing is left.
bool RuntimePool::DropRuntimesOfNobody(Lane& lane) const {
  if (lane.departures != departures_) {
    for (auto runtime = lane.runtimes.begin(); runtime != lane.runtimes.end();) {
      const bool is_used = structures_.count(runtime->first) > 0;
      runtime = is_used ? std::next(runtime) : lane.runtimes.erase(runtime);
    }
    lane.departures = departures_;
  }
  return !lane.runtimes.empty();
}

bool RuntimePool::Knows(const Digest& structure, std::vector<WeightTable::Entry>* entries) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto known = structures_.find(structure);
  if (known == structures_.end() || !known->second.is_known) return false;
  if (entries != nullptr) *entries = known->second.entries;
  return true;
}

void RuntimePool::Learn(const Digest& structure, const std::vector<WeightTable::Entry>& entries) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Structure& known = structures_.at(structure);
  known.entries = entries;
  known.is_known = true;
}

RuntimePoolStats RuntimePool::Stats() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  RuntimePoolStats stats;
  stats.structures = structures_.size();
  stats.idle_lanes = idle_.size();
  for (const Lane& lane : idle_) stats.idle_runtimes += lane.runtimes.size();
  return stats;
}

}  // namespace onepack
