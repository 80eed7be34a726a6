// What a process has that loads programs; and how it does so, each file opened anew.

#ifndef ONEPACK_TESTS_COUNTS_APPLICATION_H_
#define ONEPACK_TESTS_COUNTS_APPLICATION_H_

#include <memory>
#include <optional>
#include <vector>

#include "onepack/cpu_operators.h"
#include "onepack/method.h"
#include "onepack/weight_cache.h"
#include "onepack/xnnpack_backend.h"

namespace onepack {

// Paths.
struct ProgramFiles {
  const char* program;
  std::vector<const char*> data;
};

// Computes and packs on the calling thread.
class Application {
 public:
  static Result<Application> Create(LinearLayout linears);

  // `options` refers to the application.
  struct Opened {
    Ref<Program> program;
    MethodOptions options;
  };
  Result<Opened> Open(const ProgramFiles& files) const;
  Result<Ref<Method>> Load(const ProgramFiles& files) const;

  WeightCacheStats Stats() const { return cache_->Stats(); }

 private:
  Application() = default;

  std::shared_ptr<WeightCache> cache_;
  std::optional<CpuOperators> operators_;
  Ref<Backend> backend_;
};

}  // namespace onepack

#endif  // ONEPACK_TESTS_COUNTS_APPLICATION_H_
