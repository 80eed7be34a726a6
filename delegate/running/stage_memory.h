// One block of memory for what the stages of a delegate hand to each other, and for what a stage
// needs while it runs: those that are not needed at the same time share bytes.
//
// Threads: one at a time.

#ifndef ONEPACK_DELEGATE_RUNNING_STAGE_MEMORY_H_
#define ONEPACK_DELEGATE_RUNNING_STAGE_MEMORY_H_

#include <stddef.h>
#include <stdint.h>

#include <vector>

#include "base/mapping.h"
#include "onepack/status.h"

namespace onepack {

class StageMemory {
 public:
  static constexpr size_t kAlignment = 64;

  void Clear() { pieces_.clear(); }
  // `size` bytes from stage `first` to stage `last`; as many can be read after them as XNNPACK
  // reads. Returns the piece's number. May throw std::bad_alloc.
  size_t Add(size_t size, size_t first, size_t last);

  // Finds a place for each piece. The block grows and never shrinks. kResourceExhausted. May throw
  // std::bad_alloc.
  Status Allocate();

  // REQUIRES: allocated since it was added.
  uint8_t* operator[](size_t piece) const { return block_.data() + pieces_[piece].offset; }

  // Where all pieces end, of those allocated last.
  size_t size() const { return size_; }

 private:
  struct Piece {
    size_t size;
    size_t first;
    size_t last;
    size_t offset;
  };

  // Behind all that it would overlap with, of those that have a place.
  size_t LowestOffset(const Piece& piece, const std::vector<const Piece*>& placed) const;

  std::vector<Piece> pieces_;
  Mapping block_;
  size_t size_ = 0;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_RUNNING_STAGE_MEMORY_H_
