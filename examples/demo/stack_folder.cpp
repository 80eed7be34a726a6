#include "examples/demo/stack_folder.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>

namespace onepack {
namespace {

namespace fs = std::filesystem;

// The folder that holds the files; its name is the title of the table.
constexpr char kName[] = "generated_stack";
// Below it, for a while.
constexpr char kExported[] = "exported";

Status MakeFolder(const std::string& path) {
  std::error_code error;
  fs::create_directory(path, error);
  return error ? PosixError(path.c_str(), error.value()) : Status::Ok();
}

// From programs in `from` to programs and data files in `to`.
Result<SplitReport> Split(const std::string& from, const std::string& to, uint32_t adapters) {
  SplitOptions options;
  options.programs = {from + "/base.pte"};
  for (uint32_t adapter = 0; adapter < adapters; ++adapter) {
    options.programs.push_back(from + "/lora" + std::to_string(adapter) + ".pte");
  }
  options.foundation = to + "/foundation.ptd";
  options.adapters = true;
  return SplitPrograms(options);
}

}  // namespace

Result<StackFolder> StackFolder::Generate(const LoraStackOptions& options) {
  std::error_code error;
  std::string root = (fs::temp_directory_path(error) / "onepack-demo-XXXXXX").string();
  if (error) return PosixError("the folder for temporary files", error.value());
  if (mkdtemp(root.data()) == nullptr) return PosixError(root.c_str(), errno);
  StackFolder folder(std::move(root));
  const std::string exported = folder.root_ + "/" + kExported;
  for (const std::string& path : {folder.path(), exported}) {
    ONEPACK_RETURN_IF_ERROR(MakeFolder(path));
  }
  LoraStackOptions whole = options;
  whole.data = DataPlace::kProgram;
  ONEPACK_RETURN_IF_ERROR(WriteLoraStackPrograms(exported, whole));
  ONEPACK_ASSIGN_OR_RETURN(folder.report_, Split(exported, folder.path(), options.adapters));
  fs::remove_all(exported, error);
  ONEPACK_RETURN_IF_ERROR(WriteLoraStackCases(folder.path(), options));
  return folder;
}

StackFolder::~StackFolder() {
  std::error_code ignored;  // a destructor has no one to report to
  if (!root_.empty()) fs::remove_all(root_, ignored);
}

std::string StackFolder::path() const { return root_ + "/" + kName; }

LoraStackOptions StackOfSize(uint64_t foundation_bytes) {
  LoraStackOptions options;
  options.blocks = 4;
  options.rank = 16;
  options.adapters = 2;
  // A hidden layer four times as wide as x, as transformers have it; sizes in steps of 32.
  options.width = 1;
  options.hidden = 4;
  const double width = sqrt(static_cast<double>(foundation_bytes) /
                            static_cast<double>(FoundationSizeBytes(options)));
  options.width = std::max(32u, static_cast<uint32_t>(lround(width / 32)) * 32);
  options.hidden = 4 * options.width;
  return options;
}

Result<std::vector<std::string>> StackCases(const std::string& folder) {
  std::vector<std::string> cases = {folder + "/base.json"};
  if (!fs::exists(cases[0])) {
    return Status::Error(StatusCode::kNotFound, "%s: not found; was the stack generated here?",
                         cases[0].c_str());
  }
  for (size_t adapter = 0;; ++adapter) {
    std::string path = folder + "/lora" + std::to_string(adapter) + ".json";
    if (!fs::exists(path)) return cases;
    cases.push_back(std::move(path));
  }
}

}  // namespace onepack
