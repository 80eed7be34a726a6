#include "integrations/executorch/backends.h"

#include <unistd.h>

#include <mutex>
#include <utility>

#include "integrations/executorch/report_error.h"
#include "onepack/xnnpack_backend.h"

namespace onepack {
namespace {

std::shared_ptr<WeightCache> CreateCache(const LoadOptions& options) {
  WeightCacheOptions cache;
  cache.retained_bytes = static_cast<size_t>(options.retained_mebibytes) << 20;
  cache.packed_file.path = options.packed_file;
  cache.packed_file.on_trouble = [](const Status& trouble) {
    static_cast<void>(ReportError(trouble));
  };
  return WeightCache::Create(cache);
}

// A process that ends soon after its first load would leave a packed file with nothing in it.
void FlushAtExit(Backends& backends) {
  class Flusher {
   public:
    explicit Flusher(Backends& of) : backends_(of) {}
    ~Flusher() { static_cast<void>(ReportError(backends_.Flush())); }

   private:
    Backends& backends_;  // which are never destroyed
  };
  static const Flusher flusher(backends);
}

}  // namespace

const Backends::Cache* Backends::FindCache(const LoadOptions& options) const {
  for (const Cache& known : caches_) {
    if (known.options.HasSameCache(options)) return &known;
  }
  return nullptr;
}

std::shared_ptr<WeightCache> Backends::CacheFor(const LoadOptions& options) {
  {
    const std::lock_guard<ForkSafeMutex> lock(mutex_);
    if (const Cache* known = FindCache(options)) return known->cache;
  }
  Cache made{options, options.shares_weights ? CreateCache(options) : nullptr};
  if (!options.packed_file.empty()) FlushAtExit(*this);
  const std::lock_guard<ForkSafeMutex> lock(mutex_);
  if (const Cache* known = FindCache(options)) return known->cache;
  caches_.push_back(made);
  return made.cache;
}

const Backends::Entry* Backends::Find(const Entry& wanted) const {
  for (const Entry& known : entries_) {
    if (known.pool == wanted.pool && known.process == wanted.process &&
        known.options.HasSameBackend(wanted.options)) {
      return &known;
    }
  }
  return nullptr;
}

Result<Ref<Backend>> Backends::For(const LoadOptions& options) {
  Entry wanted{options, ::executorch::extension::threadpool::get_pthreadpool(), getpid(), {}};
  {
    const std::lock_guard<ForkSafeMutex> lock(mutex_);
    if (const Entry* known = Find(wanted)) return known->backend;
  }
  XnnpackBackendOptions backend_options;
  backend_options.weight_cache = CacheFor(options);
  backend_options.threadpool = wanted.pool;
  backend_options.linears = options.linears;
  ONEPACK_ASSIGN_OR_RETURN(wanted.backend, CreateXnnpackBackend(backend_options));
  const std::lock_guard<ForkSafeMutex> lock(mutex_);
  if (const Entry* known = Find(wanted)) return known->backend;
  entries_.push_back(wanted);
  return wanted.backend;
}

std::vector<std::shared_ptr<WeightCache>> Backends::SharedCaches() {
  const std::lock_guard<ForkSafeMutex> lock(mutex_);
  std::vector<std::shared_ptr<WeightCache>> shared;
  for (const Cache& known : caches_) {
    if (known.cache != nullptr) shared.push_back(known.cache);
  }
  return shared;
}

Status Backends::Flush() {
  for (const auto& cache : SharedCaches()) ONEPACK_RETURN_IF_ERROR(cache->Flush());
  return Status::Ok();
}

BackendStats Backends::Stats() {
  BackendStats sum = StatsOf(WeightCacheStats());
  for (const auto& cache : SharedCaches()) {
    const BackendStats one = StatsOf(cache->Stats());
    for (size_t i = 0; i < sum.size(); ++i) sum[i].value += one[i].value;
  }
  return sum;
}

}  // namespace onepack
