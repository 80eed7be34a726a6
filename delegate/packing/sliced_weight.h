// A large weight, packed in slices of its output channels.
//
// The head of a language model is most of what there is to pack. Packed whole, one thread packs it
// while the others wait, and its raw bytes are all in memory beside the packed ones. Here a few
// channels are packed at a time, straight to where they belong in the packed weight; the raw bytes
// of a slice are let go of when it is done.
//
// That the pieces make up the whole is not taken from XNNPACK's source but seen on the weight
// itself (SliceLayout). Whatever is out of the ordinary, or goes wrong, leaves the weight to be
// packed whole.
//
// The application is told after each slice, and may load other methods then, in the thread that
// loads: one of them may wait for this very weight. So that thread is not needed to get on with it:
// where the application listens, a worker packs, and the last one commits.
//
// Memory:  the packed weight, and for each worker a slice of the raw one.
// Threads: that of the load.

#ifndef ONEPACK_DELEGATE_PACKING_SLICED_WEIGHT_H_
#define ONEPACK_DELEGATE_PACKING_SLICED_WEIGHT_H_

#include <stddef.h>
#include <stdint.h>

#include <memory>
#include <optional>
#include <vector>

#include "delegate/packing/load_reporter.h"
#include "delegate/packing/raw_channels.h"
#include "weight_cache/pack_transaction.h"

namespace onepack {

// How a large weight is laid out when it is packed, found by packing a few channels of it.
struct SliceLayout {
  // Channels that are a whole number of tiles: slices are made of such blocks.
  static constexpr size_t kBlock = 128;

  // Null unless blocks of the weight are packed as slicing counts on (the source file has
  // the argument). May throw std::bad_alloc.
  static std::optional<SliceLayout> Probe(const RawChannels& raw);

  LayoutTag tag = 0;      // of the whole weight
  size_t size = 0;        // of the whole weight, packed
  size_t block_size = 0;  // of kBlock channels
};

class SlicedWeight {
 public:
  struct Options {
    size_t threads;
    size_t large_weight_bytes;  // slices are of about a sixteenth of that
  };

  // Null for a weight that cannot be packed in slices, or not now. All outlive it.
  static std::optional<SlicedWeight> Open(const Plan& plan, const Weight& weight,
                                          const NodePacker& node_packer);

  // A pin of the packed weight; an empty one when something went wrong, and the claim is given up
  // then. Adds the raw bytes that were reported to `*reported_bytes`. REQUIRES: `transaction` has
  // claimed the weight's key. May throw std::bad_alloc.
  PackedWeight Pack(PackTransaction& transaction, std::vector<std::shared_ptr<Content>> contents,
                    const Options& options, LoadReporter& reporter, uint64_t* reported_bytes) const;

 private:
  SlicedWeight(RawChannels channels, const SliceLayout& layout)
      : channels_(std::move(channels)), layout_(layout) {}

  RawChannels channels_;
  SliceLayout layout_;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PACKING_SLICED_WEIGHT_H_
