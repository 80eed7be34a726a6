#include "tools/path_list.h"

#include <filesystem>

#include "tools/parse_number.h"

namespace onepack {

Result<std::vector<std::string>> ParsePathList(const std::string& text) {
  std::error_code error;
  if (!text.empty() && std::filesystem::exists(text, error)) return std::vector{text};
  std::vector<std::string> paths = SplitAtCommas(text);
  for (const std::string& path : paths) {
    if (!path.empty()) continue;
    return Status::Error(StatusCode::kInvalidArgument,
                         "'%s': paths separated by commas expected, one is empty", text.c_str());
  }
  return paths;
}

}  // namespace onepack
