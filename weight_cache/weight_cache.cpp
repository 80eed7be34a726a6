#include "weight_cache/weight_cache.h"

#include <assert.h>

#include <utility>

namespace onepack {

std::shared_ptr<WeightCache> WeightCache::Create() {
  return std::shared_ptr<WeightCache>(new WeightCache());
}

// Pins and transactions hold the cache, so when it goes there are none.
WeightCache::~WeightCache() { assert(entries_.empty()); }

WeightCacheStats WeightCache::Stats() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return stats_;
}

WeightCache::Entry* WeightCache::FindOrClaim(const PackKey& key) {
  std::unique_lock<std::mutex> lock(mutex_);
  bool has_waited = false;
  for (;;) {
    const auto [found, is_new] = entries_.try_emplace(key);
    Entry& entry = found->second;
    if (is_new) {
      entry.key = &found->first;
      ++stats_.misses;
      return nullptr;
    }
    if (entry.ready) {
      ++stats_.hits;
      stats_.hit_bytes += entry.block.size();
      ++stats_.pins;
      ++entry.pins;
      return &entry;
    }
    // Another transaction packs this key. It may also give up: then the entry is gone after the wait, and the next
    // round of this loop claims the key.
    if (!has_waited) ++stats_.waits;
    has_waited = true;
    changed_.wait(lock);
  }
}

WeightCache::Entry* WeightCache::Publish(const PackKey& key, HeapBlock* block) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto [found, is_new] = entries_.try_emplace(key);
  Entry& entry = found->second;
  if (is_new) entry.key = &found->first;
  if (!entry.ready) {
    entry.block = std::move(*block);
    entry.ready = true;
    ++stats_.entries;
    stats_.bytes += entry.block.size();
    stats_.packed_bytes += entry.block.size();
    changed_.notify_all();
  } else if (entry.block.size() != block->size()) {
    // Equal keys with different bytes: the key lacks something. Nobody must be served the wrong ones.
    return nullptr;
  }
  ++entry.pins;
  ++stats_.pins;
  return &entry;
}

void WeightCache::Abandon(const PackKey& key) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = entries_.find(key);
  if (found == entries_.end() || found->second.ready) return;
  entries_.erase(found);
  changed_.notify_all();
}

void WeightCache::Unpin(Entry* entry) {
  HeapBlock freed;  // unmapped after the lock is released
  const std::lock_guard<std::mutex> lock(mutex_);
  --stats_.pins;
  if (--entry->pins > 0) return;
  freed = std::move(entry->block);
  --stats_.entries;
  stats_.bytes -= freed.size();
  entries_.erase(entries_.find(*entry->key));
}

void WeightCache::AddPrivate(size_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++stats_.pins;
  stats_.bytes += bytes;
  stats_.private_bytes += bytes;
  stats_.packed_bytes += bytes;
}

void WeightCache::RemovePrivate(size_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  --stats_.pins;
  stats_.bytes -= bytes;
  stats_.private_bytes -= bytes;
}

PackedWeight::PackedWeight(PackedWeight&& other) noexcept { *this = std::move(other); }

PackedWeight& PackedWeight::operator=(PackedWeight&& other) noexcept {
  std::swap(cache_, other.cache_);
  std::swap(entry_, other.entry_);
  std::swap(block_, other.block_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

PackedWeight::~PackedWeight() {
  if (cache_ == nullptr) return;
  if (entry_ != nullptr) {
    cache_->Unpin(entry_);
  } else {
    cache_->RemovePrivate(block_.size());
  }
}

}  // namespace onepack
