// Changes a packed file: appends to it, or writes it as a whole beside the old one and gives that
// its name.
//
// One writer at a time: a lock (flock) on the file, or on the one that is to take its place. It is
// not waited for. Nothing that a reader may have mapped is changed: what is appended follows the
// last state's end, and only what follows that is ever cut off. A writer that is killed leaves a
// tail that means nothing, or a file FILE.onepack-new; the next one writes over either.
//
// Bytes are forced to the disk before a file takes another's place, and the header of each. Should
// power fail before the system has written the rest, an entry's checksum says so.
//
// Threads: any; two writers of one process exclude each other as those of two do.
// Errors:  name the path: no space, no permission, no folder, no locks, something else in the way;
//          the file is then what it was. kInvalidFile for a file that is there and is no packed
//          file: it is left alone.

#ifndef ONEPACK_WEIGHT_CACHE_PACKED_FILE_WRITER_H_
#define ONEPACK_WEIGHT_CACHE_PACKED_FILE_WRITER_H_

#include <stdint.h>

#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/digest.h"
#include "onepack/result.h"
#include "onepack/span.h"
#include "weight_cache/packed_file/format.h"
#include "weight_cache/packed_file/reader.h"

namespace onepack {

struct PackedFileChange {
  struct Addition {
    PackKey key;
    LayoutTag tag = 0;
    Bytes bytes;
    std::shared_ptr<const void> owner;  // of the bytes
  };

  // All of one layout. Entries of other layouts go then: who packs now is who loads from now on.
  std::vector<Addition> additions;
  std::vector<PackedFileHash> hashes;
  // Entries whose bytes were not what the checksum says.
  std::vector<PackedFileEntry> damaged;
  // Kernels of the entries, and ranges of the hashes, that were in use, by which the least recently
  // used are told.
  std::unordered_set<Digest, DigestHash> used_kernels;
  std::unordered_set<Digest, DigestHash> used_ranges;
};

struct PackedFileLimits {
  // Of the file. The least recently used entries go, an eighth more than has to, and what does not
  // fit is not written.
  uint64_t max_bytes = UINT64_MAX;
  // Write the whole file, also where appending is enough.
  bool compacts = false;
};

enum class WriteOutcome : uint8_t {
  kWritten,
  kNothingNew,  // all of it was there already: the file was not touched
  kBusy,        // another writer is at work: try later
};

struct WriteReport {
  WriteOutcome outcome = WriteOutcome::kBusy;
  // That were not there before.
  size_t entries = 0;
  uint64_t bytes = 0;
};

Result<WriteReport> WritePackedFile(const std::string& path, const PackedFileChange& change,
                                    const PackedFileLimits& limits);

// Waits until what was written is on the disk.
Status SyncPackedFile(const std::string& path);

// Bytes that no entry and no directory in use takes.
uint64_t DeadBytes(const PackedFileReader& file);

}  // namespace onepack

#endif  // ONEPACK_WEIGHT_CACHE_PACKED_FILE_WRITER_H_
