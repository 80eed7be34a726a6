// What a packed file is to hold after a change: entries, in the file already or not, and hashes;
// and how that is written.

#ifndef ONEPACK_WEIGHT_CACHE_PACKED_FILE_NEXT_STATE_H_
#define ONEPACK_WEIGHT_CACHE_PACKED_FILE_NEXT_STATE_H_

#include <stddef.h>
#include <stdint.h>

#include <vector>

#include "onepack/result.h"
#include "onepack/span.h"
#include "weight_cache/packed_file/format.h"
#include "weight_cache/packed_file/locked_file.h"
#include "weight_cache/packed_file/reader.h"
#include "weight_cache/packed_file/writer.h"

namespace onepack {

class NextState {
 public:
  // `file` is null for none. Both outlive it. May throw std::bad_alloc.
  NextState(const PackedFileReader* file, const PackedFileChange& change);

  // Where it is more than that, drops the least recently used entries, and of those of one use the
  // new ones first, until there is some room again.
  void LimitTo(uint64_t max_bytes);

  // Whether it is another state than the file's.
  bool is_new() const;
  // What is not in the file.
  size_t new_entries() const;
  uint64_t new_bytes() const;

  // Of the file, if what is new is appended to it. REQUIRES: a file.
  uint64_t AppendedSize() const;
  // As if it were written as a whole.
  uint64_t LiveSize() const;

  // What is new, from the end of the file's state on. REQUIRES: a file, and its lock.
  Status Append(const LockedFile& file);
  // All of it, to an empty file. What is damaged is left out.
  Status WriteAll(const LockedFile& file);

 private:
  struct Item {
    PackedFileEntry entry;
    Bytes bytes;
    bool is_new;
  };

  void KeepEntries(const PackedFileChange& change);
  void AddEntries(const PackedFileChange& change);
  void MergeHashes(const PackedFileChange& change);
  bool IsIntact(const PackedFileEntry& entry) const {
    return ChecksumOf(file_->BytesOf(entry)) == entry.checksum;
  }
  static Status WriteItem(const LockedFile& file, Item& item, uint64_t& end);
  Status WriteDirectory(const LockedFile& file, const PackedFileId& id, uint64_t end) const;

  const PackedFileReader* const file_;
  const uint64_t sequence_;
  std::vector<Item> items_;
  std::vector<PackedFileHash> hashes_;
  bool has_new_hashes_ = false;
};

}  // namespace onepack

#endif  // ONEPACK_WEIGHT_CACHE_PACKED_FILE_NEXT_STATE_H_
