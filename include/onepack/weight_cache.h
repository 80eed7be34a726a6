// Packed weights, shared by every program in the process.
//
// A weight is packed once for each layout XNNPACK wants (pack_key.h); later requests are served the
// same bytes. One of the layouts is "as stored": such an entry keeps the file's bytes where they
// are, and as its packed bytes the little that was computed from them.
//
// Ownership: Create returns a counted cache; pins and transactions keep it alive, so it can be
//            dropped in any order. Bytes never move or change while a pin is held. With the last
//            pin of an entry its memory goes back to the operating system, unless the application
//            asked to retain some.
// Threads:   the cache from any thread. A pin or a transaction from one thread at a time. Reading
//            pinned bytes takes no lock.
// Fork:      the child has a cache of its own with all that was in this one, and may use and close
//            it. What another thread was just packing the child packs itself.
// Errors:    whatever fails leaves no trace in the cache.

#ifndef ONEPACK_WEIGHT_CACHE_H_
#define ONEPACK_WEIGHT_CACHE_H_

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
#include "weight_cache/content_registry.h"
#include "weight_cache/heap_store.h"
#include "weight_cache/pack_key.h"
#include "weight_cache/stored_bytes.h"

namespace onepack {

struct WeightCacheOptions {
  // Entries without pins are kept up to so many bytes, the least recently used dropped
  // first: switching adapters back and forth then packs nothing. 0 frees each with its last pin.
  // Weights that are used as they are stored are never kept: their files would be, too.
  size_t retained_bytes = 0;
  // Put a SHA-256 of each raw weight on record when it is packed. A weight that outlives its file
  // (retained_bytes) is then recognised in another file. Costs about as much as reading it once
  // more.
  bool record_hashes = false;
  // Ask for transparent huge pages: runs that wait for weights from memory take up to half as long,
  // and so does packing, if the kernel has such pages at hand. If it has to find some first, the
  // load pays for that. Of each 32 MB of smaller entries, one huge page may be only partly used.
  bool huge_pages = false;
};

// Why a look-up found nothing, nearest reason first.
struct WeightCacheMisses {
  uint64_t absent = 0;         // no weight of this name and size is here
  uint64_t other_content = 0;  // one is, with other bytes (or they could not be compared)
  uint64_t other_quantization =
      0;                      // the same bytes, with other scales, zero points, datatype or dims
  uint64_t other_layout = 0;  // the same weight, packed for another operator or kernel

  uint64_t total() const { return absent + other_content + other_quantization + other_layout; }
};

struct WeightCacheStats {
  // Now.
  size_t entries = 0;         // shared ones
  size_t bytes = 0;           // of packed weights, shared and private
  size_t private_bytes = 0;   // of them, those that no other program can find
  size_t retained_bytes = 0;  // of them, those without pins
  size_t in_place_bytes = 0;  // besides `bytes`: of weights that are used as they are stored
  size_t pins = 0;
  size_t heap_bytes = 0;  // address space taken from the system for `bytes`

  // Since the cache was made. A load counts each weight once: a hit if it was there, else a miss.
  uint64_t hits = 0;
  uint64_t hit_bytes = 0;  // of the weights of all hits
  WeightCacheMisses misses;
  uint64_t packed_bytes = 0;  // shared and private
  uint64_t packing_ns = 0;    // from reservation to commit, summed over threads
  uint64_t waits = 0;         // look-ups that waited for another load's packing
  uint64_t wait_ns = 0;
  uint64_t evictions = 0;  // retained entries that were dropped
  uint64_t lock_count =
      0;  // how often the cache's lock was taken; running over shared weights never does
};

class PackTransaction;
class PackedWeight;

class WeightCache : public std::enable_shared_from_this<WeightCache> {
 public:
  static std::shared_ptr<WeightCache> Create(const WeightCacheOptions& options = {});
  ~WeightCache();
  WeightCache(const WeightCache&) = delete;
  WeightCache& operator=(const WeightCache&) = delete;

  const WeightCacheOptions& options() const { return options_; }
  WeightCacheStats Stats() const;

  // Evicts every entry without pins.
  void Prune();

  // Which raw bytes are equal. Shared by all that share the cache.
  ContentRegistry& contents() { return contents_; }

  // The weight if it is there, and then a hit; else an empty pin, and nothing is counted, claimed
  // or waited for.
  PackedWeight Find(const PackKey& key);

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
    HeapBlock block;
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

  explicit WeightCache(const WeightCacheOptions& options);

  // A pinned ready entry, or null: then the caller has claimed `key` and must Publish or Abandon
  // it. Waits while another transaction packs `key`.
  Entry* FindOrClaim(const PackKey& key, bool has_namesake);
  // REQUIRES, for both: the caller has claimed `key`.
  // The entry takes `block`, becomes ready and is pinned.
  Entry* Publish(const PackKey& key, HeapBlock block, StoredBytes stored, LayoutTag tag,
                 std::vector<std::shared_ptr<Content>> contents, uint64_t packing_ns);
  void Abandon(const PackKey& key);
  void AddPin(Entry* entry);
  void Unpin(Entry* entry);
  void AddPrivate(size_t bytes, uint64_t packing_ns);
  void RemovePrivate(size_t bytes);

  // For all below, the mutex is held.
  void Pin(Entry* entry);
  Entry* Hit(Entry* entry);
  void CountMiss(const PackKey& key, bool has_namesake);
  Entry* CreateEntry(const PackKey& key);
  void EraseEntry(Entry* entry);
  // What a ready entry had, which goes. Letting go of it may unmap a file and run the application's
  // code: never under the mutex.
  struct Remains {
    HeapBlock block;
    StoredBytes stored;
  };
  Remains Take(Entry* entry);

  // Drops retained entries until at most `limit` bytes are left. Takes the mutex for each.
  void EvictDownTo(size_t limit);

  const WeightCacheOptions options_;
  const std::shared_ptr<HeapStore> heap_;
  ContentRegistry contents_;

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
  friend class WeightCache;

  PackedWeight(std::shared_ptr<WeightCache> cache, WeightCache::Entry* entry)
      : cache_(std::move(cache)), entry_(entry) {}

  std::shared_ptr<WeightCache> cache_;
  WeightCache::Entry* entry_ = nullptr;  // null for a private one
  std::unique_ptr<HeapBlock> block_;     // of a private one
};

}  // namespace onepack

#endif  // ONEPACK_WEIGHT_CACHE_H_
