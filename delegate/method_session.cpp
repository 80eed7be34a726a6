#include "delegate/method_session.h"

#include <new>

#include "delegate/executor.h"
#include "delegate/payload.h"

namespace onepack {

Result<Ref<BackendSession>> MethodSession::Open(std::shared_ptr<WeightCache> cache,
                                                pthreadpool* threadpool) {
  xnn_workspace_t workspace = nullptr;
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_create_workspace(&workspace), "creating a workspace");
  XnnWorkspace owner(workspace);
  ONEPACK_ASSIGN_OR_RETURN(Ref<MethodSession> session,
                           MakeRef<MethodSession>(HeapAllocator(), std::move(cache),
                                                  std::move(owner), threadpool));
  return Ref<BackendSession>(session);
}

Result<Ref<Delegate>> MethodSession::LoadDelegate(const DelegateRequest& request) try {
  ONEPACK_ASSIGN_OR_RETURN(std::shared_ptr<const Payload> payload, Payload::Open(request));
  return Executor::Create(Ref<MethodSession>::Share(this), std::move(payload));
} catch (const std::bad_alloc&) {
  return Status::Error(StatusCode::kResourceExhausted, "out of memory while loading a delegate");
}

}  // namespace onepack
