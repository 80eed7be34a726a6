#include "delegate/plan/linears.h"

#include <algorithm>

#include "delegate/graph/quantization.h"
#include "delegate/ops/op.h"
#include "delegate/plan/linear_policy.h"
#include "schema/verify_text.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNDatatype;
using wire::xnnpack::XNNGraph;
using wire::xnnpack::XNode;
using wire::xnnpack::XNodeUnion;

class Chooser {
 public:
  Chooser(const XNNGraph& graph, const ValueMap<GraphValue>& values,
          const std::vector<bool>& is_needed, LinearLayout layout)
      : graph_(graph), values_(values), is_needed_(is_needed), layout_(layout) {}

  Linears Choose() {
    if (!FindRoundings()) return Linears();
    for (uint32_t i = 0; i < is_needed_.size(); ++i) {
      if (is_needed_[i]) AddNode(i);
    }
    if (linears_.nodes.empty()) return Linears();
    return std::move(linears_);
  }

 private:
  const XNode& WireNode(uint32_t index) const { return *graph_.xnodes()->Get(index); }

  bool IsRounded(uint32_t id) const {
    const GraphValue& value = values_.at(id);
    return value.datatype() == XNNDatatype::qdint8 && !value.is_quantized_on_entry();
  }

  // False where something else than weights meets such a value, or something else than a conversion
  // makes it: then the graph cannot be cut.
  bool FindRoundings() {
    bool can_be_cut = true;
    for (uint32_t i = 0; i < is_needed_.size(); ++i) {
      if (!is_needed_[i]) continue;
      const XNode& node = WireNode(i);
      const Op& op = *FindOp(node.xnode_union_type());
      const Operands operands = op.operands(node);
      for (const uint32_t id : operands.inputs)
        can_be_cut &= !IsRounded(id) || op.weight != nullptr;
      for (const uint32_t id : operands.outputs) {
        if (!IsRounded(id)) continue;
        can_be_cut &= op.type == XNodeUnion::XNNConvert && !values_.at(id).is_external();
        linears_.roundings.Add(id, {i, operands.inputs[0]});
      }
    }
    return can_be_cut;
  }

  void AddNode(uint32_t index) {
    std::optional<LinearNode> node = LinearNodeOf({values_}, WireNode(index));
    if (!node || !RunsInPlace(layout_, node->weights)) return;
    if (const Rounding* rounding = linears_.roundings.Find(node->input_id)) {
      node->input_id = rounding->floats_id;
    }
    const GraphValue& floats = values_.at(node->input_id);
    if (floats.is_constant() || floats.tensor().datatype() != XNNDatatype::fp32) return;
    linears_.nodes.emplace(index, *node);
  }

  const XNNGraph& graph_;
  const ValueMap<GraphValue>& values_;
  const std::vector<bool>& is_needed_;
  const LinearLayout layout_;
  Linears linears_;
};

}  // namespace

Linears ChooseLinears(const XNNGraph& graph, const ValueMap<GraphValue>& values,
                      const std::vector<bool>& is_needed, LinearLayout layout) {
  return Chooser(graph, values, is_needed, layout).Choose();
}

LinearSummary SummarizeLinears(const XNNGraph& graph, LinearLayout layout) {
  ValueMap<GraphValue> values;
  values.reserve(CountOf(graph.xvalues()));
  for (uint32_t i = 0; i < CountOf(graph.xvalues()); ++i) {
    const GraphValue value(*graph.xvalues()->Get(i));
    if (!values.Add(value.tensor().id_out(), value)) return LinearSummary();
  }
  for (uint32_t i = 0; i < CountOf(graph.xnodes()); ++i) {
    const XNode& node = *graph.xnodes()->Get(i);
    if (FindOp(node.xnode_union_type()) == nullptr) return LinearSummary();
    bool all_exist = true;
    OperandsOf(node).ForEach([&](uint32_t id) { all_exist &= values.Find(id) != nullptr; });
    if (!all_exist) return LinearSummary();
  }
  const std::vector<bool> all_needed(CountOf(graph.xnodes()), true);
  const Linears linears = ChooseLinears(graph, values, all_needed, layout);
  LinearSummary summary;
  for (uint32_t i = 0; i < CountOf(graph.xnodes()); ++i) {
    const auto* node = graph.xnodes()->Get(i)->xnode_union_as_XNNFullyConnected();
    if (node == nullptr || !values.at(node->filter_id()).is_constant()) continue;
    auto bytes = ConstantSizeBytes(values.at(node->filter_id()).tensor());
    const bool is_in_place = linears.nodes.count(i) > 0;
    ++(is_in_place ? summary.in_place : summary.packed);
    (is_in_place ? summary.in_place_bytes : summary.packed_bytes) += bytes.ok() ? *bytes : 0;
  }
  return summary;
}

}  // namespace onepack
