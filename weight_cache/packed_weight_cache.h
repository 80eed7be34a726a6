// The cache itself: entries by key, and pins on them.
//
// One of the layouts is "as stored": such an entry keeps the file's bytes where they are, and as
// its packed bytes the little that was computed from them.
//
// With a packed file, a weight that is not here is looked for there before it is packed, and what
// is packed is written to it. Entries of the file are entries like others: with the last pin they
// go from here, and the file has them still.
//
// Ownership: pins and transactions keep the cache alive, so it can be dropped in any order. Bytes
//            never move or change while a pin is held.
// Threads:   the cache from any thread. A pin or a transaction from one thread at a time. Reading
//            pinned bytes takes no lock.

#ifndef ONEPACK_WEIGHT_CACHE_PACKED_WEIGHT_CACHE_H_
#define ONEPACK_WEIGHT_CACHE_PACKED_WEIGHT_CACHE_H_

#include <stddef.h>
#include <stdint.h>

#include <list>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/fork_safe_mutex.h"
#include "onepack/result.h"
#include "onepack/span.h"
#include "onepack/weight_cache.h"
#include "weight_cache/content_registry.h"
#include "weight_cache/heap_store.h"
#include "weight_cache/pack_key.h"
#include "weight_cache/packed_bytes.h"
#include "weight_cache/packed_file/store.h"
#include "weight_cache/stored_bytes.h"

namespace onepack {

class PackTransaction;
class PackedWeight;

class PackedWeightCache final : public WeightCache,
                                public std::enable_shared_from_this<PackedWeightCache> {
 public:
  static std::shared_ptr<PackedWeightCache> Create(const WeightCacheOptions& options = {});
  // The application's handle is always one of these; null stays null.
  static std::shared_ptr<PackedWeightCache> Of(const std::shared_ptr<WeightCache>& cache) {
    return std::static_pointer_cast<PackedWeightCache>(cache);
  }
  ~PackedWeightCache() override;

  const WeightCacheOptions& options() const override { return options_; }
  WeightCacheStats Stats() const override;
  void Prune() override;
  Status Flush() override;

  // Which raw bytes are equal. Shared by all that share the cache.
  ContentRegistry& contents() { return contents_; }

  // The weight if it is there, and then a hit; else an empty pin, and nothing is counted, claimed
  // or waited for.
  PackedWeight Find(const PackKey& key);

  // The weight out of the packed file, if that has it, as an entry of `key`; else an empty pin.
  // `lasting` is the same key, made of what other processes know, too. May throw std::bad_alloc,
  // with no entry changed. REQUIRES: there is a file.
  PackedWeight FindInFile(const PackKey& key, const PackKey& lasting,
                          std::vector<std::shared_ptr<Content>> contents);

  // Null for none.
  PackedFile* file() const { return file_.get(); }

 private:
  friend class PackTransaction;
  friend class PackedWeight;

  struct Entry {
    // Packing: claimed by one transaction, no block. Ready: sealed, the bytes never change again.
    bool ready = false;
    size_t pins = 0;  // of a ready entry
    // Of a claim: how often the process had been forked then. A child does not have the thread that
    // packs.
    uint32_t forks = 0;
    PackedBytes packed;
    StoredBytes stored;  // of layout "as stored"
    LayoutTag tag = 0;
    const PackKey* key = nullptr;  // in entries_
    // This entry's node of retained_, made with the entry so that unpinning allocates nothing. It
    // is in retained_ while the entry is ready and has no pins, else in `node`. None where nothing
    // is ever retained.
    std::list<Entry*> node;
    std::list<Entry*>::iterator position;
    // What the key's digests stand for, kept so that they can be recognised while the entry lives.
    std::vector<std::shared_ptr<Content>> contents;
  };

  // The lock, counted.
  class Lock;

  explicit PackedWeightCache(const WeightCacheOptions& options);

  // A pinned ready entry, or null: then the caller has claimed `key` and must Publish or Abandon
  // it. Waits while another transaction packs `key`.
  Entry* FindOrClaim(const PackKey& key, bool has_namesake);
  // REQUIRES, for both: the caller has claimed `key`.
  // The entry takes `packed`, becomes ready and is pinned.
  Entry* Publish(const PackKey& key, PackedBytes packed, StoredBytes stored, LayoutTag tag,
                 std::vector<std::shared_ptr<Content>> contents, uint64_t packing_ns);
  void Abandon(const PackKey& key);
  void AddPin(Entry* entry);
  void Unpin(Entry* entry);
  void AddPrivate(size_t bytes, uint64_t packing_ns);
  void RemovePrivate(size_t bytes);

  // Bytes of the packed file as an entry of `key`, pinned; that of another load, if it is there, or
  // nothing, if another one is packing.
  PackedWeight PinFromFile(const PackKey& key, PackedBytes packed, LayoutTag tag,
                           std::vector<std::shared_ptr<Content>> contents);

  // For all below, the mutex is held.
  // The claimed entry becomes ready, and is pinned.
  void Fill(Entry* entry, PackedBytes packed, StoredBytes stored, LayoutTag tag,
            std::vector<std::shared_ptr<Content>> contents);
  void Pin(Entry* entry);
  Entry* Hit(Entry* entry);
  void CountMiss(const PackKey& key, bool has_namesake);
  Entry* CreateEntry(const PackKey& key);
  void EraseEntry(Entry* entry);
  // What a ready entry had, which goes. Letting go of it may unmap a file and run the application's
  // code: never under the mutex.
  struct Remains {
    PackedBytes packed;
    StoredBytes stored;
  };
  Remains Take(Entry* entry);

  // Drops retained entries until at most `limit` bytes are left. Takes the mutex for each.
  void EvictDownTo(size_t limit);

  const WeightCacheOptions options_;
  const std::shared_ptr<HeapStore> heap_;
  ContentRegistry contents_;
  const std::unique_ptr<PackedFile> file_;

  // Nothing outside this class is called while it is held, and memory is mapped and unmapped
  // outside it. Notified when an entry became ready, or was abandoned.
  mutable ForkSafeMutex mutex_;

  // Guarded by mutex_.
  std::unordered_map<PackKey, Entry, PackKeyHash> entries_;
  std::unordered_multimap<Digest, Entry*, DigestHash> by_kernel_;  // all of entries_
  std::list<Entry*> retained_;  // unpinned, least recently used first
  mutable WeightCacheStats stats_;
};

// A counted pin: the packed bytes stay where they are while it lives.
class PackedWeight {
 public:
  PackedWeight() = default;
  PackedWeight(PackedWeight&& other) noexcept;
  PackedWeight& operator=(PackedWeight&& other) noexcept;
  ~PackedWeight();

  explicit operator bool() const { return cache_ != nullptr; }
  Bytes bytes() const;
  // Of a weight that is used as it is stored.
  const StoredBytes& stored() const { return entry_->stored; }
  // Packed for one runtime only: no look-up finds it.
  bool is_private() const { return cache_ != nullptr && entry_ == nullptr; }
  // REQUIRES, for these and for stored(): a weight, and not a private one.
  // What its packer said of the layout.
  LayoutTag tag() const { return entry_->tag; }
  // One more pin of it.
  PackedWeight Share() const;

 private:
  friend class PackTransaction;
  friend class PackedWeightCache;

  PackedWeight(std::shared_ptr<PackedWeightCache> cache, PackedWeightCache::Entry* entry)
      : cache_(std::move(cache)), entry_(entry) {}

  std::shared_ptr<PackedWeightCache> cache_;
  PackedWeightCache::Entry* entry_ = nullptr;  // null for a private one
  std::unique_ptr<HeapBlock> block_;           // of a private one
};

}  // namespace onepack

#endif  // ONEPACK_WEIGHT_CACHE_PACKED_WEIGHT_CACHE_H_
