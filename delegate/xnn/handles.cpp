#include "delegate/xnn/handles.h"

namespace onepack {

Status XnnError(xnn_status status, const char* what) {
  const auto error = [what](StatusCode code, const char* reason) {
    return Status::Error(code, "%s: XNNPACK says %s", what, reason);
  };
  switch (status) {
    case xnn_status_success:
      return Status::Ok();
    case xnn_status_uninitialized:
      return error(StatusCode::kInternal, "it is not initialized");
    case xnn_status_invalid_parameter:
      return error(StatusCode::kInvalidFile, "invalid parameter");
    case xnn_status_invalid_state:
      return error(StatusCode::kInternal, "invalid state");
    case xnn_status_unsupported_parameter:
      return error(StatusCode::kUnsupported, "unsupported parameter");
    case xnn_status_unsupported_hardware:
      return error(StatusCode::kUnsupported, "unsupported hardware");
    case xnn_status_out_of_memory:
      return error(StatusCode::kResourceExhausted, "out of memory");
    case xnn_status_reallocation_required:
      return error(StatusCode::kInternal, "reallocation required");
    case xnn_status_deprecated:
      return error(StatusCode::kUnsupported, "deprecated");
  }
  return error(StatusCode::kInternal, "an unknown status");
}

}  // namespace onepack
