// Packs the weights of a method on several threads, before its runtimes are created.
//
// XNNPACK creates the operators of a runtime one after another, and packs each one's weight on the
// way. Here every node with a weight to pack becomes a graph of its own first, whose runtime is
// thrown away: what stays is the packed weight, pinned in the cache under the key that the real
// runtime will ask for. A worker takes the next node when it is done with one, the largest first.
//
// Nothing rests on it. Whatever a worker could not pack, for want of memory, of a thread, or
// because the real runtime asks for another kernel after all, is packed when the runtime is
// created, which also says what is wrong if something is. Only a cancelled load ends here.
//
// A weight that is most of what there is to pack would keep one worker busy while the others have
// nothing to do. It is packed before, in slices: see sliced_packing.h.
//
// Memory:  what is packed so far, and for each worker the raw weight in hand.

#ifndef ONEPACK_DELEGATE_PACKING_PARALLEL_PACKING_H_
#define ONEPACK_DELEGATE_PACKING_PARALLEL_PACKING_H_

#include <stddef.h>

#include <memory>
#include <vector>

#include "base/span.h"
#include "delegate/packing/load_reporter.h"
#include "delegate/running/executor.h"

namespace onepack {

// Pins of what was packed ahead, until the runtimes have their own.
using PackedAhead = std::vector<std::unique_ptr<XnnProvider>>;

// Packs the packable nodes of executors that have their graphs pending, each weight once. At most
// `threads` workers, of at least `min_bytes` raw bytes each, and none is left when this returns.
// Where one would do, nothing is done here. Returns early, and nothing else, when the load is
// cancelled: `reporter` says so. May throw std::bad_alloc, when no worker runs.
PackedAhead PackAhead(const std::shared_ptr<WeightCache>& cache,
                      Span<const Ref<Executor>> executors, size_t threads, size_t min_bytes,
                      LoadReporter& reporter);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PACKING_PARALLEL_PACKING_H_
