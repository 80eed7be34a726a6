#include "delegate/running/call_arguments.h"

#include <string.h>

#include <algorithm>
#include <utility>

#include "base/mapping.h"
#include "delegate/graph/graph_value.h"
#include "onepack/tensor.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNDatatype;

// The order in which a graph has the dimensions of a tensor that a call gives it.
//
// A graph has them as they are stored, outermost first. The program's dim order says the same, but
// for dimensions of size 1: a channel alone may stand first in the one and last in the other.
class GraphOrder {
 public:
  // `bound` is what the graph says of the value. Both outlive the order, which is the dim order of
  // `tensor` where no other one fits. REQUIRES: equal ranks.
  GraphOrder(const Tensor& tensor, const Shape& bound);
  GraphOrder(const GraphOrder&) = delete;
  GraphOrder& operator=(const GraphOrder&) = delete;

  // The tensor's dimension that is the i-th of the graph. REQUIRES: i < rank.
  size_t operator[](size_t i) const { return order_[i]; }

 private:
  void MoveOnes(const Tensor& tensor, const Shape& bound);

  const uint8_t* order_;
  uint8_t moved_[kMaxGraphRank];  // what order_ points to, if it is not the tensor's
};

GraphOrder::GraphOrder(const Tensor& tensor, const Shape& bound)
    : order_(tensor.dim_order().data()) {
  // By the bounds, because they do not change from run to run: a size that is 1 now has its place.
  // What fits as it is stays so: of another runtime's tensor no more may be known than some sizes.
  for (size_t i = 0; i < bound.rank(); ++i) {
    if (static_cast<size_t>(tensor.bounds()[order_[i]]) > bound[i]) {
      MoveOnes(tensor, bound);
      return;
    }
  }
}

void GraphOrder::MoveOnes(const Tensor& tensor, const Shape& bound) {
  const Span<const uint8_t> given = tensor.dim_order();
  bool is_one[kMaxGraphRank] = {};
  size_t surplus = 0;
  for (size_t i = 0; i < given.size(); ++i) {
    is_one[i] = tensor.bounds()[given[i]] == 1;
    surplus += is_one[i] ? 1 : 0;
  }
  for (size_t i = 0; i < bound.rank(); ++i) surplus -= bound[i] == 1 && surplus > 0 ? 1 : 0;
  // What is 1 as far as is known, and may be more, as the number of images is, comes first as a
  // rule.
  for (size_t i = 0; surplus > 0; ++i) {
    if (!is_one[i]) continue;
    is_one[i] = false;
    --surplus;
  }
  const auto next = [&](size_t place, bool wanted) {
    while (place < given.size() && is_one[place] != wanted) ++place;
    return place;
  };
  size_t one = next(0, true);
  size_t other = next(0, false);
  for (size_t i = 0; i < bound.rank(); ++i) {
    size_t& place = bound[i] == 1 ? one : other;
    if (place == given.size()) return;
    moved_[i] = given[place];
    place = next(place + 1, bound[i] == 1);
  }
  order_ = moved_;
}

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

// The tensor may have been resized since, where it is an output as well.
size_t SizeBytes(const CallArguments::Binding& binding, const Tensor& tensor) {
  return binding.shape.element_count() * ElementSize(tensor.scalar_type());
}

Status CheckArgument(const Value* argument, const ExternalValue& external) {
  if (argument == nullptr || !argument->is(ValueKind::kTensor)) {
    return Status::Error(StatusCode::kMismatch, "%s given, a tensor expected",
                         argument == nullptr ? "nothing" : ValueKindName(argument->kind()));
  }
  const Tensor& tensor = argument->tensor();
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

}  // namespace

CallArguments::CallArguments(const std::vector<ExternalValue>& externals, uint32_t count)
    : count_(count) {
  bindings_.reserve(externals.size());
  for (const ExternalValue& external : externals) bindings_.emplace_back().external = external;
}

Status CallArguments::Check(Span<Value* const> arguments) const {
  if (arguments.size() != count_) {
    return Status::Error(StatusCode::kMismatch, "a delegate call with %zu arguments, %u expected",
                         arguments.size(), count_);
  }
  for (const Binding& binding : bindings_) {
    Status status = CheckArgument(arguments[binding.external.external_id], binding.external);
    if (!status.ok()) {
      return std::move(status).WithContext("argument %u of a delegate call",
                                           binding.external.external_id);
    }
  }
  return Status::Ok();
}

bool CallArguments::UpdateInputShapes(Span<Value* const> arguments) {
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

Status CallArguments::ResizeOutputs(Span<Value* const> arguments) const {
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
Status CallArguments::CheckOutputSizes(Span<Value* const> arguments) const {
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

bool CallArguments::UpdatePlaces(Span<Value* const> arguments) {
  bool changed = false;
  for (Binding& binding : bindings_) {
    const Tensor& tensor = arguments[binding.external.external_id]->tensor();
    // XNNPACK takes inputs as void* too, and only reads them.
    void* data = const_cast<uint8_t*>(tensor.data());
    const size_t size_bytes = SizeBytes(binding, tensor);
    const ScalarType type = tensor.scalar_type();
    changed |= data != binding.data || size_bytes != binding.size_bytes || type != binding.type;
    binding.data = data;
    binding.size_bytes = size_bytes;
    binding.type = type;
  }
  return changed;
}

void CallArguments::ChooseStandIns() {
  for (Binding& output : bindings_) {
    output.stand_in.clear();
    if (!output.external.is_output) continue;
    bool needs_one = output.type == ScalarType::kLong;
    for (const Binding& other : bindings_) {
      needs_one |= &other != &output &&
                   Overlap(other.data, other.size_bytes, output.data, output.size_bytes);
    }
    // Nodes that read an output read past its end, too.
    if (needs_one) output.stand_in.resize(output.size_bytes + Mapping::kReadablePadding);
  }
}

void CallArguments::CopyStandIns() const {
  for (const Binding& binding : bindings_) {
    if (binding.stand_in.empty()) continue;
    if (binding.type != ScalarType::kLong) {
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
