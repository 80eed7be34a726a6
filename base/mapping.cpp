#include "base/mapping.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "base/checked_math.h"
#include "base/fd.h"

namespace onepack {
namespace {

// What the kernel reads of a file behind a page that is touched, unless it was told otherwise: half
// of 128 KB, the page being in the middle.
constexpr size_t kReadAhead = size_t{64} << 10;

size_t PageSize() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

int64_t Nanoseconds(const timespec& time) {
  return static_cast<int64_t>(time.tv_sec) * 1000000000 + time.tv_nsec;
}

FileIdentity IdentityOf(const struct stat& info) {
  FileIdentity identity;
  identity.device = info.st_dev;
  identity.inode = info.st_ino;
  identity.size_bytes = static_cast<uint64_t>(info.st_size);
  identity.modified_ns = Nanoseconds(info.st_mtim);
  identity.changed_ns = Nanoseconds(info.st_ctim);
  return identity;
}

}  // namespace

Mapping::Mapping(Mapping&& other) noexcept { *this = std::move(other); }

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(mapped_size_, other.mapped_size_);
  return *this;
}

Mapping::~Mapping() {
  if (data_ != nullptr) munmap(data_, mapped_size_);
}

Result<Mapping> Mapping::OfFile(const char* path, FileIdentity* identity) {
  ONEPACK_ASSIGN_OR_RETURN(const Fd file, Fd::OpenForReading(path));
  struct stat info;
  if (fstat(file.get(), &info) != 0) return PosixError(path, errno);
  if (!S_ISREG(info.st_mode)) {
    return Status::Error(StatusCode::kInvalidArgument, "%s: not a regular file", path);
  }
  *identity = IdentityOf(info);
  size_t padded_size;
  if (!CheckedAdd<size_t>(static_cast<size_t>(info.st_size), kReadablePadding, &padded_size)) {
    return Status::Error(StatusCode::kResourceExhausted, "%s: %lld bytes cannot be mapped", path,
                         static_cast<long long>(info.st_size));
  }
  // Zeros first, the file over them: what follows the file's last page stays readable.
  auto zeros = OfZeros(padded_size);
  if (!zeros.ok()) return zeros.TakeStatus().WithContext("%s", path);
  Mapping mapping = std::move(zeros).value();
  mapping.size_ = static_cast<size_t>(info.st_size);
  if (mapping.size_ > 0 && mmap(mapping.data_, mapping.size_, PROT_READ, MAP_PRIVATE | MAP_FIXED,
                                file.get(), 0) == MAP_FAILED) {
    return PosixError(path, errno);
  }
  return mapping;
}

void Mapping::Prefetch(size_t offset, size_t size) const {
  if (size <= kReadAhead) return;
  const size_t first = offset / PageSize() * PageSize();
  // Only ever a wish, like Discard.
  madvise(data_ + first, offset + size - first, MADV_WILLNEED);
}

void Mapping::Discard(size_t offset, size_t size) const {
  const size_t page = PageSize();
  const size_t first = (offset + page - 1) / page * page;
  // The last page counts as whole: what is behind the end belongs to nobody.
  const size_t last = offset + size == size_ ? mapped_size_ : (offset + size) / page * page;
  // Only ever a wish: pages that stay cost memory and nothing else.
  if (first < last) madvise(data_ + first, last - first, MADV_DONTNEED);
}

Result<Mapping> Mapping::OfZeros(size_t size) {
  Mapping mapping;
  if (size == 0) return mapping;
  size_t mapped_size;
  void* data = CheckedAlignUp(size, PageSize(), &mapped_size)
                   ? mmap(nullptr, mapped_size, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
                   : MAP_FAILED;
  if (data == MAP_FAILED) {
    return Status::Error(StatusCode::kResourceExhausted, "cannot map %zu bytes of memory", size);
  }
  mapping.data_ = static_cast<uint8_t*>(data);
  mapping.size_ = size;
  mapping.mapped_size_ = mapped_size;
  return mapping;
}

}  // namespace onepack
