// What all programs of a Backend share: the backend itself, threads and the operators outside the
// delegates.

#ifndef ONEPACK_PYTHON_BINDINGS_ENGINE_H_
#define ONEPACK_PYTHON_BINDINGS_ENGINE_H_

#include <pthreadpool.h>
#include <unistd.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "onepack/backend.h"
#include "onepack/cpu_operators.h"
#include "onepack/method.h"
#include "onepack/weight_cache.h"
#include "onepack/xnnpack_backend.h"

namespace onepack::python {

// A cache, and the first thing that went wrong with its packed file. It is kept instead of handed
// to a callback: that would be called in a thread of the cache's, also while Python ends.
class CacheWithTrouble {
 public:
  static std::shared_ptr<CacheWithTrouble> Create(WeightCacheOptions options);

  const std::shared_ptr<WeightCache>& cache() const { return cache_; }
  // Ok: nothing went wrong.
  Status trouble() const;

 private:
  struct Trouble {
    std::mutex mutex;
    StatusCode code = StatusCode::kOk;  // guarded by mutex, and so is the text
    std::string message;
  };

  CacheWithTrouble() = default;

  std::shared_ptr<Trouble> trouble_;  // the cache's callback has one, too
  std::shared_ptr<WeightCache> cache_;
};

// Threads: any, once created.
class Engine {
 public:
  // `threads`: how many compute one run. `random_seed`: CpuOperatorOptions::random_seed.
  static std::shared_ptr<const Engine> Create(XnnpackBackendOptions options, size_t threads,
                                              uint64_t random_seed);

  // What a load needs of this engine, which outlives what is loaded with it.
  MethodOptions LoadOptions() const;

 private:
  // In a forked child the threads are not there, and destroying would wait for them: it leaks.
  struct ThreadPoolDeleter {
    ThreadPoolDeleter() : owner(getpid()) {}
    void operator()(pthreadpool* pool) const {
      if (getpid() == owner) pthreadpool_destroy(pool);
    }
    pid_t owner;
  };

  Engine() = default;

  // Destroyed after the users of its threads.
  std::unique_ptr<pthreadpool, ThreadPoolDeleter> threads_;  // null: the calling thread
  std::optional<CpuOperators> operators_;
  Ref<Backend> backend_;
};

}  // namespace onepack::python

#endif  // ONEPACK_PYTHON_BINDINGS_ENGINE_H_
