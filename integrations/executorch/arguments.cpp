#include "integrations/executorch/arguments.h"

#include <algorithm>
#include <type_traits>

namespace onepack {

static_assert(std::is_same_v<executorch::aten::SizesType, int32_t>);
static_assert(std::is_same_v<executorch::aten::DimOrderType, uint8_t>);

Result<Span<Value* const>> Arguments::Take(et::Span<et::EValue*> values) {
  while (arguments_.size() < values.size()) arguments_.emplace_back();
  if (values_.size() < values.size()) {
    values_.clear();
    for (Argument& argument : arguments_) values_.push_back(argument.value());
  }
  for (size_t i = 0; i < values.size(); ++i) {
    Status status = arguments_[i].Take(values[i]);
    if (!status.ok()) return std::move(status).WithContext("argument %zu of a delegate call", i);
  }
  return Span<Value* const>(values_.data(), values.size());
}

Status Arguments::Argument::Take(et::EValue* value) {
  value_ = Value();
  if (value == nullptr || !value->isTensor()) return Status::Ok();
  tensor_ = &value->toTensor();
  const auto sizes = tensor_->sizes();
  const auto dim_order = tensor_->dim_order();
  if (sizes.size() > bounds_.size()) {
    return Status::Error(StatusCode::kUnsupported, "a tensor of rank %zu, at most %zu expected",
                         sizes.size(), bounds_.size());
  }
  for (size_t i = 0; i < sizes.size(); ++i) bounds_[i] = std::max(accepted_[i], sizes[i]);
  TensorLayout layout;
  layout.scalar_type = static_cast<ScalarType>(tensor_->scalar_type());
  layout.sizes = {sizes.data(), sizes.size()};
  layout.dim_order = {dim_order.data(), dim_order.size()};
  uint8_t* const data = static_cast<uint8_t*>(tensor_->mutable_data_ptr());
  if (data == nullptr && tensor_->nbytes() > 0) {
    return Status::Error(StatusCode::kInvalidArgument, "a tensor without memory for its %zu bytes",
                         tensor_->nbytes());
  }
  view_ = Tensor::Of(*this, layout, {bounds_.data(), sizes.size()}, data);
  value_ = Value::OfTensor(&view_);
  return Status::Ok();
}

Status Arguments::Argument::Resize(Span<const int32_t> sizes) {
  const et::Error error =
      et::resize_tensor(*tensor_, et::ArrayRef<int32_t>(sizes.data(), sizes.size()));
  if (error == et::Error::Ok) return Status::Ok();
  const TensorLayout wanted{view_.scalar_type(), sizes, view_.dim_order()};
  return Status::Error(StatusCode::kInvalidArgument, "ExecuTorch does not resize %s to %s (%s)",
                       LayoutText(view_.layout()).c_str(), LayoutText(wanted).c_str(),
                       et::to_string(error));
}

}  // namespace onepack
