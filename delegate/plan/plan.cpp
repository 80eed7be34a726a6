#include "delegate/plan/plan.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/checked_math.h"
#include "delegate/graph/graph_value.h"
#include "delegate/graph/quantization.h"
#include "delegate/ops/op.h"
#include "delegate/plan/activations.h"
#include "delegate/plan/linears.h"
#include "delegate/plan/payload_contents.h"
#include "delegate/plan/stage_cutter.h"
#include "schema/verify_text.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNDatatype;
using wire::xnnpack::XNNGraph;
using wire::xnnpack::XNNTensorValue;
using wire::xnnpack::XNode;
using wire::xnnpack::XNodeUnion;
using wire::xnnpack::XValue;

// Arguments that are no value of the graph: exporters pass the sizes of dynamic dims along. XNNPACK
// allocates a value for each of them nevertheless.
constexpr uint32_t kMaxUnusedExternals = 4096;

// What the steps find out about a value on their way.
struct Finding {
  bool has_content = false;  // a constant, an input, or the output of a node that was looked at
  bool is_needed = false;    // for an output, directly or not
  bool is_index = false;     // of an arg-max: XNNPACK does not compute its shape
};

class Planner {
 public:
  Planner(std::shared_ptr<const PayloadContents> contents, const PlanOptions& options)
      : payload_(contents->payload()),
        graph_(payload_.graph()),
        contents_(*contents),
        options_(options) {
    plan_.contents = std::move(contents);
    plan_.options = options;
  }

  // In this order: each step uses what the ones before it found.
  Result<Plan> Make() {
    Reserve();
    ONEPACK_RETURN_IF_ERROR(CountExternals());
    ONEPACK_RETURN_IF_ERROR(ForEachNode(&Planner::CheckType));
    ONEPACK_RETURN_IF_ERROR(DescribeValues());
    FindNeededNodes();
    ONEPACK_RETURN_IF_ERROR(ForEachNode(&Planner::CheckOperands));
    MarkExactShapes();
    ChooseLinears();
    ONEPACK_RETURN_IF_ERROR(FindWeights());
    ONEPACK_RETURN_IF_ERROR(ForEachNode(&Planner::InferNode));
    ONEPACK_RETURN_IF_ERROR(CheckOutputs());
    // Dims mean something only now that the nodes have confirmed them; and nothing of their size
    // was allocated so far.
    ONEPACK_RETURN_IF_ERROR(CheckActivations(graph_, options_.max_activation_bytes));
    ONEPACK_RETURN_IF_ERROR(ForEachNode(&Planner::CheckNode));
    for (ExternalValue& external : plan_.externals) {
      external.is_index = findings_.at(external.value_id).is_index;
    }
    if (!Cut()) return Plan();
    plan_.structure = Structure();
    return std::move(plan_);
  }

  // What is left out depends on the graph and on the options, which are equal, and on nothing else.
  Result<Plan> MakeLike(const Plan& like) {
    std::shared_ptr<const PayloadContents> contents = std::move(plan_.contents);
    plan_ = like;
    plan_.contents = std::move(contents);
    ONEPACK_RETURN_IF_ERROR(DescribeConstants());
    for (Weight& weight : plan_.weights) {
      const auto found = FindWeight(weight.node, weight.packing == Packing::kAsStored);
      if (!found) return Status::Error(StatusCode::kInternal, "node %u lost a weight", weight.node);
      weight = *found;
    }
    ONEPACK_RETURN_IF_ERROR(CheckBudget());
    plan_.structure = Structure();
    return std::move(plan_);
  }

  // Of a graph that was cut: then Make's plan is none.
  bool is_too_large() const { return is_too_large_; }

 private:
  const XNode& WireNode(size_t index) const {
    return *graph_.xnodes()->Get(static_cast<uint32_t>(index));
  }
  NodeValues node_values() const { return {plan_.values}; }

  template <typename Step>
  Status ForEachNode(Step step) {
    for (uint32_t i = 0; i < CountOf(graph_.xnodes()); ++i) {
      Status status = (this->*step)(i);
      if (!status.ok()) return WithNode(std::move(status), i, WireNode(i));
    }
    return Status::Ok();
  }

  void Reserve();
  Status CountExternals();
  Status CheckType(uint32_t node);
  Status DescribeValues();
  Status DescribeWireValue(const XValue& wire, Span<const Digest> contents);
  Status DescribeConstants();
  Status Describe(Span<const Digest> contents, GraphValue& value) const;
  Status CheckConstant(const XNNTensorValue& tensor) const;
  Status AddExternal(const GraphValue& value);
  void FindNeededNodes();
  Status CheckOperands(uint32_t node);
  void MarkExactShapes();
  void ChooseLinears();
  Status FindWeights();
  std::optional<Weight> FindWeight(uint32_t node, bool is_linear) const;
  bool TakesBudget(const Weight& weight) const;
  Status CheckBudget() const;
  Status InferNode(uint32_t node);
  Status CheckOrder(const Operands& operands) const;
  Status CheckOutputs() const;
  Status CheckNode(uint32_t node);
  bool Cut();
  std::optional<Digest> Structure() const;

  const Payload& payload_;
  const XNNGraph& graph_;
  const PayloadContents& contents_;
  const PlanOptions options_;
  Plan plan_;
  ValueMap<Finding> findings_;     // of plan_.values
  std::vector<bool> is_external_;  // by external id: a value has it
  std::vector<bool> is_needed_;    // by node
  std::vector<uint32_t> nodes_;    // that are
  Linears linears_;
  bool is_too_large_ = false;
};

void Planner::Reserve() {
  const size_t values = CountOf(graph_.xvalues());
  const size_t nodes = CountOf(graph_.xnodes());
  plan_.values.reserve(values);
  findings_.reserve(values);
  nodes_.reserve(nodes);
  plan_.shapes.Reserve(values, nodes);
}

Status Planner::CountExternals() {
  const uint32_t count = graph_.num_externs();
  if (count > CountOf(graph_.xvalues()) + kMaxUnusedExternals) {
    return Status::Error(StatusCode::kInvalidFile,
                         "%u external values, at most %u besides the graph's %zu expected", count,
                         kMaxUnusedExternals, CountOf(graph_.xvalues()));
  }
  plan_.external_count = count;
  plan_.externals.reserve(count);
  is_external_.resize(count);
  return Status::Ok();
}

Status Planner::CheckType(uint32_t node) {
  if (FindOp(WireNode(node).xnode_union_type()) != nullptr) return Status::Ok();
  return Status::Error(StatusCode::kUnsupported, "it is not supported");
}

Status Planner::DescribeValues() {
  const std::vector<Digest> contents = contents_.ids();
  for (uint32_t i = 0; i < CountOf(graph_.xvalues()); ++i) {
    const XValue& wire = *graph_.xvalues()->Get(i);
    Status status = DescribeWireValue(wire, {contents.data(), contents.size()});
    if (status.ok()) continue;
    return std::move(status).WithContext("graph value %u", TensorOf(wire).id_out());
  }
  return Status::Ok();
}

Status Planner::DescribeWireValue(const XValue& wire, Span<const Digest> contents) {
  GraphValue value(wire);
  const XNNTensorValue& tensor = value.tensor();
  ONEPACK_RETURN_IF_ERROR(Describe(contents, value));
  if (tensor.external_id() != kNoValue) {
    ONEPACK_RETURN_IF_ERROR(AddExternal(value));
  } else if (tensor.flags() != 0) {
    return Status::Error(StatusCode::kInvalidFile, "flags 0x%x on an internal value",
                         tensor.flags());
  }
  const uint32_t id = tensor.id_out();
  if (!plan_.values.Add(id, value)) {
    return Status::Error(StatusCode::kInvalidFile, "a second value with id %u", id);
  }
  Finding finding;
  finding.has_content = value.is_constant() || value.is_external_input();
  finding.is_needed = value.is_external_output();
  findings_.Add(id, finding);
  plan_.shapes.AddValue(id, Shape(DimsOf(tensor)));
  if (tensor.datatype() == XNNDatatype::qdint8) plan_.shapes.MayBePermuted(id);
  return Status::Ok();
}

// Of values that were described for another payload.
Status Planner::DescribeConstants() {
  const std::vector<Digest> contents = contents_.ids();
  for (auto& [id, value] : plan_.values) {
    if (!value.is_constant()) continue;
    Status status = Describe({contents.data(), contents.size()}, value);
    if (!status.ok()) return std::move(status).WithContext("graph value %u", id);
  }
  return Status::Ok();
}

Status Planner::Describe(Span<const Digest> contents, GraphValue& value) const {
  ONEPACK_RETURN_IF_ERROR(DescribeValue(payload_, contents, value));
  return value.is_constant() ? CheckConstant(value.tensor()) : Status::Ok();
}

Status Planner::CheckConstant(const XNNTensorValue& tensor) const {
  const Constant& constant = payload_.constant(tensor.constant_buffer_idx());
  ONEPACK_ASSIGN_OR_RETURN(const size_t expected, ConstantSizeBytes(tensor));
  if (payload_.Holds(tensor.constant_buffer_idx(), expected)) return Status::Ok();
  return Status::Error(StatusCode::kMismatch, "%s: %llu bytes found, %zu expected (%s)",
                       constant.place().c_str(), static_cast<unsigned long long>(constant.size()),
                       expected, DatatypeName(tensor.datatype()));
}

Status Planner::AddExternal(const GraphValue& value) {
  const XNNTensorValue& tensor = value.tensor();
  if (tensor.external_id() >= plan_.external_count || value.is_constant() ||
      (!value.is_external_input() && !value.is_external_output())) {
    return Status::Error(
        StatusCode::kInvalidFile,
        "external id %u of %u with flags 0x%x%s: an input (1) or an output (2) expected",
        tensor.external_id(), plan_.external_count, tensor.flags(),
        value.is_constant() ? ", a constant too" : "");
  }
  if (is_external_[tensor.external_id()]) {
    return Status::Error(StatusCode::kInvalidFile, "a second value with external id %u",
                         tensor.external_id());
  }
  is_external_[tensor.external_id()] = true;
  ExternalValue external;
  external.external_id = tensor.external_id();
  external.value_id = tensor.id_out();
  external.is_output = value.is_external_output();
  external.datatype = tensor.datatype();
  external.bound = Shape(DimsOf(tensor));
  plan_.externals.push_back(external);
  return Status::Ok();
}

// XNNPACK drops a node whose output nothing reads, and aborts when it then looks at what fed that
// node. So it is shown none. Readers come after writers, or CheckOrder will say so; operands that
// do not exist are found by CheckOperands.
void Planner::FindNeededNodes() {
  is_needed_.resize(CountOf(graph_.xnodes()));
  for (size_t i = is_needed_.size(); i-- > 0;) {
    const Operands operands = OperandsOf(WireNode(i));
    is_needed_[i] = std::any_of(operands.outputs.begin(), operands.outputs.end(), [&](uint32_t id) {
      const Finding* output = findings_.Find(id);
      return output != nullptr && output->is_needed;
    });
    if (!is_needed_[i]) continue;
    for (const uint32_t id : operands.inputs) {
      if (Finding* input = findings_.Find(id)) input->is_needed = true;
    }
  }
}

Status Planner::CheckOperands(uint32_t node) {
  Status status;
  OperandsOf(WireNode(node)).ForEach([&](uint32_t id) {
    if (!status.ok() || plan_.values.Find(id) != nullptr) return;
    status = Status::Error(StatusCode::kInvalidFile, "value %u does not exist", id);
  });
  return status;
}

void Planner::MarkExactShapes() {
  for (uint32_t i = 0; i < is_needed_.size(); ++i) {
    if (!is_needed_[i] || !NeedsBounds(WireNode(i))) continue;
    OperandsOf(WireNode(i)).ForEach([&](uint32_t id) {
      const GraphValue& value = plan_.values.at(id);
      if (!value.is_constant() && !value.is_external()) plan_.shapes.MustBeExact(id);
    });
  }
}

void Planner::ChooseLinears() {
  if (options_.linears == LinearLayout::kPacked) return;
  linears_ = onepack::ChooseLinears(graph_, plan_.values, is_needed_, options_.linears);
}

// What runs as it is stored is not packed, and what has no bytes cannot be.
bool Planner::TakesBudget(const Weight& weight) const {
  return weight.packing != Packing::kAsStored &&
         payload_.constant(weight.kernel.constant_index).source().has_bytes();
}

Status Planner::FindWeights() {
  for (uint32_t i = 0; i < is_needed_.size(); ++i) {
    if (!is_needed_[i]) continue;
    const std::optional<Weight> weight = FindWeight(i, linears_.nodes.count(i) > 0);
    if (weight) plan_.weights.push_back(*weight);
  }
  return CheckBudget();
}

std::optional<Weight> Planner::FindWeight(uint32_t node, bool is_linear) const {
  const Op& op = *FindOp(WireNode(node).xnode_union_type());
  if (op.weight == nullptr) return std::nullopt;
  std::optional<Weight> weight = op.weight(node_values(), WireNode(node));
  if (!weight) return weight;
  weight->node = node;
  if (is_linear) {
    weight->packing = Packing::kAsStored;
    weight->reads_scales = false;
  }
  for (const WeightOperand* operand : {&weight->kernel, &weight->bias}) {
    if (!operand->is_present()) continue;
    weight->raw_bytes += payload_.constant(operand->constant_index).size();
  }
  return weight;
}

Status Planner::CheckBudget() const {
  ByteBudget budget(payload_);
  uint64_t all_bytes = 0;
  bool fits = true;
  for (const Weight& weight : plan_.weights) {
    if (!TakesBudget(weight)) continue;
    fits = fits && CheckedAdd(all_bytes, weight.raw_bytes, &all_bytes);
  }
  // So it is with what exporters write: no weights have to be told apart.
  if (fits && budget.Holds(all_bytes)) return Status::Ok();
  std::unordered_set<const WeightIdentity*, WeightIdentityHash, WeightIdentityEqual> packed;
  for (const Weight& weight : plan_.weights) {
    if (!TakesBudget(weight)) continue;
    // What is shared is packed once.
    const bool is_new = packed.insert(&weight.identity).second;
    if (!is_new && weight.packing != Packing::kPrivate) continue;
    const uint64_t bytes = payload_.constant(weight.kernel.constant_index).size();
    ONEPACK_RETURN_IF_ERROR(budget.Take(bytes, "packing all weights"));
  }
  return Status::Ok();
}

Status Planner::InferNode(uint32_t node) {
  const Op& op = *FindOp(WireNode(node).xnode_union_type());
  const Operands operands = op.operands(WireNode(node));
  ONEPACK_RETURN_IF_ERROR(CheckOrder(operands));
  for (const uint32_t id : operands.outputs) findings_.at(id).has_content = true;
  if (op.type == XNodeUnion::XNNArgMaxPooling2d) findings_.at(operands.outputs[1]).is_index = true;
  if (!is_needed_[node]) return Status::Ok();
  nodes_.push_back(node);
  return plan_.shapes.AddNode(node, op, WireNode(node), options_.max_activation_bytes);
}

Status Planner::CheckOrder(const Operands& operands) const {
  for (const uint32_t id : operands.inputs) {
    if (findings_.at(id).has_content) continue;
    return Status::Error(StatusCode::kInvalidFile,
                         "it reads value %u, which nothing has written yet", id);
  }
  // XNNPACK would take its dims for the file's, whatever they are.
  for (const uint32_t id : operands.inputs) {
    if (!findings_.at(id).is_index) continue;
    return Status::Error(StatusCode::kUnsupported, "it reads the indices %u: not supported", id);
  }
  for (const uint32_t id : operands.outputs) {
    if (!findings_.at(id).has_content) continue;
    return Status::Error(StatusCode::kInvalidFile,
                         "it writes value %u, which has its content already", id);
  }
  return Status::Ok();
}

Status Planner::CheckOutputs() const {
  for (const ExternalValue& external : plan_.externals) {
    if (external.is_output && !findings_.at(external.value_id).has_content) {
      return Status::Error(StatusCode::kInvalidFile, "no node writes output value %u",
                           external.value_id);
    }
  }
  return Status::Ok();
}

Status Planner::CheckNode(uint32_t node) {
  if (!is_needed_[node]) return Status::Ok();
  const XNode& wire = WireNode(node);
  return FindOp(wire.xnode_union_type())->check(node_values(), wire);
}

// False for a graph that takes too much in stages.
bool Planner::Cut() {
  StageCutter cutter(graph_, plan_.values, nodes_, linears_.nodes, linears_.roundings);
  CutGraph cut = cutter.Cut(plan_.weights);
  plan_.stages = std::move(cut.stages);
  plan_.crossings = std::move(cut.crossings);
  is_too_large_ = cut.is_too_large || !StagesFit(plan_.stages, plan_.crossings, plan_.shapes,
                                                 options_.max_activation_bytes);
  return !is_too_large_;
}

// XNNPACK keeps addresses of constants that it reads in place; everything packed, scales included,
// is asked for again when a runtime is reshaped. So graphs of one structure have equal bytes, but
// for the names of constants; equal constants in place; and equal scales where XNNPACK looks at
// them besides packing them.
std::optional<Digest> Planner::Structure() const {
  if (!payload_.graph_id()) return std::nullopt;
  DigestBuilder digest("structure");
  digest.Add(*payload_.graph_id()).Add(options_.max_activation_bytes).Add(options_.linears);
  for (const Weight& weight : plan_.weights) {
    if (weight.packing == Packing::kUnasked || weight.packing == Packing::kPrivate) {
      return std::nullopt;
    }
    if (weight.reads_scales) digest.Add(weight.identity.quantization);
  }
  for (const Stage& stage : plan_.stages) {
    for (size_t i = 0; i < stage.roles.size(); ++i) {
      if (stage.roles[i] != Role::kInPlace) continue;
      const GraphValue& value = plan_.values.begin()[i].value;
      digest.Add(value.content);
      value.quant_params.AddTo(digest);
    }
  }
  return digest.Finish();
}

}  // namespace

Result<Plan> MakePlan(std::shared_ptr<const PayloadContents> contents, const PlanOptions& options) {
  Planner planner(contents, options);
  Result<Plan> plan = planner.Make();
  if (!planner.is_too_large()) return plan;
  PlanOptions in_one_stage = options;
  in_one_stage.linears = LinearLayout::kPacked;
  return Planner(std::move(contents), in_one_stage).Make();
}

Result<Plan> MakePlanLike(const Plan& like, std::shared_ptr<const PayloadContents> contents) {
  return Planner(std::move(contents), like.options).MakeLike(like);
}

}  // namespace onepack
