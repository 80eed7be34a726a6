#include "delegate/graph_builder.h"

#include <string.h>

#include <algorithm>
#include <numeric>
#include <unordered_set>

#include "base/checked_math.h"
#include "base/mapping.h"
#include "delegate/activations.h"
#include "delegate/quantization.h"
#include "delegate/sliced_packing.h"
#include "schema/verify_text.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNDatatype;
using wire::xnnpack::XNNGraph;
using wire::xnnpack::XNNTensorValue;
using wire::xnnpack::XNode;
using wire::xnnpack::XNodeUnion;
using wire::xnnpack::XValue;

// How often the bytes of the files that constants come from may be packed and copied, in the mean.
// Exporters need once; a small file could ask for the same weight in as many ways as it has nodes.
constexpr uint64_t kMaxTimesTaken = 16;

// To pack a weight alone costs a subgraph of as many values as the graph has arguments.
constexpr uint32_t kMaxSharedExternals = 256;

// Constants in place of up to so many bytes are copied, so that whoever uses the runtime later does
// not depend on the file that they came from.
constexpr size_t kMaxCopiedInPlace = 16384;

// REQUIRES: a type that is supported.
Operands OperandsOf(const XNode& node) { return FindOp(node.xnode_union_type())->operands(node); }

class GraphBuilder {
 public:
  GraphBuilder(const Payload& payload, const GraphOptions& options)
      : payload_(payload), graph_(payload.graph()), options_(options) {
    if (options.ones != nullptr) built_.scales.ones = options.ones;
    values_.reserve(CountOf(graph_.xvalues()));
    built_.nodes.reserve(CountOf(graph_.xnodes()));
    built_.parts.shapes.Reserve(CountOf(graph_.xvalues()), CountOf(graph_.xnodes()));
  }

  // In this order: each step uses what the ones before it found.
  Result<BuiltGraph> Build() {
    ONEPACK_RETURN_IF_ERROR(CountExternals());
    ONEPACK_RETURN_IF_ERROR(ForEachNode(&GraphBuilder::CheckType));
    ONEPACK_RETURN_IF_ERROR(ForEachValue(&GraphBuilder::DescribeWireValue));
    ONEPACK_RETURN_IF_ERROR(ForEachNode(&GraphBuilder::MarkOperands));
    FindNeededValues();
    ONEPACK_RETURN_IF_ERROR(ForEachNode(&GraphBuilder::IdentifyNode));
    FindEqualUses();
    ONEPACK_RETURN_IF_ERROR(CheckPackedBytes());
    ONEPACK_RETURN_IF_ERROR(WidenValues());
    ONEPACK_RETURN_IF_ERROR(ForEachValue(&GraphBuilder::PlaceConstant));
    ONEPACK_RETURN_IF_ERROR(ForEachNode(&GraphBuilder::InferNode));
    ONEPACK_RETURN_IF_ERROR(CheckOutputs());
    // Dims mean something only now that the nodes have confirmed them; and nothing of their size
    // was allocated so far.
    ONEPACK_RETURN_IF_ERROR(CheckActivations(graph_, options_.max_activation_bytes));
    ONEPACK_RETURN_IF_ERROR(FindInCache());
    for (ExternalValue& external : built_.parts.externals) {
      external.is_index = values_.at(external.value_id).is_index;
    }
    ONEPACK_RETURN_IF_ERROR(DescribeWeights());
    built_.structure = Structure();
    if (options_.wants_packable_nodes && options_.wants_packable_nodes(built_.structure)) {
      CutOutPackableNodes();
    }
    built_.values = std::move(values_);
    return std::move(built_);
  }

 private:
  template <typename Step>
  Status ForEachNode(Step step) {
    for (size_t i = 0; i < CountOf(graph_.xnodes()); ++i) {
      const XNode& node = *graph_.xnodes()->Get(static_cast<uint32_t>(i));
      node_index_ = i;
      Status status = (this->*step)(node);
      if (!status.ok()) {
        return std::move(status).WithContext("graph node %zu (%s)", i,
                                             NodeTypeName(node.xnode_union_type()));
      }
    }
    return Status::Ok();
  }
  template <typename Step>
  Status ForEachValue(Step step) {
    for (size_t i = 0; i < CountOf(graph_.xvalues()); ++i) {
      Status status = (this->*step)(*graph_.xvalues()->Get(static_cast<uint32_t>(i)));
      if (!status.ok()) return std::move(status).WithContext("graph value %zu", i);
    }
    return Status::Ok();
  }

  Status CountExternals();
  Status CheckType(const XNode& node);
  Status DescribeWireValue(const XValue& wire);
  Status MarkOperands(const XNode& node);
  Status CheckConstant(const XNNTensorValue& tensor) const;
  Status AddExternal(GraphValue& value);
  void FindNeededValues();
  bool IsNeeded(const Operands& operands) const;
  Status IdentifyNode(const XNode& node);
  void FindEqualUses();
  Status CheckPackedBytes();
  Status TakeBytes(uint64_t size, const char* what);
  Status FindInCache();
  Result<PackedWeight> PackIfLarge(size_t use_index);
  WeightDescription DescriptionOf(const PackedUse& use) const;
  Status PlaceConstant(const XValue& wire);
  Status InferNode(const XNode& node);
  Status WidenValues();
  Status CheckOrder(const Operands& operands) const;
  Status CheckOutputs() const;
  Status DescribeWeights();
  std::unordered_set<const void*> AddressesReadUnasked() const;
  LoneNode CutOut(size_t use_index);
  void CutOutPackableNodes();
  std::optional<Digest> Structure() const;

  const Payload& payload_;
  const XNNGraph& graph_;
  const GraphOptions& options_;
  BuiltGraph built_;
  ValueMap<GraphValue> values_;    // by id_out
  std::vector<bool> is_external_;  // by external id: a value has it
  size_t node_index_ = 0;          // of the node at hand
  uint64_t bytes_left_ = 0;        // that may be packed and copied
  std::vector<PackedUse> uses_;
  // Parallel to uses_.
  std::vector<const XNode*> packing_nodes_;
  std::vector<size_t> first_equals_;  // the first use of an equal identity
  std::vector<bool> is_expected_hit_;
};

// XNNPACK allocates that many values at once; more than there are in the file means nothing.
Status GraphBuilder::CountExternals() {
  const uint32_t count = graph_.num_externs();
  if (count > CountOf(graph_.xvalues())) {
    return Status::Error(StatusCode::kInvalidFile, "%u external values among %zu values", count,
                         CountOf(graph_.xvalues()));
  }
  built_.parts.external_count = count;
  built_.parts.externals.reserve(count);
  is_external_.resize(count);
  return Status::Ok();
}

Status GraphBuilder::CheckType(const XNode& node) {
  if (FindOp(node.xnode_union_type()) != nullptr) return Status::Ok();
  return Status::Error(StatusCode::kUnsupported, "it is not supported");
}

// Operands that do not exist are found later.
Status GraphBuilder::MarkOperands(const XNode& node) {
  const Op& op = *FindOp(node.xnode_union_type());
  const Operands operands = op.operands(node);
  const auto mark = [&](const Operands::Ids& ids, auto function) {
    for (const uint32_t id : ids) {
      if (GraphValue* value = values_.Find(id)) function(*value);
    }
  };
  // A value may be an operand twice, as a filter and as what it is applied to.
  const auto is_constant = [&](uint32_t id) {
    const GraphValue* value = values_.Find(id);
    return value != nullptr && value->is_constant();
  };
  Operands::Ids in_place = operands.inputs;
  if (std::all_of(operands.packed.begin(), operands.packed.end(), is_constant)) {
    for (const uint32_t id : operands.packed) in_place.Erase(id);
  }
  mark(in_place, [](GraphValue& value) { value.is_in_place = true; });
  mark(operands.outputs, [&](GraphValue& value) {
    if (value.writer == nullptr) value.writer = &node;
  });
  // XNNPACK compares the dims of attention's operands when the node is defined, and never computes
  // those of indices.
  if (op.type == XNodeUnion::XNNScaledDotProductAttention ||
      op.type == XNodeUnion::XNNArgMaxPooling2d) {
    mark(operands.inputs, [](GraphValue& value) { value.starts_small = false; });
    mark(operands.outputs, [](GraphValue& value) { value.starts_small = false; });
  }
  return Status::Ok();
}

Status GraphBuilder::DescribeWireValue(const XValue& wire) {
  GraphValue value(wire);
  const XNNTensorValue& tensor = value.tensor();
  ONEPACK_RETURN_IF_ERROR(DescribeValue(payload_, value));
  if (value.is_constant()) {
    ONEPACK_RETURN_IF_ERROR(CheckConstant(tensor));
    value.content = payload_.content(value.constant_index())->id();
    value.is_defined = true;
  }
  const bool is_external = tensor.external_id() != XNN_INVALID_VALUE_ID;
  value.starts_small = !is_external && !value.is_constant();
  if (is_external) {
    ONEPACK_RETURN_IF_ERROR(AddExternal(value));
  } else if (tensor.flags() != 0) {
    return Status::Error(StatusCode::kInvalidFile, "flags 0x%x on an internal value",
                         tensor.flags());
  }
  if (!values_.Add(tensor.id_out(), value)) {
    return Status::Error(StatusCode::kInvalidFile, "a second value with id %u", tensor.id_out());
  }
  built_.parts.shapes.AddValue(tensor.id_out(), Shape(DimsOf(tensor)));
  if (tensor.datatype() == XNNDatatype::qdint8) built_.parts.shapes.MayBePermuted(tensor.id_out());
  return Status::Ok();
}

Status GraphBuilder::CheckConstant(const XNNTensorValue& tensor) const {
  const Constant& constant = payload_.constant(tensor.constant_buffer_idx());
  ONEPACK_ASSIGN_OR_RETURN(const size_t expected, ConstantSizeBytes(tensor));
  if (constant.size() == expected) return Status::Ok();
  return Status::Error(StatusCode::kMismatch, "%s: %llu bytes found, %zu expected (%s)",
                       constant.place().c_str(), static_cast<unsigned long long>(constant.size()),
                       expected, DatatypeName(tensor.datatype()));
}

Status GraphBuilder::AddExternal(GraphValue& value) {
  const XNNTensorValue& tensor = value.tensor();
  const bool is_input = tensor.flags() == XNN_VALUE_FLAG_EXTERNAL_INPUT;
  value.is_external_output = tensor.flags() == XNN_VALUE_FLAG_EXTERNAL_OUTPUT;
  if (tensor.external_id() >= built_.parts.external_count || value.is_constant() ||
      (!is_input && !value.is_external_output)) {
    return Status::Error(
        StatusCode::kInvalidFile,
        "external id %u of %u with flags 0x%x%s: an input (1) or an output (2) expected",
        tensor.external_id(), built_.parts.external_count, tensor.flags(),
        value.is_constant() ? ", a constant too" : "");
  }
  if (is_external_[tensor.external_id()]) {
    return Status::Error(StatusCode::kInvalidFile, "a second value with external id %u",
                         tensor.external_id());
  }
  is_external_[tensor.external_id()] = true;
  value.is_defined = is_input;
  ExternalValue external;
  external.external_id = tensor.external_id();
  external.value_id = tensor.id_out();
  external.is_output = value.is_external_output;
  external.datatype = tensor.datatype();
  external.bound = Shape(DimsOf(tensor));
  built_.parts.externals.push_back(external);
  return Status::Ok();
}

// XNNPACK drops a node whose output nobody reads, and aborts when it then looks at what fed that
// node. So it never gets to see one.
void GraphBuilder::FindNeededValues() {
  for (auto& [id, value] : values_) value.is_needed = value.is_external_output;
  // Readers come after writers, or CheckOrder will say so.
  for (size_t i = CountOf(graph_.xnodes()); i-- > 0;) {
    const XNode& node = *graph_.xnodes()->Get(static_cast<uint32_t>(i));
    const Operands operands = OperandsOf(node);
    if (!IsNeeded(operands)) continue;
    for (const uint32_t id : operands.inputs) {
      if (GraphValue* value = values_.Find(id)) value->is_needed = true;
    }
    for (const uint32_t id : operands.outputs) {
      if (GraphValue* value = values_.Find(id)) value->is_waste = !value->is_needed;
    }
  }
  for (auto& [id, value] : values_) {
    const bool is_external = value.tensor().external_id() != XNN_INVALID_VALUE_ID;
    value.is_used = is_external || value.is_waste || value.is_needed;
  }
}

bool GraphBuilder::IsNeeded(const Operands& operands) const {
  return std::any_of(operands.outputs.begin(), operands.outputs.end(), [&](uint32_t id) {
    const GraphValue* value = values_.Find(id);
    return value != nullptr && value->is_needed;
  });
}

Status GraphBuilder::IdentifyNode(const XNode& node) {
  const Op& op = *FindOp(node.xnode_union_type());
  const Operands operands = op.operands(node);
  for (const auto* ids : {&operands.inputs, &operands.outputs}) {
    for (const uint32_t id : *ids) {
      if (values_.Find(id) != nullptr) continue;
      return Status::Error(StatusCode::kInvalidFile, "value %u does not exist", id);
    }
  }
  if (op.identify == nullptr || !IsNeeded(operands)) return Status::Ok();
  const std::optional<PackedUse> use = op.identify({/*subgraph=*/nullptr, values_}, node);
  if (!use) return Status::Ok();
  uses_.push_back(*use);
  packing_nodes_.push_back(&node);
  return Status::Ok();
}

void GraphBuilder::FindEqualUses() {
  std::vector<size_t> order(uses_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [this](size_t a, size_t b) {
    if (uses_[a].identity == uses_[b].identity) return a < b;
    return uses_[a].identity < uses_[b].identity;
  });
  first_equals_.resize(uses_.size());
  for (size_t i = 0; i < order.size(); ++i) {
    const size_t use = order[i];
    const bool is_first = i == 0 || !(uses_[order[i - 1]].identity == uses_[use].identity);
    first_equals_[use] = is_first ? use : first_equals_[order[i - 1]];
  }
}

Status GraphBuilder::TakeBytes(uint64_t size, const char* what) {
  if (size > bytes_left_) {
    return Status::Error(StatusCode::kInvalidFile,
                         "%s takes more than %llu times the bytes of the files with the constants",
                         what, static_cast<unsigned long long>(kMaxTimesTaken));
  }
  bytes_left_ -= size;
  return Status::Ok();
}

Status GraphBuilder::CheckPackedBytes() {
  std::unordered_set<const DataSource*> sources;
  for (size_t i = 1; i < ConstantCount(graph_); ++i) {
    const DataSource& source = payload_.constant(static_cast<uint32_t>(i)).source();
    // Of a few files: the sum fits.
    if (sources.insert(&source).second) bytes_left_ += source.size();
  }
  if (!CheckedMultiply(bytes_left_, kMaxTimesTaken, &bytes_left_)) bytes_left_ = UINT64_MAX;
  for (size_t i = 0; i < uses_.size(); ++i) {
    if (first_equals_[i] != i) continue;
    const uint32_t index = values_.at(uses_[i].kernel_id).constant_index();
    ONEPACK_RETURN_IF_ERROR(TakeBytes(payload_.constant(index).size(), "packing all weights"));
  }
  return Status::Ok();
}

// A value is one thing to all nodes.
Status GraphBuilder::WidenValues() {
  for (const PackedUse& use : uses_) {
    if (use.widens_kernel) values_.at(use.kernel_id).is_widened = true;
    if (use.widens_bias) values_.at(use.bias_id).is_widened = true;
  }
  const auto check = [this](uint32_t id, bool is_widened) {
    if (id == XNN_INVALID_VALUE_ID) return Status::Ok();
    const GraphValue& value = values_.at(id);
    const bool is_only_widened = is_widened && value.is_constant() && !value.is_in_place;
    if (!value.is_widened || is_only_widened) return Status::Ok();
    return Status::Error(StatusCode::kUnsupported,
                         "graph value %u is needed as %s and as %s: not supported", id,
                         DatatypeName(value.tensor().datatype()), DatatypeName(value.datatype()));
  };
  for (const PackedUse& use : uses_) {
    ONEPACK_RETURN_IF_ERROR(check(use.kernel_id, use.widens_kernel));
    ONEPACK_RETURN_IF_ERROR(check(use.bias_id, use.widens_bias));
  }
  return Status::Ok();
}

// The scales of a kernel need not be read when the cache has every weight that the kernel is part
// of. The cache is asked without XNNPACK's seed, which nobody but XNNPACK knows: should it want
// another one after all, RawWeights notices, and the graph is built again from what was read.
Status GraphBuilder::FindInCache() {
  for (const PackedUse& use : uses_) {
    std::vector<PackedWeight> found;
    const bool is_looked_up = use.packing == Packing::kLookedUp && !use.reads_scales;
    if (options_.trust_cache && is_looked_up) {
      found = options_.cache.PinAll(use.identity, LayoutFingerprint());
      if (found.empty()) {
        ONEPACK_ASSIGN_OR_RETURN(PackedWeight packed, PackIfLarge(is_expected_hit_.size()));
        if (packed) found.push_back(std::move(packed));
      }
    }
    is_expected_hit_.push_back(!found.empty());
    for (PackedWeight& pin : found) built_.expected_hits.push_back(std::move(pin));
  }
  for (const PackedUse& use : uses_) {
    GraphValue& kernel = values_.at(use.kernel_id);
    kernel.with_ones = !kernel.is_in_place;
  }
  for (size_t i = 0; i < uses_.size(); ++i) {
    if (!is_expected_hit_[i]) values_.at(uses_[i].kernel_id).with_ones = false;
  }
  for (size_t i = 0; i < uses_.size(); ++i) {
    is_expected_hit_[i] = values_.at(uses_[i].kernel_id).with_ones;
  }
  return Status::Ok();
}

// Only a kernel that means one thing: XNNPACK's key may not tell two apart, and then the graph
// packs each for itself.
Result<PackedWeight> GraphBuilder::PackIfLarge(size_t use_index) {
  const PackedUse& use = uses_[use_index];
  const uint64_t raw_bytes = payload_.constant(values_.at(use.kernel_id).constant_index()).size();
  if (options_.sliced_packer == nullptr || !options_.sliced_packer->IsLarge(raw_bytes) ||
      values_.at(use.kernel_id).is_in_place) {
    return PackedWeight();
  }
  for (const PackedUse& other : uses_) {
    if (other.identity.kernel == use.identity.kernel && !(other.identity == use.identity)) {
      return PackedWeight();
    }
  }
  return options_.sliced_packer->Pack(
      LargeWeight{payload_, use, DescriptionOf(use), CutOut(use_index)});
}

WeightDescription GraphBuilder::DescriptionOf(const PackedUse& use) const {
  const GraphValue& kernel = values_.at(use.kernel_id);
  const bool has_bias = use.bias_id != XNN_INVALID_VALUE_ID;
  const uint32_t scale_index = ScaleIndexOf(kernel);
  WeightDescription description;
  description.identity = use.identity;
  const std::shared_ptr<Content>& content = payload_.content(kernel.constant_index());
  description.has_namesake = content->has_namesake();
  description.contents.reserve(size_t{1} + has_bias + (scale_index != 0));
  description.contents.push_back(content);
  if (has_bias) {
    description.contents.push_back(payload_.content(values_.at(use.bias_id).constant_index()));
  }
  if (scale_index != 0) description.contents.push_back(payload_.content(scale_index));
  return description;
}

Status GraphBuilder::PlaceConstant(const XValue& wire) {
  GraphValue& value = values_.at(TensorOf(wire).id_out());
  if (!value.is_constant()) return Status::Ok();
  if (!value.is_in_place) {
    RawWeights::Widening widening;
    if (value.is_widened) {
      widening.from = value.tensor().datatype();
      widening.row_length = value.rank() > 0 ? value.dim(value.rank() - 1) : 1;
    }
    ONEPACK_ASSIGN_OR_RETURN(
        value.data, options_.raw_weights.Place(payload_, value.constant_index(), widening));
    return Status::Ok();
  }
  ONEPACK_ASSIGN_OR_RETURN(Buffer buffer, payload_.constant(value.constant_index()).Load());
  const bool is_aligned = reinterpret_cast<uintptr_t>(buffer.bytes.data()) % alignof(float) == 0;
  if (is_aligned && buffer.readable_padding >= Mapping::kReadablePadding &&
      buffer.bytes.size() > kMaxCopiedInPlace) {
    value.data = buffer.bytes.data();
    built_.parts.in_place.push_back(std::move(buffer));
    return Status::Ok();
  }
  ONEPACK_RETURN_IF_ERROR(TakeBytes(buffer.bytes.size(), "copying all constants"));
  std::vector<uint8_t>& copy =
      built_.parts.in_place_copies.emplace_back(buffer.bytes.size() + Mapping::kReadablePadding);
  memcpy(copy.data(), buffer.bytes.data(), buffer.bytes.size());
  value.data = copy.data();
  return Status::Ok();
}

Status GraphBuilder::InferNode(const XNode& node) {
  const Op& op = *FindOp(node.xnode_union_type());
  const Operands operands = op.operands(node);
  ONEPACK_RETURN_IF_ERROR(CheckOrder(operands));
  for (const uint32_t id : operands.outputs) values_.at(id).is_defined = true;
  if (op.type == XNodeUnion::XNNArgMaxPooling2d) values_.at(operands.outputs[1]).is_index = true;
  if (!IsNeeded(operands)) return Status::Ok();
  built_.nodes.push_back(static_cast<uint32_t>(node_index_));
  return built_.parts.shapes.AddNode(node_index_, op, node, options_.max_activation_bytes);
}

Status GraphBuilder::CheckOrder(const Operands& operands) const {
  for (const uint32_t id : operands.inputs) {
    if (values_.at(id).is_defined) continue;
    return Status::Error(StatusCode::kInvalidFile,
                         "it reads value %u, which nothing has written yet", id);
  }
  // XNNPACK would take its dims for the file's, whatever they are.
  for (const uint32_t id : operands.inputs) {
    if (!values_.at(id).is_index) continue;
    return Status::Error(StatusCode::kUnsupported, "it reads the indices %u: not supported", id);
  }
  for (const uint32_t id : operands.outputs) {
    if (!values_.at(id).is_defined) continue;
    return Status::Error(StatusCode::kInvalidFile,
                         "it writes value %u, which has its content already", id);
  }
  return Status::Ok();
}

Status GraphBuilder::CheckOutputs() const {
  for (const auto& [id, value] : values_) {
    if (value.is_external_output && !value.is_defined) {
      return Status::Error(StatusCode::kInvalidFile, "no node writes output value %u", id);
    }
  }
  return Status::Ok();
}

Status GraphBuilder::DescribeWeights() {
  for (size_t i = 0; i < uses_.size(); ++i) {
    const PackedUse& use = uses_[i];
    const GraphValue& kernel = values_.at(use.kernel_id);
    DescribedWeight weight{kernel.data, nullptr, DescriptionOf(use)};
    if (use.bias_id != XNN_INVALID_VALUE_ID) weight.bias = values_.at(use.bias_id).data;
    options_.raw_weights.AddUse(weight.kernel, weight.bias, ScaleIndexOf(kernel),
                                is_expected_hit_[i], payload_);
    if (use.packing != Packing::kLookedUp) {
      ONEPACK_RETURN_IF_ERROR(options_.raw_weights.BeforePacking(weight.kernel, weight.bias));
    }
    if (use.packing == Packing::kPrivate) {
      built_.private_weights.emplace_back(weight.kernel, weight.bias);
    } else {
      built_.weights.push_back(std::move(weight));
    }
  }
  return Status::Ok();
}

// Where raw bytes are that were read for good when the graph was built, because XNNPACK will pack
// them without asking.
std::unordered_set<const void*> GraphBuilder::AddressesReadUnasked() const {
  std::unordered_set<const void*> addresses;
  for (const PackedUse& use : uses_) {
    if (use.packing == Packing::kLookedUp) continue;
    addresses.insert(values_.at(use.kernel_id).data);
    if (use.bias_id != XNN_INVALID_VALUE_ID) addresses.insert(values_.at(use.bias_id).data);
  }
  return addresses;
}

LoneNode GraphBuilder::CutOut(size_t use_index) {
  LoneNode alone{{packing_nodes_[use_index]}, {}};
  for (const uint32_t id : OperandsOf(*packing_nodes_[use_index]).inputs) {
    const GraphValue& input = values_.at(id);
    if (input.writer == nullptr || input.datatype() != XNNDatatype::qdint8) continue;
    alone.nodes.insert(alone.nodes.begin(), input.writer);
  }
  for (const XNode* node : alone.nodes) {
    const Operands operands = OperandsOf(*node);
    for (const auto* ids : {&operands.inputs, &operands.outputs}) {
      for (const uint32_t id : *ids) alone.values.Add(id, values_.at(id));
    }
  }
  // Nothing reads it here.
  for (const uint32_t id : OperandsOf(*packing_nodes_[use_index]).outputs) {
    GraphValue& output = alone.values.at(id);
    output.is_waste = !output.is_external_output;
  }
  return alone;
}

// A weight that is packed ahead is served twice, and so its raw bytes may be let go of while others
// that share them are still to be served. Those would ask for them again, except where XNNPACK does
// not ask.
void GraphBuilder::CutOutPackableNodes() {
  const std::unordered_set<const void*> unasked = AddressesReadUnasked();
  size_t weight = 0;
  for (size_t i = 0; i < uses_.size(); ++i) {
    if (uses_[i].packing == Packing::kPrivate) continue;
    const size_t index = weight++;
    if (is_expected_hit_[i] || uses_[i].packing != Packing::kLookedUp) continue;
    const bool has_bias = uses_[i].bias_id != XNN_INVALID_VALUE_ID;
    if (unasked.count(values_.at(uses_[i].kernel_id).data) > 0 ||
        (has_bias && unasked.count(values_.at(uses_[i].bias_id).data) > 0)) {
      continue;
    }
    built_.packable_nodes.push_back({index, CutOut(i)});
  }
}

// XNNPACK keeps addresses of constants that it reads in place; everything packed, scales included,
// is asked for again when a runtime is reshaped. So graphs of one structure have equal bytes, but
// for the names of constants; equal constants in place; equal scales where XNNPACK looks at them
// besides packing them; and weights that are equal to each other where the others' are.
std::optional<Digest> GraphBuilder::Structure() const {
  if (!payload_.graph_id() || built_.parts.external_count > kMaxSharedExternals) {
    return std::nullopt;
  }
  DigestBuilder digest("structure");
  digest.Add(*payload_.graph_id()).Add(options_.max_activation_bytes);
  for (size_t i = 0; i < uses_.size(); ++i) {
    const PackedUse& use = uses_[i];
    if (use.packing != Packing::kLookedUp) return std::nullopt;
    if (use.reads_scales) digest.Add(use.identity.quantization);
    digest.Add(use.identity.consumer);
    digest.Add(first_equals_[i]);
  }
  for (const auto& [id, value] : values_) {
    if (!value.is_in_place || !value.is_constant()) continue;
    digest.Add(value.content);
    value.quant_params.AddTo(digest);
  }
  return digest.Finish();
}

}  // namespace

Result<BuiltGraph> BuildGraph(const Payload& payload, const GraphOptions& options) {
  return GraphBuilder(payload, options).Build();
}

uint64_t RawWeightBytes(const Payload& payload) {
  ValueMap<uint32_t> constants;
  constants.reserve(CountOf(payload.graph().xvalues()));
  for (size_t i = 0; i < CountOf(payload.graph().xvalues()); ++i) {
    const XNNTensorValue& tensor =
        TensorOf(*payload.graph().xvalues()->Get(static_cast<uint32_t>(i)));
    constants.Add(tensor.id_out(), tensor.constant_buffer_idx());
  }
  uint64_t total = 0;
  for (size_t i = 0; i < CountOf(payload.graph().xnodes()); ++i) {
    const XNode& node = *payload.graph().xnodes()->Get(static_cast<uint32_t>(i));
    const Op* op = FindOp(node.xnode_union_type());
    if (op == nullptr) continue;
    uint64_t packed = 0;
    for (const uint32_t id : op->operands(node).packed) {
      const uint32_t* constant = constants.Find(id);
      if (constant == nullptr || *constant == 0) {
        packed = 0;  // then XNNPACK packs nothing before it runs
        break;
      }
      packed += payload.constant(*constant).size();
    }
    total += packed;
  }
  return total;
}

}  // namespace onepack
