// Which library's XNNPACK answers.

#ifndef ONEPACK_INTEGRATIONS_EXECUTORCH_XNNPACK_LIBRARY_H_
#define ONEPACK_INTEGRATIONS_EXECUTORCH_XNNPACK_LIBRARY_H_

#include "onepack/status.h"

namespace onepack {

// Whether it is the one in the wheel of the ExecuTorch that runs, as this library was built for. A
// library that came earlier and shows its XNNPACK, or its pthreadpool, to all answers instead: with
// other structures under the same names.
// Errors: kFailedPrecondition names both libraries, and what to do.
Status CheckXnnpackLibrary();

}  // namespace onepack

#endif  // ONEPACK_INTEGRATIONS_EXECUTORCH_XNNPACK_LIBRARY_H_
