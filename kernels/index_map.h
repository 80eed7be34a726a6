// What the indices of `self[indices]` mean: which elements of self they lead to.
//
// Each index is a tensor of integers, a tensor of bools (which stands for the positions of its
// true elements, in all the dimensions it covers), or none, which keeps a dimension whole. The
// index tensors are broadcast together; their sizes come first in the result, or, where the indexed
// dimensions are neighbours, in place of those.

#ifndef ONEPACK_KERNELS_INDEX_MAP_H_
#define ONEPACK_KERNELS_INDEX_MAP_H_

#include "kernels/arguments.h"
#include "kernels/strided.h"
#include "onepack/array.h"

namespace onepack::kernels {

class IndexMap {
 public:
  // Refers to the tensors. Errors: more indices than dimensions; other types; sizes that do not
  // broadcast.
  Status Create(const Strided& self, const TensorList& indices, const Allocator& allocator);

  // Sizes of the result, without strides.
  Strided ResultSizes() const;

  // For each position of the indices: visit(part of self, part of result), both with the dimensions
  // that are kept whole. `result` has the sizes of ResultSizes. Errors: an index out of range.
  template <typename Visit>
  Status ForEach(const Strided& self, const Strided& result, Visit visit) const;

 private:
  // Indices of one dimension of self.
  struct Source {
    size_t dimension = 0;
    const Tensor* tensor = nullptr;    // integers, or null
    const int64_t* numbers = nullptr;  // positions of true elements: one dimension
    Strided view;                      // over the broadcast sizes
  };

  Status AddIntegers(const Tensor& index, size_t dimension);
  Status AddBools(const Tensor& index, size_t dimension, const Strided& self,
                  const Allocator& allocator);
  Status Broadcast();
  void PlaceResult(const Strided& self);
  Status CheckCount() const;
  Status OffsetAt(const Strided& self, const int64_t* position, int64_t* offset) const;

  Source sources_[kMaxTensorRank];
  size_t source_count_ = 0;
  Array<int64_t> positions_[kMaxTensorRank];
  size_t positions_count_ = 0;

  int64_t index_sizes_[kMaxTensorRank] = {};
  size_t index_rank_ = 0;
  // The dimensions of self that are kept, and where the index's go among them.
  size_t kept_[kMaxTensorRank] = {};
  int64_t kept_sizes_[kMaxTensorRank] = {};
  size_t kept_count_ = 0;
  size_t index_at_ = 0;
};

template <typename Visit>
Status IndexMap::ForEach(const Strided& self, const Strided& result, Visit visit) const {
  if (result.count() == 0) return Status::Ok();
  int64_t count = 1;
  for (size_t i = 0; i < index_rank_; ++i) count *= index_sizes_[i];
  Strided part = self;
  Strided target = result;
  part.rank = target.rank = 0;
  for (size_t i = 0; i < kept_count_; ++i) {
    const size_t at = i < index_at_ ? i : i + index_rank_;
    part.Append(self.sizes[kept_[i]], self.strides[kept_[i]]);
    target.Append(result.sizes[at], result.strides[at]);
  }
  for (int64_t n = 0; n < count; ++n) {
    int64_t position[kMaxTensorRank];
    int64_t rest = n;
    target.offset = result.offset;
    for (size_t i = index_rank_; i-- > 0;) {
      position[i] = rest % index_sizes_[i];
      rest /= index_sizes_[i];
      target.offset += position[i] * result.strides[index_at_ + i];
    }
    ONEPACK_RETURN_IF_ERROR(OffsetAt(self, position, &part.offset));
    visit(part, target);
  }
  return Status::Ok();
}

}  // namespace onepack::kernels

#endif  // ONEPACK_KERNELS_INDEX_MAP_H_
