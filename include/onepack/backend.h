// What a backend implements to run the delegates of a program.
//
// A backend opens one session for each loaded method; the session loads the method's delegates, and
// they share what the session owns (a workspace), because they run one after another.
//
// Derive and override all functions; the base classes are the backend that takes nothing.
//
// Ownership: counted. A session keeps its backend's resources alive, a delegate its session's.
// Threads:   a Backend from any thread; a session and its delegates from the one that has the
//            method. What a session gives to forks is used from the threads of all that have it.

#ifndef ONEPACK_BACKEND_H_
#define ONEPACK_BACKEND_H_

#include <string_view>

#include "onepack/buffer.h"
#include "onepack/data_source.h"
#include "onepack/named_data_scope.h"
#include "onepack/ref.h"
#include "onepack/result.h"
#include "onepack/span.h"
#include "onepack/value.h"

namespace onepack {

struct CompileSpec {
  std::string_view key;
  Bytes value;
};

// One delegate of one method, as the program describes it. Views live as long as the call of
// LoadDelegates.
struct DelegateRequest {
  // Its number in the method, for messages.
  size_t index = 0;

  // The bytes the backend made at export, and where in which file they are.
  Buffer payload;
  const DataSource* source = nullptr;
  uint64_t payload_offset = 0;

  // What a delegate may take for activations, at the bounds of its shapes.
  uint64_t max_planned_bytes = UINT64_MAX;

  Span<const CompileSpec> compile_specs;
  const NamedDataScope* named_data = nullptr;
};

class Delegate : public RefCounted {
 public:
  // `arguments` are those of the delegate call. Resizes output tensors. After an error the delegate
  // is as before, or recovers at the next call.
  virtual Status Execute(Span<Value* const> arguments) {
    (void)arguments;
    return Status::Error(StatusCode::kUnsupported, "this delegate does not run");
  }
};

class BackendSession : public RefCounted {
 public:
  // All delegates of the method that are for this backend, so that it can see what they share.
  // Fills `delegates`, which has a place for each request. Errors name the request by its index.
  virtual Status LoadDelegates(Span<const DelegateRequest> requests,
                               Span<Ref<Delegate>> delegates) {
    (void)requests;
    (void)delegates;
    return Status::Error(StatusCode::kUnsupported, "this backend takes no delegates");
  }

  // For a method with the same weights and another state (Method::Fork): fills `forks` with what
  // computes the same as `delegates`, which are all that this session has loaded, also while those
  // run in another thread. Both can be the same objects, and so can the session that is returned.
  virtual Result<Ref<BackendSession>> Fork(Span<const Ref<Delegate>> delegates,
                                           Span<Ref<Delegate>> forks) {
    (void)delegates;
    (void)forks;
    return Status::Error(StatusCode::kUnsupported, "this backend's delegates cannot be forked");
  }
};

class Backend : public RefCounted {
 public:
  // As in the program's delegates: "XnnpackBackend".
  virtual const char* name() const { return "(none)"; }

  virtual Result<Ref<BackendSession>> OpenSession() {
    return Status::Error(StatusCode::kUnsupported, "this backend takes no delegates");
  }
};

}  // namespace onepack

#endif  // ONEPACK_BACKEND_H_
