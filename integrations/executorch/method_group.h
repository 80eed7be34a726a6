// The delegates of one method: they share what a session has.
//
// ExecuTorch initializes the delegates of a method one after the other, and does not say where a
// method begins or ends. They are told by the thread, the allocator, the name and the data of the
// load.

#ifndef ONEPACK_INTEGRATIONS_EXECUTORCH_METHOD_GROUP_H_
#define ONEPACK_INTEGRATIONS_EXECUTORCH_METHOD_GROUP_H_

#include <memory>
#include <mutex>

#include "integrations/executorch/executorch_api.h"
#include "onepack/backend.h"
#include "onepack/result.h"

namespace onepack {

struct MethodGroup {
  // Held by whatever uses the session or a delegate of it. A method runs in one thread at a time;
  // but two methods could be taken for one, where the application gives both one allocator.
  std::mutex mutex;
  Ref<BackendSession> session;

  // The group that the delegate which is being initialized belongs to. May throw std::bad_alloc.
  static Result<std::shared_ptr<MethodGroup>> Of(et::BackendInitContext& context, Backend& backend);
};

}  // namespace onepack

#endif  // ONEPACK_INTEGRATIONS_EXECUTORCH_METHOD_GROUP_H_
