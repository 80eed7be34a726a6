#include "c_api/engine.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "c_api/boundary.h"
#include "c_api/handles.h"
#include "c_api/sized_struct.h"
#include "onepack/xnnpack_backend.h"

namespace onepack {
namespace {

constexpr bool Equal(int number, LinearLayout layout) { return number == static_cast<int>(layout); }
static_assert(Equal(ONEPACK_LINEARS_AUTO, LinearLayout::kAuto));
static_assert(Equal(ONEPACK_LINEARS_IN_PLACE, LinearLayout::kInPlace));
static_assert(Equal(ONEPACK_LINEARS_PACKED, LinearLayout::kPacked));

Result<LinearLayout> LinearsOf(const onepack_engine_options& options) {
  if (options.linears >= ONEPACK_LINEARS_AUTO && options.linears <= ONEPACK_LINEARS_PACKED) {
    return static_cast<LinearLayout>(options.linears);
  }
  return Status::Error(StatusCode::kInvalidArgument,
                       "onepack_engine_options: linears %d is no ONEPACK_LINEARS_...",
                       static_cast<int>(options.linears));
}

std::shared_ptr<WeightCache> CreateCache(const onepack_engine_options& options) {
  WeightCacheOptions cache;
  cache.retained_bytes = options.retained_bytes;
  cache.record_hashes = options.record_hashes != 0;
  cache.huge_pages = options.huge_pages != 0;
  if (options.packed_file != nullptr) cache.packed_file.path = options.packed_file;
  if (options.packed_file_max_bytes > 0) {
    cache.packed_file.max_bytes = options.packed_file_max_bytes;
  }
  cache.packed_file.is_read_only = options.packed_file_read_only != 0;
  return WeightCache::Create(cache);
}

onepack_cache_stats StatsOf(const WeightCacheStats& stats) {
  onepack_cache_stats result = {};
  result.entries = stats.entries;
  result.bytes = stats.bytes;
  result.private_bytes = stats.private_bytes;
  result.retained_bytes = stats.retained_bytes;
  result.in_place_bytes = stats.in_place_bytes;
  result.copied_bytes = stats.copied_bytes;
  result.hits = stats.hits;
  result.hit_bytes = stats.hit_bytes;
  result.misses = stats.misses.total();
  result.packed_bytes = stats.packed_bytes;
  result.packing_ns = stats.packing_ns;
  result.evictions = stats.evictions;
  result.file_hits = stats.file.hits;
  result.file_hit_bytes = stats.file.hit_bytes;
  result.file_written = stats.file.written;
  result.file_troubles = stats.file.troubles;
  return result;
}

}  // namespace

Result<std::shared_ptr<Engine>> Engine::Create(const onepack_engine_options& options) {
  auto engine = std::make_shared<Engine>();
  engine->max_planned_bytes_ = options.max_planned_bytes;
  engine->cache_ = CreateCache(options);
  ONEPACK_RETURN_IF_ERROR(engine->StartThreads(options.threads));
  CpuOperatorOptions operators;
  operators.threadpool = engine->threads_.get();
  ONEPACK_ASSIGN_OR_RETURN(engine->operators_, CpuOperators::Create(operators));
  ONEPACK_RETURN_IF_ERROR(engine->CreateBackend(options));
  return engine;
}

// A pool's threads wait for each other by spinning: more of them than there are processors would
// keep those that work from working.
Status Engine::StartThreads(size_t threads) {
  const size_t processors = std::thread::hardware_concurrency();  // 0 when it is not known
  if (processors > 0) threads = std::min(threads, processors);
  if (threads <= 1) return Status::Ok();
  threads_.reset(pthreadpool_create(threads));
  if (threads_ != nullptr) return Status::Ok();
  return Status::Error(StatusCode::kResourceExhausted, "cannot start %zu threads", threads);
}

Status Engine::CreateBackend(const onepack_engine_options& options) {
  XnnpackBackendOptions backend;
  backend.weight_cache = cache_;
  backend.threadpool = threads_.get();
  ONEPACK_ASSIGN_OR_RETURN(backend.linears, LinearsOf(options));
  backend.prefetch_weights = options.prefetch_weights != 0;
  backend.verify_keys = options.verify_keys != 0;
  backend.packing_threads = std::max<size_t>(options.packing_threads, 1);
  ONEPACK_ASSIGN_OR_RETURN(backend_, CreateXnnpackBackend(backend));
  return Status::Ok();
}

MethodOptions Engine::LoadOptions() const {
  MethodOptions options;
  options.backends = {&backend_, 1};
  options.operators = operators_->registry();
  options.max_planned_bytes = max_planned_bytes_;
  return options;
}

}  // namespace onepack

using onepack::CheckGiven;
using onepack::Result;
using onepack::Status;

onepack_status onepack_engine_create(const onepack_engine_options* options, onepack_engine** engine,
                                     char** message) {
  return onepack::GuardNew(engine, message, [&]() -> Result<onepack_engine> {
    onepack_engine_options read;
    ONEPACK_RETURN_IF_ERROR(onepack::ReadStruct(options, "onepack_engine_options", &read));
    ONEPACK_ASSIGN_OR_RETURN(auto created, onepack::Engine::Create(read));
    return onepack_engine{std::move(created)};
  });
}

void onepack_engine_release(onepack_engine* engine) { delete engine; }

onepack_status onepack_engine_stats(const onepack_engine* engine, onepack_cache_stats* stats,
                                    char** message) {
  return onepack::Guard(message, [&]() -> Status {
    ONEPACK_RETURN_IF_ERROR(CheckGiven(engine, "engine"));
    ONEPACK_RETURN_IF_ERROR(CheckGiven(stats, "onepack_cache_stats"));
    ONEPACK_RETURN_IF_ERROR(onepack::CheckSize(*stats, "onepack_cache_stats"));
    onepack::WriteStruct(onepack::StatsOf(engine->engine->cache().Stats()), stats);
    return Status::Ok();
  });
}

onepack_status onepack_engine_prune(onepack_engine* engine, char** message) {
  return onepack::Guard(message, [&]() -> Status {
    ONEPACK_RETURN_IF_ERROR(CheckGiven(engine, "engine"));
    engine->engine->cache().Prune();
    return Status::Ok();
  });
}

onepack_status onepack_engine_flush(onepack_engine* engine, char** message) {
  return onepack::Guard(message, [&]() -> Status {
    ONEPACK_RETURN_IF_ERROR(CheckGiven(engine, "engine"));
    return engine->engine->cache().Flush();
  });
}
