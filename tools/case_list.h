// The cases that a file holds: one of a recording (.json), one for each method of a bundled program
// (.bpte) that has test cases.

#ifndef ONEPACK_TOOLS_CASE_LIST_H_
#define ONEPACK_TOOLS_CASE_LIST_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tools/recorded_case.h"

namespace onepack {

struct CaseListOptions {
  std::vector<std::string> data;  // that bundled programs are loaded with; recordings name theirs
  // Instead of a recording's own. Bundled programs record none, and have kBundleTolerance.
  std::optional<double> atol;
  std::optional<double> rtol;
};

// What ExecuTorch's executor_runner compares bundled programs with, both absolute and relative.
inline constexpr double kBundleTolerance = 0.01;

struct ListedCase {
  std::string name;  // as long as it has not been read
  std::function<Result<RecordedCase>()> read;
};

// At least one: of a file that holds none, one that says why when it is read.
std::vector<ListedCase> ListCases(const std::string& path, const CaseListOptions& options);

}  // namespace onepack

#endif  // ONEPACK_TOOLS_CASE_LIST_H_
