#include "onepack/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

namespace onepack {

const char* StatusCodeName(StatusCode code) {
  switch (code) {
    case StatusCode::kOk:
      return "ok";
    case StatusCode::kInvalidArgument:
      return "invalid argument";
    case StatusCode::kNotFound:
      return "not found";
    case StatusCode::kInvalidFile:
      return "invalid file";
    case StatusCode::kMismatch:
      return "mismatch";
    case StatusCode::kUnsupported:
      return "unsupported";
    case StatusCode::kResourceExhausted:
      return "resource exhausted";
    case StatusCode::kIoError:
      return "input/output error";
    case StatusCode::kFailedPrecondition:
      return "failed precondition";
    case StatusCode::kCancelled:
      return "cancelled";
    case StatusCode::kInternal:
      return "internal error";
  }
  return "unknown status";
}

Status::Status(Status&& other) noexcept : code_(other.code_), message_(other.message_) {
  other.code_ = StatusCode::kOk;
  other.message_ = nullptr;
}

Status& Status::operator=(Status&& other) noexcept {
  if (this != &other) {
    free(message_);
    code_ = other.code_;
    message_ = other.message_;
    other.code_ = StatusCode::kOk;
    other.message_ = nullptr;
  }
  return *this;
}

Status::~Status() { free(message_); }

Status Status::FormatV(StatusCode code, const char* format, va_list arguments) {
  Status status;
  status.code_ = code;
  va_list measured;
  va_copy(measured, arguments);
  const int length = vsnprintf(nullptr, 0, format, measured);
  va_end(measured);
  if (length < 0) return status;
  const size_t size = static_cast<size_t>(length) + 1;
  status.message_ = static_cast<char*>(malloc(size));
  if (status.message_ != nullptr) vsnprintf(status.message_, size, format, arguments);
  return status;
}

Status Status::Error(StatusCode code, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  Status status = FormatV(code, format, arguments);
  va_end(arguments);
  return status;
}

const char* Status::message() const {
  if (ok()) return "";
  return message_ != nullptr ? message_ : StatusCodeName(code_);
}

Status Status::WithContext(const char* format, ...) && {
  if (ok()) return Status();
  va_list arguments;
  va_start(arguments, format);
  Status context = FormatV(code_, format, arguments);
  va_end(arguments);
  return Error(code_, "%s: %s", context.message(), message());
}

namespace {

// There are two functions of the name strerror_r. GNU's returns the text, which may be a static
// string instead of `buffer`; POSIX's, which musl has, fills `buffer` and returns 0. What the call
// returns chooses one of these.
[[maybe_unused]] const char* ErrorText(const char* text, const char* /*buffer*/) { return text; }
[[maybe_unused]] const char* ErrorText(int error, const char* buffer) {
  return error == 0 ? buffer : "unknown error";
}

}  // namespace

Status PosixError(const char* context, int error_number) {
  const StatusCode code = error_number == ENOENT   ? StatusCode::kNotFound
                          : error_number == ENOMEM ? StatusCode::kResourceExhausted
                                                   : StatusCode::kIoError;
  char reason[128];
  const char* text = ErrorText(strerror_r(error_number, reason, sizeof(reason)), reason);
  return Status::Error(code, "%s: %s (errno %d)", context, text, error_number);
}

}  // namespace onepack
