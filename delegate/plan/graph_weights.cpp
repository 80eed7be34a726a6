#include "delegate/plan/graph_weights.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <optional>

#include "delegate/graph/quantization.h"
#include "delegate/packing/sliced_packing.h"
#include "schema/verify_text.h"

namespace onepack {

using wire::xnnpack::XNNDatatype;
using wire::xnnpack::XNNTensorValue;
using wire::xnnpack::XNode;

void GraphWeights::Identify(const Op& op, const XNode& node) {
  if (op.identify == nullptr) return;
  const std::optional<PackedUse> use = op.identify({/*subgraph=*/nullptr, values_}, node);
  if (!use) return;
  uses_.push_back(*use);
  nodes_.push_back(&node);
}

void GraphWeights::FindEqualUses() {
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

Status GraphWeights::CheckBytes(ByteBudget& budget) {
  FindEqualUses();
  for (size_t i = 0; i < uses_.size(); ++i) {
    if (first_equals_[i] != i) continue;
    const uint32_t index = values_.at(uses_[i].kernel_id).constant_index();
    ONEPACK_RETURN_IF_ERROR(budget.Take(payload_.constant(index).size(), "packing all weights"));
  }
  return Status::Ok();
}

// A value is one thing to all nodes.
Status GraphWeights::WidenValues() {
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
Status GraphWeights::FindInCache(BuiltGraph& graph) {
  std::vector<uint32_t> missing;  // kernels
  for (size_t i = 0; i < uses_.size(); ++i) {
    const PackedUse& use = uses_[i];
    std::vector<PackedWeight> found;
    const bool is_looked_up = use.packing == Packing::kLookedUp && !use.reads_scales;
    if (options_.trust_cache && is_looked_up) {
      found = options_.cache.PinAll(use.identity, LayoutFingerprint());
      if (found.empty()) {
        ONEPACK_ASSIGN_OR_RETURN(PackedWeight packed, PackIfLarge(i));
        if (packed) found.push_back(std::move(packed));
      }
    }
    if (found.empty()) missing.push_back(use.kernel_id);
    for (PackedWeight& pin : found) graph.expected_hits.push_back(std::move(pin));
  }
  for (const PackedUse& use : uses_) {
    GraphValue& kernel = values_.at(use.kernel_id);
    kernel.with_ones = !kernel.is_in_place;
  }
  for (const uint32_t id : missing) values_.at(id).with_ones = false;
  return Status::Ok();
}

// Only a kernel that means one thing: XNNPACK's key may not tell two apart, and then the graph
// packs each for itself.
Result<PackedWeight> GraphWeights::PackIfLarge(size_t use_index) {
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

WeightDescription GraphWeights::DescriptionOf(const PackedUse& use) const {
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

Status GraphWeights::Describe(BuiltGraph& graph) const {
  for (const PackedUse& use : uses_) {
    const GraphValue& kernel = values_.at(use.kernel_id);
    DescribedWeight weight{kernel.data, nullptr, DescriptionOf(use)};
    if (use.bias_id != XNN_INVALID_VALUE_ID) weight.bias = values_.at(use.bias_id).data;
    options_.raw_weights.AddUse(weight.kernel, weight.bias, ScaleIndexOf(kernel), kernel.with_ones,
                                payload_);
    if (use.packing != Packing::kLookedUp) {
      ONEPACK_RETURN_IF_ERROR(options_.raw_weights.BeforePacking(weight.kernel, weight.bias));
    }
    if (use.packing == Packing::kPrivate) {
      graph.private_weights.emplace_back(weight.kernel, weight.bias);
    } else {
      graph.weights.push_back(std::move(weight));
    }
  }
  return Status::Ok();
}

// Where raw bytes are that were read for good when the graph was built, because XNNPACK will pack
// them without asking.
std::unordered_set<const void*> GraphWeights::AddressesReadUnasked() const {
  std::unordered_set<const void*> addresses;
  for (const PackedUse& use : uses_) {
    if (use.packing == Packing::kLookedUp) continue;
    addresses.insert(values_.at(use.kernel_id).data);
    if (use.bias_id != XNN_INVALID_VALUE_ID) addresses.insert(values_.at(use.bias_id).data);
  }
  return addresses;
}

LoneNode GraphWeights::CutOut(size_t use_index) const {
  LoneNode alone{{nodes_[use_index]}, {}};
  for (const uint32_t id : OperandsOf(*nodes_[use_index]).inputs) {
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
  for (const uint32_t id : OperandsOf(*nodes_[use_index]).outputs) {
    GraphValue& output = alone.values.at(id);
    output.is_waste = !output.is_external_output;
  }
  return alone;
}

// A weight that is packed ahead is served twice, and so its raw bytes may be let go of while others
// that share them are still to be served. Those would ask for them again, except where XNNPACK does
// not ask.
void GraphWeights::CutOutPackableNodes(BuiltGraph& graph) const {
  const std::unordered_set<const void*> unasked = AddressesReadUnasked();
  size_t weight = 0;
  for (size_t i = 0; i < uses_.size(); ++i) {
    if (uses_[i].packing == Packing::kPrivate) continue;
    const size_t index = weight++;
    const GraphValue& kernel = values_.at(uses_[i].kernel_id);
    if (kernel.with_ones || uses_[i].packing != Packing::kLookedUp) continue;
    const bool has_bias = uses_[i].bias_id != XNN_INVALID_VALUE_ID;
    if (unasked.count(kernel.data) > 0 ||
        (has_bias && unasked.count(values_.at(uses_[i].bias_id).data) > 0)) {
      continue;
    }
    graph.packable_nodes.push_back({index, CutOut(i)});
  }
}

bool GraphWeights::AddTo(DigestBuilder& structure) const {
  for (size_t i = 0; i < uses_.size(); ++i) {
    const PackedUse& use = uses_[i];
    if (use.packing != Packing::kLookedUp) return false;
    if (use.reads_scales) structure.Add(use.identity.quantization);
    structure.Add(use.identity.consumer).Add(first_equals_[i]);
  }
  return true;
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
