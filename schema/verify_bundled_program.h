// Checks a bundled program (.bpte) once and completely, but for the program inside, which is a file
// of its own.
//
// After VerifyBundledProgram succeeded: there is a program of at least one byte; methods have names
// that differ; every value is of a known kind, and tensors have a sound layout and at least the
// bytes that it takes.
//
// Errors: kInvalidFile, but kUnsupported where LayoutOf's type is.

#ifndef ONEPACK_SCHEMA_VERIFY_BUNDLED_PROGRAM_H_
#define ONEPACK_SCHEMA_VERIFY_BUNDLED_PROGRAM_H_

#include "bundled_program_generated.h"
#include "onepack/result.h"
#include "onepack/segment.h"
#include "onepack/span.h"
#include "onepack/tensor_layout.h"

namespace onepack {

// Whether a file that begins with `head` is a bundled program.
bool IsBundledProgram(Bytes head);

// `file` is all of it; it must be 16-byte aligned and must not change while the result is used.
Result<const wire::bundled_program::BundledProgram*> VerifyBundledProgram(Bytes file);

// REQUIRES, for both: a verified bundle.

// Where the program lies in the bundle's `file`.
Segment EmbeddedProgram(const wire::bundled_program::BundledProgram& bundle, Bytes file);

// The tensor's own layout; a view into the flatbuffer.
TensorLayout LayoutOf(const wire::bundled_program::Tensor& tensor);

}  // namespace onepack

#endif  // ONEPACK_SCHEMA_VERIFY_BUNDLED_PROGRAM_H_
