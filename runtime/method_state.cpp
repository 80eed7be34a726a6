#include "runtime/method_state.h"

#include <string.h>

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

}  // namespace

Result<Ref<MethodState>> MethodState::Of(Bytes memory, const Allocator& allocator) {
  ONEPACK_ASSIGN_OR_RETURN(Ref<MethodState> state, MakeRef<MethodState>(allocator));
  const size_t blocks = memory.size() / kBlock + (memory.size() % kBlock != 0 ? 1 : 0);
  size_t count = 0;
  size_t bytes = 0;
  for (size_t i = 0; i < blocks; ++i) {
    const Bytes block = BlockOf(memory, i);
    if (IsZero(block)) continue;
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
    if (IsZero(block)) continue;
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
