#include "onepack/method.h"

#include <string.h>

#include "base/printable.h"
#include "base/turn.h"
#include "runtime/method_builder.h"
#include "runtime/method_fork.h"
#include "runtime/planned_memory.h"
#include "runtime/program_contents.h"

namespace onepack {
namespace {

Status CopyTensor(const Tensor& from, Tensor& to) {
  if (to.is_constant()) {
    return Status::Error(StatusCode::kInvalidArgument, "it is a constant of the program");
  }
  const TensorLayout found = from.layout();
  const TensorLayout expected{to.scalar_type(), to.bounds(), to.dim_order()};
  const bool fits = from.rank() == to.rank() &&
                    SameLayout(found, {to.scalar_type(), from.sizes(), to.dim_order()});
  if (!fits) {
    return Status::Error(StatusCode::kInvalidArgument, "%s given, %s expected",
                         LayoutText(found).c_str(), LayoutText(expected).c_str());
  }
  ONEPACK_RETURN_IF_ERROR(to.Resize(from.sizes()));
  const size_t size = from.size_bytes();
  if (size == 0 || from.data() == to.data()) return Status::Ok();
  if (from.data() == nullptr) {
    return Status::Error(StatusCode::kInvalidArgument, "a tensor of %zu bytes without data", size);
  }
  memmove(to.mutable_data(), from.data(), size);
  return Status::Ok();
}

Status CopyValue(const Value& from, Value& to);

Status CopyList(Span<Value* const> from, Span<Value* const> to) {
  if (from.size() != to.size()) {
    return Status::Error(StatusCode::kInvalidArgument, "a list of %zu items, %zu expected",
                         from.size(), to.size());
  }
  for (size_t i = 0; i < from.size(); ++i) {
    if (from[i] == nullptr && to[i] == nullptr) continue;
    if (from[i] == nullptr || to[i] == nullptr) {
      return Status::Error(StatusCode::kInvalidArgument, "item %zu: %s given, %s expected", i,
                           from[i] == nullptr ? "none" : "a value",
                           to[i] == nullptr ? "none" : "a value");
    }
    Status status = CopyValue(*from[i], *to[i]);
    if (!status.ok()) return std::move(status).WithContext("item %zu", i);
  }
  return Status::Ok();
}

// Lists of a method are in its own arrays, which values show as constants to everybody else.
template <typename T>
Status CopyNumbers(Span<const T> from, Span<const T> to) {
  if (from.size() != to.size()) {
    return Status::Error(StatusCode::kInvalidArgument, "a list of %zu items, %zu expected",
                         from.size(), to.size());
  }
  for (size_t i = 0; i < from.size(); ++i) const_cast<T&>(to[i]) = from[i];
  return Status::Ok();
}

Status CopyValue(const Value& from, Value& to) {
  if (from.kind() != to.kind()) {
    return Status::Error(StatusCode::kInvalidArgument, "%s given, %s expected",
                         ValueKindName(from.kind()), ValueKindName(to.kind()));
  }
  switch (to.kind()) {
    case ValueKind::kTensor:
      if (from.has_no_tensor()) {
        return Status::Error(StatusCode::kInvalidArgument, "a tensor that is null given");
      }
      return CopyTensor(from.tensor(), to.tensor());
    case ValueKind::kIntList:
    case ValueKind::kTensorList:
    case ValueKind::kOptionalTensorList:
      return CopyList(from.list(), to.list());
    case ValueKind::kBoolList:
      return CopyNumbers(from.bool_list(), to.bool_list());
    case ValueKind::kDoubleList:
      return CopyNumbers(from.double_list(), to.double_list());
    default:
      to = from;
      return Status::Ok();
  }
}

bool HoldsTensors(const Value& value) {
  return value.is(ValueKind::kTensor) || value.is(ValueKind::kTensorList) ||
         value.is(ValueKind::kOptionalTensorList);
}

// What a jump is decided by: a bool, or a tensor of bools, which is true where all of it is.
Result<bool> ConditionOf(const Value& value) {
  if (value.is(ValueKind::kBool)) return value.bool_value();
  if (!value.is(ValueKind::kTensor)) {
    return Status::Error(StatusCode::kInvalidFile, "a jump on %s, a bool expected",
                         ValueKindName(value.kind()));
  }
  const Tensor& tensor = value.tensor();
  if (tensor.scalar_type() != ScalarType::kBool || tensor.data() == nullptr) {
    return Status::Error(StatusCode::kInvalidFile, "a jump on a tensor %s, one of bools expected",
                         LayoutText(tensor.layout()).c_str());
  }
  const size_t size = tensor.size_bytes();
  return size == 0 || memchr(tensor.data(), 0, size) == nullptr;
}

}  // namespace

Method::Method() = default;
Method::~Method() = default;

Result<Ref<Method>> Method::Load(const Ref<Program>& program, std::string_view name,
                                 const MethodOptions& options) {
  if (!program) return Status::Error(StatusCode::kInvalidArgument, "no program was given");
  ONEPACK_ASSIGN_OR_RETURN(const auto* plan, ProgramContents(*program).FindMethod(name));
  ONEPACK_ASSIGN_OR_RETURN(Ref<Method> method, MakeRef<Method>(options.allocator));
  method->program_ = program;
  // The plan's own copy of the name, which lives as long as the program.
  method->name_ = TextOf(plan->name());
  method->max_instructions_per_run_ = options.max_instructions_per_run;
  method->allocator_ = options.allocator;
  Status status = MethodBuilder(*program, *plan, options, *method).Build();
  if (!status.ok()) return method->WithName(std::move(status));
  return method;
}

Status Method::WithName(Status status) const {
  return std::move(status).WithContext("%s: method '%s'", program_->name(),
                                       Printable(name_).c_str());
}

Status Method::SetInput(size_t index, const Value& value) {
  if (index >= inputs_.size()) {
    return WithName(
        Status::Error(StatusCode::kInvalidArgument, "input %zu of %zu", index, inputs_.size()));
  }
  const Turn turn(is_running_);
  if (!turn.is_ours()) {
    return WithName(Status::Error(StatusCode::kFailedPrecondition,
                                  "input %zu cannot be set while the method runs", index));
  }
  memory_->WillChange();
  Status status = CopyValue(value, *inputs_[index]);
  input_is_set_[index] = status.ok();
  if (status.ok()) return status;
  return WithName(std::move(status).WithContext("input %zu", index));
}

template <typename Work>
Status Method::Alone(const char* what, const Work& work) const {
  const Turn turn(is_running_);
  if (!turn.is_ours()) {
    return WithName(
        Status::Error(StatusCode::kFailedPrecondition, "%s: the method is running already", what));
  }
  if (!shared_state_) return work();
  const Turn state_turn(shared_state_->is_used_);
  if (state_turn.is_ours()) return work();
  return WithName(Status::Error(StatusCode::kFailedPrecondition,
                                "%s: a method that shares its state is running", what));
}

PlannedMemory* Method::SharedMemory() const {
  return shared_state_ ? shared_state_->memory_.get() : nullptr;
}

Span<uint8_t> Method::SharedRoom() const {
  return shared_state_ ? SharedMemory()->room() : Span<uint8_t>();
}

void Method::ForgetInputs() {
  for (bool& is_set : input_is_set_) is_set = false;
}

Status Method::Reset() {
  return Alone("state cannot be reset", [this] {
    memory_->Reset();
    if (shared_state_) SharedMemory()->Reset();
    ForgetInputs();
    return Status::Ok();
  });
}

Result<Ref<MethodState>> Method::SaveState() const {
  Ref<MethodState> saved;
  ONEPACK_RETURN_IF_ERROR(Alone("state cannot be saved", [this, &saved]() -> Status {
    auto state = MethodState::Of(*memory_, SharedMemory(), allocator_);
    if (!state.ok()) return WithName(state.TakeStatus().WithContext("saving its state"));
    saved = std::move(state).value();
    return Status::Ok();
  }));
  saved->program_ = program_;
  saved->method_name_ = name_;
  return saved;
}

Result<Ref<MethodState>> Method::StateOfParts(uint64_t memory_size, Array<uint64_t> blocks,
                                              Array<uint8_t> contents) const {
  const size_t expected = memory_->size() + SharedRoom().size();
  if (memory_size != expected) {
    return WithName(Status::Error(StatusCode::kInvalidArgument,
                                  "a state of %llu bytes of memory, %zu expected",
                                  static_cast<unsigned long long>(memory_size), expected));
  }
  auto state = MethodState::OfParts(expected, std::move(blocks), std::move(contents), allocator_);
  if (!state.ok()) return WithName(state.TakeStatus());
  (*state)->program_ = program_;
  (*state)->method_name_ = name_;
  return state;
}

Status Method::RestoreState(const MethodState& state) {
  if (state.program_.get() != program_.get() || state.method_name_ != name_) {
    return WithName(Status::Error(StatusCode::kInvalidArgument,
                                  "the state given is that of method '%s' of %s",
                                  Printable(state.method_name_).c_str(), state.program_->name()));
  }
  return Alone("state cannot be restored", [this, &state] {
    memory_->SetToZero();
    if (shared_state_) SharedMemory()->SetToZero();
    state.CopyTo(memory_->room(), SharedRoom());
    ForgetInputs();
    return Status::Ok();
  });
}

Result<Ref<Method>> Method::Fork(const Ref<SharedState>& shared_state) const {
  if (shared_state_ && (!shared_state || shared_state->program_.get() != program_.get())) {
    return WithName(Status::Error(StatusCode::kInvalidArgument,
                                  "it cannot be forked: it shares its state, and is given none of "
                                  "its program (SharedState::Fork)"));
  }
  Ref<Method> fork;
  ONEPACK_RETURN_IF_ERROR(Alone("it cannot be forked", [&]() -> Status {
    ONEPACK_ASSIGN_OR_RETURN(fork, MakeRef<Method>(allocator_));
    Status status = MethodFork(*this, *fork).Make(shared_state_ ? shared_state : nullptr);
    return status.ok() ? std::move(status) : WithName(std::move(status).WithContext("a fork"));
  }));
  return fork;
}

Status Method::VisitStatePages(const StatePageVisitor& visitor) const {
  return Alone("its memory cannot be counted", [&] {
    memory_->VisitPages(visitor);
    if (shared_state_) SharedMemory()->VisitPages(visitor);
    return Status::Ok();
  });
}

// Two concurrent runs are an error of the application: the second is refused, the first goes on.
Status Method::Execute() {
  return Alone("it cannot run", [this] { return ExecuteAlone(); });
}

Status Method::ExecuteAlone() {
  for (size_t i = 0; i < inputs_.size(); ++i) {
    if (!input_is_set_[i]) {
      return WithName(Status::Error(StatusCode::kFailedPrecondition,
                                    "input %zu was not set before this run", i));
    }
  }
  for (size_t i = 0; i < inputs_.size(); ++i) input_is_set_[i] = !HoldsTensors(*inputs_[i]);
  memory_->WillChange();
  if (shared_state_) SharedMemory()->WillChange();
  Status status = Run();
  return status.ok() ? std::move(status) : WithName(std::move(status));
}

Status Method::Run() {
  uint64_t executed = 0;
  for (size_t next = 0; next < steps_.size();) {
    if (++executed > max_instructions_per_run_) {
      return Status::Error(StatusCode::kResourceExhausted,
                           "stopped after %llu instructions: an endless loop?",
                           static_cast<unsigned long long>(max_instructions_per_run_));
    }
    const size_t current = next++;
    Status status = RunStep(steps_[current], &next);
    if (!status.ok()) return std::move(status).WithContext("instruction %zu", current);
  }
  return Status::Ok();
}

Status Method::RunStep(const Step& step, size_t* next) {
  switch (step.kind) {
    case Step::Kind::kOperator: {
      const Operator& op = operators_[step.index];
      Status status = op.function(op.context, step.arguments);
      if (status.ok()) return status;
      return std::move(status).WithContext("%s", Printable(op.name).c_str());
    }
    case Step::Kind::kDelegate:
      return delegates_[step.index]->Execute(step.arguments);
    case Step::Kind::kMove: {
      const Value& from = *step.arguments[0];
      Value& to = *step.arguments[1];
      // What was verified of the items of lists must stay so.
      if (to.kind() != from.kind() && !to.is(ValueKind::kNone)) {
        return Status::Error(StatusCode::kInvalidFile, "a move of %s to %s",
                             ValueKindName(from.kind()), ValueKindName(to.kind()));
      }
      to = from;
      return Status::Ok();
    }
    case Step::Kind::kJumpFalse: {
      ONEPACK_ASSIGN_OR_RETURN(const bool condition, ConditionOf(*step.arguments[0]));
      if (!condition) *next = step.index;
      return Status::Ok();
    }
    case Step::Kind::kFree:
      // Tensors live in planned memory: nothing to give back before the method closes.
      return Status::Ok();
  }
  return Status::Error(StatusCode::kInternal, "an instruction of unknown kind");
}

}  // namespace onepack
