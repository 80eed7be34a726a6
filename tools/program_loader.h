// Loads programs into one process, so that they share what can be shared: each file is opened once,
// whatever path names it, and all methods use one cache of packed weights, one thread pool and one
// table of operators.
//
// Ownership: must outlive the methods it loaded, because XNNPACK computes on its threads. Files
//            stay mapped as long as the loader lives, or until they are forgotten; packed weights
//            as long as a method uses them.
// Threads:   any function, any thread. A line on standard error says when the thread pool is one
//            that stalls on busy machines.

#ifndef ONEPACK_TOOLS_PROGRAM_LOADER_H_
#define ONEPACK_TOOLS_PROGRAM_LOADER_H_

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "onepack/cpu_operators.h"
#include "onepack/linear_layout.h"
#include "onepack/method.h"
#include "onepack/weight_cache.h"
#include "tools/thread_pool.h"

namespace onepack {

struct ProgramLoaderOptions {
  // False: every method packs for itself.
  bool share_packed_weights = true;
  // That XNNPACK and our operators compute with.
  size_t threads = 1;
  // That pack weights while a method is loaded (XnnpackBackendOptions::packing_threads).
  size_t packing_threads = 1;
  // What linear layers run over (XnnpackBackendOptions::linears).
  LinearLayout linears = LinearLayout::kAuto;
  // For shared packed weights (WeightCacheOptions::huge_pages).
  bool huge_pages = false;
  // The same, kept without a method that uses them (WeightCacheOptions::retained_bytes).
  size_t retained_bytes = 0;
  // Where they are kept (WeightCacheOptions::packed_file): empty for nowhere.
  std::string packed_file;
  ChecksumPolicy packed_checksums = ChecksumPolicy::kOnFirstUse;
  // The application's own operators outside the delegates, before ours of the same name. What they
  // refer to outlives the loader.
  Span<const Operator> additional_operators;
};

class ProgramLoader {
 public:
  static Result<std::unique_ptr<ProgramLoader>> Create(const ProgramLoaderOptions& options);

  // A program (.pte), or the one in a bundled program (.bpte).
  Result<Ref<Program>> OpenProgram(const std::string& path);

  // All keys of all `paths`. Null for no paths.
  Result<Ref<NamedDataMap>> OpenData(const std::vector<std::string>& paths);

  // For loading any method over these data files. Refers to the loader.
  Result<MethodOptions> OptionsFor(const std::vector<std::string>& data);

  Result<Ref<Method>> Load(const std::string& program, const std::vector<std::string>& data,
                           const std::string& method);

  // Forgets a file that was opened: it is closed with the last method that uses it.
  void Forget(const std::string& path);

  // Null when packed weights are not shared.
  const WeightCache* weight_cache() const { return cache_.get(); }

 private:
  ProgramLoader() = default;

  Result<Ref<NamedDataMap>> OpenDataFile(const std::string& path);

  std::shared_ptr<WeightCache> cache_;
  ThreadPool pool_;
  std::optional<CpuOperators> operators_;  // compute on the pool
  Ref<Backend> backend_;

  std::mutex mutex_;
  // Guarded by mutex_, by canonical path.
  std::unordered_map<std::string, Ref<Program>> programs_;
  std::unordered_map<std::string, Ref<NamedDataMap>> data_;
};

}  // namespace onepack

#endif  // ONEPACK_TOOLS_PROGRAM_LOADER_H_
