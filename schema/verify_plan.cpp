#include "schema/verify_plan.h"

#include "base/printable.h"
#include "schema/verify_text.h"

namespace onepack {
namespace {

using wire::program::BackendDelegate;
using wire::program::Chain;
using wire::program::DataLocation;
using wire::program::ExecutionPlan;
using wire::program::Instruction;
using wire::program::InstructionArguments;
using wire::program::Program;

Status VerifyBufferSizes(const ExecutionPlan& plan) {
  if (!IsAligned(plan.non_const_buffer_sizes())) {
    return Status::Error(StatusCode::kInvalidFile, "non_const_buffer_sizes is not aligned");
  }
  for (size_t i = 0; i < CountOf(plan.non_const_buffer_sizes()); ++i) {
    const int64_t size = plan.non_const_buffer_sizes()->Get(static_cast<uint32_t>(i));
    if (size < 0) {
      return Status::Error(StatusCode::kInvalidFile, "planned buffer %zu has %lld bytes", i,
                           static_cast<long long>(size));
    }
  }
  for (size_t i = 0; i < CountOf(plan.non_const_buffer_device()); ++i) {
    const auto* device = plan.non_const_buffer_device()->Get(static_cast<uint32_t>(i));
    if (device->device_type() != wire::program::DeviceType::CPU) {
      return Status::Error(StatusCode::kUnsupported,
                           "planned buffer %d is on device %d, not the CPU", device->buffer_idx(),
                           static_cast<int>(device->device_type()));
    }
  }
  return Status::Ok();
}

// Every index in `indices` names a value.
Status VerifyValueIndices(const ExecutionPlan& plan, const flatbuffers::Vector<int32_t>* indices,
                          const char* what) {
  const size_t values = CountOf(plan.values());
  for (size_t i = 0; i < CountOf(indices); ++i) {
    const int32_t index = indices->Get(static_cast<uint32_t>(i));
    if (index < 0 || static_cast<size_t>(index) >= values) {
      return Status::Error(StatusCode::kInvalidFile, "%s %zu: value %d of %zu", what, i, index,
                           values);
    }
  }
  return Status::Ok();
}

Status VerifyOperators(const ExecutionPlan& plan) {
  for (size_t i = 0; i < CountOf(plan.operators()); ++i) {
    const auto* op = plan.operators()->Get(static_cast<uint32_t>(i));
    if (!IsName(op->name())) {
      return Status::Error(StatusCode::kInvalidFile, "operator %zu has no usable name", i);
    }
  }
  return Status::Ok();
}

Status VerifyDelegate(const Program& program, const BackendDelegate& delegate) {
  if (!IsName(delegate.id()) || delegate.processed() == nullptr) {
    return Status::Error(StatusCode::kInvalidFile, "no usable backend name or no payload");
  }
  const bool is_inline = delegate.processed()->location() == DataLocation::INLINE;
  if (!is_inline && delegate.processed()->location() != DataLocation::SEGMENT) {
    return Status::Error(StatusCode::kInvalidFile, "payload location %d",
                         static_cast<int>(delegate.processed()->location()));
  }
  const size_t count =
      is_inline ? CountOf(program.backend_delegate_data()) : CountOf(program.segments());
  if (delegate.processed()->index() >= count) {
    return Status::Error(StatusCode::kInvalidFile, "payload in %s %u of %zu",
                         is_inline ? "backend_delegate_data" : "segment",
                         delegate.processed()->index(), count);
  }
  for (size_t i = 0; i < CountOf(delegate.compile_specs()); ++i) {
    if (!IsName(delegate.compile_specs()->Get(static_cast<uint32_t>(i))->key())) {
      return Status::Error(StatusCode::kInvalidFile, "compile spec %zu has no usable key", i);
    }
  }
  return Status::Ok();
}

Status VerifyDelegates(const Program& program, const ExecutionPlan& plan) {
  for (size_t i = 0; i < CountOf(plan.delegates()); ++i) {
    Status status = VerifyDelegate(program, *plan.delegates()->Get(static_cast<uint32_t>(i)));
    if (!status.ok()) return std::move(status).WithContext("delegate %zu", i);
  }
  return Status::Ok();
}

Status VerifyIndex(const char* what, int64_t index, size_t count) {
  if (index >= 0 && static_cast<uint64_t>(index) < count) return Status::Ok();
  return Status::Error(StatusCode::kInvalidFile, "%s %lld of %zu", what,
                       static_cast<long long>(index), count);
}

Status VerifyJump(const ExecutionPlan& plan, const Chain& chain,
                  const wire::program::JumpFalseCall& jump) {
  ONEPACK_RETURN_IF_ERROR(
      VerifyIndex("condition: value", jump.cond_value_index(), CountOf(plan.values())));
  // One past the last instruction ends the chain.
  return VerifyIndex("jump to instruction", jump.destination_instruction(),
                     CountOf(chain.instructions()) + 1);
}

Status VerifyInstruction(const ExecutionPlan& plan, const Chain& chain,
                         const Instruction& instruction) {
  const size_t values = CountOf(plan.values());
  if (instruction.instr_args() == nullptr) {
    return Status::Error(StatusCode::kInvalidFile, "no instruction");
  }
  switch (instruction.instr_args_type()) {
    case InstructionArguments::KernelCall: {
      const auto* call = instruction.instr_args_as_KernelCall();
      ONEPACK_RETURN_IF_ERROR(VerifyIndex("operator", call->op_index(), CountOf(plan.operators())));
      return VerifyValueIndices(plan, call->args(), "argument");
    }
    case InstructionArguments::DelegateCall: {
      const auto* call = instruction.instr_args_as_DelegateCall();
      ONEPACK_RETURN_IF_ERROR(
          VerifyIndex("delegate", call->delegate_index(), CountOf(plan.delegates())));
      return VerifyValueIndices(plan, call->args(), "argument");
    }
    case InstructionArguments::MoveCall: {
      const auto* call = instruction.instr_args_as_MoveCall();
      ONEPACK_RETURN_IF_ERROR(VerifyIndex("move from value", call->move_from(), values));
      return VerifyIndex("move to value", call->move_to(), values);
    }
    case InstructionArguments::JumpFalseCall:
      return VerifyJump(plan, chain, *instruction.instr_args_as_JumpFalseCall());
    case InstructionArguments::FreeCall:
      return VerifyIndex("free value", instruction.instr_args_as_FreeCall()->value_index(), values);
    default:
      return Status::Error(StatusCode::kInvalidFile, "instruction of unknown kind %d",
                           static_cast<int>(instruction.instr_args_type()));
  }
}

Status VerifyChains(const ExecutionPlan& plan) {
  // The chains of a method run in sequence.
  for (size_t c = 0; c < CountOf(plan.chains()); ++c) {
    const Chain& chain = *plan.chains()->Get(static_cast<uint32_t>(c));
    for (size_t i = 0; i < CountOf(chain.instructions()); ++i) {
      Status status =
          VerifyInstruction(plan, chain, *chain.instructions()->Get(static_cast<uint32_t>(i)));
      if (!status.ok()) return std::move(status).WithContext("chain %zu, instruction %zu", c, i);
    }
  }
  return Status::Ok();
}

}  // namespace

Status VerifyPlan(const Program& program, const ExecutionPlan& plan) {
  ONEPACK_RETURN_IF_ERROR(VerifyBufferSizes(plan));
  ONEPACK_RETURN_IF_ERROR(VerifyValues(program, plan));
  ONEPACK_RETURN_IF_ERROR(VerifyValueIndices(plan, plan.inputs(), "input"));
  ONEPACK_RETURN_IF_ERROR(VerifyValueIndices(plan, plan.outputs(), "output"));
  ONEPACK_RETURN_IF_ERROR(VerifyOperators(plan));
  ONEPACK_RETURN_IF_ERROR(VerifyDelegates(program, plan));
  return VerifyChains(plan);
}

}  // namespace onepack
