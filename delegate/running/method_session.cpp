#include "delegate/running/method_session.h"

#include <unistd.h>

#include <new>
#include <vector>

#include "delegate/graph/payload.h"
#include "delegate/packing/load_reporter.h"
#include "delegate/packing/parallel_packing.h"
#include "delegate/packing/sliced_packing.h"
#include "delegate/packing/source_call.h"
#include "delegate/plan/graph_weights.h"
#include "delegate/running/executor.h"

namespace onepack {

Result<Ref<BackendSession>> MethodSession::Open(XnnpackBackendOptions options,
                                                std::shared_ptr<RuntimePool> pool, pid_t owner) {
  ONEPACK_ASSIGN_OR_RETURN(Lane home, Lane::Create());
  ONEPACK_ASSIGN_OR_RETURN(Ref<MethodSession> session,
                           MakeRef<MethodSession>(HeapAllocator(), std::move(options),
                                                  std::move(pool), owner, std::move(home)));
  return Ref<BackendSession>(session);
}

Status MethodSession::CheckThreadpool() const {
  if (threadpool() == nullptr || getpid() == owner_) return Status::Ok();
  return Status::Error(StatusCode::kFailedPrecondition,
                       "this process was forked off, and the thread pool's threads were not: make "
                       "a pool and a backend here, and load the method again");
}

Status MethodSession::LoadDelegates(Span<const DelegateRequest> requests,
                                    Span<Ref<Delegate>> delegates) try {
  ONEPACK_RETURN_IF_ERROR(CheckThreadpool());
  ONEPACK_RETURN_IF_ERROR(SourceCall::CheckNone());
  KeyVerifier verifier;
  std::vector<std::shared_ptr<const Payload>> payloads;
  uint64_t expected_bytes = 0;
  for (const DelegateRequest& request : requests) {
    auto payload = Payload::Open(request, cache()->contents(), pool().graphs(),
                                 options_.verify_keys ? &verifier : nullptr);
    if (!payload.ok()) return payload.TakeStatus().WithContext("delegate %zu", request.index);
    if (options_.on_progress) expected_bytes += RawWeightBytes(**payload);
    payloads.push_back(std::move(payload).value());
  }
  if (requests.empty()) return Status::Ok();
  LoadReporter reporter(options_.on_progress, requests[0].source->name(), expected_bytes);
  // Nobody runs in it before all is loaded: what runs meanwhile is not held up.
  ONEPACK_ASSIGN_OR_RETURN(RuntimePool::Lease lease, pool().TakeNew());
  // The hash of a weight is taken of all its raw bytes at once.
  SlicedPacker sliced_packer(cache(),
                             cache()->options().record_hashes ? 0 : options_.large_weight_bytes,
                             options_.packing_threads, reporter);
  const Load load{requests,     payloads,     reporter, std::make_shared<OnesStore>(),
                  lease.lane(), sliced_packer};
  return options_.packing_threads > 1 ? PackAheadAndFinish(load, delegates)
                                      : PackOnTheWay(load, delegates);
} catch (const std::bad_alloc&) {
  return Status::Error(StatusCode::kResourceExhausted, "out of memory while loading delegates");
}

// One delegate after the other, so that no two graphs are in memory.
Status MethodSession::PackOnTheWay(const Load& load, Span<Ref<Delegate>> delegates) {
  for (size_t i = 0; i < load.requests.size(); ++i) {
    ONEPACK_ASSIGN_OR_RETURN(const Ref<Executor> executor, Prepare(load, i));
    ONEPACK_RETURN_IF_ERROR(Finish(load, i, *executor));
    delegates[i] = executor;
  }
  return Status::Ok();
}

Status MethodSession::PackAheadAndFinish(const Load& load, Span<Ref<Delegate>> delegates) {
  std::vector<Ref<Executor>> executors;
  for (size_t i = 0; i < load.requests.size(); ++i) {
    ONEPACK_ASSIGN_OR_RETURN(Ref<Executor> executor, Prepare(load, i));
    executors.push_back(std::move(executor));
  }
  const PackedAhead pins =
      PackAhead(cache(), {executors.data(), executors.size()}, options_.packing_threads,
                options_.min_bytes_per_packing_thread, load.reporter);
  ONEPACK_RETURN_IF_ERROR(load.reporter.CheckNotCancelled());
  for (size_t i = 0; i < load.requests.size(); ++i) {
    ONEPACK_RETURN_IF_ERROR(Finish(load, i, *executors[i]));
    delegates[i] = executors[i];
  }
  return Status::Ok();
}

Result<Ref<Executor>> MethodSession::Prepare(const Load& load, size_t index) {
  const DelegateRequest& request = load.requests[index];
  LoadReporter& reporter = load.reporter;
  Executor::Options options;
  options.max_activation_bytes = request.max_planned_bytes;
  options.on_served = [&reporter](uint64_t raw_bytes) { return reporter.Served(raw_bytes); };
  // A delegate of a structure that is known needs no runtime, and its weights are packed alone.
  options.wants_packable_nodes = [this](const std::optional<Digest>& structure) {
    return options_.packing_threads > 1 || (structure && pool().Knows(*structure));
  };
  options.ones = load.ones;
  options.sliced_packer = &load.sliced_packer;
  auto executor = Executor::Prepare(Ref<MethodSession>::Share(this), load.payloads[index], options);
  if (!executor.ok()) return executor.TakeStatus().WithContext("delegate %zu", request.index);
  return executor;
}

Status MethodSession::Finish(const Load& load, size_t index, Executor& executor) {
  Status status = executor.Finish(load.lane);
  if (status.ok()) return status;
  return std::move(status).WithContext("delegate %zu", load.requests[index].index);
}

}  // namespace onepack
