#include "onepack/thread_pool.h"

#include <pthreadpool.h>

// Came a week after the change of how threads join in, and is absent before. Weak: it is asked of
// the library that the process has loaded, not of the header that this was built with.
extern "C" pthreadpool* pthreadpool_create_v2(struct pthreadpool_executor* executor, void* context,
                                              size_t threads) __attribute__((weak));

namespace onepack {

bool ThreadPoolSuitsBusyMachines() { return pthreadpool_create_v2 != nullptr; }

}  // namespace onepack
