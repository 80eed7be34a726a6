#include "onepack/tensor.h"

#include <string.h>

#include "base/checked_math.h"

namespace onepack {

Result<Tensor> Tensor::Over(const TensorLayout& layout, Span<uint8_t> data) {
  ONEPACK_ASSIGN_OR_RETURN(const size_t needed, VerifiedSizeBytes(layout));
  if (data.size() < needed) {
    return Status::Error(StatusCode::kInvalidArgument, "%s needs %zu bytes, %zu are given",
                         LayoutText(layout).c_str(), needed, data.size());
  }
  Tensor tensor(layout);
  tensor.data_ = data.data();
  return tensor;
}

Tensor Tensor::Of(TensorHome& home, const TensorLayout& layout, Span<const int32_t> bounds,
                  uint8_t* data) {
  Tensor tensor(layout);
  tensor.sizes_ = const_cast<int32_t*>(layout.sizes.data());  // to be read
  tensor.bounds_ = bounds.data();
  tensor.data_ = data;
  tensor.has_home_ = true;
  tensor.home_ = &home;
  return tensor;
}

size_t Tensor::size_bytes() const {
  // The bounds were verified not to overflow, and sizes never exceed them.
  size_t bytes = ElementSize(scalar_type_);
  for (const int32_t size : sizes()) bytes *= static_cast<size_t>(size);
  return bytes;
}

Status Tensor::Resize(Span<const int32_t> sizes) {
  if (has_home_) return home_->Resize(sizes);
  const TensorLayout wanted{scalar_type_, sizes, dim_order()};
  const TensorLayout bound{scalar_type_, bounds(), dim_order()};
  bool fits = sizes.size() == rank();
  for (size_t i = 0; fits && i < rank(); ++i) {
    fits = sizes[i] >= 0 && (is_dynamic_ ? sizes[i] <= bounds_[i] : sizes[i] == bounds_[i]);
  }
  if (!fits) {
    return Status::Error(StatusCode::kInvalidArgument, "%s given, %s%s expected",
                         LayoutText(wanted).c_str(), is_dynamic_ ? "at most " : "",
                         LayoutText(bound).c_str());
  }
  is_view_ = false;
  if (is_dynamic_ && rank() > 0) memcpy(sizes_, sizes.data(), rank() * sizeof(int32_t));
  return Status::Ok();
}

Status Tensor::ViewOf(const Tensor& source, size_t offset) {
  if (is_constant_ || has_home_) {
    return Status::Error(StatusCode::kInvalidArgument, "%s cannot become a view",
                         is_constant_ ? "a constant" : "a tensor of another runtime");
  }
  if (!InRange(offset, size_bytes(), source.size_bytes())) {
    return Status::Error(StatusCode::kInvalidArgument,
                         "a view of %zu bytes at %zu of a tensor of %zu", size_bytes(), offset,
                         source.size_bytes());
  }
  const uint8_t* shown = source.data() == nullptr ? nullptr : source.data() + offset;
  is_view_ = shown != data_;
  if (is_view_) view_ = shown;
  return Status::Ok();
}

void Tensor::EndView() {
  if (!is_view_) return;
  const size_t size = size_bytes();
  // The room may be a part of what is shown.
  if (size > 0) memmove(mutable_data(), view_, size);
  is_view_ = false;
}

}  // namespace onepack
