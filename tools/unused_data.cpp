#include "tools/unused_data.h"

#include <stdio.h>

#include <algorithm>

namespace onepack {

Result<std::vector<std::string>> UnusedFiles(ProgramLoader& loader,
                                             const std::vector<std::string>& paths,
                                             const NamedDataMap* all,
                                             const std::function<bool(size_t)>& is_used) {
  std::vector<std::string> unused;
  for (const std::string& path : paths) {
    ONEPACK_ASSIGN_OR_RETURN(const Ref<NamedDataMap> file, loader.OpenData({path}));
    // By its keys: what two files hold alike has its entry from one of them.
    const auto asks_for = [&](const NamedData& entry) {
      return is_used(static_cast<size_t>(all->Find(entry.key) - all->entries().data()));
    };
    const Span<const NamedData> entries = file->entries();
    if (std::none_of(entries.begin(), entries.end(), asks_for)) unused.push_back(path);
  }
  return unused;
}

Status ReportUnusedFiles(const std::vector<std::string>& files, const std::string& program,
                         bool strict) {
  std::string all;
  for (const std::string& file : files) {
    const std::string text = file + ": no key of it is used by " + program;
    if (!strict) fprintf(stderr, "onepack: %s\n", text.c_str());
    all += (all.empty() ? "" : "; ") + text;
  }
  if (!strict || all.empty()) return Status::Ok();
  return Status::Error(StatusCode::kInvalidArgument, "%s", all.c_str());
}

}  // namespace onepack
