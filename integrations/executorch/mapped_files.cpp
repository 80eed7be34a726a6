#include "integrations/executorch/mapped_files.h"

#include <algorithm>
#include <mutex>
#include <utility>

namespace onepack {
namespace {

std::shared_ptr<const MappedFile> OpenFile(const FilePlace& place) {
  auto source = OpenMappedFile(place.path.c_str());
  if (!source.ok() || (*source)->identity() != DataIdentity(place.file, 0)) return nullptr;
  auto file = std::make_shared<MappedFile>();
  file->file = place.file;
  file->source = *source;
  // A program's named data are asked for one by one: most programs have few, and to index them is
  // to verify the whole program.
  auto named_data = NamedDataMap::Open(*source);
  if (named_data.ok()) file->named_data = *named_data;
  return file;
}

}  // namespace

std::shared_ptr<const MappedFile> MappedFiles::Find(const FileIdentity& file) {
  // Let go of after the mutex: one may be the last to know its file.
  std::vector<std::shared_ptr<const MappedFile>> others;
  const std::lock_guard<ForkSafeMutex> lock(mutex_);
  others.reserve(files_.size());
  for (const auto& known : files_) {
    std::shared_ptr<const MappedFile> one = known.lock();
    if (one != nullptr && one->file == file) return one;
    others.push_back(std::move(one));
  }
  return nullptr;
}

// Two threads may both open a file that neither has found: either is as good.
std::shared_ptr<const MappedFile> MappedFiles::Open(const FilePlace& place) {
  std::shared_ptr<const MappedFile> file = Find(place.file);
  if (file != nullptr) return file;
  file = OpenFile(place);
  if (file == nullptr) return nullptr;
  const std::lock_guard<ForkSafeMutex> lock(mutex_);
  files_.erase(std::remove_if(files_.begin(), files_.end(),
                              [](const auto& known) { return known.expired(); }),
               files_.end());
  files_.push_back(file);
  return file;
}

}  // namespace onepack
