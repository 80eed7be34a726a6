#include "delegate/xnn/packing_provider.h"

#include "delegate/xnn/layout_tag.h"

namespace onepack {

PackingProvider::PackingProvider(PackingMemory& memory) : memory_(memory) {
  provider_.context = this;
  provider_.look_up = [](void*, const xnn_weights_cache_look_up_key*) { return SIZE_MAX; };
  provider_.reserve_space = [](void* context, size_t size) { return Of(context).Reserve(size); };
  provider_.look_up_or_insert = [](void* context, const xnn_weights_cache_look_up_key* key,
                                   void* packed,
                                   size_t) { return Of(context).Insert(*key, packed); };
  provider_.is_finalized = [](void*) { return true; };
  provider_.offset_to_addr = [](void* context, size_t) -> void* { return Of(context).reserved_; };
  provider_.delete_cache = [](void*) { return xnn_status_invalid_state; };  // ours to delete
}

Status PackingProvider::CheckPacked() const {
  if (reservations_ == 1 && reserved_ == nullptr) {
    return Status::Error(StatusCode::kResourceExhausted,
                         "no memory for a packed weight of %zu bytes", size_);
  }
  if (reservations_ == 1 && insertions_ == 1) return Status::Ok();
  return Status::Error(StatusCode::kInternal,
                       "XNNPACK reserved memory %d times and inserted %d weights for a node of one",
                       reservations_, insertions_);
}

void* PackingProvider::Reserve(size_t size) noexcept {
  if (++reservations_ > 1) return nullptr;
  size_ = size;
  reserved_ = memory_.Reserve(size);
  return reserved_;
}

// XNNPACK does not look at what this returns but for the address behind it, and there is one.
size_t PackingProvider::Insert(const xnn_weights_cache_look_up_key& key,
                               const void* packed) noexcept {
  if (packed == nullptr || packed != reserved_) return 0;
  tag_ = TagOf(key);
  ++insertions_;
  return 0;
}

}  // namespace onepack
