// Elements at regular distances, and the loops over them that all operators share.
//
// A view operator (slice, permute, expand, flip, ...) is another set of strides over the same
// elements; then one copy does the rest.

#ifndef ONEPACK_KERNELS_STRIDED_H_
#define ONEPACK_KERNELS_STRIDED_H_

#include "kernels/number.h"
#include "onepack/tensor.h"

namespace onepack::kernels {

// More than a tensor's: some operators split each dimension in two.
inline constexpr size_t kMaxLoopRank = 2 * kMaxTensorRank;

// Element (i, j, ...) is at data[offset + i * strides[0] + j * strides[1] + ...], counted in
// elements. Written to only where it was made by StridedOutput.
struct Strided {
  ScalarType type = ScalarType::kFloat;
  uint8_t* data = nullptr;
  int64_t offset = 0;
  size_t rank = 0;
  int64_t sizes[kMaxLoopRank] = {};
  int64_t strides[kMaxLoopRank] = {};

  int64_t count() const {
    int64_t count = 1;
    for (size_t i = 0; i < rank; ++i) count *= sizes[i];
    return count;
  }
  void Append(int64_t size, int64_t stride) {
    sizes[rank] = size;
    strides[rank++] = stride;
  }
  // Removes a dimension, keeping its elements at `index`.
  void Select(size_t dimension, int64_t index);
  // Keeps `length` elements of a dimension, from `start` on.
  void Narrow(size_t dimension, int64_t start, int64_t length) {
    offset += start * strides[dimension];
    sizes[dimension] = length;
  }
  void Remove(size_t dimension);
  void Insert(size_t dimension, int64_t size, int64_t stride);
};

// All elements of a tensor, with its dimensions in their logical order.
Strided StridedInput(const Tensor& tensor);
// The same over its own room. Call after Resize.
Strided StridedOutput(Tensor& tensor);

// Whether the elements lie one after the other in logical order. Where there are none, they do.
bool IsContiguous(const Strided& strided);

// visit(coordinates, offset): every element in logical order; it is at data[offset].
template <typename Visit>
void ForEachElement(const Strided& strided, Visit visit) {
  int64_t coordinates[kMaxLoopRank] = {};
  const int64_t count = strided.count();
  for (int64_t n = 0; n < count; ++n) {
    int64_t offset = strided.offset;
    int64_t rest = n;
    for (size_t i = strided.rank; i-- > 0;) {
      coordinates[i] = rest % strided.sizes[i];
      rest /= strided.sizes[i];
      offset += coordinates[i] * strided.strides[i];
    }
    visit(coordinates, offset);
  }
}

// Several operands over the same sizes. Operand 0 decides the order.
template <size_t N>
struct Loop {
  size_t rank = 0;
  int64_t sizes[kMaxLoopRank] = {};
  int64_t strides[N][kMaxLoopRank] = {};
  int64_t offsets[N] = {};
};

namespace internal {

template <size_t N>
bool CanMerge(const Loop<N>& loop, size_t outer, size_t inner) {
  for (size_t n = 0; n < N; ++n) {
    if (loop.strides[n][outer] != loop.sizes[inner] * loop.strides[n][inner]) return false;
  }
  return true;
}

template <size_t N>
void MoveDimension(Loop<N>& loop, size_t from, size_t to) {
  loop.sizes[to] = loop.sizes[from];
  for (size_t n = 0; n < N; ++n) loop.strides[n][to] = loop.strides[n][from];
}

inline int64_t Magnitude(int64_t value) { return value < 0 ? -value : value; }

// Insertion sort: outermost the dimension with the largest stride of operand 0.
template <size_t N>
void SortDimensions(Loop<N>& loop) {
  for (size_t i = 1; i < loop.rank; ++i) {
    Loop<N> moved;
    moved.sizes[0] = loop.sizes[i];
    for (size_t n = 0; n < N; ++n) moved.strides[n][0] = loop.strides[n][i];
    size_t to = i;
    while (to > 0 && Magnitude(loop.strides[0][to - 1]) < Magnitude(moved.strides[0][0])) {
      MoveDimension(loop, to - 1, to);
      --to;
    }
    loop.sizes[to] = moved.sizes[0];
    for (size_t n = 0; n < N; ++n) loop.strides[n][to] = moved.strides[n][0];
  }
}

}  // namespace internal

// The same elements in fewer and longer rows, in the order of operand 0's memory.
template <size_t N>
void Simplify(Loop<N>& loop) {
  size_t kept = 0;
  for (size_t i = 0; i < loop.rank; ++i) {
    if (loop.sizes[i] != 1) internal::MoveDimension(loop, i, kept++);
  }
  loop.rank = kept;
  internal::SortDimensions(loop);
  kept = 0;
  for (size_t i = 1; i < loop.rank; ++i) {
    if (internal::CanMerge(loop, kept, i)) {
      loop.sizes[i] *= loop.sizes[kept];
    } else {
      ++kept;
    }
    internal::MoveDimension(loop, i, kept);
  }
  if (loop.rank > 0) loop.rank = kept + 1;
}

// row(offsets, strides, n): the n elements of operand k are at offsets[k] + i * strides[k].
template <size_t N, typename Row>
void ForEachRow(const Loop<N>& loop, Row row) {
  int64_t strides[N] = {};
  int64_t offsets[N];
  for (size_t n = 0; n < N; ++n) offsets[n] = loop.offsets[n];
  for (size_t i = 0; i < loop.rank; ++i) {
    if (loop.sizes[i] == 0) return;
  }
  if (loop.rank == 0) return row(offsets, strides, int64_t{1});
  const size_t inner = loop.rank - 1;
  for (size_t n = 0; n < N; ++n) strides[n] = loop.strides[n][inner];
  int64_t index[kMaxLoopRank] = {};
  while (true) {
    row(offsets, strides, loop.sizes[inner]);
    size_t dimension = inner;
    while (true) {
      if (dimension-- == 0) return;
      for (size_t n = 0; n < N; ++n) offsets[n] += loop.strides[n][dimension];
      if (++index[dimension] < loop.sizes[dimension]) break;
      for (size_t n = 0; n < N; ++n) {
        offsets[n] -= loop.strides[n][dimension] * loop.sizes[dimension];
      }
      index[dimension] = 0;
    }
  }
}

template <size_t N>
Loop<N> LoopOver(const Strided* const (&operands)[N]) {
  Loop<N> loop;
  loop.rank = operands[0]->rank;
  for (size_t i = 0; i < loop.rank; ++i) loop.sizes[i] = operands[0]->sizes[i];
  for (size_t n = 0; n < N; ++n) {
    loop.offsets[n] = operands[n]->offset;
    for (size_t i = 0; i < loop.rank; ++i) loop.strides[n][i] = operands[n]->strides[i];
  }
  return loop;
}

// Copies element by element, converting between types. REQUIRES: the same sizes; the same type, or
// numbers on both sides.
void CopyStrided(const Strided& from, const Strided& to);

// Sets all elements. `value` is converted to the type.
void FillStrided(const Strided& to, const Number& value);

}  // namespace onepack::kernels

#endif  // ONEPACK_KERNELS_STRIDED_H_
