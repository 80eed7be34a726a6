#include "delegate/running/delegate_runtime.h"

#include <assert.h>

#include <algorithm>
#include <utility>

#include "delegate/running/linear_stage.h"

namespace onepack {

DelegateRuntime::DelegateRuntime(Plan plan, UserId user)
    : maker_(user),
      user_(user),
      plan_(std::move(plan)),
      graph_bytes_(plan_->payload().graph_bytes()),
      shapes_(std::move(plan_->shapes)),
      arguments_(plan_->externals, plan_->external_count),
      crossings_(std::move(plan_->crossings)) {
  weights_.reserve(plan_->stages.size());
  for (const Stage& stage : plan_->stages) {
    weights_.push_back({stage.first_weight, stage.weight_count});
  }
}

Status DelegateRuntime::Create(const PinnedWeights& pins, const Surroundings& surroundings) {
  Status status = CreateStages(pins, surroundings);
  plan_.reset();
  return status;
}

Status DelegateRuntime::CreateStages(const PinnedWeights& pins, const Surroundings& surroundings) {
  stages_.reserve(weights_.size());
  for (size_t i = 0; i < weights_.size(); ++i) {
    const Span<const PackedWeight> own = PinsOf(i, pins);
    if (!plan_->stages[i].linears.empty()) {
      stages_.push_back(std::make_unique<LinearStage>(*plan_, i, own, surroundings.threadpool));
      continue;
    }
    ONEPACK_ASSIGN_OR_RETURN(std::unique_ptr<XnnStage> stage,
                             XnnStage::Create(*plan_, i, shapes_, own, in_place_, surroundings));
    stages_.push_back(std::move(stage));
  }
  return Status::Ok();
}

bool DelegateRuntime::is_shareable() const {
  return in_place_.keeps_all() &&
         std::all_of(stages_.begin(), stages_.end(),
                     [](const auto& stage) { return stage->is_shareable(); });
}

std::optional<DelegateRuntime::UserId> DelegateRuntime::owner() const {
  return is_shareable() && !in_place_.depend_on_files() ? std::nullopt : std::make_optional(maker_);
}

bool DelegateRuntime::LendTo(UserId user, const PinnedWeights& pins) {
  if (user == user_) return true;
  assert(!is_broken());
  if (!is_shareable()) return false;
  for (size_t i = 0; i < stages_.size(); ++i) {
    if (!stages_[i]->Fits(PinsOf(i, pins))) return false;
  }
  for (size_t i = 0; i < stages_.size(); ++i) stages_[i]->PointTo(PinsOf(i, pins));
  user_ = user;
  return true;
}

Status DelegateRuntime::TakeInputs(Span<Value* const> arguments) {
  ONEPACK_RETURN_IF_ERROR(arguments_.Check(arguments));
  if (!arguments_.UpdateInputShapes(arguments) && state_ != State::kNew) return Status::Ok();
  state_ = State::kNew;
  ONEPACK_RETURN_IF_ERROR(InferShapes());
  needs_another_plan_ = state_ != State::kEmpty &&
                        ((pattern_ && shapes_.Pattern() != *pattern_) ||
                         std::any_of(stages_.begin(), stages_.end(), [&](const auto& stage) {
                           return stage->NeedsAnotherPlan(shapes_);
                         }));
  return Status::Ok();
}

Status DelegateRuntime::Run(Span<Value* const> arguments) {
  if (state_ == State::kInferred) {
    Status status = Reshape();
    if (!status.ok()) return Broken(std::move(status));
  }
  ONEPACK_RETURN_IF_ERROR(arguments_.ResizeOutputs(arguments));
  if (state_ == State::kEmpty) return Status::Ok();
  if (arguments_.UpdatePlaces(arguments) || state_ != State::kSetUp) {
    Status status = SetUp();
    if (!status.ok()) return Broken(std::move(status));
  }
  Status status = RunStages();
  if (!status.ok()) return Broken(std::move(status));
  arguments_.CopyStandIns();
  return Status::Ok();
}

// All are refreshed before one runs: a runtime that is reshaped may move the workspace of all.
Status DelegateRuntime::RunStages() {
  for (const auto& stage : stages_) ONEPACK_RETURN_IF_ERROR(stage->Refresh());
  for (const auto& stage : stages_) ONEPACK_RETURN_IF_ERROR(stage->Run());
  return Status::Ok();
}

Status DelegateRuntime::Broken(Status status) {
  state_ = State::kBroken;
  return status;
}

// No output has an element.
bool DelegateRuntime::HasNothingToCompute() const {
  const auto& bindings = arguments_.bindings();
  return std::all_of(bindings.begin(), bindings.end(), [](const auto& binding) {
    return !binding.external.is_output || binding.shape.element_count() == 0;
  });
}

Status DelegateRuntime::InferShapes() {
  for (const auto& binding : arguments_.bindings()) {
    if (!binding.external.is_output) shapes_.set_shape(binding.external.value_id, binding.shape);
  }
  ONEPACK_RETURN_IF_ERROR(shapes_.Infer());
  for (auto& binding : arguments_.bindings()) {
    if (binding.external.is_output) binding.shape = shapes_.shape(binding.external.value_id);
  }
  state_ = HasNothingToCompute() ? State::kEmpty : State::kInferred;
  if (state_ == State::kEmpty || !shapes_.has_empty_values()) return Status::Ok();
  state_ = State::kNew;
  return Status::Error(StatusCode::kUnsupported,
                       "a delegate that makes something out of tensors without elements");
}

Status DelegateRuntime::Reshape() {
  memory_.Clear();
  pieces_.clear();
  for (const Crossing& crossing : crossings_) {
    const size_t size = shapes_.shape(crossing.value_id).element_count() * crossing.element_bytes;
    pieces_.push_back(memory_.Add(size, crossing.first_stage, crossing.last_stage));
  }
  pattern_ = shapes_.Pattern();
  for (const auto& stage : stages_) ONEPACK_RETURN_IF_ERROR(stage->Reshape(shapes_, memory_));
  ONEPACK_RETURN_IF_ERROR(memory_.Allocate());
  state_ = State::kShaped;
  return Status::Ok();
}

Status DelegateRuntime::SetUp() {
  state_ = State::kShaped;
  arguments_.ChooseStandIns();
  Places places;
  places.reserve(arguments_.bindings().size() + crossings_.size());
  for (auto& binding : arguments_.bindings()) {
    places.Add(binding.external.value_id, static_cast<uint8_t*>(binding.place()));
  }
  for (size_t i = 0; i < crossings_.size(); ++i) {
    places.Add(crossings_[i].value_id, memory_[pieces_[i]]);
  }
  for (const auto& stage : stages_) ONEPACK_RETURN_IF_ERROR(stage->SetUp(places, memory_));
  state_ = State::kSetUp;
  return Status::Ok();
}

}  // namespace onepack
