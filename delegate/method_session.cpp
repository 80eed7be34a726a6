#include "delegate/method_session.h"

#include <unistd.h>

#include <new>
#include <vector>

#include "delegate/executor.h"
#include "delegate/payload.h"

namespace onepack {

Result<Ref<BackendSession>> MethodSession::Open(XnnpackBackendOptions options, pid_t owner) {
  xnn_workspace_t workspace = nullptr;
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_create_workspace(&workspace), "creating a workspace");
  XnnWorkspace handle(workspace);
  ONEPACK_ASSIGN_OR_RETURN(
      Ref<MethodSession> session,
      MakeRef<MethodSession>(HeapAllocator(), std::move(options), owner, std::move(handle)));
  return Ref<BackendSession>(session);
}

Status MethodSession::CheckThreadpool() const {
  if (threadpool() == nullptr || getpid() == owner_) return Status::Ok();
  return Status::Error(StatusCode::kFailedPrecondition,
                       "this process was forked off, and the thread pool's threads were not: make "
                       "a pool and a backend here, and load the method again");
}

// XNNPACK stands between the callback and us: nothing must be thrown through it.
bool MethodSession::WantsToGoOn(const LoadProgress& progress) const noexcept try {
  return !options_.on_progress || options_.on_progress(progress);
} catch (...) {
  return false;
}

Status MethodSession::LoadDelegates(Span<const DelegateRequest> requests,
                                    Span<Ref<Delegate>> delegates) try {
  ONEPACK_RETURN_IF_ERROR(CheckThreadpool());
  KeyVerifier verifier;
  std::vector<std::shared_ptr<const Payload>> payloads;
  LoadProgress progress{};
  for (const DelegateRequest& request : requests) {
    auto payload =
        Payload::Open(request, cache()->contents(), options_.verify_keys ? &verifier : nullptr);
    if (!payload.ok()) return payload.TakeStatus().WithContext("delegate %zu", request.index);
    progress.expected_bytes += RawWeightBytes(**payload);
    progress.program = request.source->name();
    payloads.push_back(std::move(payload).value());
  }
  const auto on_served = [&](uint64_t raw_bytes) {
    progress.served_bytes += raw_bytes;
    if (WantsToGoOn(progress)) return Status::Ok();
    return Status::Error(StatusCode::kCancelled, "cancelled after %llu of %llu bytes of weights",
                         static_cast<unsigned long long>(progress.served_bytes),
                         static_cast<unsigned long long>(progress.expected_bytes));
  };
  for (size_t i = 0; i < requests.size(); ++i) {
    auto delegate = Executor::Create(Ref<MethodSession>::Share(this), std::move(payloads[i]),
                                     requests[i].max_planned_bytes, on_served);
    if (!delegate.ok()) return delegate.TakeStatus().WithContext("delegate %zu", requests[i].index);
    delegates[i] = std::move(delegate).value();
  }
  return Status::Ok();
} catch (const std::bad_alloc&) {
  return Status::Error(StatusCode::kResourceExhausted, "out of memory while loading delegates");
}

}  // namespace onepack
