// XNNPACK's interface, as the library that this is built for has it. Our code includes this header
// and no other of XNNPACK's.

#ifndef ONEPACK_DELEGATE_XNN_XNNPACK_H_
#define ONEPACK_DELEGATE_XNN_XNNPACK_H_

#ifdef ONEPACK_EXECUTORCH_XNNPACK
#include "delegate/xnn/executorch_xnnpack.h"  // IWYU pragma: export
#else
#include <xnnpack.h>  // IWYU pragma: export
#endif

#endif  // ONEPACK_DELEGATE_XNN_XNNPACK_H_
