#include "weight_cache/packed_file/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <new>
#include <optional>
#include <utility>

#include "base/rounding.h"
#include "weight_cache/packed_file/locked_file.h"
#include "weight_cache/packed_file/next_state.h"

namespace onepack {
namespace {

// More dead bytes than that, and than a quarter of the file, and it is written as a whole.
constexpr uint64_t kMaxDeadBytes = 64 << 10;

// Of two sizes, in files of two orders: the second may even be the greater one.
uint64_t Surplus(uint64_t size, uint64_t live) { return size > live ? size - live : 0; }

// Whether a file that cannot be read was a packed file: nothing else is written over. An empty one
// is nothing yet.
bool WasPackedFile(int descriptor, const struct stat& info) {
  if (info.st_size == 0) return true;
  uint8_t header[kPackedFileHeaderSize] = {};
  static_cast<void>(pread(descriptor, header, sizeof(header), 0));
  if (HasPackedFileMagic({header, sizeof(header)})) return true;
  const auto end = RoundDown(static_cast<uint64_t>(info.st_size), kPackedFileBlock);
  uint8_t footer[kPackedFileFooterSize] = {};
  if (end > 0) {
    static_cast<void>(
        pread(descriptor, footer, sizeof(footer), static_cast<off_t>(end - sizeof(footer))));
  }
  return IsPackedFileFooter({footer, sizeof(footer)});
}

Status CheckMayBeReplaced(int descriptor, const std::string& path) {
  struct stat info;
  if (fstat(descriptor, &info) != 0) return PosixError(path.c_str(), errno);
  if (WasPackedFile(descriptor, info)) return Status::Ok();
  return Status::Error(StatusCode::kInvalidFile,
                       "%s: not a packed file: it is left as it is, and nothing is kept in it",
                       path.c_str());
}

// Where a whole new file is written before it takes the name.
std::string NameOfNew(const std::string& path) { return path + ".onepack-new"; }

// Whether it is what a writer of ours has begun, and nothing else that has this name.
bool IsBegun(const LockedFile& file) {
  struct stat info;
  return fstat(file.descriptor(), &info) == 0 && info.st_uid == geteuid() && info.st_nlink == 1 &&
         WasPackedFile(file.descriptor(), info);
}

// What a writer that was killed had begun.
void RemoveLeftover(const std::string& path) {
  const std::string temporary = NameOfNew(path);
  auto leftover = LockedFile::Open(temporary, 0);
  if (leftover.ok() && leftover->has_value() && IsBegun(**leftover)) unlink(temporary.c_str());
}

// Gives the file its name. `old`, whose lock is held, is what has it now; null: nothing had. False
// when something else has it meanwhile.
Result<bool> TakeName(const std::string& temporary, const std::string& path,
                      const LockedFile* old) {
  if (old != nullptr && !old->IsAt(path)) return false;
  if (old == nullptr) {
    if (link(temporary.c_str(), path.c_str()) == 0) {
      unlink(temporary.c_str());
      return true;
    }
    struct stat info;
    // A file system without links: what is left is to look and to rename.
    if (errno == EEXIST || lstat(path.c_str(), &info) == 0) return false;
  }
  if (rename(temporary.c_str(), path.c_str()) == 0) return true;
  return PosixError("renaming", errno);
}

// To a file beside it, which takes its name from `old`; null where there was none.
Result<WriteOutcome> WriteNew(const std::string& path, const LockedFile* old, NextState& next) {
  const std::string temporary = NameOfNew(path);
  ONEPACK_ASSIGN_OR_RETURN(const std::optional<LockedFile> file,
                           LockedFile::Open(temporary, O_CREAT));
  if (!file) return WriteOutcome::kBusy;
  if (!IsBegun(*file)) {
    return Status::Error(StatusCode::kFailedPrecondition, "%s: it is in the way",
                         temporary.c_str());
  }
  fchmod(file->descriptor(), S_IRUSR | S_IWUSR);
  Status status = file->CutOff(0);
  if (status.ok()) status = next.WriteAll(*file);
  // Whoever is replaced was whole: its bytes may go when these are there.
  if (status.ok() && old != nullptr) status = file->Sync();
  Result<bool> named = status.ok() ? TakeName(temporary, path, old) : Result<bool>(false);
  if (named.ok() && *named) return WriteOutcome::kWritten;
  unlink(temporary.c_str());
  if (status.ok() && named.ok()) return WriteOutcome::kBusy;
  if (status.ok()) status = named.TakeStatus();
  return std::move(status).WithContext("%s", temporary.c_str());
}

Status Append(const LockedFile& file, const PackedFileReader& state, NextState& next) {
  Status status = file.CutOff(state.end());
  if (status.ok()) status = next.Append(file);
  // What was written of it means nothing, but it takes space.
  if (!status.ok()) static_cast<void>(file.CutOff(state.end()));
  return status;
}

// What follows a directory that is damaged now may be mapped by those who read it when it was not:
// nothing is cut off then.
bool ShouldAppend(const PackedFileReader& state, const NextState& next,
                  const PackedFileLimits& limits) {
  const uint64_t size = next.AppendedSize();
  return !limits.compacts && !state.has_damaged_tail() && size <= limits.max_bytes &&
         Surplus(size, next.LiveSize()) <= std::max(kMaxDeadBytes, size / 4);
}

// Null for a file that cannot be read, and may be replaced.
Result<std::shared_ptr<const PackedFileReader>> ReadState(const LockedFile& file,
                                                          const std::string& path) {
  auto state = PackedFileReader::Of(file.descriptor(), path);
  if (state.ok()) return state;
  if (state.status().code() != StatusCode::kInvalidFile &&
      state.status().code() != StatusCode::kUnsupported) {
    return state.TakeStatus();
  }
  ONEPACK_RETURN_IF_ERROR(CheckMayBeReplaced(file.descriptor(), path));
  return std::shared_ptr<const PackedFileReader>();
}

Result<WriteReport> Write(const std::string& path, const PackedFileChange& change,
                          const PackedFileLimits& limits) {
  auto opened = LockedFile::Open(path, 0);
  if (!opened.ok() && opened.status().code() != StatusCode::kNotFound) return opened.TakeStatus();
  if (opened.ok() && !opened->has_value()) return WriteReport{WriteOutcome::kBusy};
  const LockedFile* file = opened.ok() ? &**opened : nullptr;
  std::shared_ptr<const PackedFileReader> state;
  if (file != nullptr) {
    ONEPACK_ASSIGN_OR_RETURN(state, ReadState(*file, path));
  }
  RemoveLeftover(path);
  NextState next(state.get(), change);
  next.LimitTo(limits.max_bytes);
  if (!limits.compacts && !next.is_new()) return WriteReport{WriteOutcome::kNothingNew};
  WriteReport report{WriteOutcome::kWritten, next.new_entries(), next.new_bytes()};
  if (state == nullptr || !ShouldAppend(*state, next, limits)) {
    ONEPACK_ASSIGN_OR_RETURN(report.outcome, WriteNew(path, file, next));
    return report;
  }
  Status status = Append(*file, *state, next);
  if (!status.ok()) return std::move(status).WithContext("%s", path.c_str());
  return report;
}

}  // namespace

Result<WriteReport> WritePackedFile(const std::string& path, const PackedFileChange& change,
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
