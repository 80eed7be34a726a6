#include "tools/method_sequence.h"

#include <algorithm>

#include "tools/seconds_since.h"
#include "tools/unused_data.h"

namespace onepack {
namespace {

// The last one given for this input; null when there is none.
const std::vector<int32_t>* SizesOf(size_t input, const std::vector<ShapeArgument>& shapes) {
  const std::vector<int32_t>* sizes = nullptr;
  for (const ShapeArgument& shape : shapes) {
    if (shape.input == input) sizes = &shape.sizes;
  }
  return sizes;
}

Status WithAdvice(Status status) {
  if (status.code() != StatusCode::kFailedPrecondition) return status;
  return Status::Error(status.code(), "%s; here: --method for each of them, in order",
                       status.message());
}

}  // namespace

Result<MethodSequence> MethodSequence::Load(ProgramLoader& loader, const std::string& program,
                                            const std::vector<std::string>& data,
                                            const std::vector<std::string>& names) {
  MethodSequence sequence;
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Program> opened, loader.OpenProgram(program));
  ONEPACK_ASSIGN_OR_RETURN(MethodOptions options, loader.OptionsFor(data));
  sequence.named_data_ = options.named_data;
  // One method alone would begin with empty state, which the others are there to fill.
  if (names.size() > 1) {
    ONEPACK_ASSIGN_OR_RETURN(options.shared_state, SharedState::Create(opened));
  }
  for (const std::string& name : names) {
    auto method = Method::Load(opened, name, options);
    if (!method.ok()) return WithAdvice(method.TakeStatus());
    sequence.methods_.push_back(std::move(method).value());
  }
  return sequence;
}

Result<std::vector<std::string>> MethodSequence::UnusedFiles(
    ProgramLoader& loader, const std::vector<std::string>& data) const {
  const auto is_used = [this](size_t entry) {
    return std::any_of(methods_.begin(), methods_.end(),
                       [&](const Ref<Method>& method) { return method->UsesData(entry); });
  };
  return onepack::UnusedFiles(loader, data, named_data_.get(), is_used);
}

size_t MethodSequence::input_count() const {
  size_t count = 0;
  for (const Ref<Method>& method : methods_) count += method->input_count();
  return count;
}

Status MethodSequence::CheckArguments(const std::vector<InputArgument>& inputs,
                                      const std::vector<ShapeArgument>& shapes) const {
  const char* takes = methods_.size() > 1 ? "the methods take" : "the method takes";
  if (inputs.size() > input_count()) {
    return Status::Error(StatusCode::kInvalidArgument, "%zu inputs are given, %s %zu",
                         inputs.size(), takes, input_count());
  }
  for (const ShapeArgument& shape : shapes) {
    size_t index = shape.input;
    auto method = methods_.begin();
    while (method != methods_.end() && index >= (*method)->input_count()) {
      index -= (*method++)->input_count();
    }
    if (method != methods_.end() && (*method)->input(index).is(ValueKind::kTensor)) continue;
    return Status::Error(StatusCode::kInvalidArgument,
                         "--shape: there is no tensor %zu among the %zu inputs that %s",
                         shape.input, input_count(), takes);
  }
  return Status::Ok();
}

Status MethodSequence::MakeInputs(const std::vector<InputArgument>& inputs,
                                  const std::vector<ShapeArgument>& shapes) {
  ONEPACK_RETURN_IF_ERROR(CheckArguments(inputs, shapes));
  inputs_.clear();
  for (const Ref<Method>& method : methods_) {
    for (size_t i = 0; i < method->input_count(); ++i) {
      const size_t number = inputs_.size();
      const InputArgument argument = number < inputs.size() ? inputs[number] : InputArgument{};
      auto input = InputValue::Create(method->input(i), argument, SizesOf(number, shapes));
      if (!input.ok()) return input.TakeStatus().WithContext("input %zu", number);
      inputs_.push_back(std::move(input).value());
    }
  }
  return Status::Ok();
}

Result<double> MethodSequence::Run() {
  double seconds = 0;
  size_t next = 0;
  for (const Ref<Method>& method : methods_) {
    for (size_t i = 0; i < method->input_count(); ++i) {
      ONEPACK_RETURN_IF_ERROR(method->SetInput(i, inputs_[next++]->value()));
    }
    const Clock::time_point start = Clock::now();
    ONEPACK_RETURN_IF_ERROR(method->Execute());
    seconds += SecondsSince(start);
  }
  return seconds;
}

}  // namespace onepack
