// The parts of VerifyProgram that are files of their own.

#ifndef ONEPACK_SCHEMA_VERIFY_PLAN_H_
#define ONEPACK_SCHEMA_VERIFY_PLAN_H_

#include "onepack/span.h"
#include "onepack/status.h"
#include "program_generated.h"

namespace onepack {

// No part is referred to so often that going through all of them takes more than a multiple of the
// file's size. Comes first: the others go through them.
Status VerifySharing(const wire::program::Program& program, Bytes flatbuffer);

// Values of one method: unions, tensors, lists. The caller says which method and file.
Status VerifyValues(const wire::program::Program& program,
                    const wire::program::ExecutionPlan& plan);

// Everything of the method: its name, buffers, values, inputs, outputs, operators, delegates and
// instructions.
Status VerifyPlan(const wire::program::Program& program, const wire::program::ExecutionPlan& plan);

}  // namespace onepack

#endif  // ONEPACK_SCHEMA_VERIFY_PLAN_H_
