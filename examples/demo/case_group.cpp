#include "examples/demo/case_group.h"

#include <filesystem>
#include <fstream>
#include <map>

#include "tools/format.h"
#include "tools/recorded_case.h"

namespace onepack {
namespace {

namespace fs = std::filesystem;

fs::path FolderOf(const std::string& path) {
  std::error_code error;
  const fs::path canonical = fs::canonical(path, error);
  return (error ? fs::absolute(path) : canonical).parent_path();
}

Result<uint64_t> ReadToEnd(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Status::Error(StatusCode::kNotFound, "%s: cannot be read", path.c_str());
  std::vector<char> piece(size_t{1} << 20);
  uint64_t size = 0;
  do {
    file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    size += static_cast<uint64_t>(file.gcount());
  } while (file);
  return size;
}

// How many of the group's programs need each data file.
using DataFiles = std::map<std::string, size_t>;

Status ReadFiles(const CaseGroup& group, DataFiles* data_files) {
  for (const std::string& path : group.cases) {
    ONEPACK_ASSIGN_OR_RETURN(const RecordedCase recorded, ReadRecordedCase(path));
    auto read = ReadToEnd(recorded.program);
    if (!read.ok()) return read.TakeStatus();
    for (const std::string& data : recorded.data) ++(*data_files)[data];
  }
  return Status::Ok();
}

// "lora_fp32: 3 programs over foundation.ptd (123 KB)".
Status Describe(CaseGroup& group) {
  DataFiles data_files;
  ONEPACK_RETURN_IF_ERROR(ReadFiles(group, &data_files));
  std::string shared;
  for (const auto& [path, programs] : data_files) {
    ONEPACK_ASSIGN_OR_RETURN(const uint64_t size, ReadToEnd(path));
    if (programs < group.cases.size()) continue;
    shared += shared.empty() ? " over " : ", ";
    shared += fs::path(path).filename().string() + " (" + FormatBytes(size) + ")";
  }
  group.title += ": " + FormatCount(group.cases.size(), "program", "programs") + shared;
  return Status::Ok();
}

}  // namespace

Result<std::vector<CaseGroup>> GroupByFolder(const std::vector<std::string>& paths) {
  std::vector<CaseGroup> groups;
  std::map<fs::path, size_t> index_of;
  for (const std::string& path : paths) {
    const fs::path folder = FolderOf(path);
    const auto [found, is_new] = index_of.try_emplace(folder, groups.size());
    if (is_new) groups.push_back(CaseGroup{folder.filename().string(), {}});
    groups[found->second].cases.push_back(path);
  }
  for (CaseGroup& group : groups) ONEPACK_RETURN_IF_ERROR(Describe(group));
  return groups;
}

}  // namespace onepack
