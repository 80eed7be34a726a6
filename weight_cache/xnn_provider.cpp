#include "weight_cache/xnn_provider.h"

#include <new>

namespace onepack {

XnnProvider::XnnProvider(std::shared_ptr<WeightCache> cache) : cache_(std::move(cache)) {
  provider_.context = this;
  provider_.look_up = [](void* context, const xnn_weights_cache_look_up_key* key) {
    return Of(context).LookUp(*key);
  };
  provider_.reserve_space = [](void* context, size_t size) {
    return Of(context).ReserveSpace(size);
  };
  provider_.look_up_or_insert = [](void* context, const xnn_weights_cache_look_up_key* key,
                                   void* packed, size_t) {
    return Of(context).LookUpOrInsert(*key, packed);
  };
  // XNNPACK asks before it runs an operator. A build that failed never gets there.
  provider_.is_finalized = [](void*) { return true; };
  provider_.offset_to_addr = [](void* context, size_t offset) {
    return const_cast<void*>(Of(context).table_[offset]);
  };
  provider_.delete_cache = [](void*) { return xnn_status_invalid_state; };  // ours to delete
}

void XnnProvider::Describe(const void* kernel, const void* bias, const WeightIdentity& identity) {
  const auto [found, is_new] = meanings_.try_emplace(Pointers(kernel, bias), identity);
  if (!is_new && found->second && !(*found->second == identity)) found->second.reset();
}

void XnnProvider::BeginBuild() {
  status_ = Status();
  table_.clear();
  private_pins_.clear();
  transaction_.emplace(cache_);
}

Status XnnProvider::EndBuild() {
  transaction_.reset();
  return std::move(status_);
}

std::optional<PackKey> XnnProvider::KeyOf(const xnn_weights_cache_look_up_key& key) const {
  const auto found = meanings_.find(Pointers(key.kernel, key.bias));
  if (found == meanings_.end() || !found->second) return std::nullopt;
  return PackKey{*found->second, LayoutFingerprint(), key.seed};
}

size_t XnnProvider::LookUp(const xnn_weights_cache_look_up_key& key) noexcept try {
  if (!transaction_) return SIZE_MAX;
  // XNNPACK has turned to the next weight: whatever was claimed and not inserted never will be.
  transaction_->DropClaim();
  const std::optional<PackKey> pack_key = KeyOf(key);
  if (!pack_key) return SIZE_MAX;
  const auto pinned = pins_.find(*pack_key);
  if (pinned != pins_.end()) return AddToTable(pinned->second.bytes());
  PackedWeight weight = transaction_->LookUp(*pack_key);
  if (!weight) return SIZE_MAX;
  const size_t offset = AddToTable(weight.bytes());
  pins_.emplace(*pack_key, std::move(weight));
  return offset;
} catch (const std::bad_alloc&) {
  Fail(StatusCode::kResourceExhausted, "out of memory while looking a packed weight up");
  return SIZE_MAX;
}

void* XnnProvider::ReserveSpace(size_t size) noexcept {
  if (!status_.ok() || !transaction_) return nullptr;
  uint8_t* space = transaction_->Reserve(size);
  if (space == nullptr) {
    status_ = Status::Error(StatusCode::kResourceExhausted,
                            "no memory for a packed weight of %zu bytes", size);
  }
  return space;
}

// XNNPACK does not look at what this returns, so after a failure it is any offset: EndBuild reports the failure and the
// runtime is never set up.
size_t XnnProvider::LookUpOrInsert(const xnn_weights_cache_look_up_key& key,
                                   const void* packed) noexcept try {
  if (!transaction_) return 0;
  const std::optional<PackKey> pack_key = KeyOf(key);
  // Convolutions insert after a hit too, with nothing packed.
  if (packed == nullptr) {
    const auto pinned = pack_key ? pins_.find(*pack_key) : pins_.end();
    if (pinned != pins_.end()) return AddToTable(pinned->second.bytes());
    Fail(StatusCode::kInternal, "XNNPACK inserted nothing under a key that was never found");
    return 0;
  }
  if (packed != transaction_->reserved()) {
    Fail(StatusCode::kInternal, "XNNPACK inserted bytes that it never reserved");
    return 0;
  }
  return Insert(pack_key);
} catch (const std::bad_alloc&) {
  Fail(StatusCode::kResourceExhausted, "out of memory while inserting a packed weight");
  return 0;
}

size_t XnnProvider::Insert(const std::optional<PackKey>& key) {
  // Depthwise kernels pack without asking; this graph may have the weight already.
  const auto pinned = key ? pins_.find(*key) : pins_.end();
  if (pinned != pins_.end()) return AddToTable(pinned->second.bytes());
  PackedWeight weight = key ? transaction_->Commit(*key) : transaction_->CommitPrivate();
  const size_t offset = AddToTable(weight.bytes());
  if (weight.is_private()) {
    private_pins_.push_back(std::move(weight));
  } else {
    pins_.emplace(*key, std::move(weight));
  }
  return offset;
}

size_t XnnProvider::AddToTable(Bytes bytes) {
  table_.push_back(bytes.data());
  return table_.size() - 1;
}

void XnnProvider::Fail(StatusCode code, const char* what) {
  if (status_.ok()) status_ = Status::Error(code, "%s", what);
}

}  // namespace onepack
