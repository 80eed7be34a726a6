// The part of MethodBuilder that decides where every tensor's bytes are.

#include <string.h>
#include <unistd.h>

#include "base/checked_math.h"
#include "base/printable.h"
#include "runtime/method_builder.h"
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
        !CheckedAlignUp(end, kTensorAlignment, &end)) {
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

uint64_t PhysicalMemory() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page = sysconf(_SC_PAGESIZE);
  uint64_t bytes = 0;
  const bool is_known =
      pages > 0 && page > 0 &&
      CheckedMultiply(static_cast<uint64_t>(pages), static_cast<uint64_t>(page), &bytes);
  return is_known ? bytes : UINT64_MAX;
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
  ONEPACK_ASSIGN_OR_RETURN(constants_[index],
                           IsExternal(wire) ? FindExternal(wire) : FindInProgram(wire));
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

Result<Buffer> MethodBuilder::FindInProgram(const wire::program::Tensor& wire) {
  const wire::program::Program& program = program_.wire();
  ONEPACK_ASSIGN_OR_RETURN(const size_t size, VerifiedSizeBytes(LayoutOf(wire)));
  const wire::program::SubsegmentOffsets* buffers = program.constant_segment();
  if (wire.allocation_info() != nullptr) {
    const auto* info = wire.extra_tensor_info();
    const uint64_t group = info != nullptr ? info->mutable_data_segments_idx() : 0;
    buffers = program.mutable_data_segments()->Get(static_cast<uint32_t>(group));
  }
  if (buffers != nullptr && CountOf(buffers->offsets()) > 0) {
    const Segment segment = program_.segment(buffers->segment_index());
    const uint64_t offset = buffers->offsets()->Get(wire.data_buffer_idx());
    return program_.source().LoadWhole(Segment{segment.offset + offset, size});
  }
  Buffer buffer;
  const auto* storage = program.constant_buffer()->Get(wire.data_buffer_idx())->storage();
  if (storage != nullptr) buffer.bytes = {storage->data(), storage->size()};
  return buffer;
}

Status MethodBuilder::PlaceTensors() {
  // First the planned buffers, then a place for every tensor that has none.
  RunningOffset offset;
  const size_t buffer_count = CountOf(plan_.non_const_buffer_sizes());
  Array<size_t> buffer_starts;
  ONEPACK_RETURN_IF_ERROR(CreateArray(buffer_count, &buffer_starts));
  for (size_t i = 1; i < buffer_count; ++i) {
    const auto size =
        static_cast<size_t>(plan_.non_const_buffer_sizes()->Get(static_cast<uint32_t>(i)));
    ONEPACK_RETURN_IF_ERROR(offset.Take(size, &buffer_starts[i]));
  }
  Array<size_t> starts;
  ONEPACK_RETURN_IF_ERROR(CreateArray(wire_tensors_.size(), &starts));
  for (size_t i = 0; i < wire_tensors_.size(); ++i) {
    const auto* allocation = wire_tensors_[i]->allocation_info();
    if (allocation != nullptr) {
      starts[i] = buffer_starts[allocation->memory_id()] + PlannedOffset(*allocation);
    } else if (!IsUsedInPlace(*wire_tensors_[i], constants_[i])) {
      ONEPACK_RETURN_IF_ERROR(offset.Take(method_.tensors_[i].size_bytes(), &starts[i]));
    }
  }
  max_planned_bytes_ =
      options_.max_planned_bytes != 0 ? options_.max_planned_bytes : PhysicalMemory();
  if (offset.total() > max_planned_bytes_) {
    return Status::Error(StatusCode::kResourceExhausted,
                         "%zu bytes of planned memory, at most %llu allowed", offset.total(),
                         static_cast<unsigned long long>(max_planned_bytes_));
  }
  ONEPACK_ASSIGN_OR_RETURN(method_.memory_, Mapping::OfZeros(offset.total()));
  size_t initial_count = 0;
  for (size_t i = 0; i < wire_tensors_.size(); ++i) {
    if (IsCopied(*wire_tensors_[i], constants_[i])) ++initial_count;
  }
  ONEPACK_RETURN_IF_ERROR(CreateArray(initial_count, &method_.initial_contents_));
  size_t next = 0;
  for (size_t i = 0; i < wire_tensors_.size(); ++i) {
    Tensor& tensor = method_.tensors_[i];
    const Buffer& constant = constants_[i];
    tensor.is_constant_ =
        constant.bytes.data() != nullptr && wire_tensors_[i]->allocation_info() == nullptr;
    if (IsUsedInPlace(*wire_tensors_[i], constant)) {
      // Constness is kept by is_constant(): nobody is handed a way to write.
      tensor.data_ = const_cast<uint8_t*>(constant.bytes.data());
      continue;
    }
    tensor.data_ = method_.memory_.data() + starts[i];
    if (!IsCopied(*wire_tensors_[i], constant)) continue;
    method_.initial_contents_[next++] = {constant.bytes.subspan(0, tensor.size_bytes()),
                                         tensor.data_};
  }
  method_.CopyInitialContents();
  return Status::Ok();
}

}  // namespace onepack
