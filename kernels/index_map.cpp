#include "kernels/index_map.h"

#include "base/checked_math.h"
#include "kernels/element.h"

namespace onepack::kernels {

Status IndexMap::Create(const Strided& self, const TensorList& indices,
                        const Allocator& allocator) {
  size_t dimension = 0;
  for (size_t i = 0; i < indices.size(); ++i) {
    const Tensor* index = indices.optional(i);
    const bool is_mask = index != nullptr && (index->scalar_type() == ScalarType::kBool ||
                                              index->scalar_type() == ScalarType::kByte);
    const size_t covered = is_mask ? index->rank() : 1;
    if (covered == 0 || covered > self.rank - dimension) {
      return Status::Error(StatusCode::kInvalidArgument, "%zu indices for rank %zu", indices.size(),
                           self.rank);
    }
    if (is_mask) {
      ONEPACK_RETURN_IF_ERROR(AddBools(*index, dimension, self, allocator));
    } else if (index != nullptr) {
      ONEPACK_RETURN_IF_ERROR(AddIntegers(*index, dimension));
    }
    dimension += covered;
  }
  if (source_count_ == 0) return Status::Error(StatusCode::kInvalidArgument, "no index is given");
  ONEPACK_RETURN_IF_ERROR(Broadcast());
  PlaceResult(self);
  if (kept_count_ + index_rank_ > kMaxTensorRank) {
    return Status::Error(StatusCode::kUnsupported, "a result of rank %zu",
                         kept_count_ + index_rank_);
  }
  return CheckCount();
}

// Indices that are broadcast together may mean more elements than fit in memory, or in a number.
Status IndexMap::CheckCount() const {
  const Strided sizes = ResultSizes();
  int64_t count = 1;
  for (size_t i = 0; i < sizes.rank; ++i) {
    if (sizes.sizes[i] != 0 && !CheckedMultiply(count, sizes.sizes[i], &count)) {
      return Status::Error(StatusCode::kInvalidArgument, "more elements than fit 63 bits");
    }
  }
  return Status::Ok();
}

Status IndexMap::AddIntegers(const Tensor& index, size_t dimension) {
  if (!IsIntegral(index.scalar_type())) {
    return Status::Error(StatusCode::kInvalidArgument, "an index of %s",
                         LayoutText(index.layout()).c_str());
  }
  Source& source = sources_[source_count_++];
  source.dimension = dimension;
  source.tensor = &index;
  source.view = StridedInput(index);
  return Status::Ok();
}

Status IndexMap::AddBools(const Tensor& index, size_t dimension, const Strided& self,
                          const Allocator& allocator) {
  const Strided mask = StridedInput(index);
  for (size_t i = 0; i < mask.rank; ++i) {
    if (mask.sizes[i] == self.sizes[dimension + i]) continue;
    return Status::Error(StatusCode::kInvalidArgument, "a mask of %s where the size is %lld",
                         LayoutText(index.layout()).c_str(),
                         static_cast<long long>(self.sizes[dimension + i]));
  }
  // Twice over the mask: to count, and to note where. A mask that changes between the two, because
  // the output overlaps it, is none: nothing is written before both are done.
  int64_t count = 0;
  const auto for_each_true = [&](auto note) {
    ForEachElement(mask, [&](const int64_t* position, int64_t offset) {
      if (mask.data[offset] != 0) note(position);
    });
  };
  for_each_true([&](const int64_t*) { ++count; });
  for (size_t i = 0; i < mask.rank; ++i) {
    Array<int64_t>& positions = positions_[positions_count_++];
    ONEPACK_ASSIGN_OR_RETURN(positions,
                             Array<int64_t>::Create(allocator, static_cast<size_t>(count)));
    size_t next = 0;
    for_each_true([&](const int64_t* position) { positions[next++] = position[i]; });
    Source& source = sources_[source_count_++];
    source.dimension = dimension + i;
    source.numbers = positions.data();
    source.view.rank = 0;
    source.view.Append(count, 1);
  }
  return Status::Ok();
}

// All sources get the sizes that they broadcast to, with strides of 0 where they repeat.
Status IndexMap::Broadcast() {
  for (size_t s = 0; s < source_count_; ++s) {
    if (sources_[s].view.rank > index_rank_) index_rank_ = sources_[s].view.rank;
  }
  for (size_t i = 0; i < index_rank_; ++i) index_sizes_[i] = 1;
  for (size_t s = 0; s < source_count_; ++s) {
    Strided& view = sources_[s].view;
    while (view.rank < index_rank_) view.Insert(0, 1, 0);
    for (size_t i = 0; i < index_rank_; ++i) {
      if (view.sizes[i] == 1) {
        view.strides[i] = 0;
        continue;
      }
      if (index_sizes_[i] != 1 && index_sizes_[i] != view.sizes[i]) {
        return Status::Error(StatusCode::kInvalidArgument,
                             "indices of sizes %lld and %lld do not broadcast together",
                             static_cast<long long>(index_sizes_[i]),
                             static_cast<long long>(view.sizes[i]));
      }
      index_sizes_[i] = view.sizes[i];
    }
  }
  return Status::Ok();
}

void IndexMap::PlaceResult(const Strided& self) {
  bool is_indexed[kMaxTensorRank] = {};
  for (size_t s = 0; s < source_count_; ++s) is_indexed[sources_[s].dimension] = true;
  const size_t first = sources_[0].dimension;
  const size_t last = sources_[source_count_ - 1].dimension;
  const bool are_neighbours = last - first + 1 == source_count_;
  index_at_ = are_neighbours ? first : 0;
  for (size_t i = 0; i < self.rank; ++i) {
    if (is_indexed[i]) continue;
    kept_sizes_[kept_count_] = self.sizes[i];
    kept_[kept_count_++] = i;
  }
}

Strided IndexMap::ResultSizes() const {
  Strided sizes;
  for (size_t i = 0; i <= kept_count_; ++i) {
    if (i == index_at_) {
      for (size_t k = 0; k < index_rank_; ++k) sizes.Append(index_sizes_[k], 0);
    }
    if (i < kept_count_) sizes.Append(kept_sizes_[i], 0);
  }
  return sizes;
}

Status IndexMap::OffsetAt(const Strided& self, const int64_t* position, int64_t* offset) const {
  *offset = self.offset;
  for (size_t s = 0; s < source_count_; ++s) {
    const Source& source = sources_[s];
    int64_t at = 0;
    for (size_t i = 0; i < index_rank_; ++i) at += position[i] * source.view.strides[i];
    // Read once: what was checked is what is used.
    int64_t index = source.tensor != nullptr
                        ? LoadElement<int64_t>(source.view.type, source.view.data, at)
                        : source.numbers[at];
    const int64_t size = self.sizes[source.dimension];
    if (index < -size || index >= size) {
      return Status::Error(StatusCode::kInvalidArgument,
                           "index %lld of dimension %zu, from %lld to %lld expected",
                           static_cast<long long>(index), source.dimension,
                           static_cast<long long>(-size), static_cast<long long>(size - 1));
    }
    if (index < 0) index += size;
    *offset += index * self.strides[source.dimension];
  }
  return Status::Ok();
}

}  // namespace onepack::kernels
