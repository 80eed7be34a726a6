// The graphs of delegates without the names of their constants. Where several delegates have the
// same bytes, as layers of a model and adapters of a foundation do, they are kept once.
//
// Threads: any.

#ifndef ONEPACK_DELEGATE_GRAPH_GRAPH_STORE_H_
#define ONEPACK_DELEGATE_GRAPH_GRAPH_STORE_H_

#include <stdint.h>

#include <map>
#include <memory>
#include <optional>

#include "base/digest.h"
#include "base/fork_safe_mutex.h"
#include "onepack/ref.h"
#include "onepack/span.h"
#include "runtime/aligned_copy.h"
#include "schema/verify_payload.h"

namespace onepack {

// Verified; immutable.
struct NamelessGraph {
  Ref<const AlignedCopy> bytes;
  const wire::xnnpack::XNNGraph* root = nullptr;  // in *bytes
  // Verified for a payload with so many bytes of constants: the rest of a payload's header says
  // only where the graph is.
  uint64_t constant_data_size = 0;
  // A number of this process that no other graph has had. None for old files, which have the
  // constants in the graph.
  std::optional<Digest> id;
};

class GraphStore {
 public:
  using GraphPtr = std::shared_ptr<const NamelessGraph>;

  // Null if there is none in use that has these bytes and was verified for so many of constants.
  GraphPtr Find(Bytes bytes, uint64_t constant_data_size) const;

  // The one that is there, if another thread was faster, else `graph`, which is there from now on,
  // for as long as it is used. May throw std::bad_alloc.
  GraphPtr Add(NamelessGraph graph);

  size_t size() const;

 private:
  struct Key {
    uint64_t constant_data_size;
    Bytes bytes;  // of the graph itself
  };
  // Compared byte by byte, and not hashed: a file could choose graphs that collide.
  struct KeyOrder {
    bool operator()(const Key& a, const Key& b) const;
  };
  // Graphs may be used for longer than the store.
  struct Table {
    mutable ForkSafeMutex mutex;
    std::map<Key, std::weak_ptr<const NamelessGraph>, KeyOrder> graphs;  // guarded by it
  };

  static Key KeyOf(const NamelessGraph& graph) {
    return {graph.constant_data_size, graph.bytes->bytes()};
  }
  static void Forget(Table& table, const NamelessGraph& graph);

  const std::shared_ptr<Table> table_ = std::make_shared<Table>();
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_GRAPH_GRAPH_STORE_H_
