#include "weight_cache/packed_file/locked_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "weight_cache/packed_file/reader.h"

namespace onepack {
namespace {

// Calls again what a signal has interrupted.
template <typename Call>
auto Uninterrupted(const Call& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

}  // namespace

Result<std::optional<LockedFile>> LockedFile::Open(const std::string& path, int flags) {
  ONEPACK_ASSIGN_OR_RETURN(Fd opened, OpenPackedFile(path.c_str(), O_RDWR | flags));
  if (Uninterrupted([&] { return flock(opened.get(), LOCK_EX | LOCK_NB); }) != 0) {
    if (errno == EWOULDBLOCK) return std::optional<LockedFile>();
    return PosixError(path.c_str(), errno).WithContext("locking");
  }
  LockedFile file(std::move(opened));
  if (!file.IsAt(path)) return std::optional<LockedFile>();
  return std::optional<LockedFile>(std::move(file));
}

LockedFile::~LockedFile() {
  if (file_.get() >= 0) flock(file_.get(), LOCK_UN);
}

bool LockedFile::IsAt(const std::string& path) const {
  struct stat open_file;
  struct stat at_path;
  return fstat(file_.get(), &open_file) == 0 && lstat(path.c_str(), &at_path) == 0 &&
         open_file.st_dev == at_path.st_dev && open_file.st_ino == at_path.st_ino;
}

Status LockedFile::Reserve(uint64_t offset, uint64_t size) const {
  const int result = Uninterrupted([&] {
    return fallocate(file_.get(), 0, static_cast<off_t>(offset), static_cast<off_t>(size));
  });
  if (result == 0 || errno == EOPNOTSUPP || errno == ENOSYS) return Status::Ok();
  return PosixError("reserving space", errno);
}

Status LockedFile::WriteAt(uint64_t offset, Bytes bytes) const {
  return onepack::WriteAt(file_.get(), offset, bytes) ? Status::Ok() : PosixError("writing", errno);
}

Status LockedFile::CutOff(uint64_t end) const {
  const int result = Uninterrupted([&] { return ftruncate(file_.get(), static_cast<off_t>(end)); });
  return result == 0 ? Status::Ok() : PosixError("truncating", errno);
}

Status LockedFile::Sync() const {
  return fdatasync(file_.get()) == 0 ? Status::Ok() : PosixError("fdatasync", errno);
}

}  // namespace onepack
