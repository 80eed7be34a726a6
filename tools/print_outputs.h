// What a method gave back: as text, and as files.

#ifndef ONEPACK_TOOLS_PRINT_OUTPUTS_H_
#define ONEPACK_TOOLS_PRINT_OUTPUTS_H_

#include <string>

#include "onepack/method.h"

namespace onepack {

// Type, shape and the first values (all of them when `full`) of every output, to standard output.
void PrintOutputs(const Method& method, bool full);

// The bytes of every tensor among the outputs, as output0.bin, output1.bin, ... in `folder`, which
// is created where needed. Files of these names are replaced, all of them or none.
Status WriteOutputs(const Method& method, const std::string& folder);

}  // namespace onepack

#endif  // ONEPACK_TOOLS_PRINT_OUTPUTS_H_
