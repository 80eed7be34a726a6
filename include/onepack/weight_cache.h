// Packed weights, shared by every program in the process.
//
// A weight is packed once for each layout XNNPACK wants; later requests are served the same bytes.
// Weights may also be used as they are stored: then the cache keeps the file's bytes where they
// are, and the little that was computed from them.
//
// Ownership: Create returns a counted cache; what is loaded with it keeps it alive. When the last
//            program that uses a weight is closed, its memory goes back to the operating system,
//            unless the application asked to retain some.
// Threads:   any.
// Fork:      the child has a cache of its own with all that was in this one, and may use and close
//            it. What another thread was just packing the child packs itself. It reads the
//            packed file, and does not write it.
// Errors:    whatever fails leaves no trace in the cache.

#ifndef ONEPACK_WEIGHT_CACHE_H_
#define ONEPACK_WEIGHT_CACHE_H_

#include <stddef.h>
#include <stdint.h>

#include <memory>

#include "onepack/export.h"
#include "onepack/packed_file.h"
#include "onepack/status.h"

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
  // Where packed weights are kept for the next start and for other processes. Linear layers that
  // run over weights as they are stored need none.
  PackedFileOptions packed_file;
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
  size_t file_bytes = 0;      // of them, those that are pages of the packed file
  // Besides `bytes`, of weights that are used as they are stored: those that are where they were
  // and cost no memory of their own, in mapped files or in the application's memory; and those that
  // a source which is not mapped (DataSource::is_mapped) had to read into memory.
  size_t in_place_bytes = 0;
  size_t copied_bytes = 0;
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

  PackedFileStats file;
};

class ONEPACK_API WeightCache {
 public:
  static std::shared_ptr<WeightCache> Create(const WeightCacheOptions& options = {});
  virtual ~WeightCache();
  WeightCache(const WeightCache&) = delete;
  WeightCache& operator=(const WeightCache&) = delete;

  virtual const WeightCacheOptions& options() const = 0;
  virtual WeightCacheStats Stats() const = 0;

  // Evicts every entry without pins.
  virtual void Prune() = 0;

  // Waits until all that was packed so far is in the packed file, and on the disk. OK without a
  // file. Errors: why it is not.
  virtual Status Flush() = 0;

 private:
  friend class PackedWeightCache;  // what Create makes: nothing else derives
  WeightCache() = default;
};

}  // namespace onepack

#endif  // ONEPACK_WEIGHT_CACHE_H_
