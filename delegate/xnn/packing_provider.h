// XNNPACK's weights cache provider interface for a runtime that is made only to pack: that of one
// node with one weight.
//
//     PackingProvider provider(memory);
//     xnn_create_runtime_v4(..., provider.handle(), ...);
//     provider.CheckPacked()
//
// It finds nothing and keeps nothing: XNNPACK packs to where `memory` says.
//
// Not movable: XNNPACK has its address.
// Threads:   one at a time.

#ifndef ONEPACK_DELEGATE_XNN_PACKING_PROVIDER_H_
#define ONEPACK_DELEGATE_XNN_PACKING_PROVIDER_H_

#include <stddef.h>
#include <stdint.h>

#include "delegate/xnn/xnnpack.h"
#include "onepack/status.h"
#include "weight_cache/pack_key.h"

namespace onepack {

// Where XNNPACK packs to.
class PackingMemory {
 public:
  virtual ~PackingMemory() = default;

  // Room for `size` bytes, aligned to 64; null if there is none. It stays the memory's.
  virtual uint8_t* Reserve(size_t size) = 0;
};

class PackingProvider {
 public:
  explicit PackingProvider(PackingMemory& memory);
  PackingProvider(const PackingProvider&) = delete;
  PackingProvider& operator=(const PackingProvider&) = delete;

  xnn_weights_cache_t handle() { return &provider_; }

  // OK if XNNPACK has packed one weight. kResourceExhausted if there was no memory for it; that
  // says more than XNNPACK's own status. kInternal otherwise.
  Status CheckPacked() const;
  // REQUIRES, for both: CheckPacked() is OK.
  LayoutTag tag() const { return tag_; }
  size_t size() const { return size_; }

 private:
  static PackingProvider& Of(void* context) { return *static_cast<PackingProvider*>(context); }
  void* Reserve(size_t size) noexcept;
  size_t Insert(const xnn_weights_cache_look_up_key& key, const void* packed) noexcept;

  PackingMemory& memory_;
  xnn_weights_cache_provider provider_{};
  uint8_t* reserved_ = nullptr;
  LayoutTag tag_ = 0;
  size_t size_ = 0;
  int reservations_ = 0;
  int insertions_ = 0;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_XNN_PACKING_PROVIDER_H_
