// Which linears run in place: the table of docs/linears.md.

#ifndef ONEPACK_DELEGATE_PLAN_LINEAR_POLICY_H_
#define ONEPACK_DELEGATE_PLAN_LINEAR_POLICY_H_

#include "linear/linear.h"
#include "onepack/linear_layout.h"

namespace onepack {

// Of weights that can. Depends on nothing but its arguments and the machine: so graphs that are
// equal but for the bytes of their weights run in the same way.
bool RunsInPlace(LinearLayout layout, const linear::Weights& weights);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PLAN_LINEAR_POLICY_H_
