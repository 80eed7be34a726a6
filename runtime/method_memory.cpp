// The part of MethodBuilder that decides where every tensor's bytes are.

#include <stdio.h>

#include "base/checked_math.h"
#include "base/printable.h"
#include "runtime/method_builder.h"
#include "runtime/planned_memory.h"
#include "runtime/program_contents.h"
#include "schema/state_sharing.h"
#include "schema/verify_program.h"

namespace onepack {
namespace {

// XNNPACK's alignment for vectors; planned buffers and loose tensors start on it.
constexpr size_t kTensorAlignment = 64;

// Lays runs of bytes one behind the other.
class RunningOffset {
 public:
  // The start of `size` more bytes, followed by what XNNPACK may read past them.
  Status Take(size_t size, size_t* start) {
    size_t end;
    if (!CheckedAdd(size, Mapping::kReadablePadding, &size) || !CheckedAdd(total_, size, &end) ||
        !CheckedRoundUp(end, kTensorAlignment, &end)) {
      return Status::Error(StatusCode::kResourceExhausted,
                           "the planned memory does not fit the address space");
    }
    *start = total_;
    total_ = end;
    return Status::Ok();
  }
  size_t total() const { return total_; }

 private:
  size_t total_ = 0;
};

// Whether the tensor's bytes can be used where they are for the life of the method.
bool IsUsedInPlace(const wire::program::Tensor& wire, const Buffer& constant) {
  const size_t alignment = ElementAlignment(static_cast<ScalarType>(wire.scalar_type()));
  return constant.owner && wire.allocation_info() == nullptr &&
         constant.readable_padding >= Mapping::kReadablePadding &&
         reinterpret_cast<uintptr_t>(constant.bytes.data()) % alignment == 0;
}

bool IsCopied(const wire::program::Tensor& wire, const Buffer& constant) {
  return constant.bytes.data() != nullptr && !IsUsedInPlace(wire, constant);
}

// Of a method that shares its state and was given none.
Status NothingToShare(const Program& program, const StateSharing& sharing, size_t method) {
  char others[256] = "";
  size_t length = 0;
  for (size_t i = 0; i < program.method_count() && length < sizeof(others); ++i) {
    if (i == method || !sharing.Shares(i)) continue;
    length += static_cast<size_t>(snprintf(others + length, sizeof(others) - length, "%s'%s'",
                                           length == 0 ? "" : ", ",
                                           Printable(program.method_name(i)).c_str()));
  }
  return Status::Error(StatusCode::kFailedPrecondition,
                       "it shares its state with %s: load them with one SharedState "
                       "(MethodOptions::shared_state)",
                       others);
}

// How often the bytes of a file may be copied, in the mean. Several tensors may have one constant.
constexpr uint64_t kMaxTimesCopied = 16;

}  // namespace

Status MethodBuilder::CreateTensors() {
  size_t count = 0;
  size_t dimensions = 0;
  for (size_t i = 0; i < CountOf(plan_.values()); ++i) {
    const auto* wire = plan_.values()->Get(static_cast<uint32_t>(i))->val_as_Tensor();
    if (wire == nullptr) continue;
    ++count;
    dimensions += CountOf(wire->sizes());
  }
  ONEPACK_RETURN_IF_ERROR(CreateArray(count, &method_.tensors_));
  ONEPACK_RETURN_IF_ERROR(CreateArray(dimensions, &method_.sizes_));
  ONEPACK_RETURN_IF_ERROR(CreateArray(count, &wire_tensors_));
  int32_t* sizes = method_.sizes_.data();
  size_t next = 0;
  for (size_t i = 0; i < CountOf(plan_.values()); ++i) {
    const auto* wire = plan_.values()->Get(static_cast<uint32_t>(i))->val_as_Tensor();
    if (wire == nullptr) continue;
    Tensor& tensor = method_.tensors_[next];
    wire_tensors_[next++] = wire;
    tensor = Tensor(LayoutOf(*wire));
    tensor.is_dynamic_ =
        wire->shape_dynamism() == wire::program::TensorShapeDynamism::DYNAMIC_BOUND;
    tensor.sizes_ = sizes;
    for (const int32_t size : tensor.bounds()) *sizes++ = size;
  }
  return Status::Ok();
}

Status MethodBuilder::LoadConstants() {
  ONEPACK_RETURN_IF_ERROR(CreateArray(wire_tensors_.size(), &constants_));
  size_t owner_count = 0;
  for (size_t i = 0; i < wire_tensors_.size(); ++i) {
    Status status = LoadConstant(*wire_tensors_[i], i);
    if (!status.ok()) return std::move(status).WithContext("tensor %zu", i);
    if (constants_[i].owner) ++owner_count;
  }
  ONEPACK_RETURN_IF_ERROR(CreateArray(owner_count, &method_.constant_owners_));
  size_t next = 0;
  for (const Buffer& constant : constants_) {
    if (constant.owner) method_.constant_owners_[next++] = constant.owner;
  }
  return Status::Ok();
}

Status MethodBuilder::LoadConstant(const wire::program::Tensor& wire, size_t index) {
  if (!IsExternal(wire) && wire.data_buffer_idx() == 0) return Status::Ok();
  if (IsShared(wire)) return Status::Ok();  // its initial value is there
  ONEPACK_ASSIGN_OR_RETURN(constants_[index], IsExternal(wire)
                                                  ? FindExternal(wire)
                                                  : ProgramContents(program_).LoadConstant(wire));
  return IsUsedInPlace(wire, constants_[index]) ? Status::Ok() : CheckCopiedBytes(wire);
}

Status MethodBuilder::CheckCopiedBytes(const wire::program::Tensor& wire) {
  ONEPACK_ASSIGN_OR_RETURN(const size_t size, VerifiedSizeBytes(LayoutOf(wire)));
  if (program_.source().size() > largest_source_) largest_source_ = program_.source().size();
  copied_bytes_ += size;  // of at most 2^32 tensors, each smaller than its file
  if (copied_bytes_ / kMaxTimesCopied <= largest_source_) return Status::Ok();
  return Status::Error(StatusCode::kInvalidFile,
                       "constants and initial values of %llu bytes so far in a file of %llu",
                       static_cast<unsigned long long>(copied_bytes_),
                       static_cast<unsigned long long>(largest_source_));
}

Result<Buffer> MethodBuilder::FindExternal(const wire::program::Tensor& wire) {
  const std::string_view key = TextOf(wire.extra_tensor_info()->fully_qualified_name());
  ONEPACK_ASSIGN_OR_RETURN(const NamedData* data, named_data_.Find(key));
  const TensorLayout expected = LayoutOf(wire);
  if (data->is_tensor && !SameLayout(data->layout, expected)) {
    return Status::Error(StatusCode::kMismatch, "key '%s': %s in %s, the program expects %s",
                         Printable(key).c_str(), LayoutText(data->layout).c_str(),
                         data->source->name(), LayoutText(expected).c_str());
  }
  ONEPACK_ASSIGN_OR_RETURN(const size_t needed, VerifiedSizeBytes(expected));
  if (data->segment.size < needed) {
    return Status::Error(
        StatusCode::kMismatch, "key '%s': %llu bytes in %s, the program expects %zu (%s)",
        Printable(key).c_str(), static_cast<unsigned long long>(data->segment.size),
        data->source->name(), needed, LayoutText(expected).c_str());
  }
  if (data->source->size() > largest_source_) largest_source_ = data->source->size();
  return data->Load();
}

// Where a method that shares its state has it. It is not loaded to work on state of its own.
Status MethodBuilder::FindSharedState() {
  const SharedState* given = options_.shared_state.get();
  if (given != nullptr && &given->program() != &program_) {
    return Status::Error(StatusCode::kInvalidArgument, "the shared state given is that of %s",
                         given->program().name());
  }
  if (!StateSharing::MayShare(plan_)) return Status::Ok();
  const auto& plans = *ProgramContents(program_).wire().execution_plan();
  uint32_t method = 0;
  while (plans.Get(method) != &plan_) ++method;
  if (given != nullptr) {
    if (given->Holds(method)) method_.shared_state_ = options_.shared_state;
    return Status::Ok();
  }
  ONEPACK_ASSIGN_OR_RETURN(const StateSharing sharing,
                           StateSharing::Of(ProgramContents(program_).wire(), allocator_));
  return sharing.Shares(method) ? NothingToShare(program_, sharing, method) : Status::Ok();
}

bool MethodBuilder::IsShared(const wire::program::Tensor& wire) const {
  return method_.shared_state_ && wire.allocation_info() != nullptr &&
         wire.allocation_info()->memory_id() == StateSharing::kBuffer;
}

// First the planned buffers, then a place for every tensor that has none.
Status MethodBuilder::PlanMemory() {
  RunningOffset offset;
  Array<size_t> buffer_starts;
  ONEPACK_RETURN_IF_ERROR(CreateArray(CountOf(plan_.non_const_buffer_sizes()), &buffer_starts));
  for (size_t i = 1; i < buffer_starts.size(); ++i) {
    if (i == StateSharing::kBuffer && method_.shared_state_) continue;
    const auto size =
        static_cast<size_t>(plan_.non_const_buffer_sizes()->Get(static_cast<uint32_t>(i)));
    ONEPACK_RETURN_IF_ERROR(offset.Take(size, &buffer_starts[i]));
  }
  ONEPACK_RETURN_IF_ERROR(CreateArray(wire_tensors_.size(), &starts_));
  for (size_t i = 0; i < wire_tensors_.size(); ++i) {
    const auto* allocation = wire_tensors_[i]->allocation_info();
    if (allocation != nullptr) {
      starts_[i] = buffer_starts[allocation->memory_id()] + PlannedOffset(*allocation);
    } else if (!IsUsedInPlace(*wire_tensors_[i], constants_[i])) {
      ONEPACK_RETURN_IF_ERROR(offset.Take(method_.tensors_[i].size_bytes(), &starts_[i]));
    }
  }
  return CreateMemory(offset.total());
}

Status MethodBuilder::CreateMemory(size_t size) {
  max_planned_bytes_ = MostPlannedBytes(options_.max_planned_bytes);
  size_t all = size;
  if (method_.shared_state_ && !CheckedAdd(size, method_.shared_state_->size_bytes(), &all)) {
    all = SIZE_MAX;
  }
  ONEPACK_RETURN_IF_ERROR(CheckPlannedBytes(all, max_planned_bytes_));
  size_t initial_count = 0;
  for (size_t i = 0; i < wire_tensors_.size(); ++i) {
    if (IsCopied(*wire_tensors_[i], constants_[i])) ++initial_count;
  }
  ONEPACK_ASSIGN_OR_RETURN(method_.memory_, PlannedMemory::Create(size, initial_count, allocator_));
  return Status::Ok();
}

Status MethodBuilder::PlaceTensors() {
  for (size_t i = 0; i < wire_tensors_.size(); ++i) {
    const wire::program::Tensor& wire = *wire_tensors_[i];
    Tensor& tensor = method_.tensors_[i];
    const Buffer& constant = constants_[i];
    tensor.is_constant_ = constant.bytes.data() != nullptr && wire.allocation_info() == nullptr;
    if (IsUsedInPlace(wire, constant)) {
      // Constness is kept by is_constant(): no caller gets a pointer to write through.
      tensor.data_ = const_cast<uint8_t*>(constant.bytes.data());
      continue;
    }
    const PlannedMemory& memory =
        IsShared(wire) ? *method_.shared_state_->memory_ : *method_.memory_;
    tensor.data_ = memory.data() + starts_[i];
    if (!IsCopied(wire, constant)) continue;
    method_.memory_->AddInitial(constant.bytes.subspan(0, tensor.size_bytes()), tensor.data_);
  }
  return Status::Ok();
}

}  // namespace onepack
