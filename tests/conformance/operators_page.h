// docs/operators.md: which types of nodes the delegate takes, and which recorded cases show it.

#ifndef ONEPACK_TESTS_CONFORMANCE_OPERATORS_PAGE_H_
#define ONEPACK_TESTS_CONFORMANCE_OPERATORS_PAGE_H_

#include "tests/conformance/coverage.h"

namespace onepack {

// Why no recorded case holds nodes of the type; null for a type that has to be in one. For a type
// that is refused: why.
const char* ReasonForNoCase(wire::xnnpack::XNodeUnion type);

std::string OperatorsPage(const Coverage& coverage);

}  // namespace onepack

#endif  // ONEPACK_TESTS_CONFORMANCE_OPERATORS_PAGE_H_
