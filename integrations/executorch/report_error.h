// A Status as ExecuTorch takes it.

#ifndef ONEPACK_INTEGRATIONS_EXECUTORCH_REPORT_ERROR_H_
#define ONEPACK_INTEGRATIONS_EXECUTORCH_REPORT_ERROR_H_

#include "integrations/executorch/executorch_api.h"
#include "onepack/status.h"

namespace onepack {

// The fitting code; Ok for OK. The message goes to ExecuTorch's log.
et::Error ReportError(const Status& status);

}  // namespace onepack

#endif  // ONEPACK_INTEGRATIONS_EXECUTORCH_REPORT_ERROR_H_
