// Several paths in one argument.

#ifndef ONEPACK_TOOLS_PATH_LIST_H_
#define ONEPACK_TOOLS_PATH_LIST_H_

#include <string>
#include <vector>

#include "onepack/result.h"

namespace onepack {

// Paths that are separated by commas; but where there is a file that is called `text`, that one.
// Errors: kInvalidArgument for a path that is empty.
Result<std::vector<std::string>> ParsePathList(const std::string& text);

}  // namespace onepack

#endif  // ONEPACK_TOOLS_PATH_LIST_H_
