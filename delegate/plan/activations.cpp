#include "delegate/plan/activations.h"

#include <algorithm>
#include <optional>
#include <set>
#include <tuple>
#include <vector>

#include "base/checked_math.h"
#include "base/value_map.h"
#include "delegate/graph/graph_value.h"
#include "delegate/ops/linear_node.h"
#include "delegate/ops/op.h"
#include "onepack/result.h"
#include "schema/verify_payload.h"
#include "schema/verify_text.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNGraph;
using wire::xnnpack::XNNTensorValue;

struct Life {
  bool is_intermediate = false;  // neither a constant nor the caller's
  uint64_t bytes = 0;
  size_t first = SIZE_MAX;  // the nodes that touch it
  size_t last = 0;
  bool has_sibling = false;  // another output of the same node
};
using Lives = ValueMap<Life>;

// At least, and UINT64_MAX for more than fits.
uint64_t SizeBytes(const XNNTensorValue& tensor) {
  uint64_t bytes = std::max<uint64_t>(ElementBits(tensor.datatype()) / 8, 1);
  for (const uint32_t size : DimsOf(tensor)) {
    if (!CheckedMultiply<uint64_t>(bytes, size, &bytes)) return UINT64_MAX;
  }
  return bytes;
}

Lives LivesOf(const XNNGraph& graph) {
  Lives lives;
  lives.reserve(CountOf(graph.xvalues()));
  for (size_t i = 0; i < CountOf(graph.xvalues()); ++i) {
    const XNNTensorValue& tensor = TensorOf(*graph.xvalues()->Get(static_cast<uint32_t>(i)));
    Life life;
    life.is_intermediate = tensor.constant_buffer_idx() == 0 && tensor.external_id() == kNoValue;
    if (life.is_intermediate) life.bytes = SizeBytes(tensor);
    lives.Add(tensor.id_out(), life);
  }
  return lives;
}

void AddUses(const XNNGraph& graph, Lives& lives) {
  for (size_t i = 0; i < CountOf(graph.xnodes()); ++i) {
    const auto& node = *graph.xnodes()->Get(static_cast<uint32_t>(i));
    const Op* op = FindOp(node.xnode_union_type());
    if (op == nullptr) continue;  // the plan will refuse it
    const Operands operands = op->operands(node);
    for (const uint32_t id : operands.outputs) {
      if (Life* life = lives.Find(id)) life->has_sibling = operands.outputs.size() > 1;
    }
    operands.ForEach([&](uint32_t id) {
      Life* life = lives.Find(id);
      if (life == nullptr) return;
      life->first = std::min(life->first, i);
      life->last = std::max(life->last, i);
    });
  }
}

// UINT64_MAX for more than fits.
void AddTo(uint64_t bytes, uint64_t* sum) {
  if (!CheckedAdd(*sum, bytes, sum)) *sum = UINT64_MAX;
}

// What is taken and let go of while the graph runs, in bytes.
struct Flow {
  explicit Flow(size_t steps) : begins(steps), ends(steps) {}

  uint64_t kept = 0;  // for as long as the runtime lives
  // By step: a node, or a stage. A sum that does not fit belongs to values that are alive together,
  // of which an earlier or the same node's begins are too many as well: nothing is ever subtracted
  // from it.
  std::vector<uint64_t> begins;
  std::vector<uint64_t> ends;
};

struct Excess {
  size_t step;
  uint64_t bytes;
};

// Where more than `max_bytes` are alive first.
std::optional<Excess> FirstExcess(const Flow& flow, uint64_t max_bytes) {
  uint64_t alive = flow.kept;
  for (size_t i = 0; i < flow.begins.size(); ++i) {
    alive -= flow.ends[i];  // an output may take the place of an input
    AddTo(flow.begins[i], &alive);
    if (alive > max_bytes) return Excess{i, alive};
  }
  return std::nullopt;
}

Result<Flow> FlowOf(const XNNGraph& graph, uint64_t max_bytes) {
  Lives lives = LivesOf(graph);
  AddUses(graph, lives);
  Flow flow(CountOf(graph.xnodes()));
  for (const auto& [id, life] : lives) {
    if (!life.is_intermediate || life.first == SIZE_MAX) continue;
    if (life.bytes > max_bytes) {
      return Status::Error(StatusCode::kResourceExhausted,
                           "graph value %u takes %llu bytes, at most %llu allowed", id,
                           static_cast<unsigned long long>(life.bytes),
                           static_cast<unsigned long long>(max_bytes));
    }
    if (life.first == life.last) {
      // Nothing reads it. It is dropped with its node, or, where that has another output, kept.
      if (life.has_sibling) AddTo(life.bytes, &flow.kept);
      continue;
    }
    AddTo(life.bytes, &flow.begins[life.first]);
    AddTo(life.bytes, &flow.ends[life.last]);
  }
  return flow;
}

// What linears of the stage quantize, each input once for all that take it in one form. UINT64_MAX
// for more than fits.
uint64_t QuantizedBytesOf(const Stage& stage, const ShapeInference& shapes) {
  uint64_t sum = 0;
  std::set<std::tuple<uint32_t, size_t, bool>> known;
  for (const Linear& linear : stage.linears) {
    const LinearInput input = InputOf(linear.node);
    if (!input.is_quantized) continue;
    const auto& [inputs, block_size, is_for_int4] = input.form;
    if (!known.emplace(input.value_id, block_size, is_for_int4).second) continue;
    const size_t rows = shapes.shape(input.value_id).element_count() / inputs;
    AddTo(linear::MaxQuantizedBytes(input.form, rows), &sum);
  }
  return sum;
}

}  // namespace

Status CheckActivations(const XNNGraph& graph, uint64_t max_bytes) {
  // No address space holds more, limit or not, and below it XNNPACK's own sums do not wrap.
  max_bytes = std::min<uint64_t>(max_bytes, PTRDIFF_MAX);
  ONEPACK_ASSIGN_OR_RETURN(const Flow flow, FlowOf(graph, max_bytes));
  const std::optional<Excess> excess = FirstExcess(flow, max_bytes);
  if (!excess) return Status::Ok();
  const auto node = static_cast<uint32_t>(excess->step);
  return Status::Error(
      StatusCode::kResourceExhausted,
      "graph node %zu (%s) needs %llu bytes of intermediate values, at most %llu allowed",
      excess->step, NodeTypeName(graph.xnodes()->Get(node)->xnode_union_type()),
      static_cast<unsigned long long>(excess->bytes), static_cast<unsigned long long>(max_bytes));
}

bool StagesFit(const std::vector<Stage>& stages, const std::vector<Crossing>& crossings,
               const ShapeInference& shapes, uint64_t max_bytes) {
  max_bytes = std::min<uint64_t>(max_bytes, PTRDIFF_MAX);
  Flow flow(stages.size() + 1);
  for (const Crossing& crossing : crossings) {
    uint64_t bytes = shapes.shape(crossing.value_id).element_count();
    if (!CheckedMultiply<uint64_t>(bytes, crossing.element_bytes, &bytes)) return false;
    AddTo(bytes, &flow.begins[crossing.first_stage]);
    AddTo(bytes, &flow.ends[crossing.last_stage + 1]);
  }
  for (size_t i = 0; i < stages.size(); ++i) {
    const uint64_t bytes = QuantizedBytesOf(stages[i], shapes);
    AddTo(bytes, &flow.begins[i]);
    AddTo(bytes, &flow.ends[i + 1]);
  }
  return !FirstExcess(flow, max_bytes);
}

}  // namespace onepack
