// Threads for the length of one step of a load, while the thread that loads reports what they do.
//
// They are made for the step and end with it. The application's pthreadpool would serve one caller
// at a time: a program that runs on it would wait for the whole load. And making such a pool for
// the load waits for ever where the system grants fewer threads than it wants.

#ifndef ONEPACK_DELEGATE_PACKING_WORKERS_H_
#define ONEPACK_DELEGATE_PACKING_WORKERS_H_

#include <stddef.h>

#include <functional>

#include "delegate/packing/load_reporter.h"

namespace onepack {

// Calls `work`, which must not throw, with 0, 1, 2 and so on, each in a thread of its own, and
// returns when all are done: how many there were. At most `threads`; fewer, or none, where the
// system has no more. To be called by the thread that loads. May throw std::bad_alloc, when no
// worker runs.
size_t RunWorkers(size_t threads, LoadReporter& reporter,
                  const std::function<void(size_t worker)>& work);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PACKING_WORKERS_H_
