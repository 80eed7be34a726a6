// What is in a program, for a person to read.

#ifndef ONEPACK_TOOLS_PRINT_PROGRAM_H_
#define ONEPACK_TOOLS_PRINT_PROGRAM_H_

#include "tools/inspected_file.h"

namespace onepack {

// To standard output. REQUIRES: file.program.
Status PrintProgram(const InspectedFile& file);

// The keys that a program or a data file holds.
void PrintNamedData(const NamedDataMap& named_data);

}  // namespace onepack

#endif  // ONEPACK_TOOLS_PRINT_PROGRAM_H_
