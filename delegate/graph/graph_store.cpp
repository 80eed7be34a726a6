#include "delegate/graph/graph_store.h"

#include <iterator>

namespace onepack {

GraphStore::GraphPtr GraphStore::Find(const Digest& id, uint64_t constant_data_size) const {
  const std::lock_guard<ForkSafeMutex> lock(mutex_);
  const auto found = graphs_.find(Key(id, constant_data_size));
  return found != graphs_.end() ? found->second.lock() : nullptr;
}

GraphStore::GraphPtr GraphStore::Add(GraphPtr graph) {
  const std::lock_guard<ForkSafeMutex> lock(mutex_);
  if (graphs_.size() >= size_to_clean_) EraseExpired();
  std::weak_ptr<const NamelessGraph>& known = graphs_[Key(*graph->id, graph->constant_data_size)];
  if (GraphPtr alive = known.lock()) return alive;
  known = graph;
  return graph;
}

size_t GraphStore::size() const {
  const std::lock_guard<ForkSafeMutex> lock(mutex_);
  return graphs_.size();
}

// The mutex is held.
void GraphStore::EraseExpired() {
  for (auto graph = graphs_.begin(); graph != graphs_.end();) {
    graph = graph->second.expired() ? graphs_.erase(graph) : std::next(graph);
  }
  size_to_clean_ = 2 * graphs_.size() + 64;
}

}  // namespace onepack
