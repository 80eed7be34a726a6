#include "weight_cache/pack_transaction.h"

#include <assert.h>

#include <utility>

namespace onepack {
PackedWeight PackTransaction::LookUp(const PackKey& key, bool has_namesake) {
  DropClaim();
  WeightCache::Entry* entry = cache_->FindOrClaim(key, has_namesake, this, hits_);
  if (entry != nullptr) return Pin(entry);
  claim_ = key;
  return PackedWeight();
}

PackedWeight PackTransaction::Find(const PackKey& key) {
  WeightCache::Entry* entry = cache_->FindReady(key);
  return entry != nullptr ? Pin(entry) : PackedWeight();
}

uint8_t* PackTransaction::Reserve(size_t size, Pages pages) {
  reserved_ = HeapBlock();
  auto block = cache_->heap_->Allocate(size);
  if (!block.ok()) return nullptr;
  reserved_ = std::move(block).value();
  reserved_at_ = std::chrono::steady_clock::now();
  if (pages == Pages::kAtOnce) reserved_.Populate();
  return reserved_.data();
}

PackedWeight PackTransaction::Commit(const PackKey& key,
                                     std::vector<std::shared_ptr<Content>> contents) {
  assert(reserved_.data() != nullptr);
  if (claim_ && !(*claim_ == key)) DropClaim();
  WeightCache::Entry* entry = cache_->Publish(key, &reserved_, std::move(contents), PackingTime());
  claim_.reset();
  if (entry == nullptr) return CommitPrivate();
  reserved_ = HeapBlock();
  return Pin(entry);
}

PackedWeight PackTransaction::CommitPrivate() {
  assert(reserved_.data() != nullptr);
  DropClaim();
  PackedWeight weight;
  weight.block_ = std::make_unique<HeapBlock>(std::move(reserved_));
  weight.cache_ = cache_;
  cache_->AddPrivate(weight.bytes().size(), PackingTime());
  return weight;
}

void PackTransaction::DropClaim() {
  if (!claim_) return;
  cache_->Abandon(*claim_, this);
  claim_.reset();
}

uint64_t PackTransaction::PackingTime() const {
  return static_cast<uint64_t>(
      std::chrono::nanoseconds(std::chrono::steady_clock::now() - reserved_at_).count());
}

PackedWeight PackTransaction::Pin(WeightCache::Entry* entry) const {
  PackedWeight weight;
  weight.cache_ = cache_;
  weight.entry_ = entry;
  return weight;
}

}  // namespace onepack
