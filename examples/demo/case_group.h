// Recorded cases that are loaded into one process, because their programs share a foundation.

#ifndef ONEPACK_EXAMPLES_DEMO_CASE_GROUP_H_
#define ONEPACK_EXAMPLES_DEMO_CASE_GROUP_H_

#include <string>
#include <vector>

#include "onepack/result.h"

namespace onepack {

struct CaseGroup {
  std::string title;               // the folder's name, how many programs, over what
  std::vector<std::string> cases;  // paths, in the order they are loaded
};

// Cases in one folder are one group. Order is kept. Reads every file the cases need from its first
// to its last byte, so that the first measurement finds the page cache in the same state as the
// last.
Result<std::vector<CaseGroup>> GroupByFolder(const std::vector<std::string>& paths);

}  // namespace onepack

#endif  // ONEPACK_EXAMPLES_DEMO_CASE_GROUP_H_
