// Owners of XNNPACK's objects, and its statuses as ours.

#ifndef ONEPACK_DELEGATE_XNN_HANDLES_H_
#define ONEPACK_DELEGATE_XNN_HANDLES_H_

#include <memory>

#include "delegate/xnn/xnnpack.h"
#include "onepack/status.h"

namespace onepack {

struct XnnDeleter {
  void operator()(xnn_subgraph_t subgraph) const { xnn_delete_subgraph(subgraph); }
  void operator()(xnn_runtime_t runtime) const { xnn_delete_runtime(runtime); }
  void operator()(xnn_workspace_t workspace) const { xnn_release_workspace(workspace); }
};

using XnnSubgraph = std::unique_ptr<xnn_subgraph, XnnDeleter>;
using XnnRuntime = std::unique_ptr<xnn_runtime, XnnDeleter>;
using XnnWorkspace = std::unique_ptr<xnn_workspace, XnnDeleter>;

// With which every runtime is created.
//
// XNNPACK's XNN_FLAG_NO_OPERATOR_FUSION, which its public header does not have yet. Fusion writes
// the range of a clamp node over the paddings of the node before it, with which they share a union;
// and keys say what the file says of a node, so that must be what is packed.
inline constexpr uint32_t kRuntimeFlags = 0x80000000;

// "what: XNNPACK says invalid parameter".
Status XnnError(xnn_status status, const char* what);

}  // namespace onepack

#define ONEPACK_RETURN_IF_XNN_ERROR(expression, what)        \
  do {                                                       \
    const xnn_status onepack_xnn_status_ = (expression);     \
    if (onepack_xnn_status_ != xnn_status_success) {         \
      return ::onepack::XnnError(onepack_xnn_status_, what); \
    }                                                        \
  } while (false)

#endif  // ONEPACK_DELEGATE_XNN_HANDLES_H_
