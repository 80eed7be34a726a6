#include "tests/support/counting_source.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "base/fd.h"

namespace onepack {
namespace {

class OwnedBytes final : public RefCounted {
 public:
  explicit OwnedBytes(size_t size) : bytes_(size) {}
  std::vector<uint8_t>& bytes() { return bytes_; }

 private:
  std::vector<uint8_t> bytes_;
};

class CountingSource final : public DataSource {
 public:
  CountingSource(std::string name, Fd file, const struct stat& info, ReadCounts* counts)
      : DataSource(DataIdentity(FileIdentity(info), 0)),
        name_(std::move(name)),
        file_(std::move(file)),
        size_(static_cast<uint64_t>(info.st_size)),
        counts_(counts) {}

  const char* name() const override { return name_.c_str(); }
  uint64_t size() const override { return size_; }

  Result<Buffer> Load(const Segment& range) const override {
    ONEPACK_RETURN_IF_ERROR(CheckRange(range));
    ONEPACK_ASSIGN_OR_RETURN(Ref<OwnedBytes> owned,
                             MakeRef<OwnedBytes>(HeapAllocator(), range.size));
    ONEPACK_RETURN_IF_ERROR(Read(range, owned->bytes().data()));
    Buffer buffer;
    buffer.bytes = owned->bytes();
    buffer.owner = owned;
    return buffer;
  }

  Status Read(const Segment& range, uint8_t* destination) const override {
    ++counts_->reads;
    counts_->bytes += range.size;
    const ssize_t got =
        pread(file_.get(), destination, range.size, static_cast<off_t>(range.offset));
    return got == static_cast<ssize_t>(range.size) ? Status::Ok() : PosixError(name(), errno);
  }

 private:
  const std::string name_;
  const Fd file_;
  const uint64_t size_;
  ReadCounts* const counts_;
};

}  // namespace

Result<Ref<DataSource>> OpenCountingSource(const std::string& path, ReadCounts* counts) {
  ONEPACK_ASSIGN_OR_RETURN(Fd file, Fd::OpenForReading(path.c_str()));
  ONEPACK_ASSIGN_OR_RETURN(const struct stat info, StatRegularFile(file.get(), path.c_str()));
  ONEPACK_ASSIGN_OR_RETURN(
      Ref<CountingSource> source,
      MakeRef<CountingSource>(HeapAllocator(), path, std::move(file), info, counts));
  return Ref<DataSource>(source);
}

}  // namespace onepack
