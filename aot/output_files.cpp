#include "aot/output_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace onepack {
namespace {

std::string FolderOf(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

bool Exists(const std::string& path) {
  struct stat status;
  return lstat(path.c_str(), &status) == 0;
}

Status NameTaken(const std::string& path) {
  return Status::Error(StatusCode::kFailedPrecondition, "%s: there is such a file already",
                       path.c_str());
}

// A file system that cannot has nothing to promise.
Status Sync(int descriptor, const std::string& path) {
  if (fsync(descriptor) == 0 || errno == EINVAL || errno == ENOTSUP) return Status::Ok();
  return PosixError(path.c_str(), errno);
}

// Brings the name to the disk, not only the bytes.
Status SyncFolderOf(const std::string& path) {
  const int descriptor = open(FolderOf(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  // A folder may take files and not be for reading.
  if (descriptor < 0) return errno == EACCES ? Status::Ok() : PosixError(path.c_str(), errno);
  Status status = Sync(descriptor, path);
  close(descriptor);
  return status;
}

// Collects small pieces, so that the system is asked for few writes.
class BufferedFile {
 public:
  BufferedFile(int descriptor, const std::string& path) : descriptor_(descriptor), path_(path) {
    buffer_.reserve(kBufferSize);
  }

  Status Append(Bytes bytes) {
    if (buffer_.size() + bytes.size() > kBufferSize) ONEPACK_RETURN_IF_ERROR(Flush());
    if (bytes.size() > kBufferSize) return WriteNow(bytes);
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
    return Status::Ok();
  }

  Status Finish() {
    ONEPACK_RETURN_IF_ERROR(Flush());
    return Sync(descriptor_, path_);
  }

 private:
  static constexpr size_t kBufferSize = size_t{1} << 20;

  Status Flush() {
    ONEPACK_RETURN_IF_ERROR(WriteNow(buffer_));
    buffer_.clear();
    return Status::Ok();
  }

  Status WriteNow(Bytes bytes) const {
    while (!bytes.empty()) {
      const ssize_t written = write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return PosixError(path_.c_str(), errno);
      const auto count = static_cast<size_t>(written);
      bytes = bytes.subspan(count, bytes.size() - count);
    }
    return Status::Ok();
  }

  const int descriptor_;
  const std::string& path_;
  std::vector<uint8_t> buffer_;
};

Status WriteAndClose(int descriptor, const std::string& path, const DataBytes::Producer& producer) {
  BufferedFile file(descriptor, path);
  Status status = producer([&](Bytes bytes) { return file.Append(bytes); });
  if (status.ok()) status = file.Finish();
  if (close(descriptor) != 0 && status.ok()) status = PosixError(path.c_str(), errno);
  return status;
}

// As an ordinary file would get it, where mkstemp gives none to others.
mode_t UsualMode() {
  const mode_t mask = umask(0);
  umask(mask);
  return 0666 & ~mask;
}

}  // namespace

OutputFiles::~OutputFiles() {
  for (const File& file : files_) {
    if (!file.is_named) unlink(file.temporary.c_str());
  }
}

Result<OutputFiles::Place> OutputFiles::PlaceOf(const std::string& path) {
  struct stat folder;
  if (stat(FolderOf(path).c_str(), &folder) != 0) return PosixError(path.c_str(), errno);
  return Place{folder.st_dev, folder.st_ino, path.substr(path.find_last_of('/') + 1)};
}

Status OutputFiles::CheckName(const std::string& path, const Place& place) const {
  for (const File& file : files_) {
    const bool is_same = file.place.device == place.device && file.place.folder == place.folder &&
                         file.place.name == place.name;
    if (!is_same) continue;
    return Status::Error(StatusCode::kFailedPrecondition, "%s: two outputs have this name",
                         path.c_str());
  }
  if (existing_ == ExistingFile::kReplace || !Exists(path)) return Status::Ok();
  return NameTaken(path);
}

Status OutputFiles::Write(const std::string& path, const DataBytes::Producer& producer,
                          const ReadBack& read_back) {
  ONEPACK_ASSIGN_OR_RETURN(Place place, PlaceOf(path));
  ONEPACK_RETURN_IF_ERROR(CheckName(path, place));
  std::string temporary = FolderOf(path) + "/.onepack-XXXXXX";
  const int descriptor = mkstemp(temporary.data());
  if (descriptor < 0) return PosixError(path.c_str(), errno);
  fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  fchmod(descriptor, UsualMode());
  files_.push_back({path, std::move(place), std::move(temporary), {}});
  ONEPACK_RETURN_IF_ERROR(WriteAndClose(descriptor, path, producer));
  const Status status = read_back(files_.back().temporary);
  if (status.ok()) return Status::Ok();
  return Status::Error(StatusCode::kInternal, "%s: what was written is not sound: %s", path.c_str(),
                       status.message());
}

// What is there gets a second name, by which it can come back.
Status OutputFiles::KeepOld(File& file) {
  struct stat old;
  if (lstat(file.path.c_str(), &old) != 0) return Status::Ok();
  // It could be moved away, but is not what a file replaces.
  if (S_ISDIR(old.st_mode)) return PosixError(file.path.c_str(), EISDIR);
  std::string backup = file.temporary + "-old";
  // A file system without links: the second name is the only one for a while.
  if (link(file.path.c_str(), backup.c_str()) != 0 &&
      rename(file.path.c_str(), backup.c_str()) != 0) {
    return PosixError(file.path.c_str(), errno);
  }
  file.backup = std::move(backup);
  return Status::Ok();
}

Status OutputFiles::GiveName(File& file) {
  if (existing_ == ExistingFile::kRefuse) {
    // Fails if the name was taken since, as rename would not.
    if (link(file.temporary.c_str(), file.path.c_str()) == 0) {
      unlink(file.temporary.c_str());
      file.is_named = true;
      return Status::Ok();
    }
    // A file system without links: what is left is to look and to rename.
    if (errno == EEXIST || Exists(file.path)) return NameTaken(file.path);
  }
  if (rename(file.temporary.c_str(), file.path.c_str()) != 0) {
    return PosixError(file.path.c_str(), errno);
  }
  file.is_named = true;
  return Status::Ok();
}

// Last named first: should two paths lead to one file by now, its first state is what stays.
Status OutputFiles::TakeBack(Status status) {
  for (size_t i = files_.size(); i-- > 0;) {
    File& file = files_[i];
    if (file.backup.empty()) {
      if (file.is_named) unlink(file.path.c_str());
    } else if (rename(file.backup.c_str(), file.path.c_str()) != 0) {
      status = std::move(status).WithContext("the old %s is now %s", file.path.c_str(),
                                             file.backup.c_str());
      file.backup.clear();  // it stays
    }
  }
  return status;
}

Status OutputFiles::Commit() {
  Status status;
  if (existing_ == ExistingFile::kReplace) {
    for (size_t i = 0; i < files_.size() && status.ok(); ++i) status = KeepOld(files_[i]);
  }
  for (size_t i = 0; i < files_.size() && status.ok(); ++i) {
    status = GiveName(files_[i]);
    if (status.ok()) status = SyncFolderOf(files_[i].path);
  }
  if (!status.ok()) status = TakeBack(std::move(status));
  for (const File& file : files_) {
    if (!file.backup.empty()) unlink(file.backup.c_str());
  }
  return status;
}

Status WriteOutputFile(const std::string& path, const DataBytes::Producer& producer,
                       const ReadBack& read_back) {
  OutputFiles files(ExistingFile::kReplace);
  ONEPACK_RETURN_IF_ERROR(files.Write(path, producer, read_back));
  return files.Commit();
}

}  // namespace onepack
