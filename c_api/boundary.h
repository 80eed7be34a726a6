// Where C++ ends: a Status becomes a code and a message, and no exception passes.

#ifndef ONEPACK_C_API_BOUNDARY_H_
#define ONEPACK_C_API_BOUNDARY_H_

#include <exception>
#include <new>
#include <utility>

#include "onepack/c_api.h"
#include "onepack/result.h"
#include "onepack/status.h"

namespace onepack {

// The code; `message` may be null, and otherwise gets a copy of the text, or null for an OK.
onepack_status Report(const Status& status, char** message);

// kInvalidArgument names `what` when there is none.
Status CheckGiven(const void* pointer, const char* what);

// What `function`, which returns a Status, says or throws.
template <typename Function>
onepack_status Guard(char** message, const Function& function) {
  try {
    return Report(function(), message);
  } catch (const std::bad_alloc&) {
    return Report(Status::Error(StatusCode::kResourceExhausted, "out of memory"), message);
  } catch (const std::exception& error) {
    return Report(Status::Error(StatusCode::kInternal, "%s", error.what()), message);
  } catch (...) {
    return Report(Status::Error(StatusCode::kInternal, "an exception of unknown type"), message);
  }
}

// The same for what makes a handle: `make` returns a Result<Handle>. *handle is null on failure.
template <typename Handle, typename Make>
onepack_status GuardNew(Handle** handle, char** message, const Make& make) {
  if (handle != nullptr) *handle = nullptr;
  return Guard(message, [&]() -> Status {
    ONEPACK_RETURN_IF_ERROR(CheckGiven(handle, "place for the new handle"));
    ONEPACK_ASSIGN_OR_RETURN(Handle made, make());
    *handle = new Handle(std::move(made));
    return Status::Ok();
  });
}

}  // namespace onepack

#endif  // ONEPACK_C_API_BOUNDARY_H_
