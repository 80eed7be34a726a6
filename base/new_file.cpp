#include "base/new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

namespace onepack {
namespace {

constexpr char kPattern[] = ".onepack-XXXXXX";

// The path up to and with its last slash; 0 where there is none.
size_t FolderLength(const char* path) {
  const char* slash = strrchr(path, '/');
  return slash == nullptr ? 0 : static_cast<size_t>(slash - path) + 1;
}

// As an ordinary file would get it, where mkstemp gives none to others.
mode_t UsualMode() {
  const mode_t mask = umask(0);
  umask(mask);
  return 0666 & ~mask;
}

// A file system that cannot has nothing to promise.
bool Sync(int descriptor) { return fsync(descriptor) == 0 || errno == EINVAL || errno == ENOTSUP; }

Status NameTaken(const char* path) {
  return Status::Error(StatusCode::kFailedPrecondition, "%s: there is such a file already", path);
}

}  // namespace

Result<NewFile> NewFile::Create(const char* path, const Allocator& allocator) {
  const size_t length = strlen(path);
  const size_t folder = FolderLength(path);
  ONEPACK_ASSIGN_OR_RETURN(auto name, Array<char>::Create(allocator, length + 1));
  ONEPACK_ASSIGN_OR_RETURN(auto temporary,
                           Array<char>::Create(allocator, folder + sizeof(kPattern)));
  memcpy(name.data(), path, length + 1);
  memcpy(temporary.data(), path, folder);
  memcpy(temporary.data() + folder, kPattern, sizeof(kPattern));
  const int descriptor = mkstemp(temporary.data());
  if (descriptor < 0) return PosixError(path, errno);
  fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  fchmod(descriptor, UsualMode());
  return NewFile(std::move(name), std::move(temporary), descriptor);
}

NewFile::NewFile(NewFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      is_named_(other.is_named_) {}

NewFile::~NewFile() {
  if (descriptor_ >= 0) close(descriptor_);
  if (!is_named_ && !temporary_.empty()) unlink(temporary_.data());
}

Status NewFile::Failed(int error_number) const { return PosixError(path_.data(), error_number); }

Status NewFile::Append(Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Failed(errno);
    const auto count = static_cast<size_t>(written);
    bytes = bytes.subspan(count, bytes.size() - count);
  }
  return Status::Ok();
}

Status NewFile::Finish() {
  if (!Sync(descriptor_)) return Failed(errno);
  return close(std::exchange(descriptor_, -1)) == 0 ? Status::Ok() : Failed(errno);
}

Status NewFile::Rename(ExistingFile existing) {
  if (existing == ExistingFile::kRefuse) {
    // Fails if the name was taken since, as rename would not.
    if (link(temporary_.data(), path_.data()) == 0) {
      unlink(temporary_.data());
      return Status::Ok();
    }
    // A file system without links: what is left is to look and to rename.
    if (errno == EEXIST) return NameTaken(path_.data());
    ONEPACK_RETURN_IF_ERROR(CheckNameIsFree(path_.data()));
  }
  return rename(temporary_.data(), path_.data()) == 0 ? Status::Ok() : Failed(errno);
}

Status NewFile::GiveName(ExistingFile existing) {
  ONEPACK_RETURN_IF_ERROR(Rename(existing));
  is_named_ = true;
  return SyncFolder();
}

Status NewFile::Commit() {
  ONEPACK_RETURN_IF_ERROR(Finish());
  return GiveName(ExistingFile::kReplace);
}

Status CheckNameIsFree(const char* path) {
  struct stat status;
  return lstat(path, &status) == 0 ? NameTaken(path) : Status::Ok();
}

// Brings the name to the disk, not only the bytes.
Status NewFile::SyncFolder() {
  // The temporary name is not needed any more.
  const size_t length = FolderLength(temporary_.data());
  temporary_[length] = '\0';
  const char* folder = length > 0 ? temporary_.data() : ".";
  const int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  // A folder may take files and not be for reading.
  if (descriptor < 0) return errno == EACCES ? Status::Ok() : Failed(errno);
  const bool is_synced = Sync(descriptor);
  const int error_number = errno;
  close(descriptor);
  return is_synced ? Status::Ok() : Failed(error_number);
}

}  // namespace onepack
