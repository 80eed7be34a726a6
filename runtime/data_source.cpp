#include "onepack/data_source.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <string_view>

#include "base/checked_math.h"
#include "base/fd.h"
#include "base/mapping.h"
#include "onepack/array.h"

namespace onepack {
namespace {

Result<Array<char>> CopyText(std::string_view text, const Allocator& allocator) {
  ONEPACK_ASSIGN_OR_RETURN(Array<char> copy, Array<char>::Create(allocator, text.size() + 1));
  memcpy(copy.data(), text.data(), text.size());
  return copy;
}

class MappedFile final : public DataSource {
 public:
  // `path` is empty where only a descriptor was given: then the file is not looked at again.
  MappedFile(Array<char> name, Array<char> path, Mapping mapping, const FileIdentity& file,
             uint64_t offset)
      : DataSource(DataIdentity(file, offset)),
        name_(std::move(name)),
        path_(std::move(path)),
        mapping_(std::move(mapping)),
        file_(file) {}

  const char* name() const override { return name_.data(); }
  uint64_t size() const override { return mapping_.size(); }
  bool is_mapped() const override { return true; }
  void Prefetch(const Segment& range) const override {
    if (InRange(range.offset, range.size, size())) mapping_.Prefetch(range.offset, range.size);
  }
  void Discard(const Segment& range) const override {
    if (InRange(range.offset, range.size, size())) mapping_.Discard(range.offset, range.size);
  }
  Result<Buffer> Load(const Segment& range) const override {
    ONEPACK_RETURN_IF_ERROR(CheckRange(range));
    Buffer buffer;
    buffer.bytes = mapping_.bytes().subspan(range.offset, range.size);
    buffer.readable_padding = Mapping::kReadablePadding;
    buffer.owner = Ref<const RefCounted>::Share(this);
    return buffer;
  }
  // A file that was replaced or removed is still what is mapped.
  Status CheckUnchanged() const override {
    struct stat info;
    if (path_.empty() || stat(path_.data(), &info) != 0) return Status::Ok();
    const FileIdentity now(info);
    if (!now.IsSameFile(file_) || now.HasSameBytes(file_)) return Status::Ok();
    return Status::Error(StatusCode::kFailedPrecondition,
                         "%s: rewritten while programs run over its bytes: close them first, or "
                         "replace files instead (write a new one, rename it over)",
                         name());
  }

 private:
  const Array<char> name_;
  const Array<char> path_;
  const Mapping mapping_;
  const FileIdentity file_;
};

class MemorySource final : public DataSource {
 public:
  MemorySource(Array<char> name, Bytes bytes) : name_(std::move(name)), bytes_(bytes) {}

  const char* name() const override { return name_.data(); }
  uint64_t size() const override { return bytes_.size(); }
  bool is_mapped() const override { return true; }
  bool keeps_bytes() const override { return false; }
  Result<Buffer> Load(const Segment& range) const override { return LoadFrom(bytes_, range); }

 private:
  const Array<char> name_;
  const Bytes bytes_;
};

struct Names {
  Array<char> name;
  Array<char> path;
};

Result<Ref<DataSource>> Map(int descriptor, const struct stat& info, const Segment& part,
                            Names names, const Allocator& allocator) {
  ONEPACK_ASSIGN_OR_RETURN(
      Mapping mapping, Mapping::OfFilePart(descriptor, part.offset, part.size, names.name.data()));
  ONEPACK_ASSIGN_OR_RETURN(
      Ref<MappedFile> file,
      MakeRef<MappedFile>(allocator, std::move(names.name), std::move(names.path),
                          std::move(mapping), FileIdentity(info), part.offset));
  return Ref<DataSource>(file);
}

Result<Ref<DataSource>> MapPart(int descriptor, const Segment& part, Names names,
                                const Allocator& allocator) {
  const char* name = names.name.data();
  ONEPACK_ASSIGN_OR_RETURN(const struct stat info, StatRegularFile(descriptor, name));
  if (!InRange(part.offset, part.size, static_cast<uint64_t>(info.st_size))) {
    return Status::Error(
        StatusCode::kInvalidFile, "%s: a part of %llu bytes at %llu, but the file has %lld bytes",
        name, static_cast<unsigned long long>(part.size),
        static_cast<unsigned long long>(part.offset), static_cast<long long>(info.st_size));
  }
  return Map(descriptor, info, part, std::move(names), allocator);
}

// "PATH at OFFSET".
Result<Array<char>> NameOfPart(const char* path, uint64_t offset, const Allocator& allocator) {
  constexpr size_t kDigits = 20;
  constexpr std::string_view kAt = " at ";
  ONEPACK_ASSIGN_OR_RETURN(Array<char> name,
                           Array<char>::Create(allocator, strlen(path) + kAt.size() + kDigits + 1));
  snprintf(name.data(), name.size(), "%s%s%llu", path, kAt.data(),
           static_cast<unsigned long long>(offset));
  return name;
}

Status NoPath() { return Status::Error(StatusCode::kInvalidArgument, "no path was given"); }

}  // namespace

Status DataSource::CheckRange(const Segment& range) const {
  if (InRange(range.offset, range.size, size())) return Status::Ok();
  return Status::Error(
      StatusCode::kInvalidFile, "%s: %llu bytes at %llu asked for, but it has %llu bytes", name(),
      static_cast<unsigned long long>(range.size), static_cast<unsigned long long>(range.offset),
      static_cast<unsigned long long>(size()));
}

Result<Buffer> DataSource::LoadFrom(Bytes all, const Segment& range) const {
  ONEPACK_RETURN_IF_ERROR(CheckRange(range));
  Buffer buffer;
  buffer.bytes = all.subspan(range.offset, range.size);
  buffer.readable_padding = all.size() - range.offset - range.size;
  buffer.owner = Ref<const RefCounted>::Share(this);
  return buffer;
}

Result<Buffer> DataSource::LoadNothing(const Segment& range) const {
  ONEPACK_RETURN_IF_ERROR(CheckRange(range));
  return Buffer();
}

Result<Buffer> DataSource::LoadWhole(const Segment& range) const {
  ONEPACK_RETURN_IF_ERROR(CheckRange(range));
  ONEPACK_ASSIGN_OR_RETURN(Buffer buffer, Load(range));
  if (buffer.bytes.size() == range.size) return buffer;
  return Status::Error(StatusCode::kIoError, "%s: %zu bytes came, %llu at %llu were asked for",
                       name(), buffer.bytes.size(), static_cast<unsigned long long>(range.size),
                       static_cast<unsigned long long>(range.offset));
}

Status DataSource::ReadByLoading(const Segment& range, uint8_t* destination) const {
  ONEPACK_ASSIGN_OR_RETURN(const Buffer buffer, LoadWhole(range));
  if (!buffer.bytes.empty()) memcpy(destination, buffer.bytes.data(), buffer.bytes.size());
  return Status::Ok();
}

Result<Ref<DataSource>> OpenMappedFile(const char* path, const Allocator& allocator) {
  if (path == nullptr) return NoPath();
  ONEPACK_ASSIGN_OR_RETURN(const Fd file, Fd::OpenForReading(path));
  ONEPACK_ASSIGN_OR_RETURN(const struct stat info, StatRegularFile(file.get(), path));
  ONEPACK_ASSIGN_OR_RETURN(Array<char> name, CopyText(path, allocator));
  ONEPACK_ASSIGN_OR_RETURN(Array<char> copy, CopyText(path, allocator));
  return Map(file.get(), info, {0, static_cast<uint64_t>(info.st_size)},
             {std::move(name), std::move(copy)}, allocator);
}

Result<Ref<DataSource>> MapFilePart(int descriptor, const Segment& part, const char* name,
                                    const Allocator& allocator) {
  if (name == nullptr) return Status::Error(StatusCode::kInvalidArgument, "no name was given");
  ONEPACK_ASSIGN_OR_RETURN(Array<char> copy, CopyText(name, allocator));
  return MapPart(descriptor, part, {std::move(copy), Array<char>()}, allocator);
}

Result<Ref<DataSource>> OpenMappedFilePart(const char* path, const Segment& part,
                                           const Allocator& allocator) {
  if (path == nullptr) return NoPath();
  ONEPACK_ASSIGN_OR_RETURN(const Fd file, Fd::OpenForReading(path));
  ONEPACK_ASSIGN_OR_RETURN(Array<char> name, NameOfPart(path, part.offset, allocator));
  ONEPACK_ASSIGN_OR_RETURN(Array<char> copy, CopyText(path, allocator));
  return MapPart(file.get(), part, {std::move(name), std::move(copy)}, allocator);
}

Result<Ref<DataSource>> WrapMemory(Bytes bytes, const char* name, const Allocator& allocator) {
  if (name == nullptr || (bytes.data() == nullptr && !bytes.empty())) {
    return Status::Error(StatusCode::kInvalidArgument, "no name or no bytes were given");
  }
  ONEPACK_ASSIGN_OR_RETURN(Array<char> copy, CopyText(name, allocator));
  ONEPACK_ASSIGN_OR_RETURN(Ref<MemorySource> source,
                           MakeRef<MemorySource>(allocator, std::move(copy), bytes));
  return Ref<DataSource>(source);
}

}  // namespace onepack
