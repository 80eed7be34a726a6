#include "delegate/running/executor.h"

#include <algorithm>
#include <atomic>
#include <new>
#include <utility>

namespace onepack {
namespace {

DelegateRuntime::UserId NewId() {
  static std::atomic<DelegateRuntime::UserId> last{0};
  return ++last;
}

}  // namespace

Executor::Executor(Ref<MethodContext> context, std::shared_ptr<const PayloadContents> contents,
                   PinnedWeights pins, const PlanOptions& options)
    : context_(std::move(context)),
      contents_(std::move(contents)),
      pins_(std::move(pins)),
      options_(options),
      id_(NewId()),
      key_(Digest::UnlikeAll()) {}

Executor::~Executor() {
  // A shared one may be closed by a fork of the method, in another thread: the lane is not its.
  if (is_shared_) {
    context_->pool().Leave(key_, id_);
  } else {
    context_->own_lane().Remove(key_);
  }
}

Result<Ref<Executor>> Executor::Load(Ref<MethodContext> context, Plan plan, PinnedWeights pins,
                                     const PlanOptions& options, Lane& lane, OnesStore& ones) {
  ONEPACK_ASSIGN_OR_RETURN(
      Ref<Executor> executor,
      MakeRef<Executor>(HeapAllocator(), std::move(context), std::shared_ptr(plan.contents),
                        std::move(pins), options));
  ONEPACK_RETURN_IF_ERROR(executor->CreateFirstRuntime(std::move(plan), lane, ones));
  return executor;
}

Result<Ref<Executor>> Executor::Fork(Ref<MethodContext> context) const {
  return MakeRef<Executor>(HeapAllocator(), std::move(context), std::shared_ptr(contents_),
                           pins_.Share(), options_);
}

Status Executor::CreateFirstRuntime(Plan plan, Lane& lane, OnesStore& ones) {
  if (plan.structure) {
    context_->pool().Join(*plan.structure, id_);
    key_ = *plan.structure;
    is_shared_ = true;
    if (context_->pool().Knows(key_)) return Status::Ok();
  }
  auto runtime = std::make_unique<DelegateRuntime>(std::move(plan), id_);
  Lane& first_lane = is_shared_ ? lane : context_->own_lane();
  ONEPACK_RETURN_IF_ERROR(Create(*runtime, first_lane, ones));
  // One that cannot be lent, for instance with a weight packed for it alone, is of no use to
  // others.
  const bool is_of_use = is_shared_ && runtime->is_shareable();
  first_lane.Add(key_, std::move(runtime));
  if (is_of_use) context_->pool().Learn(key_);
  return Status::Ok();
}

Status Executor::Create(DelegateRuntime& runtime, Lane& lane, OnesStore& ones) const {
  lane.MakeRoom(key_, id_);
  return runtime.Create(pins_, {context_->cache(), lane.workspace(), context_->threadpool(), ones});
}

Status Executor::Execute(Span<Value* const> arguments) try {
  ONEPACK_RETURN_IF_ERROR(context_->CheckThreadpool());
  if (!is_shared_) {
    if (context_->own_lane().is_spoiled()) context_->own_lane().Clear();
    return RunIn(context_->own_lane(), arguments);
  }
  ONEPACK_ASSIGN_OR_RETURN(RuntimePool::Lease lease,
                           context_->pool().Take(key_, id_, context_->last_lane()));
  context_->set_last_lane(&lease.lane());
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

Result<DelegateRuntime*> Executor::CreateFor(Span<Value* const> arguments, Lane& lane) const {
  ONEPACK_ASSIGN_OR_RETURN(Plan plan, MakePlan(contents_, options_));
  auto runtime = std::make_unique<DelegateRuntime>(std::move(plan), id_);
  ONEPACK_RETURN_IF_ERROR(runtime->TakeInputs(arguments));
  OnesStore ones;
  ONEPACK_RETURN_IF_ERROR(Create(*runtime, lane, ones));
  return lane.Add(key_, std::move(runtime));
}

Result<DelegateRuntime*> Executor::FindFor(Span<Value* const> arguments, Lane& lane) const {
  Lane::Runtimes* runtimes = lane.Find(key_);
  if (runtimes == nullptr) return nullptr;
  for (auto runtime = runtimes->begin(); runtime != runtimes->end(); ++runtime) {
    if (!(*runtime)->LendTo(id_, pins_)) continue;
    ONEPACK_RETURN_IF_ERROR((*runtime)->TakeInputs(arguments));
    if ((*runtime)->needs_another_plan()) continue;
    std::rotate(runtimes->begin(), runtime, runtime + 1);
    return runtimes->front().get();
  }
  return nullptr;
}

}  // namespace onepack
