#include "schema/verify_program.h"

#include "base/checked_math.h"
#include "base/printable.h"
#include "schema/sharing_budget.h"
#include "schema/verify_plan.h"
#include "schema/verify_text.h"

namespace onepack {
namespace {

using wire::program::DataSegment;
using wire::program::ExecutionPlan;
using wire::program::NamedData;
using wire::program::Program;
using wire::program::SubsegmentOffsets;

// Duplicate names are looked for pair by pair, which these bound.
constexpr size_t kMaxMethods = 1024;
constexpr size_t kMaxMethodName = 1024;

Status VerifySegments(const Program& program, const ProgramHeader& header) {
  const uint64_t available = header.segment_end - header.segment_base;
  for (size_t i = 0; i < CountOf(program.segments()); ++i) {
    const DataSegment* segment = program.segments()->Get(static_cast<uint32_t>(i));
    if (!InRange(segment->offset(), segment->size(), available)) {
      return Status::Error(StatusCode::kInvalidFile,
                           "segment %zu: %llu bytes at %llu, but %llu bytes hold all segments", i,
                           static_cast<unsigned long long>(segment->size()),
                           static_cast<unsigned long long>(segment->offset()),
                           static_cast<unsigned long long>(available));
    }
  }
  return Status::Ok();
}

Status VerifySubsegments(const Program& program, const SubsegmentOffsets& buffers,
                         const char* what) {
  if (CountOf(buffers.offsets()) == 0) return Status::Ok();
  if (!IsAligned(buffers.offsets())) {
    return Status::Error(StatusCode::kInvalidFile, "%s: offsets are not aligned", what);
  }
  const size_t segments = CountOf(program.segments());
  if (buffers.segment_index() >= segments) {
    return Status::Error(StatusCode::kInvalidFile, "%s: segment %u of %zu", what,
                         buffers.segment_index(), segments);
  }
  const uint64_t size = program.segments()->Get(buffers.segment_index())->size();
  for (const uint64_t offset : *buffers.offsets()) {
    if (offset > size) {
      return Status::Error(StatusCode::kInvalidFile, "%s: offset %llu in a segment of %llu bytes",
                           what, static_cast<unsigned long long>(offset),
                           static_cast<unsigned long long>(size));
    }
  }
  return Status::Ok();
}

Status VerifyBuffers(const Program& program) {
  if (program.constant_segment() != nullptr) {
    ONEPACK_RETURN_IF_ERROR(
        VerifySubsegments(program, *program.constant_segment(), "constant_segment"));
  }
  for (size_t i = 0; i < CountOf(program.mutable_data_segments()); ++i) {
    ONEPACK_RETURN_IF_ERROR(
        VerifySubsegments(program, *program.mutable_data_segments()->Get(static_cast<uint32_t>(i)),
                          "mutable_data_segments"));
  }
  return Status::Ok();
}

Status VerifyNamedData(const Program& program) {
  for (size_t i = 0; i < CountOf(program.named_data()); ++i) {
    const NamedData* entry = program.named_data()->Get(static_cast<uint32_t>(i));
    if (!IsName(entry->key())) {
      return Status::Error(StatusCode::kInvalidFile, "named_data entry %zu has no usable key", i);
    }
    if (entry->segment_index() >= CountOf(program.segments())) {
      return Status::Error(StatusCode::kInvalidFile, "named_data key '%s': segment %u of %zu",
                           Printable(TextOf(entry->key())).c_str(), entry->segment_index(),
                           CountOf(program.segments()));
    }
  }
  return Status::Ok();
}

Status VerifyMethodNames(const Program& program) {
  const size_t count = CountOf(program.execution_plan());
  if (count == 0 || count > kMaxMethods) {
    return Status::Error(StatusCode::kInvalidFile, "%zu methods, 1 to %zu expected", count,
                         kMaxMethods);
  }
  for (size_t i = 0; i < count; ++i) {
    const ExecutionPlan* plan = program.execution_plan()->Get(static_cast<uint32_t>(i));
    if (!IsName(plan->name()) || plan->name()->size() > kMaxMethodName) {
      return Status::Error(StatusCode::kInvalidFile, "method %zu has no usable name", i);
    }
    for (size_t j = 0; j < i; ++j) {
      const ExecutionPlan* other = program.execution_plan()->Get(static_cast<uint32_t>(j));
      if (TextOf(plan->name()) == TextOf(other->name())) {
        return Status::Error(StatusCode::kInvalidFile, "two methods are named '%s'",
                             Printable(TextOf(plan->name())).c_str());
      }
    }
  }
  return Status::Ok();
}

}  // namespace

Result<const Program*> VerifyProgram(Bytes flatbuffer, const ProgramHeader& header) {
  if (!IsSoundFlatbuffer<Program>(flatbuffer)) {
    return Status::Error(StatusCode::kInvalidFile,
                         "the program's flatbuffer of %zu bytes is damaged", flatbuffer.size());
  }
  const Program* program = wire::program::GetProgram(flatbuffer.data());
  ONEPACK_RETURN_IF_ERROR(VerifySharing(*program, flatbuffer));
  ONEPACK_RETURN_IF_ERROR(VerifySegments(*program, header));
  ONEPACK_RETURN_IF_ERROR(VerifyBuffers(*program));
  ONEPACK_RETURN_IF_ERROR(VerifyNamedData(*program));
  ONEPACK_RETURN_IF_ERROR(VerifyMethodNames(*program));
  for (const ExecutionPlan* plan : *program->execution_plan()) {
    Status status = VerifyPlan(*program, *plan);
    if (!status.ok()) {
      return std::move(status).WithContext("method '%s'", Printable(TextOf(plan->name())).c_str());
    }
  }
  return program;
}

Segment ProgramSegment(const Program& program, uint64_t segment_base, uint32_t index) {
  const DataSegment* segment = program.segments()->Get(index);
  return Segment{segment_base + segment->offset(), segment->size()};
}

TensorLayout LayoutOf(const wire::program::Tensor& tensor) {
  TensorLayout layout;
  layout.scalar_type = static_cast<ScalarType>(tensor.scalar_type());
  if (tensor.sizes() != nullptr) layout.sizes = {tensor.sizes()->data(), tensor.sizes()->size()};
  if (tensor.dim_order() != nullptr) {
    layout.dim_order = {tensor.dim_order()->data(), tensor.dim_order()->size()};
  }
  return layout;
}

bool IsExternal(const wire::program::Tensor& tensor) {
  return tensor.extra_tensor_info() != nullptr &&
         tensor.extra_tensor_info()->location() == wire::program::TensorDataLocation::EXTERNAL;
}

uint64_t PlannedOffset(const wire::program::AllocationDetails& allocation) {
  return allocation.memory_offset_low() |
         (static_cast<uint64_t>(allocation.memory_offset_high()) << 32);
}

}  // namespace onepack
