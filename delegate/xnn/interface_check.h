// Whether the XNNPACK that answers is the one that this was built for.
//
// XNNPACK has no version that could be asked for. Releases differ in structs and in the numbers of
// enumerators under the same names of functions, and a process may well load another library with
// these names before ours: PyTorch has one, the package executorch too. Called with the wrong
// structs XNNPACK crashes, or computes something else. So it is tried, once in a process.

#ifndef ONEPACK_DELEGATE_XNN_INTERFACE_CHECK_H_
#define ONEPACK_DELEGATE_XNN_INTERFACE_CHECK_H_

#include "onepack/status.h"

namespace onepack {

// REQUIRES: XNNPACK is initialized.
// Errors: kFailedPrecondition, naming the library that answers; kResourceExhausted.
Status CheckXnnpackInterface();

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_XNN_INTERFACE_CHECK_H_
