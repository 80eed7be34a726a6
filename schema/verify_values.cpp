#include "base/checked_math.h"
#include "base/printable.h"
#include "schema/verify_plan.h"
#include "schema/verify_program.h"
#include "schema/verify_text.h"

namespace onepack {
namespace {

using wire::program::ExecutionPlan;
using wire::program::KernelTypes;
using wire::program::Program;
using wire::program::Tensor;

Status VerifyPlannedMemory(const ExecutionPlan& plan, const Tensor& tensor, size_t size_bytes) {
  const auto& allocation = *tensor.allocation_info();
  const size_t buffers = CountOf(plan.non_const_buffer_sizes());
  if (allocation.memory_id() == 0 || allocation.memory_id() >= buffers) {
    return Status::Error(StatusCode::kInvalidFile, "planned in buffer %u, 1 to %zu expected",
                         allocation.memory_id(), buffers == 0 ? 0 : buffers - 1);
  }
  const auto capacity =
      static_cast<uint64_t>(plan.non_const_buffer_sizes()->Get(allocation.memory_id()));
  if (!InRange(PlannedOffset(allocation), size_bytes, capacity)) {
    return Status::Error(StatusCode::kInvalidFile,
                         "planned at %llu with %zu bytes in a buffer of %llu",
                         static_cast<unsigned long long>(PlannedOffset(allocation)), size_bytes,
                         static_cast<unsigned long long>(capacity));
  }
  const size_t alignment = ElementAlignment(static_cast<ScalarType>(tensor.scalar_type()));
  if (PlannedOffset(allocation) % alignment != 0) {
    return Status::Error(StatusCode::kInvalidFile,
                         "planned at %llu, a multiple of the %zu bytes of a number expected",
                         static_cast<unsigned long long>(PlannedOffset(allocation)), alignment);
  }
  return Status::Ok();
}

Status Outside(const char* what, uint64_t offset, size_t needed, uint64_t available) {
  return Status::Error(
      StatusCode::kInvalidFile, "%s: %zu bytes expected at %llu, but %llu bytes are there", what,
      needed, static_cast<unsigned long long>(offset), static_cast<unsigned long long>(available));
}

// A constant whose bytes are in this file.
Status VerifyConstant(const Program& program, const Tensor& tensor, size_t size_bytes) {
  const uint32_t index = tensor.data_buffer_idx();
  const auto* segment = program.constant_segment();
  if (segment != nullptr && CountOf(segment->offsets()) > 0) {
    if (index >= segment->offsets()->size()) {
      return Status::Error(StatusCode::kInvalidFile, "constant %u of %u", index,
                           segment->offsets()->size());
    }
    const uint64_t offset = segment->offsets()->Get(index);
    const uint64_t available = program.segments()->Get(segment->segment_index())->size();
    return InRange(offset, size_bytes, available)
               ? Status::Ok()
               : Outside("constant_segment", offset, size_bytes, available);
  }
  if (index >= CountOf(program.constant_buffer())) {
    return Status::Error(StatusCode::kInvalidFile, "constant %u of %zu", index,
                         CountOf(program.constant_buffer()));
  }
  const size_t available = CountOf(program.constant_buffer()->Get(index)->storage());
  return size_bytes <= available ? Status::Ok()
                                 : Outside("constant_buffer", 0, size_bytes, available);
}

// Mutable state with an initial value in this file.
Status VerifyInitialValue(const Program& program, const Tensor& tensor, size_t size_bytes) {
  const auto* info = tensor.extra_tensor_info();
  const uint64_t group = info != nullptr ? info->mutable_data_segments_idx() : 0;
  if (group >= CountOf(program.mutable_data_segments())) {
    return Status::Error(StatusCode::kInvalidFile, "initial value in mutable data %llu of %zu",
                         static_cast<unsigned long long>(group),
                         CountOf(program.mutable_data_segments()));
  }
  const auto* buffers = program.mutable_data_segments()->Get(static_cast<uint32_t>(group));
  const uint32_t index = tensor.data_buffer_idx();
  if (index >= CountOf(buffers->offsets())) {
    return Status::Error(StatusCode::kInvalidFile, "initial value %u of %zu", index,
                         CountOf(buffers->offsets()));
  }
  const uint64_t offset = buffers->offsets()->Get(index);
  const uint64_t available = program.segments()->Get(buffers->segment_index())->size();
  return InRange(offset, size_bytes, available)
             ? Status::Ok()
             : Outside("mutable_data_segments", offset, size_bytes, available);
}

Status VerifyTensor(const Program& program, const ExecutionPlan& plan, const Tensor& tensor) {
  ONEPACK_ASSIGN_OR_RETURN(const size_t size_bytes, VerifiedSizeBytes(LayoutOf(tensor)));
  if (tensor.storage_offset() != 0) {
    return Status::Error(StatusCode::kUnsupported, "storage_offset %d, only 0 is supported",
                         tensor.storage_offset());
  }
  if (tensor.shape_dynamism() != wire::program::TensorShapeDynamism::STATIC &&
      tensor.shape_dynamism() != wire::program::TensorShapeDynamism::DYNAMIC_BOUND) {
    return Status::Error(StatusCode::kUnsupported,
                         "shape dynamism %d, only static and bounded shapes are supported",
                         static_cast<int>(tensor.shape_dynamism()));
  }
  const auto* info = tensor.extra_tensor_info();
  if (info != nullptr && info->device_type() != wire::program::DeviceType::CPU) {
    return Status::Error(StatusCode::kUnsupported, "device %d, only the CPU is supported",
                         static_cast<int>(info->device_type()));
  }
  const bool planned = tensor.allocation_info() != nullptr;
  if (planned) ONEPACK_RETURN_IF_ERROR(VerifyPlannedMemory(plan, tensor, size_bytes));
  if (IsExternal(tensor)) {
    return IsName(info->fully_qualified_name())
               ? Status::Ok()
               : Status::Error(StatusCode::kInvalidFile, "an external tensor without a name");
  }
  if (tensor.data_buffer_idx() == 0) return Status::Ok();
  return planned ? VerifyInitialValue(program, tensor, size_bytes)
                 : VerifyConstant(program, tensor, size_bytes);
}

// Items of a list are values of one kind; `none` is the item that stands for no value, if there is
// one.
template <typename Item>
Status VerifyList(const ExecutionPlan& plan, const flatbuffers::Vector<Item>* items,
                  KernelTypes expected, bool none_allowed) {
  if (!IsAligned(items)) {
    return Status::Error(StatusCode::kInvalidFile, "the list's items are not aligned");
  }
  for (size_t i = 0; i < CountOf(items); ++i) {
    const auto item = static_cast<int64_t>(items->Get(static_cast<uint32_t>(i)));
    if (none_allowed && item == -1) continue;
    if (item < 0 || item >= static_cast<int64_t>(plan.values()->size())) {
      return Status::Error(StatusCode::kInvalidFile, "list item %zu: value %lld of %u", i,
                           static_cast<long long>(item), plan.values()->size());
    }
    const KernelTypes found = plan.values()->Get(static_cast<uint32_t>(item))->val_type();
    if (found != expected && !(none_allowed && found == KernelTypes::Null)) {
      return Status::Error(
          StatusCode::kInvalidFile, "list item %zu: a value of kind %s, %s expected", i,
          wire::program::EnumNameKernelTypes(found), wire::program::EnumNameKernelTypes(expected));
    }
  }
  return Status::Ok();
}

Status VerifyValue(const Program& program, const ExecutionPlan& plan,
                   const wire::program::EValue& value) {
  // The flatbuffers verifier lets an unknown or absent member of a union pass.
  if (value.val_type() < KernelTypes::Null || value.val_type() > KernelTypes::MAX ||
      (value.val() == nullptr && value.val_type() != KernelTypes::Null)) {
    return Status::Error(StatusCode::kInvalidFile, "no value of kind %d",
                         static_cast<int>(value.val_type()));
  }
  switch (value.val_type()) {
    case KernelTypes::Tensor:
      return VerifyTensor(program, plan, *value.val_as_Tensor());
    case KernelTypes::String:
      return value.val_as_String()->string_val() != nullptr
                 ? Status::Ok()
                 : Status::Error(StatusCode::kInvalidFile, "a string without text");
    case KernelTypes::IntList:
      return VerifyList(plan, value.val_as_IntList()->items(), KernelTypes::Int, false);
    case KernelTypes::DoubleList:
      return IsAligned(value.val_as_DoubleList()->items())
                 ? Status::Ok()
                 : Status::Error(StatusCode::kInvalidFile, "the list's items are not aligned");
    case KernelTypes::TensorList:
      return VerifyList(plan, value.val_as_TensorList()->items(), KernelTypes::Tensor, false);
    case KernelTypes::OptionalTensorList:
      return VerifyList(plan, value.val_as_OptionalTensorList()->items(), KernelTypes::Tensor,
                        true);
    default:
      return Status::Ok();
  }
}

}  // namespace

Status VerifyValues(const Program& program, const ExecutionPlan& plan) {
  for (size_t i = 0; i < CountOf(plan.values()); ++i) {
    Status status = VerifyValue(program, plan, *plan.values()->Get(static_cast<uint32_t>(i)));
    if (!status.ok()) return std::move(status).WithContext("value %zu", i);
  }
  return Status::Ok();
}

}  // namespace onepack
