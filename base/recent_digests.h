// The descriptions that came last, with their digests. They repeat: the layers of a model have few
// different ones, and so has a program that is loaded again. To compare one takes a fraction of
// hashing it.
//
// Threads: one.

#ifndef ONEPACK_BASE_RECENT_DIGESTS_H_
#define ONEPACK_BASE_RECENT_DIGESTS_H_

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/digest.h"
#include "onepack/span.h"

namespace onepack {

class RecentDigests {
 public:
  // The same as onepack::Sha256Of.
  std::optional<Digest> Sha256Of(Bytes bytes) {
    if (bytes.size() > sizeof(Slot::bytes)) return onepack::Sha256Of(bytes);
    Slot& slot = slots_[HashOf(bytes) % slots_.size()];
    if (slot.size == bytes.size() && memcmp(slot.bytes, bytes.data(), bytes.size()) == 0) {
      return slot.digest;
    }
    const std::optional<Digest> digest = onepack::Sha256Of(bytes);
    if (!digest) return digest;
    slot.digest = *digest;
    slot.size = bytes.size();
    memcpy(slot.bytes, bytes.data(), bytes.size());
    return digest;
  }

 private:
  static constexpr size_t kSlotSize = 256;  // whole cache lines

  // Has room for what nearly all nodes and weights are described with.
  struct Slot {
    Digest digest;
    uint64_t size = 0;  // 0: an empty slot. A description has a purpose, at least
    uint8_t bytes[kSlotSize - sizeof(Digest) - sizeof(uint64_t)] = {};
  };
  static_assert(sizeof(Slot) == kSlotSize);

  static uint64_t HashOf(Bytes bytes) {
    uint64_t hash = bytes.size();
    for (size_t i = 0; i < bytes.size(); i += sizeof(uint64_t)) {
      uint64_t word = 0;
      memcpy(&word, bytes.data() + i, std::min(bytes.size() - i, sizeof(word)));
      hash = (hash ^ word) * 0x9e3779b97f4a7c15;
      hash ^= hash >> 32;
    }
    return hash;
  }

  std::array<Slot, 32> slots_;
};

}  // namespace onepack

#endif  // ONEPACK_BASE_RECENT_DIGESTS_H_
