// Takes what programs have in common out of them, after the fact: nothing is exported again.
//
// Data is found by its content, wherever a program carries it: as named data, inside a delegate's
// payload, or as a constant outside of the delegates. What several programs carry moves to one data
// file, the foundation; with one program, all of it does. Each program then asks for it by key: the
// key it had, or the SHA-256 of the bytes.
//
// Memory:  the programs' tables; data goes from file to file in pieces.
// Threads: one at a time.
// Errors:  every message names a file; kFailedPrecondition when there is nothing to share or a name
//          is taken; kMismatch for a key that stands for different data. Then nothing was written.

#ifndef ONEPACK_AOT_SPLIT_PROGRAMS_H_
#define ONEPACK_AOT_SPLIT_PROGRAMS_H_

#include <stdint.h>

#include <string>
#include <vector>

#include "aot/output_files.h"
#include "aot/source_bytes.h"

namespace onepack {

struct SplitOptions {
  std::vector<std::string> programs;
  std::string foundation;  // the data file to write
  // The slim programs go there under their own names; empty: beside the foundation.
  std::string folder;
  // What a program does not share goes to a data file of its own, beside the slim program.
  bool adapters = false;
  ExistingFile existing = ExistingFile::kRefuse;
  Watch watch;
};

struct SplitReport {
  struct File {
    std::string path;
    uint64_t size_bytes;
  };
  struct SplitProgram {
    File before;
    File after;
    File adapter;  // without a path when there is none
  };
  std::vector<SplitProgram> programs;
  File foundation;

  uint64_t before_bytes() const;
  uint64_t after_bytes() const;
};

// Smaller data stays where it is: its key and its alignment would take more than it does.
inline constexpr uint64_t kSmallestSharedBytes = 256;

Result<SplitReport> SplitPrograms(const SplitOptions& options);

}  // namespace onepack

#endif  // ONEPACK_AOT_SPLIT_PROGRAMS_H_
