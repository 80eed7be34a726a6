// Packs one large weight in slices of its output channels, on all workers, before its graph is
// built.
//
// The head of a language model is most of what there is to pack. Packed whole, one thread packs it
// while the others wait, and its raw bytes are all in memory beside the packed ones. Here XNNPACK
// packs a few channels at a time, as the weight of a throwaway graph of one node, straight to where
// they belong in the packed weight; the raw bytes of a slice are let go of when it is done. The
// graph that the weight is for then finds it in the cache, and is shown ones for scales.
//
// That the pieces make up the whole is not taken from XNNPACK's source but seen on the weight
// itself (Probe, in the source file). Nothing rests on it that it can be done: whatever is out of
// the ordinary, or goes wrong, leaves the weight to the runtime, which packs it whole and says what
// is wrong if something is. Only a cancelled load ends here.
//
// The application is told after each slice, and may load other methods then, in the thread that
// loads: one of them may wait for this very weight. So that thread is not needed to get on with it:
// where there is somebody to tell, a worker packs, and the last one commits.
//
// Memory:  the packed weight, and for each worker a slice of the raw one.
// Threads: the one that loads.

#ifndef ONEPACK_DELEGATE_PACKING_SLICED_PACKING_H_
#define ONEPACK_DELEGATE_PACKING_SLICED_PACKING_H_

#include <stddef.h>
#include <stdint.h>

#include <memory>
#include <utility>

#include "base/result.h"
#include "delegate/graph/payload.h"
#include "delegate/ops/op.h"
#include "delegate/packing/load_reporter.h"
#include "delegate/packing/lone_node.h"
#include "delegate/xnn/xnn_provider.h"
#include "weight_cache/weight_cache.h"

namespace onepack {

// A weight that is not in the cache, and its node. The graph was checked.
struct LargeWeight {
  const Payload& payload;
  const PackedUse& use;
  WeightDescription description;
  LoneNode node;  // its constants have no `data` yet
};

class SlicedPacker {
 public:
  // Weights of at least `large_bytes` raw bytes are packed in slices of about a sixteenth of that,
  // by at most `threads` threads. 0: none are. `reporter` outlives this.
  SlicedPacker(std::shared_ptr<WeightCache> cache, size_t large_bytes, size_t threads,
               LoadReporter& reporter);

  bool IsLarge(uint64_t raw_bytes) const { return large_bytes_ != 0 && raw_bytes >= large_bytes_; }

  // A pin of the packed weight, which was packed here or by somebody else meanwhile; empty when it
  // is left to the runtime. kCancelled when the application says so. May throw std::bad_alloc.
  Result<PackedWeight> Pack(const LargeWeight& weight);

 private:
  const std::shared_ptr<WeightCache> cache_;
  const size_t large_bytes_;
  const size_t threads_;
  LoadReporter& reporter_;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PACKING_SLICED_PACKING_H_
