#include "tests/conformance/coverage.h"

#include <algorithm>
#include <filesystem>
#include <unordered_map>

#include "delegate/graph/quantization.h"
#include "delegate/ops/op.h"
#include "onepack/program.h"
#include "program_generated.h"
#include "runtime/aligned_copy.h"
#include "runtime/program_contents.h"
#include "schema/verify_payload.h"
#include "schema/verify_text.h"
#include "tools/recorded_case.h"

namespace onepack {
namespace {

using wire::program::ExecutionPlan;
using wire::xnnpack::XNNGraph;
using wire::xnnpack::XNode;

using DatatypeNames = std::unordered_map<uint32_t, std::string>;

DatatypeNames DatatypesOf(const XNNGraph& graph) {
  DatatypeNames names;
  for (uint32_t i = 0; i < CountOf(graph.xvalues()); ++i) {
    const auto& tensor = TensorOf(*graph.xvalues()->Get(i));
    names[tensor.id_out()] = DatatypeName(tensor.datatype());
  }
  return names;
}

void AddNode(const XNode& node, const DatatypeNames& datatypes, const std::string& name,
             Coverage& coverage) {
  const auto type = node.xnode_union_type();
  const Op* op = FindOp(type);
  if (op == nullptr) {
    coverage.inputs[type]["unknown"].insert(name);
    return;
  }
  const Operands operands = op->operands(node);
  const std::string& input = datatypes.at(operands.inputs[0]);
  coverage.inputs[type][input].insert(name);
  if (operands.packed.empty()) return;
  coverage.filters[type][input + " x " + datatypes.at(operands.packed[0])].insert(name);
}

Status AddPayload(Bytes payload, const std::string& name, Coverage& coverage) {
  ONEPACK_ASSIGN_OR_RETURN(const PayloadHeader header, ParsePayloadHeader(payload));
  const Bytes flatbuffer = payload.subspan(header.flatbuffer.offset, header.flatbuffer.size);
  ONEPACK_ASSIGN_OR_RETURN(const Ref<AlignedCopy> copy,
                           AlignedCopy::Of(flatbuffer, HeapAllocator()));
  ONEPACK_ASSIGN_OR_RETURN(const XNNGraph* graph, VerifyPayload(copy->bytes(), header));
  const DatatypeNames datatypes = DatatypesOf(*graph);
  for (uint32_t i = 0; i < CountOf(graph->xnodes()); ++i) {
    AddNode(*graph->xnodes()->Get(i), datatypes, name, coverage);
  }
  return Status::Ok();
}

void AddOperators(const ExecutionPlan& plan, const std::string& name, Coverage& coverage) {
  for (uint32_t i = 0; i < CountOf(plan.operators()); ++i) {
    const auto* op = plan.operators()->Get(i);
    std::string full(TextOf(op->name()));
    if (!TextOf(op->overload()).empty()) full.append(".").append(TextOf(op->overload()));
    coverage.operators[full].insert(name);
  }
}

Status AddCase(const std::string& path, Coverage& coverage) {
  ONEPACK_ASSIGN_OR_RETURN(const RecordedCase recorded, ReadRecordedCase(path));
  ONEPACK_ASSIGN_OR_RETURN(const Ref<DataSource> source, OpenMappedFile(recorded.program.c_str()));
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Program> program, Program::Open(source));
  ONEPACK_ASSIGN_OR_RETURN(const ExecutionPlan* plan,
                           ProgramContents(*program).FindMethod(recorded.method));
  ++coverage.case_count;
  AddOperators(*plan, recorded.name, coverage);
  for (uint32_t i = 0; i < CountOf(plan->delegates()); ++i) {
    const auto* reference = plan->delegates()->Get(i)->processed();
    const bool is_inline = reference->location() == wire::program::DataLocation::INLINE;
    ONEPACK_ASSIGN_OR_RETURN(const ProgramContents::PayloadBytes payload,
                             ProgramContents(*program).LoadPayload(is_inline, reference->index()));
    ONEPACK_RETURN_IF_ERROR(AddPayload(payload.buffer.bytes, recorded.name, coverage));
  }
  return Status::Ok();
}

}  // namespace

std::vector<std::string> CasesIn(const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code error;  // a folder that cannot be read has no cases, and every test says so
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".json") paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

Result<Coverage> CoverageOf(const std::vector<std::string>& cases) {
  Coverage coverage;
  for (const std::string& path : cases) {
    Status status = AddCase(path, coverage);
    if (!status.ok()) return std::move(status).WithContext("%s", path.c_str());
  }
  return coverage;
}

}  // namespace onepack
