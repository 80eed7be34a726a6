#include "runtime/method_state.h"

#include <string.h>
#include <unistd.h>

#include "base/fd.h"

namespace onepack {
namespace {

constexpr size_t kBlock = 4096;

// The last block of a memory may be shorter.
Bytes BlockOf(Bytes memory, size_t block) {
  const size_t start = block * kBlock;
  const size_t left = memory.size() - start;
  return memory.subspan(start, left < kBlock ? left : kBlock);
}

bool IsZero(Bytes bytes) {
  // Equal to itself moved by one byte, and the first byte is zero.
  return bytes[0] == 0 && memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

// Which blocks of anonymous memory nobody has touched: to look at them would take a page fault for
// each, and a program may plan more memory than it ever uses. Where the system does not say, none.
class UntouchedBlocks {
 public:
  explicit UntouchedBlocks(Bytes memory)
      : address_(reinterpret_cast<uintptr_t>(memory.data())),
        pages_(Fd::OpenForReading("/proc/self/pagemap")),
        is_known_(pages_.ok() && address_ % kBlock == 0 && sysconf(_SC_PAGESIZE) == kBlock) {}

  // Fastest when asked in order.
  bool Has(size_t block) {
    if (!is_known_) return false;
    if (block / kWindow != window_) ReadWindow(block / kWindow);
    return (entries_[block % kWindow] & kPresentOrSwapped) == 0;
  }

 private:
  static constexpr size_t kWindow = 512;
  static constexpr uint64_t kPresentOrSwapped = uint64_t{3} << 62;

  void ReadWindow(size_t window) {
    window_ = window;
    memset(entries_, 0xff, sizeof(entries_));  // what cannot be read may have been touched
    const size_t first_page = address_ / kBlock + window * kWindow;
    (void)!pread(pages_->get(), entries_, sizeof(entries_),
                 static_cast<off_t>(first_page * sizeof(entries_[0])));
  }

  const uintptr_t address_;
  Result<Fd> pages_;
  const bool is_known_;
  size_t window_ = SIZE_MAX;
  uint64_t entries_[kWindow];
};

}  // namespace

Result<Ref<MethodState>> MethodState::Of(Bytes memory, const Allocator& allocator) {
  ONEPACK_ASSIGN_OR_RETURN(Ref<MethodState> state, MakeRef<MethodState>(allocator));
  const size_t blocks = memory.size() / kBlock + (memory.size() % kBlock != 0 ? 1 : 0);
  size_t count = 0;
  size_t bytes = 0;
  UntouchedBlocks untouched(memory);
  for (size_t i = 0; i < blocks; ++i) {
    const Bytes block = BlockOf(memory, i);
    if (untouched.Has(i) || IsZero(block)) continue;
    ++count;
    bytes += block.size();
  }
  state->memory_size_ = memory.size();
  ONEPACK_ASSIGN_OR_RETURN(state->blocks_, Array<size_t>::Create(allocator, count));
  ONEPACK_ASSIGN_OR_RETURN(state->contents_, Array<uint8_t>::Create(allocator, bytes));
  uint8_t* next = state->contents_.data();
  size_t used = 0;
  for (size_t i = 0; i < blocks; ++i) {
    const Bytes block = BlockOf(memory, i);
    if (untouched.Has(i) || IsZero(block)) continue;
    state->blocks_[used++] = i;
    memcpy(next, block.data(), block.size());
    next += block.size();
  }
  return state;
}

void MethodState::CopyTo(Span<uint8_t> memory) const {
  const uint8_t* next = contents_.data();
  for (const size_t block : blocks_) {
    const size_t size = BlockOf(memory, block).size();
    memcpy(memory.data() + block * kBlock, next, size);
    next += size;
  }
}

}  // namespace onepack
