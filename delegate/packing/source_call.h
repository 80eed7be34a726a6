// Marks that an application's source is called while a weight is claimed or a lock held.
//
// A source that loads a method then could wait for what its own thread is to provide: such a load
// is refused. Sources are also called with nothing held, when a program is opened and verified, and
// may do there what they like.
//
// Threads: each has its own mark.

#ifndef ONEPACK_DELEGATE_PACKING_SOURCE_CALL_H_
#define ONEPACK_DELEGATE_PACKING_SOURCE_CALL_H_

#include "onepack/status.h"

namespace onepack {

class SourceCall {
 public:
  SourceCall() { ++depth_; }
  SourceCall(const SourceCall&) = delete;
  SourceCall& operator=(const SourceCall&) = delete;
  ~SourceCall() { --depth_; }

  // kFailedPrecondition inside one.
  static Status CheckNone() {
    if (depth_ == 0) return Status::Ok();
    return Status::Error(StatusCode::kFailedPrecondition,
                         "a data source loads a method while it is read for the weights of one");
  }

 private:
  inline static thread_local int depth_ = 0;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PACKING_SOURCE_CALL_H_
