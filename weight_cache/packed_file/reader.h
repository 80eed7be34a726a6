// One state of a packed file, mapped: what its last complete directory says.
//
// Ownership: counted. The bytes of entries stay where they are while a reader lives, also when the
//            file is replaced or removed. (Not when another program cuts it short: SECURITY.md.)
// Threads:   immutable but for what is known to be right; any thread.
// Errors:    name the path. kNotFound; kIoError; kInvalidFile for what is no packed file or has no
//            complete directory; kUnsupported for another version.

#ifndef ONEPACK_WEIGHT_CACHE_PACKED_FILE_READER_H_
#define ONEPACK_WEIGHT_CACHE_PACKED_FILE_READER_H_

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <atomic>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/fd.h"
#include "base/mapping.h"
#include "onepack/result.h"
#include "onepack/span.h"
#include "weight_cache/packed_file/format.h"

namespace onepack {

// Opens a regular file, and no link to one.
Result<Fd> OpenPackedFile(const char* path, int flags);

class PackedFileReader {
 public:
  static Result<std::shared_ptr<const PackedFileReader>> Open(const std::string& path);
  // Of an open file, whose descriptor stays the caller's.
  static Result<std::shared_ptr<const PackedFileReader>> Of(int descriptor,
                                                            const std::string& path);

  const PackedFileId& id() const { return id_; }
  const PackedFileDirectory& directory() const { return directory_; }
  // Where the state ends. What follows is not part of it.
  uint64_t end() const { return end_; }
  // Something that looks like the end of a later state is there, and is not right.
  bool has_damaged_tail() const { return has_damaged_tail_; }
  uid_t owner() const { return info_.st_uid; }
  // Whether `info` is of this file in this state: no byte follows it.
  bool IsOf(const struct stat& info) const;
  // Whether this is a later state of the same file.
  bool IsLaterThan(const PackedFileReader& other) const {
    return id_ == other.id_ && directory_.sequence > other.directory_.sequence;
  }
  // What `before` has seen of the same entries is not looked at again.
  void TakeChecksFrom(const PackedFileReader& before) const;

  // The entry of this weight, in whatever layout: a file has one layout. Null for none.
  const PackedFileEntry* Find(const WeightIdentity& weight) const;
  const Digest* FindHash(const Digest& range) const;

  // REQUIRES, for both: an entry of directory().
  Bytes BytesOf(const PackedFileEntry& entry) const;
  // Starts to read its bytes from the disk. Advisory.
  void Prefetch(const PackedFileEntry& entry) const;
  // Whether its bytes are what the checksum says. Reads them once.
  bool IsIntact(const PackedFileEntry& entry) const;

 private:
  enum class Check : uint8_t { kNotYet, kIntact, kDamaged };

  PackedFileReader() = default;
  Status Read(int descriptor);
  Status FindDirectory(int descriptor, uint64_t file_size);
  Status ReadDirectory(int descriptor, Bytes footer, uint64_t end);
  void Index();

  struct stat info_{};
  bool has_damaged_tail_ = false;
  PackedFileId id_{};
  uint64_t end_ = 0;
  PackedFileDirectory directory_;
  Mapping mapping_;
  std::unordered_map<const WeightIdentity*, size_t, WeightIdentityHash, WeightIdentityEqual>
      by_weight_;
  std::unordered_map<Digest, size_t, DigestHash> by_range_;
  std::unique_ptr<std::atomic<Check>[]> checks_;  // of each entry
};

}  // namespace onepack

#endif  // ONEPACK_WEIGHT_CACHE_PACKED_FILE_READER_H_
