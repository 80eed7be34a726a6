// Keeps a fork out of what XNNPACK does under locks of its own.
//
// Newer releases look up the tiles of their kernels under a mutex, when a runtime is created or
// reshaped on a processor where there is a choice (quirk 20). A child that is forked off meanwhile
// waits for that mutex for ever. So such calls are made while an XnnCall lives, and a fork waits
// until none does. Runs take no such lock.
//
// REQUIRES: a thread has one at a time, forks nothing meanwhile, and holds no ForkSafeMutex when it
//           makes one.
// Threads:  any; they are in XNNPACK at the same time.

#ifndef ONEPACK_DELEGATE_XNN_FORK_GUARD_H_
#define ONEPACK_DELEGATE_XNN_FORK_GUARD_H_

namespace onepack {

class XnnCall {
 public:
  XnnCall();
  ~XnnCall();
  XnnCall(const XnnCall&) = delete;
  XnnCall& operator=(const XnnCall&) = delete;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_XNN_FORK_GUARD_H_
