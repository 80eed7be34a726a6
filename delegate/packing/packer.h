// Packs the weights of plans, each once: finds in the cache what is packed already, packs what is
// not, and pins both.
//
// A weight that is absent is claimed, read, packed through a NodePacker and committed by one
// thread; the largest go first, so that the last ones are small and the threads are done together.
// One that is most of what there is to pack would keep one thread busy while the others have
// nothing to do: it is packed in slices, which the threads share (sliced_weight.h). With one thread
// all of that happens in the thread that loads, but for slices while the application listens.
//
// Memory:  what is packed so far, and for each thread the raw weight, or the slice, in hand.
// Threads: that of the load.
// Errors:  name the delegate and the node; kCancelled when the application says so;
//          kResourceExhausted. Whatever fails gives back what it took; what was packed before stays
//          pinned by the others who use it, and by none if there are none.

#ifndef ONEPACK_DELEGATE_PACKING_PACKER_H_
#define ONEPACK_DELEGATE_PACKING_PACKER_H_

#include <stddef.h>
#include <stdint.h>

#include <memory>
#include <utility>
#include <vector>

#include "delegate/packing/load_reporter.h"
#include "delegate/packing/node_packer.h"
#include "delegate/plan/plan.h"
#include "onepack/result.h"
#include "onepack/span.h"
#include "weight_cache/packed_weight_cache.h"

namespace onepack {

// A pin for each weight of a plan, in its order; an empty one where XNNPACK keeps what it packs
// (Packing::kPrivate). Only a Packer makes them.
class PinnedWeights {
 public:
  PinnedWeights() = default;

  Span<const PackedWeight> pins() const { return {pins_.data(), pins_.size()}; }
  // One more pin of each. May throw std::bad_alloc.
  PinnedWeights Share() const;

 private:
  friend class Packer;

  std::vector<PackedWeight> pins_;
};

struct PackerOptions {
  size_t threads = 1;
  // No more threads than there are as many raw bytes to pack.
  size_t min_bytes_per_thread = 0;
  // Weights of at least so many raw bytes are packed in slices. 0: none are.
  size_t large_weight_bytes = 0;
  // Starts to read weights that are used as they are stored, also where a load does not need it.
  bool prefetches = false;
};

class Packer {
 public:
  // `node_packer` and `reporter` outlive it.
  Packer(std::shared_ptr<PackedWeightCache> cache, const NodePacker& node_packer,
         const PackerOptions& options, LoadReporter& reporter)
      : cache_(std::move(cache)),
        node_packer_(node_packer),
        options_(options),
        reporter_(reporter) {}

  // Parallel to `plans`. May throw std::bad_alloc, with nothing left pinned.
  Result<std::vector<PinnedWeights>> Pin(Span<const Plan> plans) const;

 private:
  class Call;  // of Pin

  const std::shared_ptr<PackedWeightCache> cache_;
  const NodePacker& node_packer_;
  const PackerOptions options_;
  LoadReporter& reporter_;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PACKING_PACKER_H_
