#include "runtime/method_state.h"

#include <string.h>
#include <unistd.h>

#include <utility>

#include "base/fd.h"

namespace onepack {
namespace {

constexpr size_t kBlock = 4096;

size_t BlocksIn(size_t memory_size) {
  return memory_size / kBlock + (memory_size % kBlock != 0 ? 1 : 0);
}

// The last block of a memory may be shorter. REQUIRES: block < BlocksIn(memory_size).
size_t BlockSize(size_t memory_size, size_t block) {
  const size_t left = memory_size - block * kBlock;
  return left < kBlock ? left : kBlock;
}

Bytes BlockOf(Bytes memory, size_t block) {
  return memory.subspan(block * kBlock, BlockSize(memory.size(), block));
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
  const size_t blocks = BlocksIn(memory.size());
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
  ONEPACK_ASSIGN_OR_RETURN(state->blocks_, Array<uint64_t>::Create(allocator, count));
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

Result<Ref<MethodState>> MethodState::OfParts(size_t memory_size, Array<uint64_t> blocks,
                                              Array<uint8_t> contents, const Allocator& allocator) {
  const size_t count = BlocksIn(memory_size);
  size_t needed = 0;
  for (size_t i = 0; i < blocks.size(); ++i) {
    const bool is_next = i == 0 || blocks[i] > blocks[i - 1];
    if (blocks[i] >= count || !is_next) {
      return Status::Error(StatusCode::kInvalidArgument, "block %llu in place %zu of %zu blocks",
                           static_cast<unsigned long long>(blocks[i]), i, count);
    }
    needed += BlockSize(memory_size, static_cast<size_t>(blocks[i]));
  }
  if (contents.size() != needed) {
    return Status::Error(StatusCode::kInvalidArgument, "blocks of %zu bytes, %zu expected",
                         contents.size(), needed);
  }
  ONEPACK_ASSIGN_OR_RETURN(Ref<MethodState> state, MakeRef<MethodState>(allocator));
  state->memory_size_ = memory_size;
  state->blocks_ = std::move(blocks);
  state->contents_ = std::move(contents);
  return state;
}

void MethodState::CopyTo(Span<uint8_t> memory) const {
  const uint8_t* next = contents_.data();
  for (const uint64_t block : blocks_) {
    const size_t size = BlockSize(memory.size(), block);
    memcpy(memory.data() + block * kBlock, next, size);
    next += size;
  }
}

}  // namespace onepack
