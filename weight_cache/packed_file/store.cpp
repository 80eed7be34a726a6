#include "weight_cache/packed_file/store.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <new>
#include <system_error>
#include <utility>

namespace onepack {
namespace {

// How long a writer leaves another process alone before it tries again, and how often before it
// gives up; and how often when the cache is closed.
constexpr std::chrono::milliseconds kPause(20);
constexpr int kMaxTries = 500;
constexpr int kMaxTriesWhenClosing = 10;

// A status is its owner's alone.
Status CopyOf(const Status& status) {
  return status.ok() ? Status::Ok() : Status::Error(status.code(), "%s", status.message());
}

// A file that is cut short, or replaced, while it is looked at is looked at once more.
Result<std::shared_ptr<const PackedFileReader>> OpenState(const std::string& path) {
  auto opened = PackedFileReader::Open(path);
  if (opened.ok() || opened.status().code() != StatusCode::kInvalidFile) return opened;
  return PackedFileReader::Open(path);
}

// While this lives, a thread that is made takes no signal: those of the application are handled by
// its own threads, and a file that must not grow is an error and not the end of the process.
class NoSignals {
 public:
  NoSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  NoSignals(const NoSignals&) = delete;
  NoSignals& operator=(const NoSignals&) = delete;
  ~NoSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

}  // namespace

PackedFile::PackedFile(const PackedFileOptions& options) : options_(options) {}

PackedFile::~PackedFile() {
  if (!may_write()) {
    static_cast<void>(thread_.release());  // of the parent: it is not here
    return;
  }
  {
    const Lock lock(mutex_);
    is_closing_ = true;
    wants_writing_ |= has_pending();
    mutex_.NotifyAll();
  }
  if (thread_ != nullptr) {
    thread_->join();
  } else {
    const NoSignals no_signals;
    Run();  // the system had no thread
  }
}

std::shared_ptr<const PackedFileReader> PackedFile::file() const {
  const Lock lock(mutex_);
  return file_;
}

std::shared_ptr<const PackedFileReader> PackedFile::OpenFile() {
  auto opened = OpenState(options_.path);
  if (!opened.ok()) {
    if (opened.status().code() != StatusCode::kNotFound) Trouble(opened.status());
    return nullptr;
  }
  const uid_t owner = (*opened)->owner();
  if (!options_.is_read_only && owner != geteuid() && owner != 0) {
    Trouble(Status::Error(StatusCode::kFailedPrecondition,
                          "%s: it belongs to another user: only a file that is said to be read "
                          "only may",
                          options_.path.c_str()));
    return nullptr;
  }
  return std::move(opened).value();
}

void PackedFile::Refresh() {
  struct stat info;
  const std::shared_ptr<const PackedFileReader> known = file();
  const bool is_there = lstat(options_.path.c_str(), &info) == 0;
  if (is_there && known != nullptr && known->IsOf(info)) return;
  std::shared_ptr<const PackedFileReader> found;
  // What is empty is nothing yet.
  if (is_there ? info.st_size > 0 : errno != ENOENT) found = OpenFile();
  if (found != nullptr && known != nullptr) found->TakeChecksFrom(*known);
  if (found != nullptr && options_.checksums == ChecksumPolicy::kAtOpen) {
    for (const PackedFileEntry& entry : found->directory().entries) {
      static_cast<void>(found->IsIntact(entry));
    }
  }
  const Lock lock(mutex_);
  // Another thread may have come later, and have been faster.
  if (file_ != nullptr && found != nullptr && file_->IsLaterThan(*found)) return;
  std::swap(file_, found);  // and `found` goes after the lock
}

bool PackedFile::WantsKeys(const Digest& layout) const {
  if (may_write()) return true;
  const std::shared_ptr<const PackedFileReader> file = this->file();
  return file != nullptr && !file->directory().entries.empty() &&
         file->directory().entries.front().key.layout == layout;
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
  if (is_intact) return Found{file->BytesOf(*entry), entry->tag, file};
  if (entry == nullptr) {
    ++stats_.misses.absent;
  } else if (!has_layout) {
    ++stats_.misses.other_layout;
  } else {
    ++stats_.misses.damaged;
    if (may_write()) pending_.damaged.push_back(*entry);
  }
  return std::nullopt;
}

void PackedFile::CountHit(uint64_t bytes) {
  const Lock lock(mutex_);
  ++stats_.hits;
  stats_.hit_bytes += bytes;
}

std::optional<Digest> PackedFile::FindHash(const Digest& range) {
  const std::shared_ptr<const PackedFileReader> file = this->file();
  const Digest* hash = file != nullptr ? file->FindHash(range) : nullptr;
  if (hash == nullptr) return std::nullopt;
  const Lock lock(mutex_);
  used_ranges_.insert(range);
  return *hash;
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
  const NoSignals no_signals;
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
    if (!has_in_hand_) TakePending();
    const bool is_last_try = ++tries >= (is_closing_ ? kMaxTriesWhenClosing : kMaxTries);
    lock.unlock();
    const bool is_done = WriteInHand();
    if (!is_done && is_last_try) {
      Lose(Status::Error(StatusCode::kIoError, "%s: another process is writing",
                         options_.path.c_str()));
    }
    if (!is_done && !is_last_try) std::this_thread::sleep_for(kPause);
    PackedFileChange done;
    lock.lock();
    if (!is_done && !is_last_try) continue;
    tries = 0;
    std::swap(done, in_hand_);
    has_in_hand_ = false;
    mutex_.NotifyAll();
    lock.unlock();
    done = PackedFileChange();  // not under the lock: it may be the last to have these bytes
    lock.lock();
  }
}

void PackedFile::TakePending() {
  std::swap(in_hand_, pending_);
  try {
    in_hand_.used_kernels = used_kernels_;
    in_hand_.used_ranges = used_ranges_;
  } catch (const std::bad_alloc&) {
    // Then it is not told what was used.
  }
  in_hand_count_ = in_hand_.additions.size();
  has_in_hand_ = true;
  wants_writing_ = false;
}

bool PackedFile::WriteInHand() {
  PackedFileLimits limits;
  limits.max_bytes = options_.max_bytes;
  auto report = WritePackedFile(options_.path, in_hand_, limits);
  if (!report.ok()) {
    Lose(report.status());
    return true;
  }
  if (report->outcome == WriteOutcome::kBusy) return false;
  Refresh();  // also where nothing was new: then others have written it
  const Lock lock(mutex_);
  stats_.written += report->entries;
  stats_.written_bytes += report->bytes;
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
    if (!lost_.ok()) return std::exchange(lost_, Status::Ok());
    if (file_ == nullptr) return Status::Ok();  // there was nothing to write
  }
  return SyncPackedFile(options_.path);
}

void PackedFile::Lose(const Status& status) {
  {
    const Lock lock(mutex_);
    lost_ = CopyOf(status);
  }
  Trouble(status);
}

void PackedFile::Trouble(const Status& status) {
  {
    const Lock lock(mutex_);
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
