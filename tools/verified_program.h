// Loads a program as far as one can without running it.

#ifndef ONEPACK_TOOLS_VERIFIED_PROGRAM_H_
#define ONEPACK_TOOLS_VERIFIED_PROGRAM_H_

#include "onepack/method.h"
#include "tools/inspected_file.h"

namespace onepack {

// Loads every method with `data`, as an application would, and drops it. Operators outside of
// the delegates are the application's: any is taken to be there. REQUIRES: file.program.
Status VerifyMethods(const InspectedFile& file, const Ref<NamedDataMap>& data,
                     const Ref<Backend>& backend);

}  // namespace onepack

#endif  // ONEPACK_TOOLS_VERIFIED_PROGRAM_H_
