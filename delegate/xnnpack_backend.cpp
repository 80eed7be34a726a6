#include "onepack/xnnpack_backend.h"

#include <unistd.h>

#include <new>
#include <utility>

#include "delegate/running/method_session.h"
#include "delegate/xnn/initialize.h"
#include "weight_cache/packed_weight_cache.h"

namespace onepack {
namespace {

class XnnpackBackend final : public Backend {
 public:
  // Moves only: MakeRef has no use for constructors that throw.
  XnnpackBackend(XnnpackBackendOptions options, std::shared_ptr<RuntimePool> pool)
      : options_(std::move(options)), pool_(std::move(pool)) {}

  const char* name() const override { return "XnnpackBackend"; }

  Result<Ref<BackendSession>> OpenSession() override try {
    // A method that shares nothing packs in the same way, into a cache of its own.
    const bool is_shared = options_.weight_cache != nullptr;
    SessionOptions options;
    options.cache =
        is_shared ? PackedWeightCache::Of(options_.weight_cache) : PackedWeightCache::Create();
    options.threads = {options_.threadpool, owner_};
    options.on_progress = options_.on_progress;
    options.verify_keys = options_.verify_keys;
    options.linears = options_.linears;
    options.packer.prefetches = options_.prefetch_weights;
    options.packer.threads = options_.packing_threads;
    options.packer.min_bytes_per_thread = options_.min_bytes_per_packing_thread;
    // The hash of a weight is taken of all its raw bytes at once.
    const bool is_hashed = options.cache->options().record_hashes;
    options.packer.large_weight_bytes = is_hashed ? 0 : options_.large_weight_bytes;
    return MethodSession::Open(std::move(options),
                               is_shared ? pool_ : std::make_shared<RuntimePool>());
  } catch (const std::bad_alloc&) {
    return Status::Error(StatusCode::kResourceExhausted, "out of memory while opening a session");
  }

 private:
  const XnnpackBackendOptions options_;
  const std::shared_ptr<RuntimePool> pool_;  // of all methods that share the cache
  const pid_t owner_ = getpid();
};

}  // namespace

Result<Ref<Backend>> CreateXnnpackBackend(const XnnpackBackendOptions& options) try {
  ONEPACK_RETURN_IF_ERROR(InitializeXnnpack());
  ONEPACK_ASSIGN_OR_RETURN(Ref<XnnpackBackend> backend,
                           MakeRef<XnnpackBackend>(HeapAllocator(), XnnpackBackendOptions(options),
                                                   std::make_shared<RuntimePool>()));
  return Ref<Backend>(backend);
} catch (const std::bad_alloc&) {
  return Status::Error(StatusCode::kResourceExhausted, "out of memory while creating a backend");
}

}  // namespace onepack
