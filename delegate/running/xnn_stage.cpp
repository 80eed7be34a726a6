#include "delegate/running/xnn_stage.h"

#include <algorithm>
#include <utility>

#include "delegate/ops/unsupported_hardware.h"
#include "delegate/xnn/fork_guard.h"

namespace onepack {
namespace {

// XNNPACK does not say which node it is.
Status UnsupportedHardware(const Plan& plan, const Stage& stage, const char* what) {
  for (const uint32_t i : stage.nodes) {
    const wire::xnnpack::XNode& node = *plan.graph().xnodes()->Get(i);
    if (NeedsFloat16Arithmetic({plan.values}, node)) return WithNode(NoFloat16Kernel(), i, node);
  }
  return XnnError(xnn_status_unsupported_hardware, what);
}

}  // namespace

XnnStage::XnnStage(const Plan& plan, size_t number)
    : number_(number),
      nodes_(plan.stages[number].nodes),
      has_weights_(plan.stages[number].weight_count > 0) {
  const Stage& stage = plan.stages[number];
  std::vector<uint32_t> indices;  // none, as a rule
  for (const ExternalValue& argument : plan.externals) {
    if (argument.is_index) indices.push_back(argument.value_id);
  }
  externals_.reserve(stage.externals.size());
  for (const StageExternal& external : stage.externals) {
    const GraphValue& value = plan.values.at(external.value_id);
    External& added = externals_.emplace_back();
    added.value_id = external.value_id;
    added.element_bytes = ElementBits(value.datatype()) / 8;
    added.is_written = external.is_written;
    added.is_unread = stage.roles[plan.values.IndexOf(external.value_id)] == Role::kUnread;
    added.is_index = std::find(indices.begin(), indices.end(), external.value_id) != indices.end();
  }
}

// A weight that XNNPACK wants in another layout than it is pinned in gets its raw bytes in the next
// round: so there are no more rounds than weights, and one at nearly all times.
Result<std::unique_ptr<XnnStage>> XnnStage::Create(const Plan& plan, size_t number,
                                                   const ShapeInference& shapes,
                                                   Span<const PackedWeight> pins,
                                                   InPlaceConstants& in_place,
                                                   const Surroundings& surroundings) {
  std::unique_ptr<XnnStage> stage(new XnnStage(plan, number));
  stage->threadpool_ = surroundings.threadpool;
  stage->uses_threads_ = stage->WantsThreads(shapes);
  std::vector<size_t> needed_raw;
  for (;;) {
    Status status = stage->CreateOnce(plan, pins, needed_raw, in_place, surroundings);
    if (stage->weights_ == nullptr || stage->weights_->refused().empty()) {
      ONEPACK_RETURN_IF_ERROR(std::move(status));
      return stage;
    }
    const std::vector<size_t>& refused = stage->weights_->refused();
    needed_raw.insert(needed_raw.end(), refused.begin(), refused.end());
  }
}

Status XnnStage::CreateOnce(const Plan& plan, Span<const PackedWeight> pins,
                            Span<const size_t> needed_raw, InPlaceConstants& in_place,
                            const Surroundings& surroundings) {
  runtime_.reset();
  weights_.reset();
  ONEPACK_ASSIGN_OR_RETURN(
      GraphDefinition graph,
      DefineGraph(plan, plan.stages[number_], needed_raw, in_place, surroundings.ones));
  weights_ = std::make_unique<WeightTable>(surroundings.cache);
  weights_->Begin(graph.rows, pins);
  xnn_runtime_t runtime = nullptr;
  const xnn_status status = [&] {
    const XnnCall call;
    return xnn_create_runtime_v4(graph.subgraph.get(), weights_->handle(), surroundings.workspace,
                                 uses_threads_ ? threadpool_ : nullptr, kRuntimeFlags, &runtime);
  }();
  runtime_.reset(runtime);
  // The table knows better than XNNPACK why it could not serve.
  ONEPACK_RETURN_IF_ERROR(weights_->End());
  constexpr char kWhat[] = "creating a runtime";
  if (status == xnn_status_unsupported_hardware) {
    return UnsupportedHardware(plan, plan.stages[number_], kWhat);
  }
  return XnnError(status, kWhat);
}

bool XnnStage::WantsThreads(const ShapeInference& shapes) const {
  return threadpool_ != nullptr && !shapes.AreLight(nodes_);
}

bool XnnStage::NeedsAnotherPlan(const ShapeInference& shapes) const {
  return WantsThreads(shapes) != uses_threads_;
}

// XNNPACK asks for the addresses of weights when it reshapes.
void XnnStage::PointTo(Span<const PackedWeight> pins) {
  weights_->PointTo(pins);
  is_stale_ = has_weights_;
}

Status XnnStage::Reshape(const ShapeInference& shapes, StageMemory& memory) {
  for (uint32_t id = 0; id < externals_.size(); ++id) {
    External& external = externals_[id];
    const Shape& shape = shapes.shape(external.value_id);
    if (external.is_unread) {
      external.piece = memory.Add(shape.element_count() * external.element_bytes, number_, number_);
    }
    if (external.is_written) continue;
    ONEPACK_RETURN_IF_XNN_ERROR(
        xnn_reshape_external_value(runtime_.get(), id, shape.rank(), shape.data()),
        "reshaping an input");
  }
  is_stale_ = true;
  ONEPACK_RETURN_IF_ERROR(Refresh());
  return CheckOutputShapes(shapes);
}

Status XnnStage::Refresh() {
  if (!std::exchange(is_stale_, false)) return Status::Ok();
  is_set_up_ = false;
  const XnnCall call;
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_reshape_runtime(runtime_.get()), "reshaping a delegate");
  return Status::Ok();
}

Status XnnStage::CheckOutputShapes(const ShapeInference& shapes) const {
  for (uint32_t id = 0; id < externals_.size(); ++id) {
    const External& external = externals_[id];
    if (!external.is_written || external.is_unread || external.is_index) continue;
    size_t rank = 0;
    size_t dims[XNN_MAX_TENSOR_DIMS];
    ONEPACK_RETURN_IF_XNN_ERROR(xnn_get_external_value_shape(runtime_.get(), id, &rank, dims),
                                "asking for the shape of an output");
    const Shape& expected = shapes.shape(external.value_id);
    if (std::equal(dims, dims + rank, expected.begin(), expected.end())) continue;
    return Status::Error(StatusCode::kInternal,
                         "XNNPACK computes another shape than %s for an output",
                         expected.Text().c_str());
  }
  return Status::Ok();
}

Status XnnStage::SetUp(const Places& places, const StageMemory& memory) {
  places_.clear();
  places_.reserve(externals_.size());
  for (uint32_t id = 0; id < externals_.size(); ++id) {
    const External& external = externals_[id];
    places_.push_back(
        {id, external.is_unread ? memory[external.piece] : places.at(external.value_id)});
  }
  is_set_up_ = false;
  return Status::Ok();
}

Status XnnStage::Run() {
  if (!is_set_up_) {
    ONEPACK_RETURN_IF_XNN_ERROR(
        xnn_setup_runtime_v2(runtime_.get(), places_.size(), places_.data()),
        "setting a delegate up");
    is_set_up_ = true;
  }
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_invoke_runtime(runtime_.get()), "running a delegate");
  return Status::Ok();
}

}  // namespace onepack
