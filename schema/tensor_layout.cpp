#include "onepack/tensor_layout.h"

#include <stdio.h>
#include <string.h>

#include "base/checked_math.h"

namespace onepack {
namespace {

bool IsPermutation(Span<const uint8_t> order) {
  bool seen[kMaxTensorRank] = {};
  for (const uint8_t dimension : order) {
    if (dimension >= order.size() || seen[dimension]) return false;
    seen[dimension] = true;
  }
  return true;
}

template <typename T>
bool SameElements(Span<const T> a, Span<const T> b) {
  return a.size() == b.size() &&
         (a.empty() || memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

// The place in `order` of the next dimension, from `place` on, whose stride counts.
size_t NextPlace(Span<const uint8_t> order, Span<const int32_t> sizes, size_t place) {
  while (place < order.size() && order[place] < sizes.size() && sizes[order[place]] == 1) ++place;
  return place;
}

bool HasElements(Span<const int32_t> sizes) {
  for (const int32_t size : sizes) {
    if (size == 0) return false;
  }
  return true;
}

bool SameOrder(Span<const int32_t> sizes, Span<const uint8_t> a, Span<const uint8_t> b) {
  if (SameElements(a, b)) return true;
  if (a.size() != sizes.size() || b.size() != sizes.size()) return false;
  if (!HasElements(sizes)) return true;
  size_t i = NextPlace(a, sizes, 0);
  size_t j = NextPlace(b, sizes, 0);
  while (i < a.size() && j < b.size() && a[i] == b[j]) {
    i = NextPlace(a, sizes, i + 1);
    j = NextPlace(b, sizes, j + 1);
  }
  return i == a.size() && j == b.size();
}

bool IsContiguous(Span<const uint8_t> order) {
  for (size_t i = 0; i < order.size(); ++i) {
    if (order[i] != i) return false;
  }
  return true;
}

// Appends "[a, b]" and returns the new length, which stays below `capacity`.
template <typename T>
size_t AppendList(char* text, size_t length, size_t capacity, Span<const T> items) {
  const auto append = [&](const char* format, int value) {
    if (length >= capacity) return;
    const int written = snprintf(text + length, capacity - length, format, value);
    if (written > 0) length += static_cast<size_t>(written);
  };
  append("%c", '[');
  for (size_t i = 0; i < items.size(); ++i) append(i == 0 ? "%d" : ", %d", items[i]);
  append("%c", ']');
  return length < capacity ? length : capacity - 1;
}

}  // namespace

bool SameLayout(const TensorLayout& a, const TensorLayout& b) {
  return a.scalar_type == b.scalar_type && SameElements(a.sizes, b.sizes) &&
         SameOrder(a.sizes, a.dim_order, b.dim_order);
}

LayoutText::LayoutText(const TensorLayout& layout) {
  constexpr size_t kCapacity = sizeof(text_);
  auto length =
      static_cast<size_t>(snprintf(text_, kCapacity, "%s ", ScalarTypeName(layout.scalar_type)));
  length = AppendList(text_, length, kCapacity, layout.sizes);
  if (!IsContiguous(layout.dim_order)) {
    length += static_cast<size_t>(snprintf(text_ + length, kCapacity - length, " dim_order "));
    if (length < kCapacity) AppendList(text_, length, kCapacity, layout.dim_order);
  }
}

Result<size_t> VerifiedSizeBytes(const TensorLayout& layout) {
  const size_t element_size = ElementSize(layout.scalar_type);
  if (element_size == 0) {
    return Status::Error(StatusCode::kInvalidFile, "scalar type %d names no element type",
                         static_cast<int>(layout.scalar_type));
  }
  if (layout.sizes.size() > kMaxTensorRank) {
    return Status::Error(StatusCode::kInvalidFile, "rank %zu, at most %zu expected",
                         layout.sizes.size(), kMaxTensorRank);
  }
  if (layout.dim_order.size() != layout.sizes.size()) {
    return Status::Error(StatusCode::kInvalidFile, "dim_order has %zu entries for rank %zu",
                         layout.dim_order.size(), layout.sizes.size());
  }
  if (!IsPermutation(layout.dim_order)) {
    return Status::Error(StatusCode::kInvalidFile, "dim_order is not a permutation of 0..%zu",
                         layout.sizes.size() - 1);
  }
  size_t bytes = element_size;
  bool empty = false;
  for (const int32_t size : layout.sizes) {
    if (size < 0) {
      return Status::Error(StatusCode::kInvalidFile, "negative size %d", size);
    }
    if (size == 0) {
      empty = true;  // keep multiplying: a zero must not hide an overflow
    } else if (!CheckedMultiply<size_t>(bytes, static_cast<size_t>(size), &bytes)) {
      return Status::Error(StatusCode::kInvalidFile,
                           "sizes multiply to more bytes than fit 64 bits");
    }
  }
  // Differences of addresses, and counts with a sign, hold it too.
  if (bytes > PTRDIFF_MAX) {
    return Status::Error(StatusCode::kInvalidFile, "sizes multiply to more bytes than fit 63 bits");
  }
  return empty ? size_t{0} : bytes;
}

}  // namespace onepack
