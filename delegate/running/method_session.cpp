#include "delegate/running/method_session.h"

#include <new>

#include "delegate/packing/node_packer.h"
#include "delegate/packing/source_call.h"
#include "delegate/plan/plan.h"
#include "delegate/running/executor.h"

namespace onepack {

Result<Ref<BackendSession>> MethodSession::Open(SessionOptions options,
                                                std::shared_ptr<RuntimePool> pool) {
  ONEPACK_ASSIGN_OR_RETURN(
      Ref<MethodContext> context,
      MethodContext::Create(std::shared_ptr(options.cache), std::move(pool), options.threads));
  ONEPACK_ASSIGN_OR_RETURN(
      Ref<MethodSession> session,
      MakeRef<MethodSession>(HeapAllocator(), std::move(options), std::move(context)));
  return Ref<BackendSession>(session);
}

Status MethodSession::LoadDelegates(Span<const DelegateRequest> requests,
                                    Span<Ref<Delegate>> delegates) try {
  ONEPACK_RETURN_IF_ERROR(context_->CheckThreadpool());
  ONEPACK_RETURN_IF_ERROR(SourceCall::CheckNone());
  if (requests.empty()) return Status::Ok();
  ONEPACK_ASSIGN_OR_RETURN(std::vector<Plan> plans, MakePlans(requests));
  uint64_t expected_bytes = 0;
  for (const Plan& plan : plans) {
    for (const Weight& weight : plan.weights) expected_bytes += weight.raw_bytes;
  }
  LoadReporter reporter(options_.on_progress, requests[0].source->name(), expected_bytes);
  const OneNodeRuntime node_packer;
  const Packer packer(options_.cache, node_packer, options_.packer, reporter);
  ONEPACK_ASSIGN_OR_RETURN(std::vector<PinnedWeights> pins, packer.Pin(plans));
  // Nothing runs in it until this load gives it back: what runs meanwhile is not held up.
  ONEPACK_ASSIGN_OR_RETURN(RuntimePool::Lease lease,
                           context_->pool().TakeToFill(context_->filled_lane()));
  context_->set_filled_lane(&lease.lane());
  OnesStore ones;
  for (size_t i = 0; i < requests.size(); ++i) {
    auto executor = Executor::Load(context_, std::move(plans[i]), std::move(pins[i]),
                                   PlanOptionsFor(requests[i]), lease.lane(), ones);
    if (!executor.ok()) return executor.TakeStatus().WithContext("delegate %zu", requests[i].index);
    delegates[i] = *executor;
  }
  return Status::Ok();
} catch (const std::bad_alloc&) {
  return Status::Error(StatusCode::kResourceExhausted, "out of memory while loading delegates");
}

Result<Ref<BackendSession>> MethodSession::Fork(Span<const Ref<Delegate>> delegates,
                                                Span<Ref<Delegate>> forks) try {
  Ref<MethodContext> own;  // for those with runtimes of their own
  for (size_t i = 0; i < delegates.size(); ++i) {
    const auto& executor = static_cast<const Executor&>(*delegates[i]);
    if (executor.is_shared()) {
      forks[i] = delegates[i];
      continue;
    }
    if (!own) {
      ONEPACK_ASSIGN_OR_RETURN(own, context_->Fork());
    }
    ONEPACK_ASSIGN_OR_RETURN(forks[i], executor.Fork(own));
  }
  if (!own) return Ref<BackendSession>::Share(this);
  ONEPACK_ASSIGN_OR_RETURN(
      Ref<MethodSession> session,
      MakeRef<MethodSession>(HeapAllocator(), SessionOptions(options_), std::move(own)));
  return Ref<BackendSession>(session);
} catch (const std::bad_alloc&) {
  return Status::Error(StatusCode::kResourceExhausted, "out of memory while forking delegates");
}

Result<std::vector<Plan>> MethodSession::MakePlans(Span<const DelegateRequest> requests) const {
  KeyVerifier verifier;
  std::vector<Plan> plans;
  plans.reserve(requests.size());
  PlansByGraph by_graph;
  for (const DelegateRequest& request : requests) {
    auto plan = MakePlan(request, options_.verify_keys ? &verifier : nullptr, by_graph);
    if (!plan.ok()) return plan.TakeStatus().WithContext("delegate %zu", request.index);
    plans.push_back(std::move(plan).value());
    plans.back().delegate_index = request.index;
    const std::optional<Digest>& graph = plans.back().payload().graph_id();
    if (graph) by_graph.try_emplace(*graph, &plans.back());
  }
  return plans;
}

Result<Plan> MethodSession::MakePlan(const DelegateRequest& request, KeyVerifier* verifier,
                                     const PlansByGraph& known) const {
  ONEPACK_ASSIGN_OR_RETURN(auto payload,
                           Payload::Open(request, context_->pool().graphs(), verifier));
  ONEPACK_ASSIGN_OR_RETURN(
      auto contents, PayloadContents::Identify(std::move(payload), options_.cache->contents()));
  const std::optional<Digest>& graph = contents->payload().graph_id();
  const auto like = graph ? known.find(*graph) : known.end();
  if (like != known.end() &&
      like->second->options.max_activation_bytes == request.max_planned_bytes) {
    return MakePlanLike(*like->second, std::move(contents));
  }
  return onepack::MakePlan(std::move(contents), PlanOptionsFor(request));
}

}  // namespace onepack
