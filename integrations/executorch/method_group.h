// The delegates of one method: they share what a session has.
//
// ExecuTorch initializes the delegates of a method one after the other, and does not say where a
// method begins or ends. They are told by the thread, the allocator, the name and the data of the
// load.

#ifndef ONEPACK_INTEGRATIONS_EXECUTORCH_METHOD_GROUP_H_
#define ONEPACK_INTEGRATIONS_EXECUTORCH_METHOD_GROUP_H_

#include <stdint.h>

#include <memory>
#include <mutex>
#include <utility>

#include "base/fork_safe_mutex.h"
#include "integrations/executorch/executorch_api.h"
#include "onepack/backend.h"
#include "onepack/result.h"

namespace onepack {

class MethodGroup {
 public:
  // The group that the delegate which is being initialized belongs to. May throw std::bad_alloc.
  static Result<std::shared_ptr<MethodGroup>> Of(et::BackendInitContext& context, Backend& backend);

  explicit MethodGroup(Ref<BackendSession> session) : session_(std::move(session)) {}

  BackendSession& session() const { return *session_; }

  // Held by whatever uses the session or a delegate of it. A method runs in one thread at a time;
  // but two methods could be taken for one, where the application gives both one allocator. Not
  // held, if a thread has it that was not forked along.
  std::unique_lock<std::mutex> Claim();

 private:
  const Ref<BackendSession> session_;
  std::mutex mutex_;
  const uint32_t forks_ = ForkSafeMutex::forks();
};

}  // namespace onepack

#endif  // ONEPACK_INTEGRATIONS_EXECUTORCH_METHOD_GROUP_H_
