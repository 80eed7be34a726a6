// Checks a program's flatbuffer once and completely, so that no later code has to check it again.
//
// After VerifyProgram succeeded, for every part of the program:
//   - strings that name something are there, not empty, and hold no NUL
//   - every index (of a value, operator, delegate, instruction, segment, buffer) is in range
//   - every union holds a value of its type
//   - tensors have a known type, a rank of at most kMaxTensorRank, a permutation as dim_order, and
//   a size in bytes that
//     does not overflow; their planned memory lies inside its buffer; segments lie inside the file
// What other files must agree with (external tensors, operators that exist, payloads) is checked at
// load.
//
// Errors: kInvalidFile for what breaks the format; kUnsupported for what is legal and not run here.

#ifndef ONEPACK_SCHEMA_VERIFY_PROGRAM_H_
#define ONEPACK_SCHEMA_VERIFY_PROGRAM_H_

#include "onepack/result.h"
#include "onepack/segment.h"
#include "onepack/span.h"
#include "onepack/tensor_layout.h"
#include "program_generated.h"
#include "schema/program_header.h"

namespace onepack {

// `flatbuffer` must be 16-byte aligned and must not change while the result is used.
Result<const wire::program::Program*> VerifyProgram(Bytes flatbuffer, const ProgramHeader& header);

// REQUIRES, for all below: a verified program, an index in range.

Segment ProgramSegment(const wire::program::Program& program, uint64_t segment_base,
                       uint32_t index);

// The tensor's own layout; a view into the flatbuffer.
TensorLayout LayoutOf(const wire::program::Tensor& tensor);

bool IsExternal(const wire::program::Tensor& tensor);

// Offset in its planned buffer. REQUIRES: allocation_info.
uint64_t PlannedOffset(const wire::program::AllocationDetails& allocation);

}  // namespace onepack

#endif  // ONEPACK_SCHEMA_VERIFY_PROGRAM_H_
