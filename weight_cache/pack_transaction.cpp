#include "weight_cache/pack_transaction.h"

#include <assert.h>

#include <utility>

namespace onepack {

PackedWeight PackTransaction::LookUp(const PackKey& key) {
  DropClaim();
  WeightCache::Entry* entry = cache_->FindOrClaim(key);
  if (entry != nullptr) return Pin(entry);
  claim_ = key;
  return PackedWeight();
}

uint8_t* PackTransaction::Reserve(size_t size) {
  reserved_ = HeapBlock();
  auto block = HeapBlock::OfZeros(size);
  if (!block.ok()) return nullptr;
  reserved_ = std::move(block).value();
  return reserved_.data();
}

PackedWeight PackTransaction::Commit(const PackKey& key) {
  assert(reserved_.data() != nullptr);
  if (claim_ && !(*claim_ == key)) DropClaim();
  WeightCache::Entry* entry = cache_->Publish(key, &reserved_);
  claim_.reset();
  if (entry == nullptr) return CommitPrivate();
  reserved_ = HeapBlock();
  return Pin(entry);
}

PackedWeight PackTransaction::CommitPrivate() {
  assert(reserved_.data() != nullptr);
  DropClaim();
  PackedWeight weight;
  weight.cache_ = cache_;
  weight.block_ = std::move(reserved_);
  reserved_ = HeapBlock();
  weight.bytes_ = weight.block_.bytes();
  cache_->AddPrivate(weight.block_.size());
  return weight;
}

void PackTransaction::DropClaim() {
  if (!claim_) return;
  cache_->Abandon(*claim_);
  claim_.reset();
}

PackedWeight PackTransaction::Pin(WeightCache::Entry* entry) const {
  PackedWeight weight;
  weight.cache_ = cache_;
  weight.entry_ = entry;
  weight.bytes_ = entry->block.bytes();
  return weight;
}

}  // namespace onepack
