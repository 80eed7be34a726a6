#include "delegate/running/stage_memory.h"

#include <algorithm>
#include <utility>

#include "base/checked_math.h"
#include "base/rounding.h"

namespace onepack {

size_t StageMemory::Add(size_t size, size_t first, size_t last) {
  size_t padded = 0;
  if (!CheckedAdd(size, Mapping::kReadablePadding + kAlignment - 1, &padded)) padded = SIZE_MAX;
  pieces_.push_back({padded - padded % kAlignment, first, last, 0});
  return pieces_.size() - 1;
}

// The largest first, each at the lowest place that is free while it is needed.
Status StageMemory::Allocate() {
  std::vector<Piece*> order;
  order.reserve(pieces_.size());
  for (Piece& piece : pieces_) order.push_back(&piece);
  std::sort(order.begin(), order.end(), [](const Piece* a, const Piece* b) {
    return a->size != b->size ? a->size > b->size : a < b;
  });
  std::vector<const Piece*> placed;  // by offset
  placed.reserve(order.size());
  size_ = 0;
  for (Piece* piece : order) {
    piece->offset = LowestOffset(*piece, placed);
    size_t end = 0;
    if (!CheckedAdd(piece->offset, piece->size, &end)) end = SIZE_MAX;
    size_ = std::max(size_, end);
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), piece,
                         [](const Piece* a, const Piece* b) { return a->offset < b->offset; }),
        piece);
  }
  if (size_ <= block_.size()) return Status::Ok();
  block_ = Mapping();
  ONEPACK_ASSIGN_OR_RETURN(block_, Mapping::OfZeros(size_));
  return Status::Ok();
}

size_t StageMemory::LowestOffset(const Piece& piece,
                                 const std::vector<const Piece*>& placed) const {
  size_t offset = 0;
  for (const Piece* other : placed) {
    if (other->last < piece.first || piece.last < other->first) continue;
    if (offset <= other->offset && piece.size <= other->offset - offset) break;
    offset = std::max(offset, other->offset + other->size);
  }
  return offset;
}

}  // namespace onepack
