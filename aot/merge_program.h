// Puts the data that a program asks for into the program: the reverse of SplitPrograms.
//
// Data that delegates name becomes named data of the program, under the same keys; tensors outside
// of the delegates become constants of the program.
//
// Memory:  the program's tables; data goes from file to file in pieces.
// Threads: one at a time.
// Errors:  every message names a file; kNotFound a key that no data file has; kFailedPrecondition a
//          name that is taken. Then nothing was written.

#ifndef ONEPACK_AOT_MERGE_PROGRAM_H_
#define ONEPACK_AOT_MERGE_PROGRAM_H_

#include <stdint.h>

#include <string>
#include <vector>

#include "aot/output_files.h"
#include "aot/source_bytes.h"

namespace onepack {

struct MergeOptions {
  std::string program;
  std::vector<std::string> data;
  std::string output;
  ExistingFile existing = ExistingFile::kRefuse;
  Watch watch;
};

// The size of the file that was written.
Result<uint64_t> MergeProgram(const MergeOptions& options);

}  // namespace onepack

#endif  // ONEPACK_AOT_MERGE_PROGRAM_H_
