// What recorded cases are made of: which types of nodes their delegates hold, of which datatypes,
// and which operators stayed outside.
//
// Errors: those of reading a case or its program; they name the file.

#ifndef ONEPACK_TESTS_CONFORMANCE_COVERAGE_H_
#define ONEPACK_TESTS_CONFORMANCE_COVERAGE_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "onepack/result.h"
#include "xnnpack_graph_generated.h"

namespace onepack {

// Of a datatype, or of two: "qdint8 x qbint4".
using CasesByDatatype = std::map<std::string, std::set<std::string>>;

struct Coverage {
  size_t case_count = 0;
  // By the datatype of a node's first input.
  std::map<wire::xnnpack::XNodeUnion, CasesByDatatype> inputs;
  // Of nodes that pack a filter, by the datatypes of its first input and of the filter.
  std::map<wire::xnnpack::XNodeUnion, CasesByDatatype> filters;
  // "aten::cat.out".
  std::map<std::string, std::set<std::string>> operators;
};

// The paths of all cases of a folder, sorted.
std::vector<std::string> CasesIn(const std::string& folder);

Result<Coverage> CoverageOf(const std::vector<std::string>& cases);

}  // namespace onepack

#endif  // ONEPACK_TESTS_CONFORMANCE_COVERAGE_H_
