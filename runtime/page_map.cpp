#include "runtime/page_map.h"

#include <string.h>
#include <unistd.h>

#include "base/page_size.h"

namespace onepack {
namespace {

// Bits of an entry.
constexpr uint64_t kPresentOrSwapped = uint64_t{3} << 62;
constexpr uint64_t kOfFile = uint64_t{1} << 61;

}  // namespace

bool IsZero(Bytes bytes) {
  // Equal to itself moved by one byte, and the first byte is zero.
  return bytes[0] == 0 && memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

PageMap::PageMap()
    : page_size_(PageSize()),
      pages_(Fd::OpenForReading("/proc/self/pagemap")),
      is_known_(pages_.ok()) {
  // A table that does not say so of a page that is being written, as under emulators, is none:
  // states would lose what it leaves out.
  is_known_ = is_known_ && IsOwn(reinterpret_cast<const uint8_t*>(entries_));
}

bool PageMap::IsOwn(const uint8_t* address) {
  if (!is_known_) return true;
  const size_t page = reinterpret_cast<uintptr_t>(address) / page_size_;
  if (page / kWindow != window_) ReadWindow(page / kWindow);
  const uint64_t entry = entries_[page % kWindow];
  return (entry & kPresentOrSwapped) != 0 && (entry & kOfFile) == 0;
}

void PageMap::ReadWindow(size_t window) {
  window_ = window;
  constexpr size_t kSize = sizeof(entries_);
  // What cannot be read may have been written.
  for (uint64_t& entry : entries_) entry = kPresentOrSwapped;
  (void)!pread(pages_->get(), entries_, kSize, static_cast<off_t>(window * kSize));
}

}  // namespace onepack
