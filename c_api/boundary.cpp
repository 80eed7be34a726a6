#include "c_api/boundary.h"

#include <stdlib.h>
#include <string.h>

namespace onepack {
namespace {

constexpr bool Equal(onepack_status number, StatusCode code) {
  return number == static_cast<onepack_status>(code);
}
static_assert(Equal(ONEPACK_OK, StatusCode::kOk));
static_assert(Equal(ONEPACK_INVALID_ARGUMENT, StatusCode::kInvalidArgument));
static_assert(Equal(ONEPACK_NOT_FOUND, StatusCode::kNotFound));
static_assert(Equal(ONEPACK_INVALID_FILE, StatusCode::kInvalidFile));
static_assert(Equal(ONEPACK_MISMATCH, StatusCode::kMismatch));
static_assert(Equal(ONEPACK_UNSUPPORTED, StatusCode::kUnsupported));
static_assert(Equal(ONEPACK_RESOURCE_EXHAUSTED, StatusCode::kResourceExhausted));
static_assert(Equal(ONEPACK_IO_ERROR, StatusCode::kIoError));
static_assert(Equal(ONEPACK_FAILED_PRECONDITION, StatusCode::kFailedPrecondition));
static_assert(Equal(ONEPACK_CANCELLED, StatusCode::kCancelled));
static_assert(Equal(ONEPACK_INTERNAL, StatusCode::kInternal));

}  // namespace

onepack_status Report(const Status& status, char** message) {
  // strdup's null, when there is no memory, is what the header promises.
  if (message != nullptr) *message = status.ok() ? nullptr : strdup(status.message());
  return static_cast<onepack_status>(status.code());
}

Status CheckGiven(const void* pointer, const char* what) {
  if (pointer != nullptr) return Status::Ok();
  return Status::Error(StatusCode::kInvalidArgument, "NULL instead of a %s", what);
}

}  // namespace onepack

const char* onepack_version(void) { return ONEPACK_VERSION; }

const char* onepack_status_name(onepack_status status) {
  if (status < ONEPACK_OK || status > ONEPACK_INTERNAL) return "unknown status";
  return onepack::StatusCodeName(static_cast<onepack::StatusCode>(status));
}

void onepack_message_free(char* message) { free(message); }
