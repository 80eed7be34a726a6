#include "delegate/executor.h"

#include <atomic>
#include <new>
#include <utility>

#include "delegate/graph_definition.h"

namespace onepack {
namespace {

DelegateRuntime::UserId NewId() {
  static std::atomic<DelegateRuntime::UserId> last{0};
  return ++last;
}

Digest KeyOfOwn(DelegateRuntime::UserId id) { return DigestBuilder("own").Add(id).Finish(); }

Status StatusOf(Result<DelegateRuntime*> created) {
  return created.ok() ? Status::Ok() : created.TakeStatus();
}

}  // namespace

Executor::Executor(Ref<MethodSession> session, std::shared_ptr<const Payload> payload,
                   uint64_t max_activation_bytes)
    : session_(std::move(session)),
      payload_(std::move(payload)),
      max_activation_bytes_(max_activation_bytes),
      id_(NewId()),
      provider_(session_->cache()) {}

Executor::~Executor() {
  if (is_shared_) {
    session_->pool().Leave(key_);
  } else {
    session_->home().runtimes.erase(key_);
  }
}

Result<Ref<Executor>> Executor::Prepare(Ref<MethodSession> session,
                                        std::shared_ptr<const Payload> payload,
                                        const Options& options) {
  ONEPACK_ASSIGN_OR_RETURN(Ref<Executor> executor,
                           MakeRef<Executor>(HeapAllocator(), std::move(session),
                                             std::move(payload), options.max_activation_bytes));
  ONEPACK_ASSIGN_OR_RETURN(executor->pending_, executor->MakeGraph(options, /*trust_cache=*/true));
  return executor;
}

Result<std::unique_ptr<Executor::PendingGraph>> Executor::MakeGraph(const Options& options,
                                                                    bool trust_cache) const {
  WeightCache& cache = *session_->cache();
  auto pending = std::make_unique<PendingGraph>(
      cache.options().record_hashes ? &cache.contents() : nullptr, options.on_served);
  Result<BuiltGraph> graph = BuildGraph(
      *payload_, GraphOptions{cache, pending->raw_weights, max_activation_bytes_, trust_cache,
                              options.wants_packable_nodes, options.ones, options.sliced_packer});
  if (graph.ok()) {
    pending->graph = std::move(graph).value();
    return pending;
  }
  // Weights that XNNPACK packs without asking are read while the graph is built, and may be among
  // those that the cache was expected to have. Nothing was served so far.
  if (!pending->raw_weights.was_surprised()) return graph.TakeStatus();
  return MakeGraph(options, /*trust_cache=*/false);
}

Status Executor::Finish(Lane& lane) {
  std::unique_ptr<PendingGraph> pending = std::move(pending_);
  if (!pending->graph.structure) {
    key_ = KeyOfOwn(id_);
    return StatusOf(CreateRuntime(std::move(pending), session_->home()));
  }
  Share(*pending->graph.structure);
  ONEPACK_ASSIGN_OR_RETURN(const bool has_weights, TakeWeights(*pending, lane));
  if (has_weights) return Status::Ok();
  ONEPACK_ASSIGN_OR_RETURN(const DelegateRuntime* runtime, CreateRuntime(std::move(pending), lane));
  if (runtime->weights().is_shared()) {
    session_->pool().Learn(key_, runtime->weights().entries());
    return Status::Ok();
  }
  // Some pointers meant two things.
  lane.runtimes.erase(key_);
  Unshare();
  return StatusOf(CreateRuntimeFromNothing(session_->home()));
}

void Executor::Share(const Digest& structure) {
  session_->pool().Join(structure);
  key_ = structure;
  is_shared_ = true;
}

void Executor::Unshare() {
  session_->pool().Leave(key_);
  key_ = KeyOfOwn(id_);
  is_shared_ = false;
}

void Executor::Describe(BuiltGraph& graph) {
  provider_.ClearDescriptions();
  for (const DescribedWeight& weight : graph.weights) {
    provider_.Describe(weight.kernel, weight.bias, weight.description);
  }
}

Result<bool> Executor::TakeWeights(PendingGraph& pending, Lane& lane) {
  std::vector<WeightTable::Entry> entries;
  if (!session_->pool().Knows(key_, &entries)) return false;
  Describe(pending.graph);
  WeightTable scratch;
  std::vector<bool> is_served(pending.graph.weights.size());
  provider_.BeginBuild(&pending.raw_weights, scratch);
  Status status;
  bool has_all = true;
  for (size_t i = 0; i < entries.size() && status.ok() && has_all; ++i) {
    status = TakeWeight(pending, entries[i], lane, scratch, is_served);
    has_all = provider_.IsPinned(entries[i]);
  }
  // The provider knows better why something could not be packed.
  ONEPACK_RETURN_IF_ERROR(provider_.EndBuild());
  ONEPACK_RETURN_IF_ERROR(std::move(status));
  for (size_t i = 0; i < is_served.size() && has_all; ++i) {
    if (is_served[i]) continue;
    const DescribedWeight& weight = pending.graph.weights[i];
    ONEPACK_RETURN_IF_ERROR(pending.raw_weights.AfterServing(weight.kernel, weight.bias));
  }
  return has_all;
}

// Whether it is in the cache is asked beforehand, because a miss would be counted twice.
Status Executor::TakeWeight(PendingGraph& pending, const WeightTable::Entry& entry, Lane& lane,
                            WeightTable& scratch, std::vector<bool>& is_served) {
  if (provider_.IsPinned(entry)) return Status::Ok();
  const WeightIdentity& identity = pending.graph.weights[entry.weight].description.identity;
  const bool is_there = !session_->cache()->PinAll(identity, LayoutFingerprint()).empty();
  if (is_there && provider_.Find(entry)) return Status::Ok();
  for (const PackableNode& node : pending.graph.packable_nodes) {
    if (node.weight != entry.weight) continue;
    is_served[entry.weight] = true;
    return PackAlone(*payload_, node.alone, scratch.handle(), lane.workspace.get());
  }
  return Status::Ok();
}

Result<std::unique_ptr<DelegateRuntime>> Executor::CreateOnce(PendingGraph& pending, Lane& lane) {
  Describe(pending.graph);
  return DelegateRuntime::Create(payload_, std::move(pending.graph), provider_, pending.raw_weights,
                                 lane.workspace.get(), session_->threadpool(), id_);
}

Result<DelegateRuntime*> Executor::CreateRuntime(std::unique_ptr<PendingGraph> pending,
                                                 Lane& lane) {
  lane.runtimes.erase(key_);
  auto created = CreateOnce(*pending, lane);
  if (!created.ok() && pending->raw_weights.was_surprised()) {
    // What was served so far is pinned and found again, and not to be counted twice.
    ONEPACK_ASSIGN_OR_RETURN(pending, MakeGraph(Options{}, /*trust_cache=*/false));
    return CreateRuntime(std::move(pending), lane);
  }
  if (!created.ok()) return created.TakeStatus();
  return (lane.runtimes[key_] = std::move(created).value()).get();
}

Result<DelegateRuntime*> Executor::CreateRuntimeFromNothing(Lane& lane) {
  ONEPACK_ASSIGN_OR_RETURN(auto pending, MakeGraph(Options{}, /*trust_cache=*/true));
  return CreateRuntime(std::move(pending), lane);
}

Status Executor::Execute(Span<Value* const> arguments) {
  ONEPACK_RETURN_IF_ERROR(session_->CheckThreadpool());
  if (!is_shared_) {
    Status status = RunIn(session_->home(), arguments);
    if (Spoiled(session_->home())) session_->home().Clear();
    return status;
  }
  ONEPACK_ASSIGN_OR_RETURN(RuntimePool::Lease lease,
                           session_->pool().Take(key_, id_, session_->last_lane()));
  session_->set_last_lane(&lease.lane());
  Status status = RunIn(lease.lane(), arguments);
  if (Spoiled(lease.lane())) lease.Discard();
  return status;
}

Status Executor::RunIn(Lane& lane, Span<Value* const> arguments) try {
  DelegateRuntime* runtime = lane.Find(key_);
  if (runtime == nullptr || !runtime->LendTo(id_, provider_)) {
    ONEPACK_ASSIGN_OR_RETURN(runtime, CreateRuntimeFromNothing(lane));
  }
  ONEPACK_RETURN_IF_ERROR(runtime->TakeInputs(arguments));
  if (runtime->needs_another_plan()) {
    ONEPACK_ASSIGN_OR_RETURN(runtime, CreateRuntimeFromNothing(lane));
    ONEPACK_RETURN_IF_ERROR(runtime->TakeInputs(arguments));
  }
  return runtime->Run(arguments);
} catch (const std::bad_alloc&) {
  lane.is_spoiled = true;
  return Status::Error(StatusCode::kResourceExhausted, "out of memory in a delegate");
}

// A failure may leave every runtime of the workspace with stale pointers.
bool Executor::Spoiled(const Lane& lane) const {
  const DelegateRuntime* runtime = lane.Find(key_);
  return lane.is_spoiled || (runtime != nullptr && runtime->is_broken());
}

}  // namespace onepack
