// Packs without XNNPACK: what is shown of a weight, with every byte changed by exclusive or.
//
// Each output channel becomes its row of the kernel, its scales if there are any, and its element
// of the bias if there is one, in this order. So what is packed of a run of channels is a part of
// what is packed of all, unless the test wants another layout.

#ifndef ONEPACK_TESTS_DELEGATE_PACKING_XOR_PACKER_H_
#define ONEPACK_TESTS_DELEGATE_PACKING_XOR_PACKER_H_

#include <stddef.h>
#include <stdint.h>

#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "delegate/packing/node_packer.h"

namespace onepack {

// Threads: any, but for what the test sets before anything is packed.
class XorPacker final : public NodePacker {
 public:
  enum class Layout : uint8_t {
    kByChannel,
    kNumbered,     // every byte depends on the number of its channel, from the first one shown on
    kWithHeader,   // 64 bytes stand before the first channel
    kTagOfItsOwn,  // the tag of a run does not tell that of all channels
  };

  static constexpr uint8_t kMask = 0x5a;

  // What was packed.
  struct Call {
    const Weight* weight;
    std::optional<size_t> channels;  // as shown
    std::thread::id thread;
  };

  Layout layout = Layout::kByChannel;
  LayoutTag tag = 0x700;   // of a weight of no channels; their number is in it by exclusive or
  size_t extra_bytes = 0;  // at the end of each weight
  // Before a weight is packed. What the test wants of it; empty means success. May throw.
  std::function<Status(const Weight& weight, const ShownWeight& shown)> on_pack;

  Result<Packed> Pack(const Plan& plan, const Weight& weight, const ShownWeight& shown,
                      PackingMemory& memory) const override;
  LayoutTag TagWithChannels(LayoutTag run_tag, size_t from, size_t to) const override {
    return run_tag ^ from ^ to;
  }

  // In the order in which they began, without those that failed before.
  std::vector<Call> calls() const;
  // How many of them were shown all channels, or some.
  size_t CountWhole() const;
  size_t CountSlices() const { return calls().size() - CountWhole(); }

 private:
  mutable std::mutex mutex_;
  mutable std::vector<Call> calls_;  // guarded by it
};

}  // namespace onepack

#endif  // ONEPACK_TESTS_DELEGATE_PACKING_XOR_PACKER_H_
