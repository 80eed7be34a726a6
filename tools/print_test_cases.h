// What test cases a bundled program holds, for a person to read.

#ifndef ONEPACK_TOOLS_PRINT_TEST_CASES_H_
#define ONEPACK_TOOLS_PRINT_TEST_CASES_H_

#include "tools/bundled_program.h"

namespace onepack {

// To standard output.
void PrintTestCases(const BundledProgram& bundle);

}  // namespace onepack

#endif  // ONEPACK_TOOLS_PRINT_TEST_CASES_H_
