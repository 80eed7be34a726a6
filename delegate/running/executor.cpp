#include "delegate/running/executor.h"

#include <algorithm>
#include <atomic>
#include <new>
#include <utility>

#include "delegate/packing/lone_node.h"

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
  session_->home().Remove(key_);
  if (is_shared_) session_->pool().Leave(key_, id_);
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
  lane.Remove(key_);
  Unshare();
  return StatusOf(CreateRuntimeFromNothing(session_->home()));
}

void Executor::Share(const Digest& structure) {
  session_->pool().Join(structure, id_);
  key_ = structure;
  is_shared_ = true;
}

void Executor::Unshare() {
  session_->pool().Leave(key_, id_);
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
  const BuiltGraph& graph = pending.graph;
  Describe(pending.graph);
  std::vector<const LoneNode*> nodes(graph.weights.size());
  for (const PackableNode& node : graph.packable_nodes) nodes[node.weight] = &node.alone;
  std::vector<bool> is_served(graph.weights.size());
  const uint64_t served_before = pending.raw_weights.served_bytes();
  WeightTable scratch;
  provider_.BeginBuild(&pending.raw_weights, scratch);
  Status status;
  bool has_all = true;
  for (size_t i = 0; i < entries.size() && status.ok() && has_all; ++i) {
    const size_t weight = entries[i].weight;
    if (provider_.Find(entries[i])) continue;
    if (nodes[weight] != nullptr) {
      status = PackAlone(*payload_, *nodes[weight], scratch.handle(), lane.workspace());
      is_served[weight] = true;
    }
    has_all = provider_.IsPinned(entries[i]);
  }
  // The provider knows better why something could not be packed.
  ONEPACK_RETURN_IF_ERROR(provider_.EndBuild());
  provider_.ForgetPointers();
  ONEPACK_RETURN_IF_ERROR(std::move(status));
  if (!has_all) {
    // A runtime is created instead, which is served them all.
    pending.raw_weights.ExpectAgain(pending.raw_weights.served_bytes() - served_before);
    return false;
  }
  for (size_t i = 0; i < is_served.size(); ++i) {
    if (is_served[i]) continue;
    ONEPACK_RETURN_IF_ERROR(
        pending.raw_weights.AfterServing(graph.weights[i].kernel, graph.weights[i].bias));
  }
  return true;
}

Result<std::unique_ptr<DelegateRuntime>> Executor::CreateOnce(PendingGraph& pending, Lane& lane,
                                                              bool uses_threads) {
  Describe(pending.graph);
  auto created =
      DelegateRuntime::Create(*payload_, std::move(pending.graph), provider_, pending.raw_weights,
                              lane.workspace(), {session_->threadpool(), uses_threads}, id_);
  provider_.ForgetPointers();
  return created;
}

Result<DelegateRuntime*> Executor::CreateRuntime(std::unique_ptr<PendingGraph> pending, Lane& lane,
                                                 bool uses_threads) {
  lane.MakeRoom(key_);
  const RawWeights& raw_weights = pending->raw_weights;
  const uint64_t served_before = raw_weights.served_bytes();
  auto created = CreateOnce(*pending, lane, uses_threads);
  if (!created.ok() && raw_weights.was_surprised()) {
    const uint64_t reported =
        raw_weights.served_bytes() - served_before + raw_weights.reported_bytes();
    Options options;
    options.on_served = raw_weights.on_served();
    ONEPACK_ASSIGN_OR_RETURN(pending, MakeGraph(options, /*trust_cache=*/false));
    pending->raw_weights.ExpectAgain(reported);
    return CreateRuntime(std::move(pending), lane, uses_threads);
  }
  if (!created.ok()) return created.TakeStatus();
  return lane.Add(key_, std::move(created).value());
}

Result<DelegateRuntime*> Executor::CreateRuntimeFromNothing(Lane& lane, bool uses_threads) {
  ONEPACK_ASSIGN_OR_RETURN(auto pending, MakeGraph(Options{}, /*trust_cache=*/true));
  return CreateRuntime(std::move(pending), lane, uses_threads);
}

Status Executor::Execute(Span<Value* const> arguments) try {
  ONEPACK_RETURN_IF_ERROR(session_->CheckThreadpool());
  if (!is_shared_) {
    if (session_->home().is_spoiled()) session_->home().Clear();
    return RunIn(session_->home(), arguments);
  }
  ONEPACK_ASSIGN_OR_RETURN(RuntimePool::Lease lease,
                           session_->pool().Take(key_, id_, session_->last_lane()));
  session_->set_last_lane(&lease.lane());
  return RunIn(lease.lane(), arguments);
} catch (const std::bad_alloc&) {
  return Status::Error(StatusCode::kResourceExhausted, "out of memory in a delegate");
}

// A failure inside XNNPACK may leave every runtime of the workspace with stale pointers.
Status Executor::RunIn(Lane& lane, Span<Value* const> arguments) try {
  ONEPACK_ASSIGN_OR_RETURN(DelegateRuntime * runtime, FindFor(arguments, lane));
  if (runtime == nullptr) {
    ONEPACK_ASSIGN_OR_RETURN(runtime, CreateFor(arguments, lane));
  }
  Status status = runtime->Run(arguments);
  if (runtime->is_broken()) lane.Spoil();
  return status;
} catch (const std::bad_alloc&) {
  lane.Spoil();
  throw;
}

// Any runtime that has taken the inputs knows whether threads are worth it: at most two are
// created.
Result<DelegateRuntime*> Executor::CreateFor(Span<Value* const> arguments, Lane& lane) {
  const Lane::Runtimes* others = lane.Find(key_);
  bool uses_threads = others == nullptr || others->front()->wants_threads();
  for (;;) {
    ONEPACK_ASSIGN_OR_RETURN(DelegateRuntime * runtime,
                             CreateRuntimeFromNothing(lane, uses_threads));
    ONEPACK_RETURN_IF_ERROR(runtime->TakeInputs(arguments));
    if (!runtime->needs_another_plan()) return runtime;
    uses_threads = runtime->wants_threads();
  }
}

Result<DelegateRuntime*> Executor::FindFor(Span<Value* const> arguments, Lane& lane) {
  Lane::Runtimes* runtimes = lane.Find(key_);
  if (runtimes == nullptr) return nullptr;
  for (auto runtime = runtimes->begin(); runtime != runtimes->end(); ++runtime) {
    if (!(*runtime)->LendTo(id_, provider_)) continue;
    ONEPACK_RETURN_IF_ERROR((*runtime)->TakeInputs(arguments));
    if ((*runtime)->needs_another_plan()) continue;
    std::rotate(runtimes->begin(), runtime, runtime + 1);
    return runtimes->front().get();
  }
  return nullptr;
}

}  // namespace onepack
