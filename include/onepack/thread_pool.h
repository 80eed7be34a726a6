// What this process' pthreadpool does when other processes keep the cores busy.
//
// A parallel region of a pthreadpool from before September 2025 ends when all of its threads have
// come by, whether or not there is work left for them, and they look for it by spinning: a thread
// that has no core holds up the others for as long as the kernel gives it none, at every region, of
// which a language model starts hundreds for each token. With two threads it is then several times
// slower than with one. In newer ones a thread that comes late is not waited for.

#ifndef ONEPACK_THREAD_POOL_H_
#define ONEPACK_THREAD_POOL_H_

#include "onepack/export.h"

namespace onepack {

// False for an older pthreadpool: on a machine that does other work as well, give the backend no
// pool.
ONEPACK_API bool ThreadPoolSuitsBusyMachines();

}  // namespace onepack

#endif  // ONEPACK_THREAD_POOL_H_
