// XNNPACK's weights cache provider interface for one weight, or a slice of one, that goes straight
// to where the caller wants it.
//
//     SliceProvider provider(target);
//     xnn_create_runtime_v4(..., provider.handle(), ...);    of a graph with one weight
//
// It finds nothing and keeps nothing: XNNPACK packs what it is given to the beginning of `target`.
// Where that is too small it packs nothing, and creating the runtime fails.
//
// Ownership: none of the target. Not movable: XNNPACK has its address.
// Threads:   one at a time.

#ifndef ONEPACK_DELEGATE_XNN_SLICE_PROVIDER_H_
#define ONEPACK_DELEGATE_XNN_SLICE_PROVIDER_H_

#include <stddef.h>
#include <stdint.h>
#include <xnnpack.h>

#include "base/span.h"

namespace onepack {

class SliceProvider {
 public:
  explicit SliceProvider(Span<uint8_t> target);
  SliceProvider(const SliceProvider&) = delete;
  SliceProvider& operator=(const SliceProvider&) = delete;

  xnn_weights_cache_t handle() { return &provider_; }

  // XNNPACK asked for one weight, and packed it.
  bool is_packed() const { return look_ups_ == 1 && reservations_ == 1 && insertions_ == 1; }
  // REQUIRES, for both: is_packed().
  uint32_t seed() const { return seed_; }
  size_t size() const { return size_; }

 private:
  static SliceProvider& Of(void* context) { return *static_cast<SliceProvider*>(context); }
  size_t LookUp(uint32_t seed);
  void* ReserveSpace(size_t size);
  size_t Insert(const void* packed);

  const Span<uint8_t> target_;
  xnn_weights_cache_provider provider_{};
  uint32_t seed_ = 0;
  size_t size_ = 0;
  size_t look_ups_ = 0;
  size_t reservations_ = 0;
  size_t insertions_ = 0;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_XNN_SLICE_PROVIDER_H_
