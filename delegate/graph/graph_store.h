// The graphs of delegates without the names of their constants. Where several delegates have the
// same bytes, as layers of a model and adapters of a foundation do, they are kept once.
//
// Threads: any.

#ifndef ONEPACK_DELEGATE_GRAPH_GRAPH_STORE_H_
#define ONEPACK_DELEGATE_GRAPH_GRAPH_STORE_H_

#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/digest.h"
#include "base/fork_safe_mutex.h"
#include "onepack/ref.h"
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
  // The SHA-256 of the bytes. None for old files, which have the constants in the graph.
  std::optional<Digest> id;
};

class GraphStore {
 public:
  using GraphPtr = std::shared_ptr<const NamelessGraph>;

  // Null if there is none in use that was verified for so many bytes of constants.
  GraphPtr Find(const Digest& id, uint64_t constant_data_size) const;

  // The one that is there, if another thread was faster, else `graph`, which is there from now on.
  // REQUIRES: it has an id. May throw std::bad_alloc.
  GraphPtr Add(GraphPtr graph);

  // Those that are no longer in use, and were not cleared away yet, included.
  size_t size() const;

 private:
  using Key = std::pair<Digest, uint64_t>;  // id and constant_data_size
  struct KeyHash {
    size_t operator()(const Key& key) const { return DigestHash()(key.first) + key.second; }
  };

  void EraseExpired();

  mutable ForkSafeMutex mutex_;
  // Guarded by it.
  std::unordered_map<Key, std::weak_ptr<const NamelessGraph>, KeyHash> graphs_;
  size_t size_to_clean_ = 64;  // when there are so many, the expired ones go
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_GRAPH_GRAPH_STORE_H_
