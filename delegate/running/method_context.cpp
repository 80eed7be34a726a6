#include "delegate/running/method_context.h"

#include <unistd.h>

namespace onepack {

Status MethodContext::CheckThreadpool() const {
  if (threadpool() == nullptr || getpid() == threads_.owner) return Status::Ok();
  return Status::Error(StatusCode::kFailedPrecondition,
                       "this process was forked off, and the thread pool's threads were not: make "
                       "a pool and a backend here, and load the method again");
}

}  // namespace onepack
