// The outcome of a call that can fail: a code to act on and a message to show.
//
// A message says what was found, what was expected and where (file, key, offset).
//
// Ownership: move-only; owns its message. An OK status owns nothing and costs one byte to test.
// Threads:   a value, like an int.
// Errors:    if memory for the message is gone, the code survives and message() is its name.

#ifndef ONEPACK_STATUS_H_
#define ONEPACK_STATUS_H_

#include <stdarg.h>
#include <stdint.h>

#include "onepack/export.h"

namespace onepack {

// Each code calls for another reaction of the caller.
enum class StatusCode : uint8_t {
  kOk = 0,
  kInvalidArgument,     // the caller passed something wrong: fix the call
  kNotFound,            // a file, key, method or operator that is not there
  kInvalidFile,         // the bytes are not what the format says: get another copy of the file
  kMismatch,            // two good files that do not fit together: pair them correctly
  kUnsupported,         // a good file that asks for what this build cannot do
  kResourceExhausted,   // no memory, no address space: retry later
  kIoError,             // the operating system refused a read or a mapping
  kFailedPrecondition,  // called in the wrong state
  kCancelled,           // the application's own callback said stop
  kInternal,            // a defect of ours, or of XNNPACK
};

// The code's name as in "invalid file".
ONEPACK_API const char* StatusCodeName(StatusCode code);

class [[nodiscard]] ONEPACK_API Status {
 public:
  Status() = default;
  Status(Status&& other) noexcept;
  Status& operator=(Status&& other) noexcept;
  Status(const Status&) = delete;
  Status& operator=(const Status&) = delete;
  ~Status();

  static Status Ok() { return Status(); }

  // printf-style. Text taken from a file goes through Printable first.
  [[gnu::format(printf, 2, 3)]] static Status Error(StatusCode code, const char* format, ...);

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  // Never null. Empty for OK. Valid while this status lives and is not moved from.
  const char* message() const;

  // The same code with "context: " put before the message; OK stays OK.
  [[gnu::format(printf, 2, 3)]] Status WithContext(const char* format, ...) &&;

 private:
  static Status FormatV(StatusCode code, const char* format, va_list arguments);

  StatusCode code_ = StatusCode::kOk;
  char* message_ = nullptr;  // malloc'ed, or null
};

// "context: No such file or directory (errno 2)"; kNotFound for a missing file, else kIoError.
ONEPACK_API Status PosixError(const char* context, int error_number);

}  // namespace onepack

#define ONEPACK_RETURN_IF_ERROR(expression)           \
  do {                                                \
    ::onepack::Status onepack_status_ = (expression); \
    if (!onepack_status_.ok()) {                      \
      return onepack_status_;                         \
    }                                                 \
  } while (false)

#endif  // ONEPACK_STATUS_H_
