// Standard output that is written completely, or an error.

#ifndef ONEPACK_TOOLS_STANDARD_STREAMS_H_
#define ONEPACK_TOOLS_STANDARD_STREAMS_H_

#include <functional>
#include <string>

#include "onepack/status.h"

namespace onepack {

// Before anything is opened: a file must not get the number of a standard stream that is closed,
// and with it what is printed. What is written to a closed standard output fails from now on.
void ReserveStandardStreams();

// Whether all that was printed so far has been taken. Errors: kIoError.
Status CheckStandardOutput();

// The same, after which nothing can be printed. For the end of a program.
Status CloseStandardOutput();

// Prints "PROGRAM: MESSAGE" as one line on standard error, after what was printed so far. Returns
// `exit_status`.
int Fail(const char* program, std::string message, int exit_status);

// All of main(): the exit status of `run`, or 1 when a library has thrown or standard output has
// not taken everything.
int RunMain(const char* program, const std::function<int()>& run);

}  // namespace onepack

#endif  // ONEPACK_TOOLS_STANDARD_STREAMS_H_
