#include "delegate/raw_weights.h"

#include <utility>

namespace onepack {
namespace {

// Of every element that is packed here.
constexpr size_t kRawAlignment = alignof(float);

}  // namespace

Result<const void*> RawWeights::Place(const Payload& payload, uint32_t constant_index) {
  const auto known = by_index_.find(constant_index);
  if (known != by_index_.end()) return known->second;
  Placed placed;
  placed.constant = &payload.constant(constant_index);
  placed.content = payload.content(constant_index);
  const void* address = nullptr;
  if (placed.constant->source().is_mapped()) {
    ONEPACK_ASSIGN_OR_RETURN(placed.mapped, placed.constant->Load());
    address = placed.mapped.bytes.data();
  }
  if (address == nullptr || reinterpret_cast<uintptr_t>(address) % kRawAlignment != 0) {
    ONEPACK_ASSIGN_OR_RETURN(placed.reserved, Mapping::OfZeros(placed.constant->size()));
    address = placed.reserved.data();
  }
  // Two constants may be one segment of one mapped file: one address then, which is as good.
  by_address_.try_emplace(address, std::move(placed));
  by_index_.emplace(constant_index, address);
  return address;
}

void RawWeights::AddUse(const void* kernel, const void* bias, uint32_t scale_index,
                        bool is_expected_hit, const Payload& payload) {
  for (const void* address : {kernel, bias}) {
    if (Placed* placed = Find(address)) ++placed->uses;
  }
  Placed* placed = Find(kernel);
  if (placed == nullptr) return;
  placed->is_expected_hit |= is_expected_hit;
  if (scale_index != 0) placed->scales.push_back(&payload.constant(scale_index));
}

Status RawWeights::BeforePacking(const void* kernel, const void* bias) {
  for (const void* address : {kernel, bias}) {
    Placed* placed = Find(address);
    if (placed == nullptr) continue;
    if (placed->is_expected_hit) {
      was_surprised_ = true;
      return Status::Error(StatusCode::kInternal, "%s: expected in the cache, and not there",
                           placed->constant->place());
    }
    ONEPACK_RETURN_IF_ERROR(Fill(*placed));
  }
  return Status::Ok();
}

Status RawWeights::AfterServing(const void* kernel, const void* bias) {
  uint64_t served = 0;
  for (const void* address : {kernel, bias}) {
    Placed* placed = Find(address);
    if (placed == nullptr) continue;
    served += placed->constant->size();
    if (placed->uses > 0 && --placed->uses == 0 && placed->is_read) LetGo(*placed);
  }
  return on_served_ ? on_served_(served) : Status::Ok();
}

RawWeights::Placed* RawWeights::Find(const void* address) {
  const auto found = by_address_.find(address);
  return found == by_address_.end() ? nullptr : &found->second;
}

Status RawWeights::Fill(Placed& placed) {
  if (placed.is_read) return Status::Ok();
  Bytes bytes = placed.mapped.bytes;
  placed.constant->source().Prefetch(placed.constant->segment());
  if (placed.reserved.data() != nullptr) {
    ONEPACK_RETURN_IF_ERROR(
        placed.constant->source().Read(placed.constant->segment(), placed.reserved.data()));
    bytes = placed.reserved.bytes();
  }
  placed.is_read = true;
  if (registry_ != nullptr) registry_->Record(*placed.content, bytes);
  return Status::Ok();
}

void RawWeights::LetGo(Placed& placed) {
  if (placed.reserved.data() != nullptr) {
    placed.reserved.Discard(0, placed.reserved.size());
  }
  placed.constant->source().Discard(placed.constant->segment());
  for (const Constant* scales : placed.scales) scales->source().Discard(scales->segment());
}

}  // namespace onepack
