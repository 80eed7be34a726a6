// Everything that delegate/xnn/executorch_xnnpack.h declares, as a list of texts that is the same
// for two headers that declare the same.

#ifndef ONEPACK_TESTS_DELEGATE_XNN_INTERFACE_FACTS_H_
#define ONEPACK_TESTS_DELEGATE_XNN_INTERFACE_FACTS_H_

#include <string>
#include <vector>

namespace onepack {

// "xnn_unary_abs = 0", "xnn_external_value.data at 8 of 16: Pv", "xnn_initialize:
// F10xnn_status...".
using InterfaceFacts = std::vector<std::string>;

InterfaceFacts FactsOfOurHeader();
InterfaceFacts FactsOfTheReferenceHeader();

}  // namespace onepack

#endif  // ONEPACK_TESTS_DELEGATE_XNN_INTERFACE_FACTS_H_
