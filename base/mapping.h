// A range of address space, unmapped with its owner: a file read-only, or anonymous zeros.

#ifndef ONEPACK_BASE_MAPPING_H_
#define ONEPACK_BASE_MAPPING_H_

#include <stddef.h>
#include <stdint.h>

#include "onepack/result.h"
#include "onepack/span.h"

namespace onepack {

class Mapping {
 public:
  Mapping() = default;
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  ~Mapping();

  // The whole of a regular file, shared with the page cache. At least kReadablePadding bytes after
  // its end can be read too (as zeros).
  static Result<Mapping> OfFile(const char* path);

  // The same of [offset, offset + size) of an open regular file, whose descriptor stays the
  // caller's; `name` is what messages call it. What can be read after the end is anything.
  // REQUIRES: the range lies in the file.
  static Result<Mapping> OfFilePart(int descriptor, uint64_t offset, uint64_t size,
                                    const char* name);

  // `size` zero bytes, page-aligned, that cost memory only where touched. Nothing is mapped for
  // size 0.
  static Result<Mapping> OfZeros(size_t size);

  // XNNPACK may read this far past the end of what it is given (XNN_EXTRA_BYTES).
  static constexpr size_t kReadablePadding = 16;

  // Starts to read [offset, offset + size) of a file from the disk, all of it at once and not page
  // by page as it is touched. Waits for nothing; does nothing for what the kernel reads at one
  // touch anyway. REQUIRES: the range lies inside.
  void Prefetch(size_t offset, size_t size) const;

  // Gives the memory behind the whole pages in [offset, offset + size) back to the system. A file's
  // bytes come back when they are read again; of an anonymous mapping, zeros do, or what was there:
  // the system need not take it. Does nothing in a mapping of up to 16 KB. REQUIRES: the range
  // lies inside.
  void Discard(size_t offset, size_t size) const;

  // All bytes of an anonymous mapping, and of files that it shows, become zeros here, and cost
  // memory only where touched again, unless they are locked into memory (mlock).
  void SetToZero();

  // Shows [offset, offset + size) of a file in place of the same range here, without a copy: what
  // is written here later stays here. The descriptor stays the caller's, and may be closed.
  // Errors: kResourceExhausted; the range then has what it had, or, where the system has unmapped
  // it before it failed, a copy of the file's bytes. kInternal where it has no
  // memory for that either: the range then must not be touched. REQUIRES: whole pages of an
  // anonymous mapping, all of which the file has.
  Status ShowFile(int descriptor, size_t offset, size_t size);

  uint8_t* data() const { return data_; }
  size_t size() const { return size_; }
  Bytes bytes() const { return Bytes(data_, size_); }

 private:
  // Into a range that is not mapped. False: it may still be not.
  bool CopyFile(int descriptor, size_t offset, size_t size);

  uint8_t* data_ = nullptr;
  size_t size_ = 0;          // what was asked for
  size_t before_ = 0;        // bytes from the first page's beginning to data_
  size_t mapped_size_ = 0;   // whole pages, from there on
  bool shows_file_ = false;  // in an anonymous mapping
};

}  // namespace onepack

#endif  // ONEPACK_BASE_MAPPING_H_
