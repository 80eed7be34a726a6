#include "runtime/method_builder.h"

#include <stdio.h>

#include "base/printable.h"
#include "runtime/program_contents.h"

namespace onepack {

using wire::program::EValue;
using wire::program::InstructionArguments;
using wire::program::KernelTypes;

namespace {

// How often a program may refer to the same bytes, in the mean: delegates that are equal share
// their payload.
constexpr uint64_t kMaxTimesShared = 16;

// use(index of a value), for all that an instruction is given, in order.
template <typename Use>
void ForEachArgument(const wire::program::Instruction& instruction, const Use& use) {
  const auto use_all = [&use](const flatbuffers::Vector<int32_t>* indices) {
    for (size_t i = 0; i < CountOf(indices); ++i) use(indices->Get(static_cast<uint32_t>(i)));
  };
  switch (instruction.instr_args_type()) {
    case InstructionArguments::KernelCall:
      return use_all(instruction.instr_args_as_KernelCall()->args());
    case InstructionArguments::DelegateCall:
      return use_all(instruction.instr_args_as_DelegateCall()->args());
    case InstructionArguments::MoveCall:
      use(instruction.instr_args_as_MoveCall()->move_from());
      return use(instruction.instr_args_as_MoveCall()->move_to());
    case InstructionArguments::JumpFalseCall:
      return use(instruction.instr_args_as_JumpFalseCall()->cond_value_index());
    default:
      return;
  }
}

}  // namespace

Status MethodBuilder::Build() {
  ONEPACK_RETURN_IF_ERROR(FindSharedState());
  ONEPACK_RETURN_IF_ERROR(CreateTensors());
  ONEPACK_RETURN_IF_ERROR(LoadConstants());
  ONEPACK_RETURN_IF_ERROR(PlanMemory());
  ONEPACK_RETURN_IF_ERROR(PlaceTensors());
  ONEPACK_RETURN_IF_ERROR(CreateValues());
  ONEPACK_RETURN_IF_ERROR(CreateInputsAndOutputs());
  ONEPACK_RETURN_IF_ERROR(ResolveOperators());
  ONEPACK_RETURN_IF_ERROR(LoadDelegates());
  method_.uses_data_ = named_data_.TakeUses();
  return CreateSteps();
}

Status MethodBuilder::CreateValues() {
  size_t list_items = 0;
  size_t bools = 0;
  size_t doubles = 0;
  for (size_t i = 0; i < CountOf(plan_.values()); ++i) {
    const EValue& value = *plan_.values()->Get(static_cast<uint32_t>(i));
    if (const auto* list = value.val_as_IntList()) list_items += CountOf(list->items());
    if (const auto* list = value.val_as_TensorList()) list_items += CountOf(list->items());
    if (const auto* list = value.val_as_OptionalTensorList()) list_items += CountOf(list->items());
    if (const auto* list = value.val_as_BoolList()) bools += CountOf(list->items());
    if (const auto* list = value.val_as_DoubleList()) doubles += CountOf(list->items());
  }
  ONEPACK_RETURN_IF_ERROR(CreateArray(list_items, &method_.list_items_));
  ONEPACK_RETURN_IF_ERROR(CreateArray(bools, &method_.bools_));
  ONEPACK_RETURN_IF_ERROR(CreateArray(doubles, &method_.doubles_));
  ONEPACK_RETURN_IF_ERROR(CreateArray(CountOf(plan_.values()), &method_.values_));
  for (size_t i = 0; i < method_.values_.size(); ++i) {
    method_.values_[i] = CreateValue(*plan_.values()->Get(static_cast<uint32_t>(i)));
  }
  return Status::Ok();
}

Value MethodBuilder::CreateList(ValueKind kind, size_t size) {
  Value** items = method_.list_items_.data() + list_items_used_;
  list_items_used_ += size;
  return Value::OfList(kind, {items, size});
}

Value MethodBuilder::CreateValue(const EValue& value) {
  const auto list_of = [&](ValueKind kind, const auto* items) {
    const Value list = CreateList(kind, CountOf(items));
    Value** next = method_.list_items_.data() + list_items_used_ - CountOf(items);
    for (size_t i = 0; i < CountOf(items); ++i) {
      const auto item = static_cast<int64_t>(items->Get(static_cast<uint32_t>(i)));
      *next++ = item < 0 ? nullptr : ValueAt(item);
    }
    return list;
  };
  switch (value.val_type()) {
    case KernelTypes::Int:
      return Value::OfInt(value.val_as_Int()->int_val());
    case KernelTypes::Bool:
      return Value::OfBool(value.val_as_Bool()->bool_val());
    case KernelTypes::Double:
      return Value::OfDouble(value.val_as_Double()->double_val());
    case KernelTypes::String:
      return Value::OfString(TextOf(value.val_as_String()->string_val()));
    case KernelTypes::Tensor:
      return Value::OfTensor(&method_.tensors_[tensors_used_++]);
    case KernelTypes::IntList:
      return list_of(ValueKind::kIntList, value.val_as_IntList()->items());
    case KernelTypes::TensorList:
      return list_of(ValueKind::kTensorList, value.val_as_TensorList()->items());
    case KernelTypes::OptionalTensorList:
      return list_of(ValueKind::kOptionalTensorList, value.val_as_OptionalTensorList()->items());
    case KernelTypes::DoubleList: {
      const auto* items = value.val_as_DoubleList()->items();
      double* doubles = method_.doubles_.data() + doubles_used_;
      doubles_used_ += CountOf(items);
      for (size_t i = 0; i < CountOf(items); ++i) doubles[i] = items->Get(static_cast<uint32_t>(i));
      return Value::OfDoubleList({doubles, CountOf(items)});
    }
    case KernelTypes::BoolList: {
      const auto* items = value.val_as_BoolList()->items();
      bool* bools = method_.bools_.data() + bools_used_;
      bools_used_ += CountOf(items);
      for (size_t i = 0; i < CountOf(items); ++i)
        bools[i] = items->Get(static_cast<uint32_t>(i)) != 0;
      return Value::OfBoolList({bools, CountOf(items)});
    }
    default:
      return Value();
  }
}

Status MethodBuilder::CreateInputsAndOutputs() {
  const auto fill = [&](const flatbuffers::Vector<int32_t>* indices, Array<Value*>* values) {
    ONEPACK_RETURN_IF_ERROR(CreateArray(CountOf(indices), values));
    for (size_t i = 0; i < values->size(); ++i) {
      (*values)[i] = ValueAt(indices->Get(static_cast<uint32_t>(i)));
    }
    return Status::Ok();
  };
  ONEPACK_RETURN_IF_ERROR(fill(plan_.inputs(), &method_.inputs_));
  ONEPACK_RETURN_IF_ERROR(CreateArray(method_.inputs_.size(), &method_.input_is_set_));
  return fill(plan_.outputs(), &method_.outputs_);
}

Status MethodBuilder::ResolveOperators() {
  ONEPACK_RETURN_IF_ERROR(CreateArray(CountOf(plan_.operators()), &method_.operators_));
  char missing[1024] = "";
  size_t length = 0;
  for (size_t i = 0; i < method_.operators_.size(); ++i) {
    const auto* op = plan_.operators()->Get(static_cast<uint32_t>(i));
    const Operator* found = options_.operators.Find(TextOf(op->name()), TextOf(op->overload()));
    if (found != nullptr) {
      method_.operators_[i] = *found;
    } else if (length < sizeof(missing)) {
      length += static_cast<size_t>(
          snprintf(missing + length, sizeof(missing) - length, "%s%s%s%s", length > 0 ? ", " : "",
                   Printable(TextOf(op->name())).c_str(), CountOf(op->overload()) > 0 ? "." : "",
                   Printable(TextOf(op->overload())).c_str()));
    }
  }
  if (length == 0) return Status::Ok();
  return Status::Error(StatusCode::kNotFound, "operators that are not registered: %s", missing);
}

Status MethodBuilder::LoadDelegates() {
  const size_t count = CountOf(plan_.delegates());
  ONEPACK_RETURN_IF_ERROR(CreateArray(options_.backends.size(), &method_.sessions_));
  ONEPACK_RETURN_IF_ERROR(CreateArray(count, &method_.delegates_));
  ONEPACK_RETURN_IF_ERROR(CreateCompileSpecs());
  Array<DelegateRequest> requests;
  Array<size_t>& backends = method_.delegate_sessions_;
  ONEPACK_RETURN_IF_ERROR(CreateArray(count, &requests));
  ONEPACK_RETURN_IF_ERROR(CreateArray(count, &backends));
  for (size_t i = 0; i < count; ++i) {
    const auto& delegate = *plan_.delegates()->Get(static_cast<uint32_t>(i));
    Status status = FindBackend(TextOf(delegate.id()), &backends[i]);
    if (status.ok()) status = CreateRequest(delegate, &requests[i]);
    if (!status.ok()) return std::move(status).WithContext("delegate %zu", i);
    requests[i].index = i;
  }
  for (size_t backend = 0; backend < options_.backends.size(); ++backend) {
    ONEPACK_RETURN_IF_ERROR(LoadDelegatesOf(backend, requests, backends));
  }
  return Status::Ok();
}

// Hands a backend all its requests at once.
Status MethodBuilder::LoadDelegatesOf(size_t backend, Array<DelegateRequest>& requests,
                                      const Array<size_t>& backends) {
  size_t count = 0;
  for (const size_t other : backends) count += other == backend ? 1 : 0;
  if (count == 0) return Status::Ok();
  Array<DelegateRequest> mine;
  Array<Ref<Delegate>> loaded;
  ONEPACK_RETURN_IF_ERROR(CreateArray(count, &mine));
  ONEPACK_RETURN_IF_ERROR(CreateArray(count, &loaded));
  size_t next = 0;
  for (size_t i = 0; i < requests.size(); ++i) {
    if (backends[i] == backend) mine[next++] = std::move(requests[i]);
  }
  Ref<BackendSession>& session = method_.sessions_[backend];
  ONEPACK_ASSIGN_OR_RETURN(session, options_.backends[backend]->OpenSession());
  ONEPACK_RETURN_IF_ERROR(session->LoadDelegates({mine.data(), count}, {loaded.data(), count}));
  for (size_t i = 0; i < count; ++i) method_.delegates_[mine[i].index] = std::move(loaded[i]);
  return Status::Ok();
}

Status MethodBuilder::FindBackend(std::string_view name, size_t* index) const {
  for (size_t i = 0; i < options_.backends.size(); ++i) {
    if (!options_.backends[i]) {
      return Status::Error(StatusCode::kInvalidArgument, "backend %zu of the options is null", i);
    }
    if (options_.backends[i]->name() != name) continue;
    *index = i;
    return Status::Ok();
  }
  char known[256] = "no backend";
  size_t length = 0;
  for (size_t i = 0; i < options_.backends.size() && length < sizeof(known); ++i) {
    length += static_cast<size_t>(snprintf(known + length, sizeof(known) - length, "%s'%s'",
                                           i == 0 ? "" : ", ", options_.backends[i]->name()));
  }
  return Status::Error(StatusCode::kNotFound, "it is for backend '%s'; %s was given",
                       Printable(name).c_str(), known);
}

// For all delegates, in one array.
Status MethodBuilder::CreateCompileSpecs() {
  size_t count = 0;
  for (size_t i = 0; i < CountOf(plan_.delegates()); ++i) {
    count += CountOf(plan_.delegates()->Get(static_cast<uint32_t>(i))->compile_specs());
  }
  return CreateArray(count, &compile_specs_);
}

Status MethodBuilder::CreateRequest(const wire::program::BackendDelegate& delegate,
                                    DelegateRequest* request) {
  const bool is_inline = delegate.processed()->location() == wire::program::DataLocation::INLINE;
  ONEPACK_ASSIGN_OR_RETURN(
      ProgramContents::PayloadBytes payload,
      ProgramContents(program_).LoadPayload(is_inline, delegate.processed()->index()));
  ONEPACK_RETURN_IF_ERROR(CheckPayloadSize(payload.buffer.bytes.size()));
  CompileSpec* specs = compile_specs_.data() + compile_specs_used_;
  const size_t count = CountOf(delegate.compile_specs());
  compile_specs_used_ += count;
  for (size_t i = 0; i < count; ++i) {
    const auto* spec = delegate.compile_specs()->Get(static_cast<uint32_t>(i));
    specs[i].key = TextOf(spec->key());
    if (spec->value() != nullptr) specs[i].value = {spec->value()->data(), spec->value()->size()};
  }
  request->payload = std::move(payload.buffer);
  request->source = &program_.source();
  request->payload_offset = payload.offset;
  request->compile_specs = {specs, count};
  request->named_data = &named_data_;
  request->max_planned_bytes = max_planned_bytes_;
  return Status::Ok();
}

// Backends verify and copy each payload.
Status MethodBuilder::CheckPayloadSize(uint64_t size) {
  payload_bytes_ += size;  // of at most 2^32 delegates, each smaller than the file
  if (payload_bytes_ / kMaxTimesShared <= program_.source().size()) return Status::Ok();
  return Status::Error(StatusCode::kInvalidFile, "payloads of %llu bytes so far in a file of %llu",
                       static_cast<unsigned long long>(payload_bytes_),
                       static_cast<unsigned long long>(program_.source().size()));
}

Status MethodBuilder::CreateSteps() {
  size_t steps = 0;
  size_t arguments = 0;
  for (size_t c = 0; c < CountOf(plan_.chains()); ++c) {
    const auto* instructions = plan_.chains()->Get(static_cast<uint32_t>(c))->instructions();
    steps += CountOf(instructions);
    for (size_t i = 0; i < CountOf(instructions); ++i) {
      ForEachArgument(*instructions->Get(static_cast<uint32_t>(i)),
                      [&arguments](int32_t /*index*/) { ++arguments; });
    }
  }
  // If nothing can change a condition, a run that comes to an instruction again never ends.
  if (!CanChangeConditions() && steps < method_.max_instructions_per_run_) {
    method_.max_instructions_per_run_ = steps;
  }
  ONEPACK_RETURN_IF_ERROR(CreateArray(steps, &method_.steps_));
  ONEPACK_RETURN_IF_ERROR(CreateArray(arguments, &method_.arguments_));
  size_t next = 0;
  for (size_t c = 0; c < CountOf(plan_.chains()); ++c) {
    const auto* instructions = plan_.chains()->Get(static_cast<uint32_t>(c))->instructions();
    const size_t chain_start = next;
    for (size_t i = 0; i < CountOf(instructions); ++i) {
      method_.steps_[next++] =
          CreateStep(*instructions->Get(static_cast<uint32_t>(i)), chain_start);
    }
  }
  return Status::Ok();
}

// Only operators and moves write values that are no tensors.
bool MethodBuilder::CanChangeConditions() const {
  for (size_t c = 0; c < CountOf(plan_.chains()); ++c) {
    const auto* instructions = plan_.chains()->Get(static_cast<uint32_t>(c))->instructions();
    for (size_t i = 0; i < CountOf(instructions); ++i) {
      const auto kind = instructions->Get(static_cast<uint32_t>(i))->instr_args_type();
      if (kind == InstructionArguments::KernelCall || kind == InstructionArguments::MoveCall) {
        return true;
      }
    }
  }
  return false;
}

Method::Step MethodBuilder::CreateStep(const wire::program::Instruction& instruction,
                                       size_t chain_start) {
  using Kind = Method::Step::Kind;
  Method::Step step;
  switch (instruction.instr_args_type()) {
    case InstructionArguments::KernelCall:
      step.kind = Kind::kOperator;
      step.index = static_cast<uint32_t>(instruction.instr_args_as_KernelCall()->op_index());
      break;
    case InstructionArguments::DelegateCall:
      step.kind = Kind::kDelegate;
      step.index =
          static_cast<uint32_t>(instruction.instr_args_as_DelegateCall()->delegate_index());
      break;
    case InstructionArguments::MoveCall:
      step.kind = Kind::kMove;
      break;
    case InstructionArguments::JumpFalseCall:
      step.kind = Kind::kJumpFalse;
      step.index = static_cast<uint32_t>(chain_start) +
                   static_cast<uint32_t>(
                       instruction.instr_args_as_JumpFalseCall()->destination_instruction());
      break;
    default:
      step.kind = Kind::kFree;
      break;
  }
  const size_t first = arguments_used_;
  ForEachArgument(instruction, [this](int32_t index) {
    method_.arguments_[arguments_used_++] = ValueAt(index);
  });
  step.arguments = {method_.arguments_.data() + first, arguments_used_ - first};
  return step;
}

}  // namespace onepack
