#include "delegate/executor.h"

#include <new>

#include "delegate/quantization.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNDatatype;

// The tensor type that stands for a datatype of the graph at its borders.
bool Matches(XNNDatatype datatype, ScalarType type) {
  return datatype == XNNDatatype::fp32 && type == ScalarType::kFloat;
}

// A rank-0 tensor is a run of one element, which the graph may know under a higher rank.
bool RankFits(const Tensor& tensor, const ExternalValue& external) {
  if (tensor.rank() == external.dims.size()) return true;
  if (tensor.rank() != 0) return false;
  for (const size_t size : external.dims) {
    if (size != 1) return false;
  }
  return true;
}

// Sizes as XNNPACK sees them: outermost in storage first.
std::vector<size_t> StorageDims(const Tensor& tensor, size_t rank) {
  if (tensor.rank() == 0) return std::vector<size_t>(rank, 1);
  std::vector<size_t> dims;
  for (const uint8_t dimension : tensor.dim_order()) {
    dims.push_back(static_cast<size_t>(tensor.sizes()[dimension]));
  }
  return dims;
}

bool StorageDimsEqual(const Tensor& tensor, const std::vector<size_t>& dims) {
  if (tensor.rank() == 0) return true;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (static_cast<size_t>(tensor.sizes()[tensor.dim_order()[i]]) != dims[i]) return false;
  }
  return true;
}

}  // namespace

Result<Ref<Delegate>> Executor::Create(Ref<MethodSession> session,
                                       std::shared_ptr<const Payload> payload,
                                       uint64_t max_activation_bytes,
                                       const RawWeights::ServedCallback& on_served) {
  ONEPACK_ASSIGN_OR_RETURN(Ref<Executor> executor,
                           MakeRef<Executor>(HeapAllocator(), std::move(session),
                                             std::move(payload), max_activation_bytes));
  ONEPACK_RETURN_IF_ERROR(executor->BuildRuntime(on_served));
  return Ref<Delegate>(executor);
}

Status Executor::BuildRuntime(const RawWeights::ServedCallback& on_served) {
  bool was_surprised = false;
  Status status = TryBuildRuntime(on_served, /*trust_cache=*/true, &was_surprised);
  if (!was_surprised) return status;
  // What was served the first time is pinned and found again, and not to be counted twice.
  return TryBuildRuntime(nullptr, /*trust_cache=*/false, &was_surprised);
}

Status Executor::TryBuildRuntime(const RawWeights::ServedCallback& on_served, bool trust_cache,
                                 bool* was_surprised) {
  // The old runtime first: it uses the provider's table and the constants.
  runtime_.reset();
  is_shaped_ = false;
  is_set_up_ = false;
  WeightCache& cache = *session_->cache();
  RawWeights raw_weights(cache.options().record_hashes ? &cache.contents() : nullptr, on_served);
  ONEPACK_ASSIGN_OR_RETURN(
      BuiltGraph graph,
      BuildGraph(*payload_, GraphOptions{cache, raw_weights, max_activation_bytes_, trust_cache}));
  Status status = CreateRuntime(graph, raw_weights);
  *was_surprised = raw_weights.was_surprised();
  ONEPACK_RETURN_IF_ERROR(std::move(status));
  graph_ = std::move(graph.parts);
  bindings_.clear();
  for (const ExternalValue& external : graph_.externals) {
    bindings_.push_back(Binding{external, {}, nullptr});
  }
  epoch_ = session_->epoch();
  return Status::Ok();
}

Status Executor::CreateRuntime(BuiltGraph& graph, RawWeights& raw_weights) {
  provider_.ClearDescriptions();
  for (DescribedWeight& weight : graph.weights) {
    provider_.Describe(weight.kernel, weight.bias, std::move(weight.description));
  }
  provider_.BeginBuild(&raw_weights);
  xnn_runtime_t runtime = nullptr;
  const xnn_status status =
      xnn_create_runtime_v4(graph.subgraph.get(), provider_.handle(), session_->workspace(),
                            session_->threadpool(), 0, &runtime);
  XnnRuntime created(runtime);
  // The provider knows better than XNNPACK why it could not serve.
  ONEPACK_RETURN_IF_ERROR(provider_.EndBuild());
  ONEPACK_RETURN_IF_XNN_ERROR(status, "creating a runtime");
  runtime_ = std::move(created);
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
    ONEPACK_RETURN_IF_ERROR(BuildRuntime(nullptr));
  }
  ONEPACK_RETURN_IF_ERROR(CheckArguments(arguments));
  if (UpdateInputDims(arguments) || !is_shaped_) {
    ShapePattern pattern = CurrentPattern();
    if (is_shaped_ && pattern != pattern_) {
      ONEPACK_RETURN_IF_ERROR(BuildRuntime(nullptr));
      UpdateInputDims(arguments);
    }
    pattern_ = std::move(pattern);
    Status status = Reshape();
    if (!status.ok()) return Broken(std::move(status));
  }
  ONEPACK_RETURN_IF_ERROR(ResizeOutputs(arguments));
  if (UpdateAddresses(arguments) || !is_set_up_) {
    Status status = SetUp();
    if (!status.ok()) return Broken(std::move(status));
  }
  const xnn_status status = xnn_invoke_runtime(runtime_.get());
  if (status != xnn_status_success) return Broken(XnnError(status, "running a delegate"));
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
  if (!Matches(external.datatype, tensor.scalar_type()) || !RankFits(tensor, external)) {
    return Status::Error(StatusCode::kMismatch, "%s given, %s of rank %zu expected",
                         LayoutText(tensor.layout()).c_str(), DatatypeName(external.datatype),
                         external.dims.size());
  }
  if (external.is_output) {
    if (!tensor.is_constant()) return Status::Ok();
    return Status::Error(StatusCode::kMismatch, "an output that is a constant of the program");
  }
  const std::vector<size_t> dims = StorageDims(tensor, external.dims.size());
  for (size_t i = 0; i < dims.size(); ++i) {
    const bool is_fixed = external.has_fixed_channels && i + 1 == dims.size();
    if (is_fixed ? dims[i] == external.dims[i] : dims[i] <= external.dims[i]) continue;
    return Status::Error(StatusCode::kMismatch, "%s given, %s%zu expected in dimension %zu",
                         LayoutText(tensor.layout()).c_str(), is_fixed ? "" : "at most ",
                         external.dims[i], i);
  }
  return Status::Ok();
}

bool Executor::UpdateInputDims(Span<Value* const> arguments) {
  bool changed = false;
  for (Binding& binding : bindings_) {
    if (binding.external.is_output) continue;
    const Tensor& tensor = arguments[binding.external.external_id]->tensor();
    const size_t rank = binding.external.dims.size();
    if (binding.dims.size() == rank && StorageDimsEqual(tensor, binding.dims)) continue;
    binding.dims = StorageDims(tensor, rank);
    changed = true;
  }
  return changed;
}

ShapePattern Executor::CurrentPattern() const {
  ShapePattern pattern;
  if (!graph_.has_broadcasts) return pattern;
  for (const Binding& binding : bindings_) {
    if (binding.external.is_output) continue;
    for (const size_t size : binding.dims) {
      pattern.push_back(graph_.computes_dims ? size : size_t{size == 1});
    }
  }
  return pattern;
}

Status Executor::Reshape() {
  is_shaped_ = false;
  is_set_up_ = false;
  for (const Binding& binding : bindings_) {
    if (binding.external.is_output) continue;
    ONEPACK_RETURN_IF_XNN_ERROR(
        xnn_reshape_external_value(runtime_.get(), binding.external.external_id,
                                   binding.dims.size(), binding.dims.data()),
        "reshaping an input");
  }
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_reshape_runtime(runtime_.get()), "reshaping a delegate");
  for (Binding& binding : bindings_) {
    if (!binding.external.is_output) continue;
    size_t rank = 0;
    size_t dims[XNN_MAX_TENSOR_DIMS];
    ONEPACK_RETURN_IF_XNN_ERROR(
        xnn_get_external_value_shape(runtime_.get(), binding.external.external_id, &rank, dims),
        "asking for the shape of an output");
    binding.dims.assign(dims, dims + rank);
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
    bool fits = binding.dims.size() == tensor.rank();
    for (size_t i = 0; fits && i < tensor.rank(); ++i) {
      fits = binding.dims[i] <= INT32_MAX;
      sizes[tensor.dim_order()[i]] = static_cast<int32_t>(binding.dims[i]);
    }
    Status status = fits ? tensor.Resize({sizes, tensor.rank()})
                         : Status::Error(StatusCode::kMismatch, "rank %zu computed, %zu expected",
                                         binding.dims.size(), tensor.rank());
    if (!status.ok()) {
      return std::move(status).WithContext("output %u of a delegate call",
                                           binding.external.external_id);
    }
  }
  return Status::Ok();
}

bool Executor::UpdateAddresses(Span<Value* const> arguments) {
  bool changed = false;
  for (Binding& binding : bindings_) {
    // XNNPACK takes inputs as void* too, and only reads them.
    void* data = const_cast<uint8_t*>(arguments[binding.external.external_id]->tensor().data());
    changed |= data != binding.data;
    binding.data = data;
  }
  return changed;
}

Status Executor::SetUp() {
  is_set_up_ = false;
  std::vector<xnn_external_value> values;
  values.reserve(bindings_.size());
  for (const Binding& binding : bindings_) {
    values.push_back({binding.external.external_id, binding.data});
  }
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_setup_runtime_v2(runtime_.get(), values.size(), values.data()),
                              "setting a delegate up");
  is_set_up_ = true;
  return Status::Ok();
}

}  // namespace onepack
