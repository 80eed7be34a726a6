#include "base/mapping.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <utility>

#include "base/checked_math.h"
#include "base/fd.h"
#include "base/page_size.h"
#include "base/rounding.h"

namespace onepack {
namespace {

// What the kernel reads of a file behind a page that is touched, unless it was told otherwise: half
// of 128 KB, the page being in the middle.
constexpr size_t kReadAhead = size_t{64} << 10;

// To give so little back, and to have it mapped again, costs more than it is worth.
constexpr size_t kTooLittle = size_t{16} << 10;

// A file as large as this, mapped by itself, is placed so that huge pages fit, and then the system
// maps 2 MB of it where a page is touched: of raw weights only those in hand are to be in memory.
constexpr size_t kHugePage = size_t{2} << 20;

// In place of what is at `place`, or, for null, anywhere.
void* MapZerosAt(void* place, size_t size) {
  return mmap(place, size, PROT_READ | PROT_WRITE,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (place != nullptr ? MAP_FIXED : 0), -1,
              0);
}

}  // namespace

Mapping::Mapping(Mapping&& other) noexcept { *this = std::move(other); }

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(before_, other.before_);
  std::swap(mapped_size_, other.mapped_size_);
  std::swap(shows_file_, other.shows_file_);
  return *this;
}

Mapping::~Mapping() {
  if (data_ != nullptr) munmap(data_ - before_, mapped_size_);
}

Result<Mapping> Mapping::OfFile(const char* path) {
  ONEPACK_ASSIGN_OR_RETURN(const Fd file, Fd::OpenForReading(path));
  ONEPACK_ASSIGN_OR_RETURN(const struct stat info, StatRegularFile(file.get(), path));
  return OfFilePart(file.get(), 0, static_cast<uint64_t>(info.st_size), path);
}

Result<Mapping> Mapping::OfFilePart(int descriptor, uint64_t offset, uint64_t size,
                                    const char* name) {
  const size_t before = static_cast<size_t>(offset % PageSize());
  size_t of_file;  // that is to be mapped, from a page's beginning
  size_t padded_size;
  if (size > SIZE_MAX || !CheckedAdd(before, static_cast<size_t>(size), &of_file) ||
      !CheckedAdd<size_t>(of_file, kReadablePadding, &padded_size)) {
    return Status::Error(StatusCode::kResourceExhausted, "%s: %llu bytes cannot be mapped", name,
                         static_cast<unsigned long long>(size));
  }
  Mapping mapping;
  int fixed = 0;
  if (RoundUp(of_file, PageSize()) < padded_size || size == 0 || of_file >= kHugePage) {
    // Zeros first, the file over them: what follows the file's last page stays readable.
    auto zeros = OfZeros(padded_size);
    if (!zeros.ok()) return zeros.TakeStatus().WithContext("%s", name);
    mapping = std::move(zeros).value();
    fixed = MAP_FIXED;
  }
  if (size > 0) {
    void* data = mmap(mapping.data_, of_file, PROT_READ, MAP_PRIVATE | fixed, descriptor,
                      static_cast<off_t>(offset - before));
    if (data == MAP_FAILED) return PosixError(name, errno);
    mapping.data_ = static_cast<uint8_t*>(data);
    mapping.mapped_size_ = RoundUp(padded_size, PageSize());
  }
  mapping.data_ += before;
  mapping.size_ = static_cast<size_t>(size);
  mapping.before_ = before;
  return mapping;
}

void Mapping::Prefetch(size_t offset, size_t size) const {
  if (size <= kReadAhead) return;
  const size_t end = before_ + offset + size;
  const size_t first = RoundDown(before_ + offset, PageSize());
  // Advisory, like Discard.
  madvise(data_ - before_ + first, end - first, MADV_WILLNEED);
}

void Mapping::Discard(size_t offset, size_t size) const {
  const size_t page = PageSize();
  // The first and the last page count as whole: what is beside the ends has no other owner.
  const size_t first = offset == 0 ? 0 : RoundUp(before_ + offset, page);
  const size_t last =
      offset + size == size_ ? mapped_size_ : RoundDown(before_ + offset + size, page);
  // Advisory: pages that stay cost memory and nothing else.
  if (first < last && mapped_size_ > kTooLittle) {
    madvise(data_ - before_ + first, last - first, MADV_DONTNEED);
  }
}

void Mapping::SetToZero() {
  if (size_ == 0) return;
  // What is locked the system does not take, and of a file it would bring back the bytes.
  if (!shows_file_ && madvise(data_, mapped_size_, MADV_DONTNEED) == 0) return;
  if (shows_file_ && MapZerosAt(data_, mapped_size_) != MAP_FAILED) {
    shows_file_ = false;
    return;
  }
  memset(data_, 0, size_);
}

Status Mapping::ShowFile(int descriptor, size_t offset, size_t size) {
  if (mmap(data_ + offset, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE,
           descriptor, static_cast<off_t>(offset)) != MAP_FAILED) {
    shows_file_ = true;
    return Status::Ok();
  }
  Status refused =
      Status::Error(StatusCode::kResourceExhausted, "cannot map %zu bytes of a file: %s", size,
                    PosixError("mmap", errno).message());
  const bool is_mapped = msync(data_ + offset, size, MS_ASYNC) == 0 || errno != ENOMEM;
  if (is_mapped || CopyFile(descriptor, offset, size)) return refused;
  return Status::Error(StatusCode::kInternal, "%s, and it is lost: there is no memory for it",
                       refused.message());
}

bool Mapping::CopyFile(int descriptor, size_t offset, size_t size) {
  if (MapZerosAt(data_ + offset, size) == MAP_FAILED) return false;
  // Behind the file's end there are zeros.
  return ReadAt(descriptor, offset, {data_ + offset, size}).has_value();
}

Result<Mapping> Mapping::OfZeros(size_t size) {
  Mapping mapping;
  if (size == 0) return mapping;
  size_t mapped_size;
  void* data = CheckedRoundUp(size, PageSize(), &mapped_size) ? MapZerosAt(nullptr, mapped_size)
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
