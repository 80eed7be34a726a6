// Calls of the operators of kernels/ with implausible arguments.
//
// Of each operator the kinds of its arguments are found out, by what it says when one is wrong. A
// script of bytes then chooses their values: tensors of any type, sizes and order, that may overlap
// or be constants; numbers that are no dimension; lists of any length. The call is made by a
// program, so that outputs can be resized within their bounds, and nothing but the tensors' own
// bytes may be touched: under the address sanitizer everything between them is poisoned.

#ifndef ONEPACK_TESTS_HARDENING_OPERATOR_CALLS_H_
#define ONEPACK_TESTS_HARDENING_OPERATOR_CALLS_H_

#include <stddef.h>
#include <stdint.h>

#include <string>
#include <vector>

#include "onepack/span.h"

namespace onepack {

struct OperatorSignature {
  enum class Kind { kAny, kTensor, kOutput, kNumber, kInts, kDoubles, kBools, kTensors, kOutputs };

  std::string name;
  std::vector<Kind> arguments;
};

// Of all operators of kernels/.
std::vector<OperatorSignature> FindOperatorSignatures();

struct OperatorCallOutcome {
  bool succeeded = false;
  // What must not be; empty if all is well.
  std::string violation;
  std::string message;
};

// Makes a program that calls the operator as `script` says, and runs it twice.
OperatorCallOutcome CallOperator(const OperatorSignature& signature, Bytes script);

}  // namespace onepack

#endif  // ONEPACK_TESTS_HARDENING_OPERATOR_CALLS_H_
