// What all programs of an engine share.

#ifndef ONEPACK_C_API_ENGINE_H_
#define ONEPACK_C_API_ENGINE_H_

#include <pthreadpool.h>
#include <stddef.h>
#include <stdint.h>

#include <memory>
#include <optional>

#include "onepack/backend.h"
#include "onepack/c_api.h"
#include "onepack/cpu_operators.h"
#include "onepack/method.h"
#include "onepack/ref.h"
#include "onepack/result.h"
#include "onepack/status.h"
#include "onepack/weight_cache.h"

namespace onepack {

// Threads: any, once created.
class Engine {
 public:
  static Result<std::shared_ptr<Engine>> Create(const onepack_engine_options& options);

  WeightCache& cache() const { return *cache_; }

  // What a load needs of this engine, which outlives what is loaded with it.
  MethodOptions LoadOptions() const;

 private:
  struct ThreadPoolDeleter {
    void operator()(pthreadpool* pool) const { pthreadpool_destroy(pool); }
  };

  Status StartThreads(size_t threads);
  Status CreateBackend(const onepack_engine_options& options);

  uint64_t max_planned_bytes_ = 0;
  std::shared_ptr<WeightCache> cache_;
  // Destroyed after the users of its threads.
  std::unique_ptr<pthreadpool, ThreadPoolDeleter> threads_;  // null: the calling thread
  std::optional<CpuOperators> operators_;
  Ref<Backend> backend_;
};

}  // namespace onepack

#endif  // ONEPACK_C_API_ENGINE_H_
