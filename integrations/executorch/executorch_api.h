// ExecuTorch's interfaces that a backend has to do with.

#ifndef ONEPACK_INTEGRATIONS_EXECUTORCH_EXECUTORCH_API_H_
#define ONEPACK_INTEGRATIONS_EXECUTORCH_EXECUTORCH_API_H_

#include <executorch/runtime/backend/interface.h>
#include <executorch/runtime/core/exec_aten/util/tensor_util.h>
#include <executorch/runtime/platform/log.h>

struct pthreadpool;

namespace executorch::extension::threadpool {

// In libexecutorch_threadpool.so; the wheel has no header of it. The pool of now, made at the first
// call; null under a NoThreadPoolGuard.
pthreadpool* get_pthreadpool();

}  // namespace executorch::extension::threadpool

namespace onepack {

namespace et = ::executorch::runtime;

}  // namespace onepack

#endif  // ONEPACK_INTEGRATIONS_EXECUTORCH_EXECUTORCH_API_H_
