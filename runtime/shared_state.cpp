#include "onepack/shared_state.h"

#include <string.h>

#include "base/checked_math.h"
#include "base/turn.h"
#include "program_generated.h"
#include "runtime/planned_memory.h"
#include "runtime/program_contents.h"
#include "schema/state_sharing.h"
#include "schema/verify_program.h"

namespace onepack {
namespace {

// How often the bytes of a file may be read, in the mean. Several buffers may have one value.
constexpr uint64_t kMaxTimesRead = 16;

bool HasInitialValue(const SharedTensor& tensor) {
  return IsExternal(*tensor.wire) || tensor.wire->data_buffer_idx() != 0;
}

Result<Buffer> LoadInitialValue(const Program& program, const SharedTensor& tensor) {
  if (IsExternal(*tensor.wire)) {
    return Status::Error(StatusCode::kUnsupported,
                         "the buffer at %llu has its initial value in a data file, only one in the "
                         "program is taken",
                         static_cast<unsigned long long>(tensor.offset));
  }
  return ProgramContents(program).LoadConstant(*tensor.wire);
}

}  // namespace

Result<Ref<SharedState>> SharedState::Create(const Ref<Program>& program, uint64_t max_bytes,
                                             const Allocator& allocator) {
  if (!program) return Status::Error(StatusCode::kInvalidArgument, "no program was given");
  ONEPACK_ASSIGN_OR_RETURN(Ref<SharedState> state, MakeRef<SharedState>(allocator));
  state->program_ = program;
  state->allocator_ = allocator;
  Status status = state->Build(max_bytes);
  if (!status.ok()) return std::move(status).WithContext("%s: shared state", program->name());
  return state;
}

SharedState::SharedState() = default;
SharedState::~SharedState() = default;

size_t SharedState::size_bytes() const { return memory_->size(); }

Status SharedState::Build(uint64_t max_bytes) {
  ONEPACK_ASSIGN_OR_RETURN(const StateSharing sharing,
                           StateSharing::Of(ProgramContents(*program_).wire(), allocator_));
  if (sharing.tensors().empty()) {
    ONEPACK_ASSIGN_OR_RETURN(memory_, PlannedMemory::Create(0, 0, allocator_));
    return Status::Ok();
  }
  ONEPACK_ASSIGN_OR_RETURN(holds_, Array<bool>::Create(allocator_, program_->method_count()));
  for (size_t i = 0; i < holds_.size(); ++i) holds_[i] = sharing.Shares(i);
  size_t initial_count = 0;
  for (const SharedTensor& tensor : sharing.tensors()) {
    initial_count += HasInitialValue(tensor) ? 1 : 0;
  }
  size_t size;
  if (!CheckedAdd(sharing.size_bytes(), Mapping::kReadablePadding, &size)) size = SIZE_MAX;
  ONEPACK_RETURN_IF_ERROR(CheckPlannedBytes(size, MostPlannedBytes(max_bytes)));
  ONEPACK_ASSIGN_OR_RETURN(memory_, PlannedMemory::Create(size, initial_count, allocator_));
  ONEPACK_ASSIGN_OR_RETURN(owners_,
                           Array<Ref<const RefCounted>>::Create(allocator_, initial_count));
  return AddInitialValues(sharing.tensors());
}

Result<Ref<SharedState>> SharedState::Fork() const {
  ONEPACK_ASSIGN_OR_RETURN(Ref<SharedState> fork, MakeRef<SharedState>(allocator_));
  Status status = fork->BuildFork(*this);
  if (status.ok()) return fork;
  return std::move(status).WithContext("%s: a fork of shared state", program_->name());
}

Status SharedState::BuildFork(const SharedState& from) {
  const Turn turn(from.is_used_);
  if (!turn.is_ours()) {
    return Status::Error(StatusCode::kFailedPrecondition, "a method that has it is running");
  }
  allocator_ = from.allocator_;
  program_ = from.program_;
  ONEPACK_ASSIGN_OR_RETURN(memory_, from.memory_->Fork(allocator_));
  ONEPACK_ASSIGN_OR_RETURN(holds_, Array<bool>::CopyOf(allocator_, from.holds_));
  ONEPACK_ASSIGN_OR_RETURN(owners_, Array<Ref<const RefCounted>>::CopyOf(allocator_, from.owners_));
  return Status::Ok();
}

// Several methods may give one buffer the same value.
Status SharedState::AddInitialValues(Span<const SharedTensor> tensors) {
  size_t used = 0;
  uint64_t read = 0;
  const SharedTensor* last = nullptr;
  for (const SharedTensor& tensor : tensors) {
    if (!HasInitialValue(tensor)) continue;
    ONEPACK_ASSIGN_OR_RETURN(const Buffer value, LoadInitialValue(*program_, tensor));
    read += tensor.size_bytes;  // of at most 2^32 tensors, each smaller than the file
    if (read / kMaxTimesRead > program_->source().size()) {
      return Status::Error(StatusCode::kInvalidFile,
                           "initial values of %llu bytes so far in a file of %llu",
                           static_cast<unsigned long long>(read),
                           static_cast<unsigned long long>(program_->source().size()));
    }
    uint8_t* place = memory_->data() + tensor.offset;
    const Bytes bytes = value.bytes.subspan(0, tensor.size_bytes);
    if (last == nullptr || last->offset != tensor.offset) {
      memory_->AddInitial(bytes, place);
      owners_[used++] = value.owner;
      last = &tensor;
    } else if (memcmp(place, bytes.data(), bytes.size()) != 0) {
      return Status::Error(StatusCode::kInvalidFile,
                           "two methods give the buffer at %llu different initial values",
                           static_cast<unsigned long long>(tensor.offset));
    }
  }
  return Status::Ok();
}

}  // namespace onepack
