// Loads recorded and generated cases the way an application would, with every choice open to the
// test.

#ifndef ONEPACK_TESTS_SUPPORT_CASE_LOADER_H_
#define ONEPACK_TESTS_SUPPORT_CASE_LOADER_H_

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/fork_safe_mutex.h"
#include "onepack/method.h"
#include "onepack/ref.h"
#include "onepack/result.h"
#include "onepack/weight_cache.h"
#include "onepack/xnnpack_backend.h"

namespace onepack {

class CaseLoader {
 public:
  using OpenSource = std::function<Result<Ref<DataSource>>(const std::string& path)>;

  explicit CaseLoader(std::shared_ptr<WeightCache> cache, ProgressCallback on_progress = {},
                      pthreadpool* threadpool = nullptr)
      : cache_(std::move(cache)),
        on_progress_(std::move(on_progress)),
        threadpool_(threadpool),
        open_([](const std::string& path) { return OpenMappedFile(path.c_str()); }) {}

  // How files are opened from now on; every load opens its own.
  void set_open(OpenSource open) { open_ = std::move(open); }
  // XnnpackBackendOptions::packing_threads, from now on.
  void set_packing_threads(size_t threads) {
    packing_threads_ = threads;
    backend_ = Ref<Backend>();
  }

  // XnnpackBackendOptions::linears, from now on.
  void set_linears(LinearLayout linears) {
    linears_ = linears;
    backend_ = Ref<Backend>();
  }

  // FOLDER/NAME.json says which program, data files and method.
  Result<Ref<Method>> Load(const std::string& folder, const std::string& name) const;

  // Runs the recorded calls on a method that was loaded from there; empty when all is well, else
  // what differs.
  static std::string Check(const Ref<Method>& method, const std::string& folder,
                           const std::string& name);

  const WeightCache& cache() const { return *cache_; }

 private:
  Result<Ref<Backend>> SharedBackend() const;

  const std::shared_ptr<WeightCache> cache_;
  const ProgressCallback on_progress_;
  pthreadpool* const threadpool_;
  size_t packing_threads_ = 1;
  LinearLayout linears_ = LinearLayout::kPacked;
  // Of all loads, so that programs share what a backend shares.
  mutable ForkSafeMutex mutex_;
  mutable Ref<Backend> backend_;  // guarded by mutex_; null before the first load
  OpenSource open_;
};

}  // namespace onepack

#endif  // ONEPACK_TESTS_SUPPORT_CASE_LOADER_H_
