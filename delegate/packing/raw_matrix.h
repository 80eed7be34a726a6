// The raw bytes of a fully connected node's weight, of which XNNPACK can pack any run of output
// channels.

#ifndef ONEPACK_DELEGATE_PACKING_RAW_MATRIX_H_
#define ONEPACK_DELEGATE_PACKING_RAW_MATRIX_H_

#include <stddef.h>
#include <stdint.h>
#include <xnnpack.h>

#include <optional>

#include "base/span.h"
#include "delegate/graph/payload.h"
#include "delegate/graph/scales.h"
#include "delegate/ops/op.h"
#include "delegate/packing/lone_node.h"

namespace onepack {

// Threads: immutable; any thread.
class RawMatrix {
 public:
  struct Channels {
    size_t first;
    size_t count;
  };
  struct Packed {
    uint32_t seed;
    size_t size;
  };

  // Null for a weight that is not one row of a mapped file for each output channel, in a datatype
  // that XNNPACK packs as it is. `payload` and `node` outlive it. Reads nothing of the kernel or of
  // scales that are not in the payload itself.
  static std::optional<RawMatrix> Open(const Payload& payload, const PackedUse& use,
                                       const LoneNode& node);

  size_t channels() const { return channels_; }
  size_t row_bytes() const { return row_bytes_; }

  // Has XNNPACK pack a run of channels to `target`: what seed it asked for, and how many bytes it
  // wrote. Null when something goes wrong or they do not fit. May throw std::bad_alloc.
  std::optional<Packed> Pack(Channels run, Span<uint8_t> target, xnn_workspace_t workspace) const;

  // All of it will be read soon; a run will not be read again; nothing will.
  void Prefetch() const;
  void Discard(Channels run) const;
  void DiscardAll() const;

 private:
  RawMatrix(const Payload& payload, const PackedUse& use, const LoneNode& node)
      : payload_(payload), use_(use), node_(node) {}
  bool FindKernel();
  bool FindBias();
  bool FindScales();

  const Payload& payload_;
  const PackedUse& use_;
  const LoneNode& node_;
  size_t channels_ = 0;
  Buffer kernel_;
  size_t row_bytes_ = 0;
  Buffer bias_;  // empty for none
  ScaleStorage storage_;
  const uint8_t* scales_ = nullptr;  // null for none
  const Constant* scale_constant_ = nullptr;
  size_t scale_bytes_ = 0;  // of a channel
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PACKING_RAW_MATRIX_H_
