#include "aot/output_files.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

namespace onepack {
namespace {

std::string FolderOf(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Collects small pieces, so that the system is asked for few writes.
class BufferedFile {
 public:
  explicit BufferedFile(NewFile& file) : file_(file) { buffer_.reserve(kBufferSize); }

  Status Append(Bytes bytes) {
    if (buffer_.size() + bytes.size() > kBufferSize) ONEPACK_RETURN_IF_ERROR(Flush());
    if (bytes.size() > kBufferSize) return file_.Append(bytes);
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
    return Status::Ok();
  }

  Status Flush() {
    ONEPACK_RETURN_IF_ERROR(file_.Append(buffer_));
    buffer_.clear();
    return Status::Ok();
  }

 private:
  static constexpr size_t kBufferSize = size_t{1} << 20;

  NewFile& file_;
  std::vector<uint8_t> buffer_;
};

Status WriteAll(const DataBytes::Producer& producer, NewFile& file) {
  BufferedFile buffered(file);
  ONEPACK_RETURN_IF_ERROR(producer([&](Bytes bytes) { return buffered.Append(bytes); }));
  ONEPACK_RETURN_IF_ERROR(buffered.Flush());
  return file.Finish();
}

}  // namespace

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
  return existing_ == ExistingFile::kReplace ? Status::Ok() : CheckNameIsFree(path.c_str());
}

Status OutputFiles::Write(const std::string& path, const DataBytes::Producer& producer,
                          const ReadBack& read_back) {
  ONEPACK_ASSIGN_OR_RETURN(Place place, PlaceOf(path));
  ONEPACK_RETURN_IF_ERROR(CheckName(path, place));
  ONEPACK_ASSIGN_OR_RETURN(NewFile file, NewFile::Create(path.c_str()));
  ONEPACK_RETURN_IF_ERROR(WriteAll(producer, file));
  const Status status = read_back(file.temporary());
  files_.push_back({path, std::move(place), std::move(file), {}});
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
  std::string backup = std::string(file.file.temporary()) + "-old";
  // A file system without links: the second name is the only one for a while.
  if (link(file.path.c_str(), backup.c_str()) != 0 &&
      rename(file.path.c_str(), backup.c_str()) != 0) {
    return PosixError(file.path.c_str(), errno);
  }
  file.backup = std::move(backup);
  return Status::Ok();
}

// Last named first: should two paths lead to one file by now, its first state is what stays.
Status OutputFiles::TakeBack(Status status) {
  for (size_t i = files_.size(); i-- > 0;) {
    File& file = files_[i];
    if (file.backup.empty()) {
      if (file.file.is_named()) unlink(file.path.c_str());
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
    status = files_[i].file.GiveName(existing_);
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
