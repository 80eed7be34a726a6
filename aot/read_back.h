// Reads files that were just written in the way that their readers will.
//
// Errors: kInvalidFile and kUnsupported for what a reader refuses.

#ifndef ONEPACK_AOT_READ_BACK_H_
#define ONEPACK_AOT_READ_BACK_H_

#include <functional>
#include <string>
#include <vector>

#include "onepack/status.h"

namespace onepack {

// Given the path of the written file, which is a temporary one.
using ReadBack = std::function<Status(const std::string& path)>;

// All of a program that can be checked without running it: its directory, its methods, the graphs
// of its XNNPACK delegates.
Status ReadBackProgram(const std::string& path);

// The same, and that it asks for no keys but those of `data`, which are paths, and of `missing`.
Status ReadBackProgramWith(const std::vector<std::string>& data,
                           const std::vector<std::string>& missing, const std::string& path);

Status ReadBackDataFile(const std::string& path);

// For bytes of no format.
inline Status ReadBackNothing(const std::string&) { return Status::Ok(); }

}  // namespace onepack

#endif  // ONEPACK_AOT_READ_BACK_H_
