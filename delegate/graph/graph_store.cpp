#include "delegate/graph/graph_store.h"

#include <string.h>

#include <mutex>
#include <utility>

namespace onepack {

bool GraphStore::KeyOrder::operator()(const Key& a, const Key& b) const {
  if (a.constant_data_size != b.constant_data_size) {
    return a.constant_data_size < b.constant_data_size;
  }
  if (a.bytes.size() != b.bytes.size()) return a.bytes.size() < b.bytes.size();
  return memcmp(a.bytes.data(), b.bytes.data(), a.bytes.size()) < 0;
}

GraphStore::GraphPtr GraphStore::Find(Bytes bytes, uint64_t constant_data_size) const {
  const std::lock_guard<ForkSafeMutex> lock(table_->mutex);
  const auto found = table_->graphs.find({constant_data_size, bytes});
  return found != table_->graphs.end() ? found->second.lock() : nullptr;
}

GraphStore::GraphPtr GraphStore::Add(NamelessGraph graph) {
  const auto destroy = [of = std::weak_ptr<Table>(table_)](const NamelessGraph* gone) {
    if (const std::shared_ptr<Table> table = of.lock()) Forget(*table, *gone);
    delete gone;
  };
  const GraphPtr added(new NamelessGraph(std::move(graph)), destroy);
  const std::lock_guard<ForkSafeMutex> lock(table_->mutex);
  const auto [known, is_new] = table_->graphs.try_emplace(KeyOf(*added), added);
  if (is_new) return added;
  if (GraphPtr alive = known->second.lock()) return alive;
  // It is about to forget itself. Its key is of bytes that go with it.
  auto entry = table_->graphs.extract(known);
  entry.key() = KeyOf(*added);
  entry.mapped() = added;
  table_->graphs.insert(std::move(entry));
  return added;
}

// Unless another graph of the same bytes has its place.
void GraphStore::Forget(Table& table, const NamelessGraph& graph) {
  const std::lock_guard<ForkSafeMutex> lock(table.mutex);
  const auto found = table.graphs.find(KeyOf(graph));
  if (found == table.graphs.end()) return;
  if (found->first.bytes.data() == graph.bytes->bytes().data()) table.graphs.erase(found);
}

size_t GraphStore::size() const {
  const std::lock_guard<ForkSafeMutex> lock(table_->mutex);
  return table_->graphs.size();
}

}  // namespace onepack
