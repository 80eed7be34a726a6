// What sharing saved, and what the process holds.

#ifndef ONEPACK_TOOLS_PRINT_STATS_H_
#define ONEPACK_TOOLS_PRINT_STATS_H_

#include "tools/program_loader.h"

namespace onepack {

// All to standard output. PrintMemory is a part of PrintStats.
void PrintMemory();
void PrintStats(const ProgramLoader& loader);

}  // namespace onepack

#endif  // ONEPACK_TOOLS_PRINT_STATS_H_
