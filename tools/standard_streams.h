// Standard output that is written completely, or an error.

#ifndef ONEPACK_TOOLS_STANDARD_STREAMS_H_
#define ONEPACK_TOOLS_STANDARD_STREAMS_H_

#include "base/status.h"

namespace onepack {

// Before anything is opened: a file must not get the number of a standard stream that is closed,
// and with it what is printed. What is written to a closed standard output fails from now on.
void ReserveStandardStreams();

// Whether all that was printed so far has been taken. Errors: kIoError.
Status CheckStandardOutput();

// The same, after which nothing can be printed. For the end of a program.
Status CloseStandardOutput();

}  // namespace onepack

#endif  // ONEPACK_TOOLS_STANDARD_STREAMS_H_
