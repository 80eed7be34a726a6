// This program once more, in a process of its own: the only way to measure memory that nothing has
// touched before.

#ifndef ONEPACK_EXAMPLES_DEMO_CHILD_PROCESS_H_
#define ONEPACK_EXAMPLES_DEMO_CHILD_PROCESS_H_

#include <string>
#include <vector>

#include "onepack/result.h"

namespace onepack {

// Runs this program with `arguments` to its end and returns what it wrote to standard output. Its
// standard error is ours. Errors: a child that ended in any other way than with status 0.
Result<std::string> RunThisProgram(const std::vector<std::string>& arguments);

}  // namespace onepack

#endif  // ONEPACK_EXAMPLES_DEMO_CHILD_PROCESS_H_
