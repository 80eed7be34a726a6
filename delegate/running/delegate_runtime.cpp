#include "delegate/running/delegate_runtime.h"

#include <string.h>

#include <algorithm>
#include <utility>

#include "base/mapping.h"
#include "delegate/graph/datatypes.h"
#include "delegate/running/graph_definition.h"
#include "delegate/running/graph_order.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNDatatype;

// Whether a tensor type stands for a datatype of the graph at its borders.
bool Matches(const ExternalValue& external, ScalarType type) {
  switch (external.datatype) {
    case XNNDatatype::fp32:
      return type == ScalarType::kFloat;
    case XNNDatatype::fp16:
      return type == ScalarType::kHalf;
    case XNNDatatype::bf16:
      return type == ScalarType::kBFloat16;
    case XNNDatatype::qint8:
      return type == ScalarType::kChar || type == ScalarType::kQInt8;
    case XNNDatatype::quint8:
      return type == ScalarType::kByte || type == ScalarType::kQUInt8;
    case XNNDatatype::qint32:
      return type == ScalarType::kInt || type == ScalarType::kQInt32;
    case XNNDatatype::int32:
      return type == ScalarType::kInt || (type == ScalarType::kLong && external.is_output);
    default:
      return false;
  }
}

// A rank-0 tensor is a run of one element, which the graph may know under a higher rank.
bool RankFits(const Tensor& tensor, const Shape& bound) {
  return tensor.rank() == bound.rank() || (tensor.rank() == 0 && bound.element_count() == 1);
}

// Sizes as XNNPACK sees them: outermost in storage first.
Shape StorageShape(const Tensor& tensor, const Shape& bound) {
  if (tensor.rank() == 0) return bound;
  const GraphOrder order(tensor, bound);
  Shape shape;
  for (size_t i = 0; i < tensor.rank(); ++i) {
    shape.Append(static_cast<size_t>(tensor.sizes()[order[i]]));
  }
  return shape;
}

bool Overlap(const void* a, size_t a_size, const void* b, size_t b_size) {
  const auto a_begin = reinterpret_cast<uintptr_t>(a);
  const auto b_begin = reinterpret_cast<uintptr_t>(b);
  return a_begin < b_begin + b_size && b_begin < a_begin + a_size;
}

}  // namespace

DelegateRuntime::DelegateRuntime(Ref<const AlignedCopy> graph_bytes, GraphParts graph,
                                 const Threads& threads, UserId user)
    : graph_bytes_(std::move(graph_bytes)),
      maker_(user),
      threads_(threads),
      graph_(std::move(graph)),
      user_(user) {
  for (const ExternalValue& external : graph_.externals) {
    bindings_.emplace_back().external = external;
  }
}

Result<std::unique_ptr<DelegateRuntime>> DelegateRuntime::Create(
    const Payload& payload, BuiltGraph graph, XnnProvider& provider, PackingObserver& observer,
    xnn_workspace_t workspace, const Threads& threads, UserId user) {
  ONEPACK_ASSIGN_OR_RETURN(const XnnSubgraph subgraph, DefineGraph(payload, graph));
  std::unique_ptr<DelegateRuntime> created(
      new DelegateRuntime(payload.graph_bytes(), std::move(graph.parts), threads, user));
  provider.BeginBuild(&observer, created->weights_);
  xnn_runtime_t runtime = nullptr;
  const xnn_status status =
      xnn_create_runtime_v4(subgraph.get(), created->weights_.handle(), workspace,
                            threads.are_used ? threads.pool : nullptr, kRuntimeFlags, &runtime);
  created->runtime_.reset(runtime);
  // The provider knows better than XNNPACK why it could not serve.
  ONEPACK_RETURN_IF_ERROR(provider.EndBuild());
  ONEPACK_RETURN_IF_XNN_ERROR(status, "creating a runtime");
  for (const auto& [kernel, bias] : graph.private_weights) {
    ONEPACK_RETURN_IF_ERROR(observer.AfterServing(kernel, bias));
  }
  return created;
}

std::optional<DelegateRuntime::UserId> DelegateRuntime::owner() const {
  return graph_.in_place.empty() ? std::nullopt : std::make_optional(maker_);
}

bool DelegateRuntime::LendTo(UserId user, const XnnProvider& provider) {
  if (user == user_) return true;
  if (!provider.Connect(weights_)) return false;
  user_ = user;
  // XNNPACK asks for the addresses of weights when it reshapes.
  if (!weights_.entries().empty()) is_shaped_ = is_set_up_ = false;
  return true;
}

Status DelegateRuntime::TakeInputs(Span<Value* const> arguments) {
  ONEPACK_RETURN_IF_ERROR(CheckArguments(arguments));
  if (!UpdateInputShapes(arguments) && is_inferred_) return Status::Ok();
  is_inferred_ = is_shaped_ = is_set_up_ = false;
  ONEPACK_RETURN_IF_ERROR(InferShapes());
  is_inferred_ = true;
  wants_threads_ = threads_.pool == nullptr || !graph_.shapes.is_light();
  needs_another_plan_ = !is_empty_ && (wants_threads_ != threads_.are_used ||
                                       (is_planned_ && graph_.shapes.Pattern() != pattern_));
  return Status::Ok();
}

Status DelegateRuntime::Run(Span<Value* const> arguments) {
  if (!is_empty_ && !is_shaped_) {
    Status status = Reshape();
    if (!status.ok()) return Broken(std::move(status));
  }
  ONEPACK_RETURN_IF_ERROR(ResizeOutputs(arguments));
  if (is_empty_) return Status::Ok();
  if (UpdatePlaces(arguments) || !is_set_up_) {
    Status status = SetUp();
    if (!status.ok()) return Broken(std::move(status));
  }
  const xnn_status status = xnn_invoke_runtime(runtime_.get());
  if (status != xnn_status_success) return Broken(XnnError(status, "running a delegate"));
  CopyStandIns();
  return Status::Ok();
}

Status DelegateRuntime::Broken(Status status) {
  is_broken_ = true;
  return status;
}

Status DelegateRuntime::CheckArguments(Span<Value* const> arguments) const {
  if (arguments.size() != graph_.external_count) {
    return Status::Error(StatusCode::kMismatch, "a delegate call with %zu arguments, %u expected",
                         arguments.size(), graph_.external_count);
  }
  for (const Binding& binding : bindings_) {
    Status status = CheckArgument(arguments[binding.external.external_id], binding);
    if (!status.ok()) {
      return std::move(status).WithContext("argument %u of a delegate call",
                                           binding.external.external_id);
    }
  }
  return Status::Ok();
}

Status DelegateRuntime::CheckArgument(const Value* argument, const Binding& binding) const {
  if (argument == nullptr || !argument->is(ValueKind::kTensor)) {
    return Status::Error(StatusCode::kMismatch, "%s given, a tensor expected",
                         argument == nullptr ? "nothing" : ValueKindName(argument->kind()));
  }
  const Tensor& tensor = argument->tensor();
  const ExternalValue& external = binding.external;
  if (!Matches(external, tensor.scalar_type()) || !RankFits(tensor, external.bound)) {
    return Status::Error(StatusCode::kMismatch, "%s given, %s of rank %zu expected",
                         LayoutText(tensor.layout()).c_str(), DatatypeName(external.datatype),
                         external.bound.rank());
  }
  if (external.is_output) {
    if (!tensor.is_constant()) return Status::Ok();
    return Status::Error(StatusCode::kMismatch, "an output that is a constant of the program");
  }
  const Shape shape = StorageShape(tensor, external.bound);
  for (size_t i = 0; i < shape.rank(); ++i) {
    if (shape[i] <= external.bound[i]) continue;
    return Status::Error(StatusCode::kMismatch, "%s given, at most %zu expected in dimension %zu",
                         LayoutText(tensor.layout()).c_str(), external.bound[i], i);
  }
  return Status::Ok();
}

bool DelegateRuntime::UpdateInputShapes(Span<Value* const> arguments) {
  bool changed = false;
  for (Binding& binding : bindings_) {
    if (binding.external.is_output) continue;
    const Shape shape =
        StorageShape(arguments[binding.external.external_id]->tensor(), binding.external.bound);
    if (binding.is_known && shape == binding.shape) continue;
    binding.shape = shape;
    binding.is_known = true;
    changed = true;
  }
  return changed;
}

Status DelegateRuntime::InferShapes() {
  for (const Binding& binding : bindings_) {
    if (!binding.external.is_output) {
      graph_.shapes.set_shape(binding.external.value_id, binding.shape);
    }
  }
  ONEPACK_RETURN_IF_ERROR(graph_.shapes.Infer());
  size_t empty_outputs = 0;
  size_t outputs = 0;
  for (Binding& binding : bindings_) {
    if (!binding.external.is_output) continue;
    binding.shape = graph_.shapes.shape(binding.external.value_id);
    outputs += 1;
    empty_outputs += binding.shape.element_count() == 0 ? 1 : 0;
  }
  is_empty_ = empty_outputs == outputs;
  if (is_empty_ || !graph_.shapes.has_empty_values()) return Status::Ok();
  return Status::Error(StatusCode::kUnsupported,
                       "a delegate that makes something out of tensors without elements");
}

Status DelegateRuntime::Reshape() {
  for (const Binding& binding : bindings_) {
    if (binding.external.is_output) continue;
    ONEPACK_RETURN_IF_XNN_ERROR(
        xnn_reshape_external_value(runtime_.get(), binding.external.external_id,
                                   binding.shape.rank(), binding.shape.data()),
        "reshaping an input");
  }
  pattern_ = graph_.shapes.Pattern();
  is_planned_ = true;
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_reshape_runtime(runtime_.get()), "reshaping a delegate");
  for (const Binding& binding : bindings_) {
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
  is_shaped_ = true;
  return Status::Ok();
}

Status DelegateRuntime::ResizeOutputs(Span<Value* const> arguments) {
  for (const Binding& binding : bindings_) {
    if (!binding.external.is_output) continue;
    Tensor& tensor = arguments[binding.external.external_id]->tensor();
    if (tensor.rank() == 0) {  // one element, whatever its rank in the graph
      ONEPACK_RETURN_IF_ERROR(tensor.Resize({}));
      continue;
    }
    const GraphOrder order(tensor, binding.external.bound);
    int32_t sizes[kMaxTensorRank] = {};
    bool fits = binding.shape.rank() == tensor.rank();
    for (size_t i = 0; fits && i < tensor.rank(); ++i) {
      fits = binding.shape[i] <= INT32_MAX;
      sizes[order[i]] = static_cast<int32_t>(binding.shape[i]);
    }
    Status status = fits ? tensor.Resize({sizes, tensor.rank()})
                         : Status::Error(StatusCode::kMismatch, "rank %zu computed, %zu expected",
                                         binding.shape.rank(), tensor.rank());
    if (!status.ok()) {
      return std::move(status).WithContext("output %u of a delegate call",
                                           binding.external.external_id);
    }
  }
  return CheckOutputSizes(arguments);
}

// XNNPACK writes all of each output. Two that are one tensor were resized one after the other.
Status DelegateRuntime::CheckOutputSizes(Span<Value* const> arguments) const {
  for (const Binding& binding : bindings_) {
    if (!binding.external.is_output) continue;
    const Tensor& tensor = arguments[binding.external.external_id]->tensor();
    if (tensor.size_bytes() == SizeBytes(binding, tensor)) continue;
    return Status::Error(StatusCode::kMismatch,
                         "output %u of a delegate call has the tensor of another output, which "
                         "is of another size",
                         binding.external.external_id);
  }
  return Status::Ok();
}

// The tensor may have been resized since, where it is an output as well.
size_t DelegateRuntime::SizeBytes(const Binding& binding, const Tensor& tensor) {
  return binding.shape.element_count() * ElementSize(tensor.scalar_type());
}

bool DelegateRuntime::UpdatePlaces(Span<Value* const> arguments) {
  bool changed = false;
  for (Binding& binding : bindings_) {
    const Tensor& tensor = arguments[binding.external.external_id]->tensor();
    // XNNPACK takes inputs as void* too, and only reads them.
    void* data = const_cast<uint8_t*>(tensor.data());
    const size_t size_bytes = SizeBytes(binding, tensor);
    const bool is_widened = tensor.scalar_type() == ScalarType::kLong;
    changed |= data != binding.data || size_bytes != binding.size_bytes ||
               is_widened != binding.is_widened;
    binding.data = data;
    binding.size_bytes = size_bytes;
    binding.is_widened = is_widened;
  }
  return changed;
}

void DelegateRuntime::ChooseStandIns() {
  for (Binding& output : bindings_) {
    output.stand_in.clear();
    if (!output.external.is_output) continue;
    bool needs_one = output.is_widened;
    for (const Binding& other : bindings_) {
      needs_one |= &other != &output &&
                   Overlap(other.data, other.size_bytes, output.data, output.size_bytes);
    }
    // Nodes that read an output read past its end, too.
    if (needs_one) output.stand_in.resize(output.size_bytes + Mapping::kReadablePadding);
  }
}

Status DelegateRuntime::SetUp() {
  is_set_up_ = false;
  ChooseStandIns();
  std::vector<xnn_external_value> values;
  values.reserve(bindings_.size());
  for (Binding& binding : bindings_) {
    void* data = binding.stand_in.empty() ? binding.data : binding.stand_in.data();
    values.push_back({binding.external.external_id, data});
  }
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_setup_runtime_v2(runtime_.get(), values.size(), values.data()),
                              "setting a delegate up");
  is_set_up_ = true;
  return Status::Ok();
}

void DelegateRuntime::CopyStandIns() {
  for (const Binding& binding : bindings_) {
    if (binding.stand_in.empty()) continue;
    if (!binding.is_widened) {
      memcpy(binding.data, binding.stand_in.data(), binding.size_bytes);
      continue;
    }
    for (size_t i = 0; i < binding.size_bytes / sizeof(int64_t); ++i) {
      int32_t narrow;
      memcpy(&narrow, binding.stand_in.data() + i * sizeof(narrow), sizeof(narrow));
      const int64_t wide = narrow;
      memcpy(static_cast<uint8_t*>(binding.data) + i * sizeof(wide), &wide, sizeof(wide));
    }
  }
}

}  // namespace onepack
