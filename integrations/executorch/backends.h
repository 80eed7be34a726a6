// The backends that programs are loaded with: one for each set of options and each thread pool.
//
// Threads: any. May throw std::bad_alloc.

#ifndef ONEPACK_INTEGRATIONS_EXECUTORCH_BACKENDS_H_
#define ONEPACK_INTEGRATIONS_EXECUTORCH_BACKENDS_H_

#include <sys/types.h>

#include <memory>
#include <vector>

#include "base/fork_safe_mutex.h"
#include "integrations/executorch/load_options.h"
#include "integrations/executorch/stats.h"
#include "onepack/backend.h"
#include "onepack/result.h"
#include "onepack/weight_cache.h"

namespace onepack {

class Backends {
 public:
  // Over ExecuTorch's thread pool of now: an application may exchange it.
  Result<Ref<Backend>> For(const LoadOptions& options);

  // Has what was packed so far written to the packed files, and waits for it. The end of the
  // process does so, too.
  Status Flush();

  // Of all caches.
  BackendStats Stats();

 private:
  struct Cache {
    LoadOptions options;
    std::shared_ptr<WeightCache> cache;  // null where nothing is shared
  };
  struct Entry {
    LoadOptions options;
    pthreadpool* pool;
    pid_t process;  // that the pool's threads are in
    Ref<Backend> backend;
  };

  // Of two threads that miss the same one, the first to add its own has both use that.
  std::shared_ptr<WeightCache> CacheFor(const LoadOptions& options);
  // For both, the mutex is held.
  const Cache* FindCache(const LoadOptions& options) const;
  const Entry* Find(const Entry& wanted) const;

  std::vector<std::shared_ptr<WeightCache>> SharedCaches();

  ForkSafeMutex mutex_;
  // Guarded by it. As many as there are sets of options: a few.
  std::vector<Cache> caches_;
  std::vector<Entry> entries_;
};

}  // namespace onepack

#endif  // ONEPACK_INTEGRATIONS_EXECUTORCH_BACKENDS_H_
