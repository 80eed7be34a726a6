#include "tests/conformance/operators_page.h"

#include "delegate/ops/op.h"

namespace onepack {
namespace {

using wire::xnnpack::XNodeUnion;

// The columns of the first table: what a node's first input can be, in the order of the schema.
constexpr const char* kInputs[] = {"fp32", "fp16", "bf16", "qint8", "quint8", "qdint8", "int32"};

constexpr struct {
  XNodeUnion type;
  const char* reason;
} kWithoutCase[] = {
    {XNodeUnion::XNNELU, "the exporter leaves ELU to the operators outside"},
    {XNodeUnion::XNNArgMaxPooling2d, "the exporter takes XNNMaxPooling2d where no index is asked"},
    {XNodeUnion::XNNScaledDotProductAttention, "the exporter writes attention node by node"},
};

constexpr char kIntroduction[] =
    "# Operators\n"
    "\n"
    "Written by `cmake --build --preset dev --target operators_page` from\n"
    "[delegate/ops/op_table.cpp](../delegate/ops/op_table.cpp) and the recorded cases in\n"
    "[tests/conformance](../tests/conformance/README.md). A test fails when it is out of date.\n";

constexpr char kNodes[] =
    "\n"
    "## Nodes of the XNNPACK delegate\n"
    "\n"
    "How many recorded cases hold a node of the type, by the datatype of its first input. All of\n"
    "them pass, with a cache of packed weights and without. Types without a case are checked by\n"
    "payloads that [tests/delegate](../tests/delegate) writes.\n"
    "\n";

constexpr char kFilters[] =
    "\n"
    "## Nodes with a packed filter\n"
    "\n"
    "The same cases, by the datatypes of input and filter.\n"
    "\n"
    "| node | input x filter | cases |\n"
    "| --- | --- | ---: |\n";

constexpr char kOutside[] =
    "\n"
    "## Operators outside the delegates\n"
    "\n"
    "Those that the exporter left outside in at least one case.\n"
    "\n"
    "| operator | cases |\n"
    "| --- | ---: |\n";

size_t CountAt(const CasesByDatatype& cases, const std::string& datatype) {
  const auto found = cases.find(datatype);
  return found == cases.end() ? 0 : found->second.size();
}

std::string NodeRow(XNodeUnion type, const CasesByDatatype& cases) {
  std::string row = std::string("| ") + NodeTypeName(type) + " |";
  for (const char* input : kInputs) {
    const size_t count = CountAt(cases, input);
    row += count == 0 ? " |" : " " + std::to_string(count) + " |";
  }
  const char* reason = ReasonForNoCase(type);
  if (FindOp(type) == nullptr) row += " refused:";
  return row + (reason == nullptr ? "" : std::string(" ") + reason) + " |\n";
}

std::string NodeTable(const Coverage& coverage) {
  std::string head = "| node |";
  std::string rule = "| --- |";
  for (const char* input : kInputs) {
    head += std::string(" ") + input + " |";
    rule += " ---: |";
  }
  std::string table = head + " |\n" + rule + " --- |\n";
  for (const XNodeUnion type : wire::xnnpack::EnumValuesXNodeUnion()) {
    if (type == XNodeUnion::NONE) continue;
    const auto cases = coverage.inputs.find(type);
    table += NodeRow(type, cases == coverage.inputs.end() ? CasesByDatatype{} : cases->second);
  }
  return table;
}

}  // namespace

const char* ReasonForNoCase(XNodeUnion type) {
  for (const auto& row : kWithoutCase) {
    if (row.type == type) return row.reason;
  }
  return nullptr;
}

std::string OperatorsPage(const Coverage& coverage) {
  std::string page = kIntroduction;
  page += kNodes + NodeTable(coverage) + kFilters;
  for (const auto& [type, datatypes] : coverage.filters) {
    for (const auto& [datatype, cases] : datatypes) {
      page += std::string("| ") + NodeTypeName(type) + " | " + datatype + " | " +
              std::to_string(cases.size()) + " |\n";
    }
  }
  page += kOutside;
  for (const auto& [name, cases] : coverage.operators) {
    page += "| `" + name + "` | " + std::to_string(cases.size()) + " |\n";
  }
  return page;
}

}  // namespace onepack
