#include "weight_cache/packed_file/store.h"

#include <errno.h>
#include <sys/stat.h>

#include <chrono>
#include <new>
#include <system_error>
#include <utility>

namespace onepack {
namespace {

// How long a writer leaves another process alone before it tries again, and how often before it
// gives up.
constexpr std::chrono::milliseconds kPause(20);
constexpr int kMaxTries = 500;

// A status is its owner's alone.
Status CopyOf(const Status& status) {
  return status.ok() ? Status::Ok() : Status::Error(status.code(), "%s", status.message());
}

}  // namespace

PackedFile::PackedFile(const PackedFileOptions& options) : options_(options) {}

PackedFile::~PackedFile() {
  if (thread_ == nullptr) return;
  if (!may_write()) {
    static_cast<void>(thread_.release());
    return;
  }
  {
    const Lock lock(mutex_);
    is_closing_ = true;
    wants_writing_ |= has_pending();
    mutex_.NotifyAll();
  }
  thread_->join();
}

std::shared_ptr<const PackedFileReader> PackedFile::file() const {
  const Lock lock(mutex_);
  return file_;
}

void PackedFile::Refresh() {
  struct stat info;
  std::shared_ptr<const PackedFileReader> known = file();
  const bool is_there = lstat(options_.path.c_str(), &info) == 0;
  if (is_there && known != nullptr && known->IsOf(info)) return;
  std::shared_ptr<const PackedFileReader> found;
  if (is_there || errno != ENOENT) {
    auto opened = PackedFileReader::Open(options_.path);
    if (opened.ok()) {
      found = std::move(opened).value();
    } else {
      Trouble(opened.status());
    }
  }
  if (found != nullptr && options_.checksums == ChecksumPolicy::kAtOpen) {
    for (const PackedFileEntry& entry : found->directory().entries) {
      static_cast<void>(found->IsIntact(entry));
    }
  }
  const Lock lock(mutex_);
  std::swap(file_, found);  // and `found` goes after the lock
}

std::optional<PackedFile::Found> PackedFile::Find(const PackKey& key) {
  const std::shared_ptr<const PackedFileReader> file = this->file();
  const PackedFileEntry* entry = file != nullptr ? file->Find(key.weight) : nullptr;
  const bool has_layout = entry != nullptr && entry->key.layout == key.layout;
  // Reads it all, and so not under the lock.
  const bool is_intact =
      has_layout && (options_.checksums == ChecksumPolicy::kNever || file->IsIntact(*entry));
  // So that the first run does not wait for each page by itself.
  if (has_layout && options_.checksums == ChecksumPolicy::kNever) file->Prefetch(*entry);
  const Lock lock(mutex_);
  used_kernels_.insert(key.weight.kernel);
  if (entry == nullptr) {
    ++stats_.misses.absent;
  } else if (!has_layout) {
    ++stats_.misses.other_layout;
  } else if (!is_intact) {
    ++stats_.misses.damaged;
    pending_.damaged.push_back(*entry);
  } else {
    ++stats_.hits;
    stats_.hit_bytes += entry->size;
    return Found{file->BytesOf(*entry), entry->tag, file};
  }
  return std::nullopt;
}

std::optional<Digest> PackedFile::FindHash(const Digest& range) {
  const std::shared_ptr<const PackedFileReader> file = this->file();
  const Digest* hash = file != nullptr ? file->FindHash(range) : nullptr;
  return hash != nullptr ? std::make_optional(*hash) : std::nullopt;
}

void PackedFile::AddHash(const Digest& range, const Digest& hash) {
  if (!may_write()) return;
  const Lock lock(mutex_);
  pending_.hashes.push_back({range, hash});
}

void PackedFile::CountHashed(uint64_t bytes) {
  const Lock lock(mutex_);
  stats_.hashed_bytes += bytes;
}

void PackedFile::Add(PackedFileChange::Addition addition) {
  if (!may_write()) return;
  const Lock lock(mutex_);
  pending_.additions.push_back(std::move(addition));
}

void PackedFile::StartWriting() {
  if (!may_write()) return;
  const Lock lock(mutex_);
  if (!has_pending()) return;
  wants_writing_ = true;
  mutex_.NotifyAll();
  StartThread();
}

bool PackedFile::StartThread() try {
  if (thread_ == nullptr) thread_ = std::make_unique<std::thread>([this] { Run(); });
  return true;
} catch (const std::exception&) {
  return false;  // the system has none now: the next load may find one
}

void PackedFile::Run() noexcept {
  Lock lock(mutex_);
  int tries = 0;
  for (;;) {
    while (!has_work() && !is_closing_) mutex_.Wait(lock);
    if (!has_work()) return;
    if (!has_in_hand_) {
      std::swap(in_hand_, pending_);
      std::swap(in_hand_.used_kernels, used_kernels_);
      in_hand_count_ = in_hand_.additions.size();
      has_in_hand_ = true;
      wants_writing_ = false;
    }
    const bool is_last_try = is_closing_ || ++tries == kMaxTries;
    lock.unlock();
    const bool is_done = WriteInHand();
    if (!is_done && is_last_try) {
      Trouble(Status::Error(StatusCode::kIoError, "%s: another process is writing",
                            options_.path.c_str()));
    }
    if (is_done || is_last_try) {
      in_hand_ = PackedFileChange();  // not under the lock: it may be the last to have these bytes
      tries = 0;
    } else {
      std::this_thread::sleep_for(kPause);
    }
    lock.lock();
    has_in_hand_ = !is_done && !is_last_try;
    mutex_.NotifyAll();
  }
}

bool PackedFile::WriteInHand() {
  PackedFileLimits limits;
  limits.max_bytes = options_.max_bytes;
  auto outcome = WritePackedFile(options_.path, in_hand_, limits);
  if (!outcome.ok()) {
    Trouble(outcome.status());
    return true;
  }
  if (*outcome == WriteOutcome::kBusy) return false;
  uint64_t bytes = 0;
  for (const PackedFileChange::Addition& addition : in_hand_.additions) {
    bytes += addition.bytes.size();
  }
  if (*outcome == WriteOutcome::kWritten) Refresh();
  const Lock lock(mutex_);
  last_error_ = Status::Ok();
  if (*outcome == WriteOutcome::kNothingNew) return true;
  stats_.written += in_hand_.additions.size();
  stats_.written_bytes += bytes;
  return true;
}

Status PackedFile::Flush() {
  if (!may_write()) {
    return Status::Error(StatusCode::kFailedPrecondition, "%s: %s", options_.path.c_str(),
                         options_.is_read_only ? "it is read only"
                                               : "this process was forked off: its parent writes");
  }
  {
    Lock lock(mutex_);
    wants_writing_ |= has_pending();
    mutex_.NotifyAll();
    if (has_work() && !StartThread()) {
      return Status::Error(StatusCode::kResourceExhausted, "%s: no thread to write it",
                           options_.path.c_str());
    }
    while (has_work()) mutex_.Wait(lock);
    if (!last_error_.ok()) return CopyOf(last_error_);
    if (file_ == nullptr) return Status::Ok();  // nothing was ever written
  }
  return SyncPackedFile(options_.path);
}

void PackedFile::Trouble(const Status& status) {
  {
    const Lock lock(mutex_);
    last_error_ = CopyOf(status);
    ++stats_.troubles;
    if (std::exchange(is_told_, true)) return;
  }
  if (options_.on_trouble) options_.on_trouble(status);
}

PackedFileStats PackedFile::Stats() const {
  PackedFileStats stats;
  std::shared_ptr<const PackedFileReader> file;
  {
    const Lock lock(mutex_);
    stats = stats_;
    stats.pending = pending_.additions.size() + (has_in_hand_ ? in_hand_count_ : 0);
    file = file_;
  }
  if (file == nullptr) return stats;
  stats.file_bytes = file->end();
  stats.dead_bytes = DeadBytes(*file);
  stats.entries = file->directory().entries.size();
  return stats;
}

}  // namespace onepack
