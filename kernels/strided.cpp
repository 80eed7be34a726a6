#include "kernels/strided.h"

#include <string.h>

#include "kernels/element.h"

namespace onepack::kernels {
namespace {

Strided StridedOver(const Tensor& tensor, uint8_t* data) {
  Strided strided;
  strided.type = tensor.scalar_type();
  strided.data = data;
  strided.rank = tensor.rank();
  int64_t stride = 1;
  for (size_t i = tensor.rank(); i-- > 0;) {
    const size_t dimension = tensor.dim_order()[i];
    strided.sizes[dimension] = tensor.sizes()[dimension];
    strided.strides[dimension] = stride;
    stride *= tensor.sizes()[dimension];
  }
  return strided;
}

template <typename T>
void CopyRow(const uint8_t* from_base, int64_t from_offset, int64_t from_stride, uint8_t* to_base,
             int64_t to_offset, int64_t to_stride, int64_t n) {
  const T* from = reinterpret_cast<const T*>(from_base) + from_offset;
  T* to = reinterpret_cast<T*>(to_base) + to_offset;
  if (from_stride == 1 && to_stride == 1) {
    memmove(to, from, static_cast<size_t>(n) * sizeof(T));
  } else {
    for (int64_t i = 0; i < n; ++i) to[i * to_stride] = from[i * from_stride];
  }
}

// An element of complex numbers is no further aligned than its parts.
template <typename T>
struct Two {
  T parts[2];
};

using RowCopier = void (*)(const uint8_t*, int64_t, int64_t, uint8_t*, int64_t, int64_t, int64_t);

RowCopier RowCopierFor(ScalarType type) {
  if (type == ScalarType::kComplexHalf) return CopyRow<Two<uint16_t>>;
  if (type == ScalarType::kComplexFloat) return CopyRow<Two<uint32_t>>;
  if (type == ScalarType::kComplexDouble) return CopyRow<Two<uint64_t>>;
  switch (ElementSize(type)) {
    case 1:
      return CopyRow<uint8_t>;
    case 2:
      return CopyRow<uint16_t>;
    case 4:
      return CopyRow<uint32_t>;
    default:
      return CopyRow<uint64_t>;
  }
}

// Converts a row, block by block.
template <typename C>
void ConvertRow(const Strided& from, int64_t from_offset, int64_t from_stride, const Strided& to,
                int64_t to_offset, int64_t to_stride, int64_t n) {
  C block[kBlockSize];
  for (int64_t start = 0; start < n; start += static_cast<int64_t>(kBlockSize)) {
    const int64_t left = n - start;
    const size_t size =
        left < static_cast<int64_t>(kBlockSize) ? static_cast<size_t>(left) : kBlockSize;
    LoadElements<C>(from.type, from.data, from_offset + start * from_stride, from_stride, size,
                    block);
    StoreElements<C>(to.type, to.data, to_offset + start * to_stride, to_stride, size, block);
  }
}

}  // namespace

void Strided::Remove(size_t dimension) {
  for (size_t i = dimension + 1; i < rank; ++i) {
    sizes[i - 1] = sizes[i];
    strides[i - 1] = strides[i];
  }
  --rank;
}

void Strided::Select(size_t dimension, int64_t index) {
  offset += index * strides[dimension];
  Remove(dimension);
}

void Strided::Insert(size_t dimension, int64_t size, int64_t stride) {
  for (size_t i = rank; i > dimension; --i) {
    sizes[i] = sizes[i - 1];
    strides[i] = strides[i - 1];
  }
  sizes[dimension] = size;
  strides[dimension] = stride;
  ++rank;
}

Strided StridedInput(const Tensor& tensor) {
  return StridedOver(tensor, const_cast<uint8_t*>(tensor.data()));
}

Strided StridedOutput(Tensor& tensor) { return StridedOver(tensor, tensor.mutable_data()); }

bool IsContiguous(const Strided& strided) {
  int64_t expected = 1;
  for (size_t i = strided.rank; i-- > 0;) {
    if (strided.sizes[i] != 1 && strided.strides[i] != expected) return strided.count() == 0;
    expected *= strided.sizes[i];
  }
  return true;
}

void CopyStrided(const Strided& from, const Strided& to) {
  Loop<2> loop = LoopOver<2>({&to, &from});
  Simplify(loop);
  if (from.type == to.type) {
    const RowCopier copy = RowCopierFor(from.type);
    ForEachRow(loop, [&](const int64_t* offsets, const int64_t* strides, int64_t n) {
      copy(from.data, offsets[1], strides[1], to.data, offsets[0], strides[0], n);
    });
    return;
  }
  const auto convert = [&](auto convert_row) {
    ForEachRow(loop, [&](const int64_t* offsets, const int64_t* strides, int64_t n) {
      convert_row(from, offsets[1], strides[1], to, offsets[0], strides[0], n);
    });
  };
  switch (ComputeTypeOf(from.type)) {
    case Compute::kFloat:
      return convert(ConvertRow<float>);
    case Compute::kDouble:
      return convert(ConvertRow<double>);
    case Compute::kLong:
      return convert(ConvertRow<int64_t>);
    case Compute::kComplex:
      return convert(ConvertRow<Complex>);
  }
}

void FillStrided(const Strided& to, const Number& value) {
  // One element in the type, then copies of it.
  alignas(16) uint8_t element[16] = {};
  if (value.type == ScalarType::kDouble) {
    StoreElement<double>(to.type, element, 0, value.real);
  } else {
    StoreElement<int64_t>(to.type, element, 0, value.integer);
  }
  Strided from = to;
  from.data = element;
  from.offset = 0;
  for (size_t i = 0; i < from.rank; ++i) from.strides[i] = 0;
  CopyStrided(from, to);
}

}  // namespace onepack::kernels
