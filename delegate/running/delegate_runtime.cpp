#include "delegate/running/delegate_runtime.h"

#include <assert.h>

#include <algorithm>
#include <utility>

#include "base/mapping.h"

namespace onepack {

DelegateRuntime::DelegateRuntime(Plan plan, UserId user)
    : maker_(user),
      user_(user),
      plan_(std::move(plan)),
      graph_bytes_(plan_->payload().graph_bytes()),
      shapes_(std::move(plan_->shapes)),
      arguments_(plan_->externals, plan_->external_count) {
  for (size_t i = 0; i < plan_->unread.size(); ++i) {
    const uint32_t id = plan_->unread[i];
    const size_t bits = ElementBits(plan_->values.at(id).datatype());
    unread_.push_back({ExternalIdOfUnread(*plan_, i), id, bits / 8, {}});
  }
}

// A weight that XNNPACK wants in another layout than it is pinned in gets its raw bytes in the next
// round: so there are no more rounds than weights, and one at nearly all times.
Status DelegateRuntime::Create(const PinnedWeights& pins, const Surroundings& surroundings) {
  threadpool_ = surroundings.threadpool;
  uses_threads_ = threadpool_ != nullptr && !shapes_.is_light();
  std::vector<size_t> needed_raw;
  for (;;) {
    Status status = CreateOnce(*plan_, pins, needed_raw, surroundings);
    if (weights_ == nullptr || weights_->refused().empty()) {
      plan_.reset();
      return status;
    }
    const std::vector<size_t>& refused = weights_->refused();
    needed_raw.insert(needed_raw.end(), refused.begin(), refused.end());
  }
}

Status DelegateRuntime::CreateOnce(const Plan& plan, const PinnedWeights& pins,
                                   Span<const size_t> needed_raw,
                                   const Surroundings& surroundings) {
  runtime_.reset();
  weights_.reset();
  OnesStore& ones = surroundings.ones;
  ONEPACK_ASSIGN_OR_RETURN(GraphDefinition graph, DefineGraph(plan, needed_raw, ones));
  in_place_ = std::move(graph.in_place);
  weights_ = std::make_unique<WeightTable>(surroundings.cache);
  weights_->Begin(graph.rows, pins.pins());
  xnn_runtime_t runtime = nullptr;
  const xnn_status status =
      xnn_create_runtime_v4(graph.subgraph.get(), weights_->handle(), surroundings.workspace,
                            uses_threads_ ? threadpool_ : nullptr, kRuntimeFlags, &runtime);
  runtime_.reset(runtime);
  // The table knows better than XNNPACK why it could not serve.
  ONEPACK_RETURN_IF_ERROR(weights_->End());
  ONEPACK_RETURN_IF_XNN_ERROR(status, "creating a runtime");
  return Status::Ok();
}

std::optional<DelegateRuntime::UserId> DelegateRuntime::owner() const {
  const bool is_of_others = weights_->is_shared() && !in_place_.depend_on_files();
  return is_of_others ? std::nullopt : std::make_optional(maker_);
}

bool DelegateRuntime::LendTo(UserId user, const PinnedWeights& pins) {
  if (user == user_) return true;
  assert(!is_broken());
  if (!weights_->is_shared() || !weights_->PointTo(pins.pins())) return false;
  user_ = user;
  // XNNPACK asks for the addresses of weights when it reshapes.
  if (!pins.pins().empty()) stage_ = std::min(stage_, Stage::kInferred);
  return true;
}

Status DelegateRuntime::TakeInputs(Span<Value* const> arguments) {
  ONEPACK_RETURN_IF_ERROR(arguments_.Check(arguments));
  if (!arguments_.UpdateInputShapes(arguments) && stage_ != Stage::kNew) return Status::Ok();
  stage_ = Stage::kNew;
  ONEPACK_RETURN_IF_ERROR(InferShapes());
  const bool wants_threads = threadpool_ != nullptr && !shapes_.is_light();
  needs_another_plan_ = stage_ != Stage::kEmpty && (wants_threads != uses_threads_ ||
                                                    (pattern_ && shapes_.Pattern() != *pattern_));
  return Status::Ok();
}

Status DelegateRuntime::Run(Span<Value* const> arguments) {
  if (stage_ == Stage::kInferred) {
    Status status = Reshape();
    if (!status.ok()) return Broken(std::move(status));
  }
  ONEPACK_RETURN_IF_ERROR(arguments_.ResizeOutputs(arguments));
  if (stage_ == Stage::kEmpty) return Status::Ok();
  if (arguments_.UpdatePlaces(arguments) || stage_ != Stage::kSetUp) {
    Status status = SetUp();
    if (!status.ok()) return Broken(std::move(status));
  }
  const xnn_status status = xnn_invoke_runtime(runtime_.get());
  if (status != xnn_status_success) return Broken(XnnError(status, "running a delegate"));
  arguments_.CopyStandIns();
  return Status::Ok();
}

Status DelegateRuntime::Broken(Status status) {
  stage_ = Stage::kBroken;
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
  stage_ = HasNothingToCompute() ? Stage::kEmpty : Stage::kInferred;
  if (stage_ == Stage::kEmpty || !shapes_.has_empty_values()) return Status::Ok();
  stage_ = Stage::kNew;
  return Status::Error(StatusCode::kUnsupported,
                       "a delegate that makes something out of tensors without elements");
}

Status DelegateRuntime::Reshape() {
  for (const auto& binding : arguments_.bindings()) {
    if (binding.external.is_output) continue;
    ONEPACK_RETURN_IF_XNN_ERROR(
        xnn_reshape_external_value(runtime_.get(), binding.external.external_id,
                                   binding.shape.rank(), binding.shape.data()),
        "reshaping an input");
  }
  pattern_ = shapes_.Pattern();
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_reshape_runtime(runtime_.get()), "reshaping a delegate");
  ONEPACK_RETURN_IF_ERROR(CheckOutputShapes());
  stage_ = Stage::kShaped;
  return Status::Ok();
}

Status DelegateRuntime::CheckOutputShapes() {
  for (const auto& binding : arguments_.bindings()) {
    if (!binding.external.is_output || binding.external.is_index) continue;
    size_t rank = 0;
    size_t dims[XNN_MAX_TENSOR_DIMS];
    ONEPACK_RETURN_IF_XNN_ERROR(
        xnn_get_external_value_shape(runtime_.get(), binding.external.external_id, &rank, dims),
        "asking for the shape of an output");
    if (std::equal(dims, dims + rank, binding.shape.begin(), binding.shape.end())) continue;
    return Status::Error(StatusCode::kInternal,
                         "XNNPACK computes another shape than %s for an output",
                         binding.shape.Text().c_str());
  }
  return Status::Ok();
}

Status DelegateRuntime::SetUp() {
  stage_ = Stage::kShaped;
  arguments_.ChooseStandIns();
  std::vector<xnn_external_value> values;
  values.reserve(arguments_.bindings().size() + unread_.size());
  for (auto& binding : arguments_.bindings()) {
    values.push_back({binding.external.external_id, binding.place()});
  }
  for (Unread& unread : unread_) {
    const size_t elements = shapes_.shape(unread.value_id).element_count();
    unread.memory.resize(elements * unread.element_bytes + Mapping::kReadablePadding);
    values.push_back({unread.external_id, unread.memory.data()});
  }
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_setup_runtime_v2(runtime_.get(), values.size(), values.data()),
                              "setting a delegate up");
  stage_ = Stage::kSetUp;
  return Status::Ok();
}

}  // namespace onepack
