// The raw bytes of a fully connected node's weight, of which any run of output channels can be
// packed.

#ifndef ONEPACK_DELEGATE_PACKING_RAW_CHANNELS_H_
#define ONEPACK_DELEGATE_PACKING_RAW_CHANNELS_H_

#include <stddef.h>
#include <stdint.h>

#include <optional>

#include "delegate/ops/scale_storage.h"
#include "delegate/packing/node_packer.h"
#include "delegate/plan/plan.h"
#include "onepack/span.h"

namespace onepack {

// Threads: immutable; any thread.
class RawChannels {
 public:
  struct Run {
    size_t first;
    size_t count;
  };

  // Null for a weight that is not one row of a mapped file for each output channel, in a datatype
  // that XNNPACK packs as it is. All outlive it. Reads nothing of the kernel or of scales that are
  // not in the payload itself.
  static std::optional<RawChannels> Open(const Plan& plan, const Weight& weight,
                                         const NodePacker& node_packer);

  size_t count() const { return count_; }
  size_t row_bytes() const { return row_bytes_; }

  // Packs a run to `target`. Null when something goes wrong or it does not fit. May throw
  // std::bad_alloc.
  std::optional<NodePacker::Packed> Pack(Run run, Span<uint8_t> target) const;
  // The tag of all channels, if that of `channels` of them is `packed.tag`.
  LayoutTag WholeTag(const NodePacker::Packed& packed, size_t channels) const {
    return node_packer_.TagWithChannels(packed.tag, channels, count_);
  }

  // All of it will be read soon; a run will not be read again; nothing will.
  void Prefetch() const;
  void Discard(Run run) const;
  void DiscardAll() const;

 private:
  RawChannels(const Plan& plan, const Weight& weight, const NodePacker& node_packer)
      : plan_(plan), weight_(weight), node_packer_(node_packer) {}
  const GraphValue& kernel_value() const { return plan_.values.at(weight_.kernel.value_id); }
  const Constant& kernel_constant() const {
    return plan_.payload().constant(weight_.kernel.constant_index);
  }
  bool FindKernel();
  bool FindBias();
  bool FindScales();

  const Plan& plan_;
  const Weight& weight_;
  const NodePacker& node_packer_;
  size_t count_ = 0;
  Buffer kernel_;
  size_t row_bytes_ = 0;
  Buffer bias_;  // empty for none
  ScaleStorage storage_;
  const uint8_t* scales_ = nullptr;           // null for none
  const Constant* scale_constant_ = nullptr;  // null if they are not in a file
  size_t scale_bytes_ = 0;                    // of a channel
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PACKING_RAW_CHANNELS_H_
