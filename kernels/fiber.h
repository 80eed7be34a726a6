// A fiber of a tensor: its elements along one dimension, the others being fixed. Rows and columns
// of a matrix are fibers.

#ifndef ONEPACK_KERNELS_FIBER_H_
#define ONEPACK_KERNELS_FIBER_H_

#include "kernels/element.h"
#include "kernels/strided.h"

namespace onepack::kernels {

struct Fiber {
  ScalarType type;
  uint8_t* data;
  int64_t offset;
  int64_t stride;

  template <typename C>
  void Load(int64_t first, size_t n, C* to) const {
    LoadElements<C>(type, data, offset + first * stride, stride, n, to);
  }
  template <typename C>
  void Store(int64_t first, size_t n, const C* from) const {
    StoreElements<C>(type, data, offset + first * stride, stride, n, from);
  }
  template <typename C>
  C At(int64_t index) const {
    return LoadElement<C>(type, data, offset + index * stride);
  }
  template <typename C>
  void StoreAt(int64_t index, C value) const {
    StoreElement<C>(type, data, offset + index * stride, value);
  }
};

inline Fiber FiberAt(const Strided& tensor, int64_t offset, int64_t stride) {
  return {tensor.type, tensor.data, offset, stride};
}

// visit(fiber of each tensor) for all positions of the other dimensions. The tensors have the same
// sizes but for `dimension`; the first one is written.
template <size_t N, typename Visit>
void ForEachFiber(const Strided (&tensors)[N], size_t dimension, Visit visit) {
  if (tensors[0].count() == 0) return;
  Loop<N> loop;
  int64_t strides[N] = {};
  for (size_t n = 0; n < N; ++n) {
    Strided rest = tensors[n];
    if (rest.rank > 0) {
      strides[n] = rest.strides[dimension];
      rest.Remove(dimension);
    }
    loop.rank = rest.rank;
    loop.offsets[n] = rest.offset;
    for (size_t i = 0; i < rest.rank; ++i) {
      loop.sizes[i] = rest.sizes[i];
      loop.strides[n][i] = rest.strides[i];
    }
  }
  ForEachRow(loop, [&](const int64_t* offsets, const int64_t* steps, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      Fiber fibers[N];
      for (size_t n = 0; n < N; ++n) {
        fibers[n] = FiberAt(tensors[n], offsets[n] + i * steps[n], strides[n]);
      }
      visit(fibers);
    }
  });
}

}  // namespace onepack::kernels

#endif  // ONEPACK_KERNELS_FIBER_H_
