// The graphs of delegates without the names of their constants: of a structure that several
// delegates have, as layers of a model and adapters of a foundation do, one is kept for all.
//
// Threads: any.

#ifndef ONEPACK_DELEGATE_GRAPH_STORE_H_
#define ONEPACK_DELEGATE_GRAPH_STORE_H_

#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "runtime/aligned_copy.h"
#include "schema/verify_payload.h"
#include "weight_cache/digest.h"

namespace onepack {

// Verified; immutable.
struct NamelessGraph {
  Ref<AlignedCopy> bytes;
  const wire::xnnpack::XNNGraph* root = nullptr;  // in *bytes
  // Verified for a payload with so many bytes of constants.
  uint64_t constant_data_size = 0;
  // Of the bytes. None for old files, which have the constants in the graph.
  std::optional<Digest> structure;
};

class GraphStore {
 public:
  using GraphPtr = std::shared_ptr<const NamelessGraph>;

  // Null if nobody has one, or only one that was verified for another size.
  GraphPtr Find(const Digest& structure, uint64_t constant_data_size) const;

  // REQUIRES: it has a structure. May throw std::bad_alloc.
  void Add(const GraphPtr& graph);

 private:
  void EraseExpired();

  mutable std::mutex mutex_;
  // Guarded by it.
  std::unordered_map<Digest, std::weak_ptr<const NamelessGraph>, DigestHash> graphs_;
  size_t size_to_clean_ = 64;  // when there are so many, the expired ones go
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_GRAPH_STORE_H_
