// From a payload to a plan: every check that a graph has to pass before XNNPACK sees it.

#ifndef ONEPACK_DELEGATE_PLAN_PLANNER_H_
#define ONEPACK_DELEGATE_PLAN_PLANNER_H_

#include <stdint.h>

#include <memory>

#include "base/result.h"
#include "delegate/plan/plan.h"

namespace onepack {

// `max_activation_bytes` is what the intermediate values may take; see CheckActivations. Reads no
// constant. Errors: kInvalidFile for a graph that is not in order (each value defined once, before
// it is read); kUnsupported names the node; kMismatch names the constant whose size is not what the
// graph expects; kResourceExhausted names the node that needs more memory than is allowed.
Result<Plan> MakePlan(std::shared_ptr<const PayloadContents> contents,
                      uint64_t max_activation_bytes);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PLAN_PLANNER_H_
