// The parts of VerifyProgram that look at one method.

#ifndef ONEPACK_SCHEMA_VERIFY_PLAN_H_
#define ONEPACK_SCHEMA_VERIFY_PLAN_H_

#include "base/status.h"
#include "program_generated.h"

namespace onepack {

// Values: unions, tensors, lists. The caller says which method and file.
Status VerifyValues(const wire::program::Program& program,
                    const wire::program::ExecutionPlan& plan);

// Everything of the method: its name, buffers, values, inputs, outputs, operators, delegates and
// instructions.
Status VerifyPlan(const wire::program::Program& program, const wire::program::ExecutionPlan& plan);

}  // namespace onepack

#endif  // ONEPACK_SCHEMA_VERIFY_PLAN_H_
