// The packed file of a cache: what is in it now, and what has still to be written.
//
// A load asks for what it does not find in memory (Refresh, FindHash, Find), and hands over what it
// packs (Add, AddHash); at its end, StartWriting has a thread write that, which no load waits for.
// The destructor waits until it is written, as far as another process does not write just then, but
// not for the disk.
//
// A forked child goes on reading, and writes nothing: the thread is not there.
//
// Ownership: what Find serves keeps its mapping; what is added is kept by its owner until it is
//            written. Neither keeps the store.
// Threads:   any.
// Errors:    counted, and told once to the application; none fails a load.

#ifndef ONEPACK_WEIGHT_CACHE_PACKED_FILE_STORE_H_
#define ONEPACK_WEIGHT_CACHE_PACKED_FILE_STORE_H_

#include <stdint.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_set>

#include "base/fork_safe_mutex.h"
#include "onepack/packed_file.h"
#include "onepack/span.h"
#include "weight_cache/packed_file/reader.h"
#include "weight_cache/packed_file/writer.h"

namespace onepack {

class PackedFile {
 public:
  // REQUIRES: a path.
  explicit PackedFile(const PackedFileOptions& options);
  PackedFile(const PackedFile&) = delete;
  PackedFile& operator=(const PackedFile&) = delete;
  ~PackedFile();

  // Looks whether the file is another one than before: other processes write, too.
  void Refresh();
  // Whether a key of this layout can be found, or kept. Raw bytes are not hashed for nothing.
  bool WantsKeys(const Digest& layout) const;

  struct Found {
    Bytes bytes;
    LayoutTag tag = 0;
    std::shared_ptr<const void> owner;  // of the bytes
  };
  std::optional<Found> Find(const PackKey& key);
  // What was found is in use.
  void CountHit(uint64_t bytes);

  // SHA-256 of a range, if it is on record.
  std::optional<Digest> FindHash(const Digest& range);
  // REQUIRES: the range is of a lasting identity (DataIdentity::IsLasting).
  void AddHash(const Digest& range, const Digest& hash);
  void CountHashed(uint64_t bytes);

  // May throw std::bad_alloc, with nothing changed, like all that adds.
  void Add(PackedFileChange::Addition addition);
  void StartWriting();

  // Waits until all that was added is in the file, and on the disk. Errors: why something that was
  // added since the last call is not.
  Status Flush();

  PackedFileStats Stats() const;

 private:
  using Lock = std::unique_lock<ForkSafeMutex>;

  std::shared_ptr<const PackedFileReader> file() const;
  bool may_write() const { return !options_.is_read_only && forks_ == ForkSafeMutex::forks(); }
  // Opens it if it may be trusted. Null for none.
  std::shared_ptr<const PackedFileReader> OpenFile();
  // Whether the thread is there.
  bool StartThread();
  // What it does.
  void Run() noexcept;
  // For both, the lock is held.
  bool has_pending() const { return !pending_.additions.empty() || !pending_.hashes.empty(); }
  bool has_work() const { return wants_writing_ || has_in_hand_; }
  // One try to write what is in hand. False when another process is writing.
  bool WriteInHand();
  void TakePending();
  // What was added is not in the file.
  void Lose(const Status& status);
  void Trouble(const Status& status);

  const PackedFileOptions options_;
  const uint32_t forks_ = ForkSafeMutex::forks();

  // Leaf lock. Nothing of the application's is called, and no bytes are let go of, while it is
  // held. Notified when there is something to write, and when it was written.
  mutable ForkSafeMutex mutex_;

  // Guarded by mutex_.
  std::shared_ptr<const PackedFileReader> file_;  // null for none
  PackedFileChange pending_;
  // Since the cache was made.
  std::unordered_set<Digest, DigestHash> used_kernels_;
  std::unordered_set<Digest, DigestHash> used_ranges_;
  bool wants_writing_ = false;  // what is pending
  bool has_in_hand_ = false;
  size_t in_hand_count_ = 0;  // of packed weights
  bool is_closing_ = false;
  bool is_told_ = false;
  Status lost_;  // why something was lost since the last Flush; OK: nothing was
  PackedFileStats stats_;

  // Of the thread: taken from what was pending.
  PackedFileChange in_hand_;

  // Not there until something is written; not deleted in a child, where it does not run.
  std::unique_ptr<std::thread> thread_;
};

}  // namespace onepack

#endif  // ONEPACK_WEIGHT_CACHE_PACKED_FILE_STORE_H_
