// What the system knows of the pages of private mappings: to read one that was never touched would
// take a page fault, and a program may plan more memory than it ever uses.
//
// Threads: belongs to one thread at a time.

#ifndef ONEPACK_RUNTIME_PAGE_MAP_H_
#define ONEPACK_RUNTIME_PAGE_MAP_H_

#include <stddef.h>
#include <stdint.h>

#include "base/fd.h"
#include "onepack/result.h"
#include "onepack/span.h"

namespace onepack {

// REQUIRES: not empty.
bool IsZero(Bytes bytes);

class PageMap {
 public:
  PageMap();

  // Whether the page has memory of its own, because it was written; also where the system does not
  // say. Else it shows a file's, or the zeros that it was mapped with. Fastest when asked in order.
  bool IsOwn(const uint8_t* address);

 private:
  static constexpr size_t kWindow = 512;

  void ReadWindow(size_t window);

  const size_t page_size_;
  Result<Fd> pages_;
  bool is_known_;  // what pages_ says is true
  size_t window_ = SIZE_MAX;
  uint64_t entries_[kWindow];
};

}  // namespace onepack

#endif  // ONEPACK_RUNTIME_PAGE_MAP_H_
