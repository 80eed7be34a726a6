#include "delegate/graph_store.h"

#include <iterator>

namespace onepack {

GraphStore::GraphPtr GraphStore::Find(const Digest& structure, uint64_t constant_data_size) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = graphs_.find(structure);
  GraphPtr graph = found != graphs_.end() ? found->second.lock() : nullptr;
  if (graph != nullptr && graph->constant_data_size != constant_data_size) return nullptr;
  return graph;
}

void GraphStore::Add(const GraphPtr& graph) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (graphs_.size() >= size_to_clean_) EraseExpired();
  graphs_[*graph->structure] = graph;
}

// The mutex is held.
void GraphStore::EraseExpired() {
  for (auto graph = graphs_.begin(); graph != graphs_.end();) {
    graph = graph->second.expired() ? graphs_.erase(graph) : std::next(graph);
  }
  size_to_clean_ = 2 * graphs_.size() + 64;
}

}  // namespace onepack
