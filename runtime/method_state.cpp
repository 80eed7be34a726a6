#include "onepack/method_state.h"

#include <string.h>
#include <unistd.h>

#include <utility>

#include "base/fd.h"
#include "base/page_size.h"

namespace onepack {
namespace {

constexpr size_t kBlock = MethodState::kBlock;

bool IsZero(Bytes bytes) {
  // Equal to itself moved by one byte, and the first byte is zero.
  return bytes[0] == 0 && memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

// Which blocks of anonymous memory were never touched: to read them would take a page fault for
// each, and a program may plan more memory than it ever uses. Where the system does not say, none.
class UntouchedBlocks {
 public:
  UntouchedBlocks()
      : pages_(Fd::OpenForReading("/proc/self/pagemap")),
        is_known_(pages_.ok() && PageSize() == kBlock) {}

  // Fastest when asked in order.
  bool Has(const uint8_t* block) {
    if (!is_known_) return false;
    const size_t page = reinterpret_cast<uintptr_t>(block) / kBlock;
    if (page / kWindow != window_) ReadWindow(page / kWindow);
    return (entries_[page % kWindow] & kPresentOrSwapped) == 0;
  }

 private:
  static constexpr size_t kWindow = 512;
  static constexpr uint64_t kPresentOrSwapped = uint64_t{3} << 62;

  void ReadWindow(size_t window) {
    window_ = window;
    memset(entries_, 0xff, sizeof(entries_));  // what cannot be read may have been touched
    (void)!pread(pages_->get(), entries_, sizeof(entries_),
                 static_cast<off_t>(window * sizeof(entries_)));
  }

  Result<Fd> pages_;
  const bool is_known_;
  size_t window_ = SIZE_MAX;
  uint64_t entries_[kWindow];
};

// use(number, bytes) for every block that is not all zero. REQUIRES: whole blocks that start at
// pages.
template <typename Use>
void ForEachBlock(Bytes memory, UntouchedBlocks& untouched, const Use& use) {
  for (size_t i = 0; i < memory.size() / kBlock; ++i) {
    const Bytes block = memory.subspan(i * kBlock, kBlock);
    if (!untouched.Has(block.data()) && !IsZero(block)) use(i, block);
  }
}

}  // namespace

Result<Ref<MethodState>> MethodState::Of(Bytes own, Bytes shared, const Allocator& allocator) {
  ONEPACK_ASSIGN_OR_RETURN(Ref<MethodState> state, MakeRef<MethodState>(allocator));
  const Bytes memories[] = {own, shared};
  UntouchedBlocks untouched;
  size_t count = 0;
  for (const Bytes memory : memories) {
    ForEachBlock(memory, untouched, [&count](size_t /*block*/, Bytes /*bytes*/) { ++count; });
  }
  state->memory_size_ = own.size() + shared.size();
  ONEPACK_ASSIGN_OR_RETURN(state->blocks_, Array<uint64_t>::Create(allocator, count));
  ONEPACK_ASSIGN_OR_RETURN(state->contents_, Array<uint8_t>::Create(allocator, count * kBlock));
  size_t first = 0;
  size_t used = 0;
  for (const Bytes memory : memories) {
    ForEachBlock(memory, untouched, [&](size_t block, Bytes bytes) {
      memcpy(state->contents_.data() + used * kBlock, bytes.data(), kBlock);
      state->blocks_[used++] = first + block;
    });
    first += memory.size() / kBlock;
  }
  return state;
}

Result<Ref<MethodState>> MethodState::OfParts(size_t memory_size, Array<uint64_t> blocks,
                                              Array<uint8_t> contents, const Allocator& allocator) {
  const size_t count = memory_size / kBlock;
  for (size_t i = 0; i < blocks.size(); ++i) {
    const bool is_next = i == 0 || blocks[i] > blocks[i - 1];
    if (blocks[i] >= count || !is_next) {
      return Status::Error(StatusCode::kInvalidArgument, "block %llu in place %zu of %zu blocks",
                           static_cast<unsigned long long>(blocks[i]), i, count);
    }
  }
  // At most `count` of them: no overflow.
  if (contents.size() != blocks.size() * kBlock) {
    return Status::Error(StatusCode::kInvalidArgument, "blocks of %zu bytes, %zu expected",
                         contents.size(), blocks.size() * kBlock);
  }
  ONEPACK_ASSIGN_OR_RETURN(Ref<MethodState> state, MakeRef<MethodState>(allocator));
  state->memory_size_ = memory_size;
  state->blocks_ = std::move(blocks);
  state->contents_ = std::move(contents);
  return state;
}

void MethodState::CopyTo(Span<uint8_t> own, Span<uint8_t> shared) const {
  const uint64_t own_blocks = own.size() / kBlock;
  const uint8_t* next = contents_.data();
  for (const uint64_t block : blocks_) {
    uint8_t* to = block < own_blocks ? own.data() + block * kBlock
                                     : shared.data() + (block - own_blocks) * kBlock;
    memcpy(to, next, kBlock);
    next += kBlock;
  }
}

}  // namespace onepack
