// How much memory a graph's intermediate values take, before XNNPACK is asked to provide it.

#ifndef ONEPACK_DELEGATE_PLAN_ACTIVATIONS_H_
#define ONEPACK_DELEGATE_PLAN_ACTIVATIONS_H_

#include <stdint.h>

#include <vector>

#include "delegate/plan/shape_inference.h"
#include "delegate/plan/stage.h"
#include "onepack/status.h"
#include "xnnpack_graph_generated.h"

namespace onepack {

// kResourceExhausted when the intermediate values that some node needs at the same time, at the
// bounds of their shapes, take more than `max_bytes`, or than any address space has (where there is
// no limit, UINT64_MAX). XNNPACK's own plan cannot take less. A few
// bytes of constants may broadcast to any size, so the file's size is no bound.
//
// May throw std::bad_alloc. REQUIRES: a verified graph.
Status CheckActivations(const wire::xnnpack::XNNGraph& graph, uint64_t max_bytes);

// Whether what crosses from stage to stage, and what linears quantize while their stage runs, is
// never more. Nodes that stand late in the file may be in an early stage: then more values are
// alive together than CheckActivations counts. And what is quantized takes more than the graph's
// value.
bool StagesFit(const std::vector<Stage>& stages, const std::vector<Crossing>& crossings,
               const ShapeInference& shapes, uint64_t max_bytes);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PLAN_ACTIVATIONS_H_
