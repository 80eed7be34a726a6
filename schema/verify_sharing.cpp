// The part of VerifyProgram that counts what later loops go through: see sharing_budget.h.

#include "schema/sharing_budget.h"
#include "schema/verify_plan.h"

namespace onepack {
namespace {

using wire::program::Chain;
using wire::program::EValue;
using wire::program::ExecutionPlan;
using wire::program::Instruction;
using wire::program::KernelTypes;
using wire::program::Program;
using wire::program::Tensor;

Status SpendTensor(SharingBudget& budget, const Tensor& tensor) {
  ONEPACK_RETURN_IF_ERROR(budget.Spend(tensor.sizes()));
  ONEPACK_RETURN_IF_ERROR(budget.Spend(tensor.dim_order()));
  const auto* info = tensor.extra_tensor_info();
  return info == nullptr ? Status::Ok() : budget.Spend(info->fully_qualified_name());
}

// Members of the union that are not there are null, and cost nothing.
Status SpendValue(SharingBudget& budget, const EValue& value) {
  if (value.val() == nullptr) return Status::Ok();
  switch (value.val_type()) {
    case KernelTypes::Tensor:
      return SpendTensor(budget, *value.val_as_Tensor());
    case KernelTypes::String:
      return budget.Spend(value.val_as_String()->string_val());
    case KernelTypes::IntList:
      return budget.Spend(value.val_as_IntList()->items());
    case KernelTypes::DoubleList:
      return budget.Spend(value.val_as_DoubleList()->items());
    case KernelTypes::BoolList:
      return budget.Spend(value.val_as_BoolList()->items());
    case KernelTypes::TensorList:
      return budget.Spend(value.val_as_TensorList()->items());
    case KernelTypes::OptionalTensorList:
      return budget.Spend(value.val_as_OptionalTensorList()->items());
    default:
      return Status::Ok();
  }
}

Status SpendInstructions(SharingBudget& budget, const Chain& chain) {
  ONEPACK_RETURN_IF_ERROR(budget.Spend(chain.instructions()));
  for (size_t i = 0; i < CountOf(chain.instructions()); ++i) {
    const Instruction& instruction = *chain.instructions()->Get(static_cast<uint32_t>(i));
    if (const auto* kernel = instruction.instr_args_as_KernelCall()) {
      ONEPACK_RETURN_IF_ERROR(budget.Spend(kernel->args()));
    } else if (const auto* delegate = instruction.instr_args_as_DelegateCall()) {
      ONEPACK_RETURN_IF_ERROR(budget.Spend(delegate->args()));
    }
  }
  return Status::Ok();
}

Status SpendDelegates(SharingBudget& budget, const ExecutionPlan& plan) {
  ONEPACK_RETURN_IF_ERROR(budget.Spend(plan.delegates()));
  for (size_t i = 0; i < CountOf(plan.delegates()); ++i) {
    const auto* delegate = plan.delegates()->Get(static_cast<uint32_t>(i));
    ONEPACK_RETURN_IF_ERROR(budget.Spend(delegate->id()));
    ONEPACK_RETURN_IF_ERROR(budget.Spend(delegate->compile_specs()));
    for (size_t j = 0; j < CountOf(delegate->compile_specs()); ++j) {
      const auto* spec = delegate->compile_specs()->Get(static_cast<uint32_t>(j));
      ONEPACK_RETURN_IF_ERROR(budget.Spend(spec->key()));
    }
  }
  return Status::Ok();
}

Status SpendPlan(SharingBudget& budget, const ExecutionPlan& plan) {
  ONEPACK_RETURN_IF_ERROR(budget.Spend(plan.name()));
  ONEPACK_RETURN_IF_ERROR(budget.Spend(plan.inputs()));
  ONEPACK_RETURN_IF_ERROR(budget.Spend(plan.outputs()));
  ONEPACK_RETURN_IF_ERROR(budget.Spend(plan.non_const_buffer_sizes()));
  ONEPACK_RETURN_IF_ERROR(budget.Spend(plan.non_const_buffer_device()));
  ONEPACK_RETURN_IF_ERROR(budget.Spend(plan.values()));
  for (size_t i = 0; i < CountOf(plan.values()); ++i) {
    ONEPACK_RETURN_IF_ERROR(SpendValue(budget, *plan.values()->Get(static_cast<uint32_t>(i))));
  }
  ONEPACK_RETURN_IF_ERROR(budget.Spend(plan.operators()));
  for (size_t i = 0; i < CountOf(plan.operators()); ++i) {
    const auto* op = plan.operators()->Get(static_cast<uint32_t>(i));
    ONEPACK_RETURN_IF_ERROR(budget.Spend(op->name()));
    ONEPACK_RETURN_IF_ERROR(budget.Spend(op->overload()));
  }
  ONEPACK_RETURN_IF_ERROR(SpendDelegates(budget, plan));
  ONEPACK_RETURN_IF_ERROR(budget.Spend(plan.chains()));
  for (size_t i = 0; i < CountOf(plan.chains()); ++i) {
    ONEPACK_RETURN_IF_ERROR(
        SpendInstructions(budget, *plan.chains()->Get(static_cast<uint32_t>(i))));
  }
  return Status::Ok();
}

}  // namespace

Status VerifySharing(const Program& program, Bytes flatbuffer) {
  SharingBudget budget(flatbuffer);
  for (size_t i = 0; i < CountOf(program.execution_plan()); ++i) {
    ONEPACK_RETURN_IF_ERROR(
        SpendPlan(budget, *program.execution_plan()->Get(static_cast<uint32_t>(i))));
  }
  for (size_t i = 0; i < CountOf(program.mutable_data_segments()); ++i) {
    const auto* buffers = program.mutable_data_segments()->Get(static_cast<uint32_t>(i));
    ONEPACK_RETURN_IF_ERROR(budget.Spend(buffers->offsets()));
  }
  for (size_t i = 0; i < CountOf(program.named_data()); ++i) {
    const auto* entry = program.named_data()->Get(static_cast<uint32_t>(i));
    ONEPACK_RETURN_IF_ERROR(budget.Spend(entry->key()));
  }
  return Status::Ok();
}

}  // namespace onepack
