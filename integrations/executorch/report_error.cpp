#include "integrations/executorch/report_error.h"

#include "integrations/executorch/log_error.h"

namespace onepack {
namespace {

et::Error ErrorOf(StatusCode code) {
  switch (code) {
    case StatusCode::kOk:
      return et::Error::Ok;
    case StatusCode::kInvalidArgument:
    case StatusCode::kMismatch:
      return et::Error::InvalidArgument;
    case StatusCode::kNotFound:
      return et::Error::NotFound;
    case StatusCode::kInvalidFile:
      return et::Error::InvalidProgram;
    case StatusCode::kUnsupported:
      return et::Error::NotSupported;
    case StatusCode::kResourceExhausted:
      return et::Error::MemoryAllocationFailed;
    case StatusCode::kIoError:
      return et::Error::AccessFailed;
    case StatusCode::kFailedPrecondition:
      return et::Error::InvalidState;
    case StatusCode::kCancelled:
    case StatusCode::kInternal:
      return et::Error::Internal;
  }
  return et::Error::Internal;
}

}  // namespace

et::Error ReportError(const Status& status) {
  if (!status.ok()) LogError(status.message());
  return ErrorOf(status.code());
}

}  // namespace onepack
