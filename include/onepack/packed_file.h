// A file in which a weight cache keeps what was packed: the next start packs nothing, and all
// processes that use the file share its pages.
//
// What is not in the file is packed as without one, and written behind the load. What is in it is
// served out of the mapped file, and no raw weight is read. The file is of one layout: when another
// XNNPACK or another processor packs, what was there goes. Whatever is wrong with the file costs a
// look-up that finds nothing, never a load.
//
// The file is as trustworthy as who may write to it: its checksums find damage and no forgery. It
// is made for its owner alone (mode 0600). It must not be cut short, or changed, by other programs
// while it is in use; replacing or removing it is fine.
//
// Threads: see WeightCache.

#ifndef ONEPACK_PACKED_FILE_H_
#define ONEPACK_PACKED_FILE_H_

#include <stdint.h>

#include <functional>
#include <string>

#include "onepack/status.h"

namespace onepack {

// When what is in the file is compared with its checksums.
enum class ChecksumPolicy : uint8_t {
  kOnFirstUse,  // of each entry, which has to be read from the disk then anyway
  kAtOpen,      // of all entries
  kNever,       // also after a power failure, which may have left zeros
};

struct PackedFileOptions {
  // Empty: no file. It is made when there is something to keep; its folder is there. A link is
  // refused.
  std::string path;
  // Use what is there, and write nothing: for a file of another application, or the only copy of
  // its weights. Raw weights of data files that the packed file does not know are hashed at each
  // start.
  bool is_read_only = false;
  // The file is kept below that: what was not used for the longest time goes. In bytes.
  uint64_t max_bytes = UINT64_MAX;
  ChecksumPolicy checksums = ChecksumPolicy::kOnFirstUse;
  // Told once why the file cannot be used or written: no permission, a full disk, a damaged file;
  // everything goes on in memory. Called from any thread; must neither throw nor use the cache.
  std::function<void(const Status&)> on_trouble;
};

// Why a look-up found nothing in the file. What was not found was packed.
struct PackedFileMisses {
  uint64_t absent = 0;        // the file does not have this weight
  uint64_t other_layout = 0;  // packed by another XNNPACK, or for another processor
  uint64_t damaged = 0;       // its bytes are not what they were

  uint64_t total() const { return absent + other_layout + damaged; }
};

struct PackedFileStats {
  // Now. In bytes.
  uint64_t file_bytes = 0;  // of the file, as it was last looked at
  uint64_t dead_bytes = 0;  // of them, what no entry takes: it goes when that is a quarter
  uint64_t entries = 0;     // in the file
  uint64_t pending = 0;     // packed weights that have still to be written

  // Since the cache was made. Weights that a load has not found in memory are looked for here.
  uint64_t hits = 0;
  uint64_t hit_bytes = 0;
  PackedFileMisses misses;
  uint64_t hashed_bytes = 0;  // of raw weights, to see whether they are known
  uint64_t written = 0;       // packed weights
  uint64_t written_bytes = 0;
  uint64_t troubles = 0;  // of which on_trouble is told the first
};

}  // namespace onepack

#endif  // ONEPACK_PACKED_FILE_H_
