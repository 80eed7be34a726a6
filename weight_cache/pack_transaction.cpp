#include "weight_cache/pack_transaction.h"

#include <assert.h>

#include <new>
#include <utility>

namespace onepack {

PackedWeight PackTransaction::LookUp(const PackKey& key, bool has_namesake,
                                     const LastingKey* lasting) {
  DropClaim();
  PackedWeightCache::Entry* entry = cache_->FindOrClaim(key, has_namesake);
  if (entry != nullptr) return PackedWeight(cache_, entry);
  claim_ = key;
  if (lasting != nullptr) lasting_ = *lasting;
  return PackedWeight();
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

PackedWeight PackTransaction::Commit(LayoutTag tag, std::vector<std::shared_ptr<Content>> contents,
                                     StoredBytes stored) {
  assert(claim_ && reserved_.data() != nullptr);
  PackedBytes packed(std::move(reserved_));
  AddToFile(tag, packed);
  PackedWeightCache::Entry* entry = cache_->Publish(*claim_, std::move(packed), std::move(stored),
                                                    tag, std::move(contents), PackingTime());
  claim_.reset();
  lasting_.reset();
  return PackedWeight(cache_, entry);
}

// Without memory for that, the weight is in this process alone.
void PackTransaction::AddToFile(LayoutTag tag, PackedBytes& packed) const try {
  if (!lasting_ || cache_->file() == nullptr || !lasting_->holds()) return;
  cache_->file()->Add({lasting_->key, tag, packed.bytes(), packed.Share()});
} catch (const std::bad_alloc&) {
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
  cache_->Abandon(*claim_);
  claim_.reset();
  lasting_.reset();
}

uint64_t PackTransaction::PackingTime() const {
  return static_cast<uint64_t>(
      std::chrono::nanoseconds(std::chrono::steady_clock::now() - reserved_at_).count());
}

}  // namespace onepack
