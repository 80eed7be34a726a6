#include "weight_cache/packed_file/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <new>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/rounding.h"

namespace onepack {
namespace {

// More dead bytes than that, and than a quarter of the file, and it is written as a whole.
constexpr uint64_t kMaxDeadBytes = 64 << 10;

// For each entry: kernel, bias and their scales, each in a few files at most.
constexpr size_t kHashesPerEntry = 8;
constexpr size_t kMinHashes = 64;

// Of two sizes, in files of two orders: the second may even be the greater one.
uint64_t Surplus(uint64_t size, uint64_t live) { return size > live ? size - live : 0; }

// An open file with the lock on it; none while another has it.
using LockedFile = std::optional<Fd>;

bool IsAtPath(int descriptor, const std::string& path) {
  struct stat open_file;
  struct stat at_path;
  return fstat(descriptor, &open_file) == 0 && lstat(path.c_str(), &at_path) == 0 &&
         open_file.st_dev == at_path.st_dev && open_file.st_ino == at_path.st_ino;
}

// None, too, for a file whose name another has taken in the meantime. kNotFound.
Result<LockedFile> OpenLocked(const std::string& path, int flags) {
  ONEPACK_ASSIGN_OR_RETURN(Fd file, OpenPackedFile(path.c_str(), O_RDWR | flags));
  int result;
  do {
    result = flock(file.get(), LOCK_EX | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  if (result != 0 && errno == EWOULDBLOCK) return LockedFile();
  if (result != 0) return PosixError(path.c_str(), errno).WithContext("locking");
  if (!IsAtPath(file.get(), path)) return LockedFile();
  return LockedFile(std::move(file));
}

Status WriteAt(int descriptor, uint64_t offset, Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t written =
        pwrite(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return PosixError("writing", errno);
    const auto count = static_cast<size_t>(written);
    bytes = bytes.subspan(count, bytes.size() - count);
    offset += count;
  }
  return Status::Ok();
}

// All at once, so that a full disk is known before anything is written. A file system that cannot
// reserve says so when it is written.
Status Reserve(int descriptor, uint64_t offset, uint64_t size) {
  int result;
  do {
    result = fallocate(descriptor, 0, static_cast<off_t>(offset), static_cast<off_t>(size));
  } while (result != 0 && errno == EINTR);
  if (result == 0 || errno == EOPNOTSUPP || errno == ENOSYS) return Status::Ok();
  return PosixError("reserving space", errno);
}

// Unlike any other's: a process has one at a time.
PackedFileId NewId() {
  static std::atomic<uint64_t> count{0};
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const Digest digest = DigestBuilder("packed file")
                            .Add(int64_t{now.tv_sec})
                            .Add(int64_t{now.tv_nsec})
                            .Add(int64_t{getpid()})
                            .Add(++count)
                            .Finish();
  PackedFileId id;
  std::copy_n(digest.bytes.begin(), id.size(), id.begin());
  return id;
}

// Whether a file that cannot be read was a packed file: nothing else is written over. An empty one
// is nothing yet.
Status CheckMayBeReplaced(int descriptor, const std::string& path) {
  struct stat info;
  if (fstat(descriptor, &info) != 0) return PosixError(path.c_str(), errno);
  if (info.st_size == 0) return Status::Ok();
  uint8_t header[kPackedFileHeaderSize] = {};
  static_cast<void>(pread(descriptor, header, sizeof(header), 0));
  if (HasPackedFileMagic({header, sizeof(header)})) return Status::Ok();
  const auto end = RoundDown(static_cast<uint64_t>(info.st_size), kPackedFileBlock);
  uint8_t footer[kPackedFileFooterSize] = {};
  if (end > 0) {
    static_cast<void>(
        pread(descriptor, footer, sizeof(footer), static_cast<off_t>(end - sizeof(footer))));
  }
  if (IsPackedFileFooter({footer, sizeof(footer)})) return Status::Ok();
  return Status::Error(StatusCode::kInvalidFile,
                       "%s: not a packed file: it is left as it is, and nothing is kept in it",
                       path.c_str());
}

// What a file is to hold: entries, in the file already or not, and hashes.
class NextState {
 public:
  // `file` is null for none.
  NextState(const PackedFileReader* file, const PackedFileChange& change)
      : file_(file), sequence_(file != nullptr ? file->directory().sequence + 1 : 1) {
    KeepEntries(change);
    AddEntries(change);
    MergeHashes(change);
  }

  // Drops the least recently used entries, and of those of one use the new ones first.
  void LimitTo(uint64_t max_bytes) {
    std::stable_sort(items_.begin(), items_.end(), [](const Item& a, const Item& b) {
      return std::make_pair(a.entry.last_use, !a.is_new) >
             std::make_pair(b.entry.last_use, !b.is_new);
    });
    uint64_t size = kPackedFileHeaderSize +
                    PackedFileDirectorySize(items_.size(), hashes_.size(), /*offset=*/0) +
                    kPackedFileBlock;
    const auto end = std::find_if(items_.begin(), items_.end(), [&](const Item& item) {
      size = PackedFileOffset(size, item.entry.size) + item.entry.size;
      return size > max_bytes;
    });
    items_.erase(end, items_.end());
  }

  bool is_new() const {
    const size_t known = file_ != nullptr ? file_->directory().entries.size() : 0;
    return has_new_hashes_ || items_.size() != known ||
           std::any_of(items_.begin(), items_.end(), [](const Item& item) { return item.is_new; });
  }

  // Of the file, if what is new is appended to it.
  uint64_t AppendedSize() const {
    uint64_t end = file_->end();
    for (const Item& item : items_) {
      if (item.is_new) end = PackedFileOffset(end, item.entry.size) + item.entry.size;
    }
    end = RoundUp<uint64_t>(end, kPackedFileAlignment);
    return end + PackedFileDirectorySize(items_.size(), hashes_.size(), end);
  }
  // As if it were written as a whole.
  uint64_t LiveSize() const {
    uint64_t end = kPackedFileHeaderSize;
    for (const Item& item : items_) {
      end = PackedFileOffset(end, item.entry.size) + item.entry.size;
    }
    end = RoundUp<uint64_t>(end, kPackedFileAlignment);
    return end + PackedFileDirectorySize(items_.size(), hashes_.size(), end);
  }

  // What is new, from the end of the file on.
  Status Append(int descriptor) {
    const uint64_t size = AppendedSize() - file_->end();
    ONEPACK_RETURN_IF_ERROR(Reserve(descriptor, file_->end(), size));
    uint64_t end = file_->end();
    for (Item& item : items_) {
      if (item.is_new) ONEPACK_RETURN_IF_ERROR(WriteItem(descriptor, item, end));
    }
    return WriteDirectory(descriptor, file_->id(), end);
  }

  // All of it, to an empty file.
  Status WriteAll(int descriptor) {
    DropDamaged();
    ONEPACK_RETURN_IF_ERROR(Reserve(descriptor, 0, LiveSize()));
    const PackedFileId id = NewId();
    const auto header = EncodePackedFileHeader(id);
    ONEPACK_RETURN_IF_ERROR(WriteAt(descriptor, 0, {header.data(), header.size()}));
    uint64_t end = header.size();
    for (Item& item : items_) ONEPACK_RETURN_IF_ERROR(WriteItem(descriptor, item, end));
    return WriteDirectory(descriptor, id, end);
  }

 private:
  struct Item {
    PackedFileEntry entry;
    Bytes bytes;
    bool is_new;
  };

  void KeepEntries(const PackedFileChange& change) {
    if (file_ == nullptr) return;
    for (const PackedFileEntry& entry : file_->directory().entries) {
      const auto is_this = [&entry](const PackedFileEntry& other) {
        return entry.offset == other.offset && entry.checksum == other.checksum;
      };
      const bool is_damaged = std::any_of(change.damaged.begin(), change.damaged.end(), is_this);
      const bool has_other_layout =
          !change.additions.empty() && !(entry.key.layout == change.additions.front().key.layout);
      if (is_damaged || has_other_layout) continue;
      Item& item = items_.emplace_back(Item{entry, file_->BytesOf(entry), false});
      if (change.used_kernels.count(entry.key.weight.kernel) > 0) item.entry.last_use = sequence_;
    }
  }

  // A weight that another process has added meanwhile is there: equal keys, equal bytes.
  void AddEntries(const PackedFileChange& change) {
    std::unordered_set<WeightIdentity, ByValue, std::equal_to<>> known;
    for (const Item& item : items_) known.insert(item.entry.key.weight);
    for (const PackedFileChange::Addition& addition : change.additions) {
      if (!known.insert(addition.key.weight).second) continue;
      Item item{{}, addition.bytes, true};
      item.entry.key = addition.key;
      item.entry.tag = addition.tag;
      item.entry.size = addition.bytes.size();
      item.entry.last_use = sequence_;
      items_.push_back(item);
    }
  }

  // The latest ones, so that states of files which are gone do not stay for good.
  void MergeHashes(const PackedFileChange& change) {
    std::unordered_set<Digest, DigestHash> ranges;
    for (const PackedFileHash& hash : change.hashes) {
      const Digest* known = file_ != nullptr ? file_->FindHash(hash.range) : nullptr;
      if (known != nullptr && *known == hash.hash) continue;
      if (!ranges.insert(hash.range).second) continue;
      hashes_.push_back({hash.range, hash.hash, sequence_});
      has_new_hashes_ = true;
    }
    if (file_ != nullptr) {
      for (const PackedFileHash& hash : file_->directory().hashes) {
        if (ranges.insert(hash.range).second) hashes_.push_back(hash);
      }
    }
    std::stable_sort(hashes_.begin(), hashes_.end(),
                     [](const auto& a, const auto& b) { return a.last_use > b.last_use; });
    hashes_.resize(std::min(hashes_.size(), kHashesPerEntry * items_.size() + kMinHashes));
  }

  void DropDamaged() {
    items_.erase(
        std::remove_if(items_.begin(), items_.end(),
                       [this](const Item& item) { return !item.is_new && !IsIntact(item.entry); }),
        items_.end());
  }

  bool IsIntact(const PackedFileEntry& entry) const {
    return ChecksumOf(file_->BytesOf(entry)) == entry.checksum;
  }

  static Status WriteItem(int descriptor, Item& item, uint64_t& end) {
    item.entry.offset = PackedFileOffset(end, item.entry.size);
    item.entry.checksum = ChecksumOf(item.bytes);
    end = item.entry.offset + item.entry.size;
    return WriteAt(descriptor, item.entry.offset, item.bytes);
  }

  Status WriteDirectory(int descriptor, const PackedFileId& id, uint64_t end) const {
    PackedFileDirectory directory;
    directory.sequence = sequence_;
    directory.entries.reserve(items_.size());
    for (const Item& item : items_) directory.entries.push_back(item.entry);
    directory.hashes = hashes_;
    const uint64_t offset = RoundUp<uint64_t>(end, kPackedFileAlignment);
    const std::vector<uint8_t> bytes = EncodePackedFileDirectory(directory, id, offset);
    return WriteAt(descriptor, offset, {bytes.data(), bytes.size()});
  }

  struct ByValue {
    size_t operator()(const WeightIdentity& weight) const { return WeightIdentityHash()(&weight); }
  };

  const PackedFileReader* const file_;
  const uint64_t sequence_;
  std::vector<Item> items_;
  std::vector<PackedFileHash> hashes_;
  bool has_new_hashes_ = false;
};

Status CutOff(int descriptor, uint64_t end) {
  int result;
  do {
    result = ftruncate(descriptor, static_cast<off_t>(end));
  } while (result != 0 && errno == EINTR);
  return result == 0 ? Status::Ok() : PosixError("truncating", errno);
}

Status Append(int descriptor, const PackedFileReader& file, NextState& next) {
  Status status = CutOff(descriptor, file.end());
  if (status.ok()) status = next.Append(descriptor);
  // What was written of it means nothing, but it takes space.
  if (!status.ok()) static_cast<void>(CutOff(descriptor, file.end()));
  return status;
}

std::string NameOfNew(const std::string& path) { return path + ".new"; }

// To a file beside it, which takes its name. `replaces`: the lock on the file at `path` is held;
// otherwise there was none.
Result<WriteOutcome> Rewrite(const std::string& path, bool replaces, NextState& next) {
  const std::string temporary = NameOfNew(path);
  ONEPACK_ASSIGN_OR_RETURN(const LockedFile file, OpenLocked(temporary, O_CREAT));
  if (!file) return WriteOutcome::kBusy;
  struct stat info;
  if (!replaces && lstat(path.c_str(), &info) == 0) {
    unlink(temporary.c_str());
    return WriteOutcome::kBusy;  // another one was made meanwhile
  }
  Status status = CutOff(file->get(), 0);
  if (status.ok()) status = next.WriteAll(file->get());
  // Whoever is replaced was whole: its bytes may go when these are there.
  if (status.ok() && replaces && fdatasync(file->get()) != 0) {
    status = PosixError("fdatasync", errno);
  }
  if (status.ok() && rename(temporary.c_str(), path.c_str()) != 0) {
    status = PosixError("renaming", errno);
  }
  if (status.ok()) return WriteOutcome::kWritten;
  unlink(temporary.c_str());
  return std::move(status).WithContext("%s", temporary.c_str());
}

// What a writer that was killed had begun.
void RemoveLeftover(const std::string& path) {
  const std::string temporary = NameOfNew(path);
  auto leftover = OpenLocked(temporary, 0);
  if (leftover.ok() && leftover->has_value()) unlink(temporary.c_str());
}

bool ShouldAppend(const NextState& next, const PackedFileLimits& limits) {
  const uint64_t size = next.AppendedSize();
  return !limits.compacts && size <= limits.max_bytes &&
         Surplus(size, next.LiveSize()) <= std::max(kMaxDeadBytes, size / 4);
}

Result<WriteOutcome> Write(const std::string& path, const PackedFileChange& change,
                           const PackedFileLimits& limits) {
  auto opened = OpenLocked(path, 0);
  const bool is_there = opened.ok();
  if (!is_there && opened.status().code() != StatusCode::kNotFound) return opened.TakeStatus();
  if (is_there && !opened->has_value()) return WriteOutcome::kBusy;
  std::shared_ptr<const PackedFileReader> file;
  if (is_there) {
    auto read = PackedFileReader::Of((*opened)->get(), path);
    if (read.ok()) {
      file = std::move(read).value();
    } else if (read.status().code() != StatusCode::kInvalidFile &&
               read.status().code() != StatusCode::kUnsupported) {
      return read.TakeStatus();
    } else {
      ONEPACK_RETURN_IF_ERROR(CheckMayBeReplaced((*opened)->get(), path));
    }
  }
  RemoveLeftover(path);
  NextState next(file.get(), change);
  next.LimitTo(limits.max_bytes);
  if (!limits.compacts && !next.is_new()) return WriteOutcome::kNothingNew;
  if (file == nullptr || !ShouldAppend(next, limits)) return Rewrite(path, is_there, next);
  Status status = Append((*opened)->get(), *file, next);
  if (!status.ok()) return std::move(status).WithContext("%s", path.c_str());
  return WriteOutcome::kWritten;
}

}  // namespace

Result<WriteOutcome> WritePackedFile(const std::string& path, const PackedFileChange& change,
                                     const PackedFileLimits& limits) try {
  return Write(path, change, limits);
} catch (const std::bad_alloc&) {
  return Status::Error(StatusCode::kResourceExhausted, "%s: out of memory while writing it",
                       path.c_str());
}

Status SyncPackedFile(const std::string& path) {
  ONEPACK_ASSIGN_OR_RETURN(const Fd file, OpenPackedFile(path.c_str(), O_RDONLY));
  if (fdatasync(file.get()) != 0) return PosixError(path.c_str(), errno);
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  ONEPACK_ASSIGN_OR_RETURN(const Fd opened, Fd::Open(folder.c_str(), O_RDONLY | O_DIRECTORY));
  // A file system that cannot has nothing to promise.
  if (fsync(opened.get()) == 0 || errno == EINVAL || errno == ENOTSUP) return Status::Ok();
  return PosixError(folder.c_str(), errno);
}

uint64_t DeadBytes(const PackedFileReader& file) {
  return Surplus(file.end(), NextState(&file, {}).LiveSize());
}

}  // namespace onepack
