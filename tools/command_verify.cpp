// onepack verify: whether files are sound, and whether they fit together.

#include <stdio.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <optional>
#include <set>

#include "onepack/key_integrity.h"
#include "onepack/weight_cache.h"
#include "onepack/xnnpack_backend.h"
#include "tools/command_options.h"
#include "tools/commands.h"
#include "tools/data_holders.h"
#include "tools/format.h"
#include "tools/option_values.h"
#include "tools/progress.h"
#include "tools/unused_data.h"
#include "tools/verified_program.h"

namespace onepack {
namespace {

struct VerifyOptions {
  std::vector<std::string> paths;
  bool keys = false;
  bool strict = false;
};

class Verifier {
 public:
  explicit Verifier(const VerifyOptions& options) : options_(options), progress_("verify") {}

  Result<bool> Run() {
    XnnpackBackendOptions backend_options;
    backend_options.weight_cache = WeightCache::Create();
    ONEPACK_ASSIGN_OR_RETURN(backend_, CreateXnnpackBackend(backend_options));
    for (const std::string& path : options_.paths) {
      auto file = OpenToInspect(path);
      errors_.emplace_back(file.ok() ? "" : file.status().message());
      opened_.push_back(file.ok() ? std::optional(std::move(file).value()) : std::nullopt);
    }
    FindUnusedFiles();
    size_t failed = 0;
    for (size_t i = 0; i < opened_.size(); ++i) failed += Verify(i) ? 0 : 1;
    printf("%zu passed, %zu failed\n", opened_.size() - failed, failed);
    return failed == 0;
  }

 private:
  // Data files of which no program that is there uses a key, if there is one.
  void FindUnusedFiles() {
    std::set<std::string> wanted;
    std::vector<std::string> programs;
    for (const auto& file : opened_) {
      if (!file || !file->program) continue;
      programs.push_back(file->path);
      wanted.insert(file->keys.begin(), file->keys.end());
    }
    if (programs.empty()) return;
    const std::string who = programs.size() == 1 ? programs.front() : "any of the programs";
    for (size_t i = 0; i < opened_.size(); ++i) {
      if (!opened_[i] || opened_[i]->program) continue;
      const Span<const NamedData> entries = opened_[i]->named_data->entries();
      const bool is_used = std::any_of(entries.begin(), entries.end(), [&](const auto& entry) {
        return wanted.count(std::string(entry.key)) > 0;
      });
      if (is_used) continue;
      const Status status = ReportUnusedFiles({opened_[i]->path}, who, options_.strict);
      if (!status.ok()) errors_[i] = status.message();
    }
  }

  bool Verify(size_t index) {
    std::string what;
    Status status = Status::Ok();
    if (opened_[index] && errors_[index].empty()) status = VerifyFile(*opened_[index], &what);
    if (!status.ok()) errors_[index] = status.message();
    const bool passed = errors_[index].empty();
    printf("%-4s  %s  %s\n", passed ? "ok" : "FAIL", options_.paths[index].c_str(),
           passed ? what.c_str() : errors_[index].c_str());
    fflush(stdout);
    return passed;
  }

  Status VerifyFile(const InspectedFile& file, std::string* what) {
    if (!file.program) {
      *what = "data file, " + FormatCount(file.named_data->entries().size(), "key", "keys");
    } else {
      ONEPACK_RETURN_IF_ERROR(VerifyProgram(file, what));
    }
    if (options_.keys) ONEPACK_RETURN_IF_ERROR(VerifyContentKeys(file, what));
    return Status::Ok();
  }

  Status VerifyProgram(const InspectedFile& file, std::string* what) {
    *what = std::string(file.bundle ? "bundled program, " : "program, ") +
            FormatCount(file.program->method_count(), "method", "methods") + ", " +
            FormatCount(file.keys.size(), "key", "keys");
    if (file.bundle) {
      ONEPACK_RETURN_IF_ERROR(CheckTestSuites(*file.bundle, *file.program));
      size_t test_cases = 0;
      for (size_t i = 0; i < file.bundle->suite_count(); ++i) {
        test_cases += file.bundle->test_case_count(i);
      }
      *what += ", " + FormatCount(test_cases, "test case", "test cases");
    }
    std::vector<const InspectedFile*> files;
    for (const auto& opened : opened_) {
      if (opened) files.push_back(&*opened);
    }
    const DataHolders holders = FindDataHolders(file, files);
    if (holders.missing > 0 && !HasDataFiles()) {
      *what +=
          ", " + std::to_string(holders.missing) + " of them in data files that were not given";
      return Status::Ok();
    }
    ONEPACK_RETURN_IF_ERROR(CheckNoneIsMissing(holders));
    ONEPACK_ASSIGN_OR_RETURN(const Ref<NamedDataMap> data, NamedDataMap::Merge(holders.maps));
    return VerifyMethods(file, data, backend_);
  }

  bool HasDataFiles() const {
    for (const auto& file : opened_) {
      if (file && !file->program) return true;
    }
    return false;
  }

  Status VerifyContentKeys(const InspectedFile& file, std::string* what) {
    ONEPACK_RETURN_IF_ERROR(CheckDataCanBeRead(file));
    const NamedDataMap& map = *file.named_data;
    size_t content_keys = 0;
    for (const NamedData& entry : map.entries()) {
      ONEPACK_RETURN_IF_ERROR(progress_.Add(entry.segment.size));
      ONEPACK_RETURN_IF_ERROR(VerifyKey(entry));
      content_keys += IsContentKey(entry.key) ? 1 : 0;
    }
    if (map.entries().empty()) return Status::Ok();
    *what += "; " + FormatCount(content_keys, "key is", "keys are") + " the SHA-256 of the data, " +
             std::to_string(map.entries().size() - content_keys) + " no hash";
    return Status::Ok();
  }

  const VerifyOptions& options_;
  Progress progress_;
  Ref<Backend> backend_;
  // By the position of their path.
  std::vector<std::optional<InspectedFile>> opened_;
  std::vector<std::string> errors_;
};

}  // namespace

void AddVerifyCommand(CLI::App& app, Action* action) {
  const auto options = std::make_shared<VerifyOptions>();
  CLI::App* command = app.add_subcommand("verify", "Check that files are sound and fit together");
  command->group("Commands");
  AddPathArguments(*command, "FILE", options->paths,
                   "Programs (.pte, .bpte) and data files (.ptd), in any order")
      ->required();
  command->add_flag("--keys", options->keys,
                    "Also that keys which are hashes are those of their data; reads all of it");
  AddStrictOption(*command, options->strict);
  command->footer(
      "Makes every check that the loader makes. With data files, each program is loaded with\n"
      "those that have something for it (which packs its weights, and takes the memory that\n"
      "loading takes). Operators outside of the delegates are taken to be there.\n"
      "\n"
      "Example:\n"
      "  onepack verify base.pte lora0.pte foundation.ptd lora0.ptd --keys\n"
      "\n"
      "Exit status: 0 only when every file passed.");
  command->callback([options, action] {
    *action = [options]() -> Result<bool> { return Verifier(*options).Run(); };
  });
}

}  // namespace onepack
