#include "delegate/executor.h"

#include <string.h>

#include <algorithm>
#include <new>

#include "base/mapping.h"
#include "delegate/datatypes.h"

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
  Shape shape;
  for (const uint8_t dimension : tensor.dim_order()) {
    shape.Append(static_cast<size_t>(tensor.sizes()[dimension]));
  }
  return shape;
}

bool Overlap(const void* a, size_t a_size, const void* b, size_t b_size) {
  const auto a_begin = reinterpret_cast<uintptr_t>(a);
  const auto b_begin = reinterpret_cast<uintptr_t>(b);
  return a_begin < b_begin + b_size && b_begin < a_begin + a_size;
}

}  // namespace

Result<Ref<Executor>> Executor::Prepare(Ref<MethodSession> session,
                                        std::shared_ptr<const Payload> payload,
                                        const Options& options) {
  ONEPACK_ASSIGN_OR_RETURN(Ref<Executor> executor,
                           MakeRef<Executor>(HeapAllocator(), std::move(session),
                                             std::move(payload), options.max_activation_bytes));
  ONEPACK_ASSIGN_OR_RETURN(executor->pending_, executor->MakeGraph(options, /*trust_cache=*/true));
  return executor;
}

Status Executor::Rebuild() {
  // The old runtime first: it uses the provider's table and the constants.
  runtime_.reset();
  is_planned_ = false;
  is_shaped_ = false;
  is_set_up_ = false;
  Options options;
  options.max_activation_bytes = max_activation_bytes_;
  ONEPACK_ASSIGN_OR_RETURN(auto pending, MakeGraph(options, /*trust_cache=*/true));
  return MakeRuntime(std::move(pending));
}

Result<std::unique_ptr<Executor::PendingGraph>> Executor::MakeGraph(const Options& options,
                                                                    bool trust_cache) const {
  WeightCache& cache = *session_->cache();
  auto pending = std::make_unique<PendingGraph>(
      cache.options().record_hashes ? &cache.contents() : nullptr, options.on_served);
  Result<BuiltGraph> graph =
      BuildGraph(*payload_, GraphOptions{cache, pending->raw_weights, max_activation_bytes_,
                                         trust_cache, options.wants_packable_nodes, options.ones});
  if (graph.ok()) {
    pending->graph = std::move(graph).value();
    return pending;
  }
  // Weights that XNNPACK packs without asking are read while the graph is built, and may be among
  // those that the cache was expected to have. Nothing was served so far.
  if (!pending->raw_weights.was_surprised()) return graph.TakeStatus();
  return MakeGraph(options, /*trust_cache=*/false);
}

Status Executor::MakeRuntime(std::unique_ptr<PendingGraph> pending) {
  Status status = CreateRuntime(*pending);
  if (!pending->raw_weights.was_surprised()) return status;
  // What was served the first time is pinned and found again, and not to be counted twice.
  pending.reset();
  Options options;
  options.max_activation_bytes = max_activation_bytes_;
  ONEPACK_ASSIGN_OR_RETURN(pending, MakeGraph(options, /*trust_cache=*/false));
  return CreateRuntime(*pending);
}

Status Executor::CreateRuntime(PendingGraph& pending) {
  BuiltGraph& graph = pending.graph;
  provider_.ClearDescriptions();
  for (DescribedWeight& weight : graph.weights) {
    provider_.Describe(weight.kernel, weight.bias, std::move(weight.description));
  }
  provider_.BeginBuild(&pending.raw_weights);
  xnn_runtime_t runtime = nullptr;
  const xnn_status status =
      xnn_create_runtime_v4(graph.subgraph.get(), provider_.handle(), session_->workspace(),
                            session_->threadpool(), kRuntimeFlags, &runtime);
  XnnRuntime created(runtime);
  // The provider knows better than XNNPACK why it could not serve.
  ONEPACK_RETURN_IF_ERROR(provider_.EndBuild());
  ONEPACK_RETURN_IF_XNN_ERROR(status, "creating a runtime");
  for (const auto& [kernel, bias] : graph.private_weights) {
    ONEPACK_RETURN_IF_ERROR(pending.raw_weights.AfterServing(kernel, bias));
  }
  runtime_ = std::move(created);
  graph_ = std::move(graph.parts);
  bindings_.clear();
  for (const ExternalValue& external : graph_.externals) {
    bindings_.emplace_back().external = external;
  }
  epoch_ = session_->epoch();
  return Status::Ok();
}

Status Executor::Execute(Span<Value* const> arguments) try {
  return ExecuteBound(arguments);
} catch (const std::bad_alloc&) {
  return Broken(Status::Error(StatusCode::kResourceExhausted, "out of memory in a delegate"));
}

Status Executor::ExecuteBound(Span<Value* const> arguments) {
  ONEPACK_RETURN_IF_ERROR(session_->CheckThreadpool());
  if (runtime_ == nullptr || epoch_ != session_->epoch()) {
    ONEPACK_RETURN_IF_ERROR(Rebuild());
  }
  ONEPACK_RETURN_IF_ERROR(CheckArguments(arguments));
  if (UpdateInputShapes(arguments) || !is_shaped_) ONEPACK_RETURN_IF_ERROR(Shapen());
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

Status Executor::Broken(Status status) {
  runtime_.reset();
  session_->Distrust();
  return status;
}

Status Executor::CheckArguments(Span<Value* const> arguments) const {
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

Status Executor::CheckArgument(const Value* argument, const Binding& binding) const {
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

bool Executor::UpdateInputShapes(Span<Value* const> arguments) {
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

Status Executor::Shapen() {
  is_shaped_ = false;
  is_set_up_ = false;
  ONEPACK_RETURN_IF_ERROR(InferShapes());
  if (is_empty_) {
    is_shaped_ = true;
    return Status::Ok();
  }
  ShapePattern pattern = graph_.shapes.Pattern();
  if (is_planned_ && pattern != pattern_) {
    std::vector<Binding> inputs = std::move(bindings_);
    ONEPACK_RETURN_IF_ERROR(Rebuild());
    bindings_ = std::move(inputs);
    ONEPACK_RETURN_IF_ERROR(InferShapes());
  }
  pattern_ = std::move(pattern);
  Status status = Reshape();
  return status.ok() ? Status::Ok() : Broken(std::move(status));
}

Status Executor::InferShapes() {
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

Status Executor::Reshape() {
  for (const Binding& binding : bindings_) {
    if (binding.external.is_output) continue;
    ONEPACK_RETURN_IF_XNN_ERROR(
        xnn_reshape_external_value(runtime_.get(), binding.external.external_id,
                                   binding.shape.rank(), binding.shape.data()),
        "reshaping an input");
  }
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

Status Executor::ResizeOutputs(Span<Value* const> arguments) {
  for (const Binding& binding : bindings_) {
    if (!binding.external.is_output) continue;
    Tensor& tensor = arguments[binding.external.external_id]->tensor();
    if (tensor.rank() == 0) {  // one element, whatever its rank in the graph
      ONEPACK_RETURN_IF_ERROR(tensor.Resize({}));
      continue;
    }
    int32_t sizes[kMaxTensorRank] = {};
    bool fits = binding.shape.rank() == tensor.rank();
    for (size_t i = 0; fits && i < tensor.rank(); ++i) {
      fits = binding.shape[i] <= INT32_MAX;
      sizes[tensor.dim_order()[i]] = static_cast<int32_t>(binding.shape[i]);
    }
    Status status = fits ? tensor.Resize({sizes, tensor.rank()})
                         : Status::Error(StatusCode::kMismatch, "rank %zu computed, %zu expected",
                                         binding.shape.rank(), tensor.rank());
    if (!status.ok()) {
      return std::move(status).WithContext("output %u of a delegate call",
                                           binding.external.external_id);
    }
  }
  return Status::Ok();
}

bool Executor::UpdatePlaces(Span<Value* const> arguments) {
  bool changed = false;
  for (Binding& binding : bindings_) {
    const Tensor& tensor = arguments[binding.external.external_id]->tensor();
    // XNNPACK takes inputs as void* too, and only reads them.
    void* data = const_cast<uint8_t*>(tensor.data());
    const size_t size_bytes = tensor.size_bytes();
    const bool is_widened = tensor.scalar_type() == ScalarType::kLong;
    changed |= data != binding.data || size_bytes != binding.size_bytes ||
               is_widened != binding.is_widened;
    binding.data = data;
    binding.size_bytes = size_bytes;
    binding.is_widened = is_widened;
  }
  return changed;
}

void Executor::ChooseStandIns() {
  for (Binding& output : bindings_) {
    output.stand_in.clear();
    if (!output.external.is_output) continue;
    bool needs_one = output.is_widened;
    for (const Binding& input : bindings_) {
      needs_one |= !input.external.is_output &&
                   Overlap(input.data, input.size_bytes, output.data, output.size_bytes);
    }
    // Nodes that read an output read past its end, too.
    if (needs_one) output.stand_in.resize(output.size_bytes + Mapping::kReadablePadding);
  }
}

Status Executor::SetUp() {
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

void Executor::CopyStandIns() {
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
