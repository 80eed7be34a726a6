#include "onepack/method_state.h"

#include <string.h>

#include <utility>

#include "runtime/page_map.h"
#include "runtime/planned_memory.h"

namespace onepack {
namespace {

constexpr size_t kBlock = MethodState::kBlock;

// use(number, bytes) for every block that is not all zero.
template <typename Use>
void ForEachBlock(const PlannedMemory& memory, PageMap& pages, const Use& use) {
  for (size_t i = 0; i < memory.size() / kBlock; ++i) {
    const Bytes block = memory.bytes().subspan(i * kBlock, kBlock);
    if (!memory.IsUntouched(i, pages) && !IsZero(block)) use(i, block);
  }
}

}  // namespace

Result<Ref<MethodState>> MethodState::Of(const PlannedMemory& own, const PlannedMemory* shared,
                                         const Allocator& allocator) {
  ONEPACK_ASSIGN_OR_RETURN(Ref<MethodState> state, MakeRef<MethodState>(allocator));
  PageMap pages;
  const auto for_each_block = [&](const auto& use) {
    ForEachBlock(own, pages, use);
    if (shared == nullptr) return;
    const size_t first = own.size() / kBlock;
    ForEachBlock(*shared, pages, [&](size_t block, Bytes bytes) { use(first + block, bytes); });
  };
  size_t count = 0;
  for_each_block([&count](size_t /*block*/, Bytes /*bytes*/) { ++count; });
  state->memory_size_ = own.size() + (shared != nullptr ? shared->size() : 0);
  ONEPACK_ASSIGN_OR_RETURN(state->blocks_, Array<uint64_t>::Create(allocator, count));
  ONEPACK_ASSIGN_OR_RETURN(state->contents_, Array<uint8_t>::Create(allocator, count * kBlock));
  size_t used = 0;
  for_each_block([&](size_t block, Bytes bytes) {
    memcpy(state->contents_.data() + used * kBlock, bytes.data(), kBlock);
    state->blocks_[used++] = block;
  });
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
