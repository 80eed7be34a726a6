#include "delegate/xnn/weight_table.h"

#include <sys/mman.h>

#include <new>
#include <utility>

#include "base/checked_math.h"
#include "delegate/xnn/differences.h"
#include "delegate/xnn/layout_tag.h"

namespace onepack {

Result<Placeholders> Placeholders::Create(size_t count) {
  size_t size = 0;
  if (!CheckedMultiply(count, kDistance, &size)) size = SIZE_MAX;
  ONEPACK_ASSIGN_OR_RETURN(Mapping mapping, Mapping::OfZeros(size));
  // Should this fail, they can be read, and are zeros.
  if (size > 0) mprotect(mapping.data(), size, PROT_NONE);
  return Placeholders(std::move(mapping));
}

WeightTable::WeightTable(std::shared_ptr<PackedWeightCache> cache) : cache_(std::move(cache)) {
  provider_.context = this;
  provider_.look_up = [](void* context, const xnn_weights_cache_look_up_key* key) {
    return Of(context).LookUp(*key);
  };
  provider_.reserve_space = [](void* context, size_t size) { return Of(context).Reserve(size); };
  provider_.look_up_or_insert = [](void* context, const xnn_weights_cache_look_up_key* key,
                                   void* packed,
                                   size_t) { return Of(context).LookUpOrInsert(*key, packed); };
  // XNNPACK asks before it runs an operator. A creation that failed never gets there.
  provider_.is_finalized = [](void*) { return true; };
  provider_.offset_to_addr = [](void* context, size_t offset) {
    return const_cast<void*>(Of(context).addresses_[offset]);
  };
  provider_.delete_cache = [](void*) { return xnn_status_invalid_state; };  // ours to delete
  SetAliasData(provider_, [](void* context, void* alias, void* original) {
    return Of(context).Rename(original, alias);
  });
}

void WeightTable::Begin(Span<const Row> rows, Span<const PackedWeight> pins) {
  creation_ = std::make_unique<Creation>(rows, pins, cache_);
  creation_->numbers.reserve(rows.size());
  addresses_.reserve(rows.size());
  tags_.resize(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    addresses_.push_back(pins[i] ? pins[i].bytes().data() : nullptr);
    const auto [known, is_new] = creation_->numbers.try_emplace(rows[i].kernel, i);
    // Two rows at one address need not be told apart if they are one weight. They are readable, so
    // that their runtime is never lent.
    const bool is_known = !is_new && known->second != kNoRow && addresses_[i] != nullptr &&
                          addresses_[i] == addresses_[known->second];
    if (!is_new && !is_known) known->second = kNoRow;
  }
}

Status WeightTable::End() {
  Status status = std::move(creation_->status);
  creation_ = nullptr;
  return status;
}

bool WeightTable::Fits(Span<const PackedWeight> pins) const {
  if (pins.size() != tags_.size()) return false;
  for (size_t i = 0; i < pins.size(); ++i) {
    if (!pins[i] || (tags_[i] && *tags_[i] != pins[i].tag())) return false;
  }
  return true;
}

void WeightTable::PointTo(Span<const PackedWeight> pins) {
  addresses_.resize(pins.size());
  for (size_t i = 0; i < pins.size(); ++i) addresses_[i] = pins[i].bytes().data();
}

// The same weight under the address of a copy, which XNNPACK can read.
xnn_status WeightTable::Rename(const void* original, const void* alias) noexcept try {
  const size_t number = NumberOf(original);
  if (number != kNoRow) creation_->numbers.emplace(alias, number);
  return xnn_status_success;
} catch (const std::bad_alloc&) {
  return xnn_status_out_of_memory;
}

size_t WeightTable::NumberOf(const void* kernel) const {
  const auto found = creation_->numbers.find(kernel);
  return found != creation_->numbers.end() ? found->second : kNoRow;
}

bool WeightTable::Fits(size_t number, const xnn_weights_cache_look_up_key& key) const {
  return number != kNoRow && creation_->pins[number] && creation_->pins[number].tag() == TagOf(key);
}

size_t WeightTable::LookUp(const xnn_weights_cache_look_up_key& key) noexcept try {
  const size_t number = NumberOf(key.kernel);
  creation_->is_refused = false;
  if (Fits(number, key)) {
    tags_[number] = TagOf(key);
    return number;
  }
  if (number != kNoRow && !creation_->rows[number].is_readable) {
    refused_.push_back(number);
    creation_->is_refused = true;
  }
  return SIZE_MAX;
} catch (const std::bad_alloc&) {
  creation_->is_refused = true;
  Fail(Status::Error(StatusCode::kResourceExhausted, "out of memory in a look-up"));
  return SIZE_MAX;
}

// Null keeps XNNPACK from reading what cannot be read.
void* WeightTable::Reserve(size_t size) noexcept {
  if (creation_->is_refused || !creation_->status.ok()) return nullptr;
  uint8_t* space = creation_->transaction.Reserve(size, PackTransaction::Pages::kAtOnce);
  if (space == nullptr) {
    Fail(Status::Error(StatusCode::kResourceExhausted, "no memory for a packed weight of %zu bytes",
                       size));
  }
  return space;
}

// XNNPACK does not look at what this returns, so after a failure it is any offset: End reports the
// failure and the runtime is never set up.
size_t WeightTable::LookUpOrInsert(const xnn_weights_cache_look_up_key& key,
                                   const void* packed) noexcept try {
  const size_t number = NumberOf(key.kernel);
  if (packed == nullptr) {  // convolutions insert after a hit too, with nothing packed
    if (Fits(number, key)) return number;
    Fail(Status::Error(StatusCode::kInternal,
                       "XNNPACK inserted nothing under a key that was never found"));
    return 0;
  }
  PackTransaction& transaction = creation_->transaction;
  if (packed != transaction.reserved()) {
    Fail(Status::Error(StatusCode::kInternal, "XNNPACK inserted bytes that it never reserved"));
    return 0;
  }
  const bool is_pinned =
      Fits(number, key) && creation_->pins[number].bytes().size() == transaction.reserved_size();
  if (!is_pinned) return KeepPrivate();
  tags_[number] = TagOf(key);
  return number;
} catch (const std::bad_alloc&) {
  Fail(Status::Error(StatusCode::kResourceExhausted, "out of memory in an insertion"));
  return 0;
}

size_t WeightTable::KeepPrivate() {
  private_pins_.reserve(private_pins_.size() + 1);
  addresses_.reserve(addresses_.size() + 1);
  private_pins_.push_back(creation_->transaction.CommitPrivate());
  addresses_.push_back(private_pins_.back().bytes().data());
  return addresses_.size() - 1;
}

// The first failure counts.
void WeightTable::Fail(Status status) {
  if (creation_->status.ok()) creation_->status = std::move(status);
}

}  // namespace onepack
