#include "tests/hardening/program_features.h"

#include <map>

#include "delegate/graph/graph_value.h"
#include "delegate/ops/op.h"
#include "program_generated.h"
#include "runtime/aligned_copy.h"
#include "runtime/program_contents.h"
#include "schema/payload_header.h"
#include "schema/verify_payload.h"
#include "schema/verify_text.h"
#include "tests/support/sources.h"

namespace onepack {
namespace {

using Features = std::set<std::string>;

std::string NameOf(const wire::program::Operator& op) {
  std::string name(TextOf(op.name()));
  if (CountOf(op.overload()) > 0) name += "." + std::string(TextOf(op.overload()));
  return name;
}

std::string DescribeTypes(const Operands::Ids& ids, std::map<uint32_t, std::string>& types) {
  std::string text;
  for (const uint32_t id : ids) text += " " + types[id];
  return text;
}

void AddGraph(const wire::xnnpack::XNNGraph& graph, Features& features) {
  std::map<uint32_t, std::string> types;  // by value id
  for (size_t i = 0; i < CountOf(graph.xvalues()); ++i) {
    const auto& value = *graph.xvalues()->Get(static_cast<uint32_t>(i));
    const auto& tensor = TensorOf(value);
    types[tensor.id_out()] = DatatypeName(tensor.datatype());
    const auto* quantized = value.xvalue_union_as_XNNQuantizedTensorValue();
    if (quantized == nullptr) continue;
    features.insert(types[tensor.id_out()] + " quantized in way " +
                    std::to_string(static_cast<int>(quantized->quant_params_type())));
  }
  for (size_t i = 0; i < CountOf(graph.xnodes()); ++i) {
    const auto& node = *graph.xnodes()->Get(static_cast<uint32_t>(i));
    const Op* op = FindOp(node.xnode_union_type());
    if (op == nullptr) continue;
    const Operands operands = op->operands(node);
    features.insert(NodeTypeName(op->type) + DescribeTypes(operands.inputs, types) + " ->" +
                    DescribeTypes(operands.outputs, types));
  }
}

Status AddPayload(const Program& program, const wire::program::BackendDelegate& delegate,
                  Features& features) {
  const bool is_inline = delegate.processed()->location() == wire::program::DataLocation::INLINE;
  ONEPACK_ASSIGN_OR_RETURN(
      const ProgramContents::PayloadBytes payload,
      ProgramContents(program).LoadPayload(is_inline, delegate.processed()->index()));
  ONEPACK_ASSIGN_OR_RETURN(const PayloadHeader header, ParsePayloadHeader(payload.buffer.bytes));
  ONEPACK_ASSIGN_OR_RETURN(const Ref<AlignedCopy> copy,
                           AlignedCopy::Of(payload.buffer.bytes.subspan(header.flatbuffer.offset,
                                                                        header.flatbuffer.size),
                                           HeapAllocator()));
  ONEPACK_ASSIGN_OR_RETURN(const auto* graph, VerifyPayload(copy->bytes(), header));
  AddGraph(*graph, features);
  return Status::Ok();
}

void AddPlan(const Program& program, const wire::program::ExecutionPlan& plan, Features& features) {
  for (size_t i = 0; i < CountOf(plan.operators()); ++i) {
    features.insert("operator " + NameOf(*plan.operators()->Get(static_cast<uint32_t>(i))));
  }
  for (size_t i = 0; i < CountOf(plan.delegates()); ++i) {
    // A payload that is not for XNNPACK has no features.
    (void)AddPayload(program, *plan.delegates()->Get(static_cast<uint32_t>(i)), features);
  }
  for (size_t c = 0; c < CountOf(plan.chains()); ++c) {
    const auto* instructions = plan.chains()->Get(static_cast<uint32_t>(c))->instructions();
    for (size_t i = 0; i < CountOf(instructions); ++i) {
      const auto type = instructions->Get(static_cast<uint32_t>(i))->instr_args_type();
      features.insert("instruction " + std::to_string(static_cast<int>(type)));
    }
  }
}

}  // namespace

std::set<std::string> FeaturesOf(const std::vector<uint8_t>& program) {
  Features features;
  auto opened = OpenProgram(program);
  if (!opened.ok()) return features;
  for (const auto* plan : *ProgramContents(**opened).wire().execution_plan())
    AddPlan(**opened, *plan, features);
  return features;
}

std::set<std::string> OperatorNamesOf(const Program& program) {
  std::set<std::string> names;
  for (const auto* plan : *ProgramContents(program).wire().execution_plan()) {
    for (size_t i = 0; i < CountOf(plan->operators()); ++i) {
      names.insert(NameOf(*plan->operators()->Get(static_cast<uint32_t>(i))));
    }
  }
  return names;
}

}  // namespace onepack
