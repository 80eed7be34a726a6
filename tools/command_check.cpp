// onepack check: recorded cases, all loaded into one process over one cache.

#include <float.h>
#include <stdio.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "tools/case_list.h"
#include "tools/case_runner.h"
#include "tools/command_options.h"
#include "tools/commands.h"
#include "tools/option_values.h"
#include "tools/print_stats.h"
#include "tools/unused_data.h"

namespace onepack {
namespace {

struct CheckOptions {
  std::vector<std::string> paths;
  CaseListOptions cases;
  ProgramLoaderOptions loader;
  size_t jobs = 1;
  std::string order = "given";
  bool strict = false;
  bool stats = false;
};

struct CheckedCase {
  ListedCase listed;
  std::optional<CaseRunner> runner;
  CaseOutcome outcome;
  bool is_done = false;
};

class Checker {
 public:
  Checker(ProgramLoader& loader, std::vector<ListedCase> listed, bool strict)
      : loader_(loader), strict_(strict), cases_(listed.size()) {
    for (size_t i = 0; i < listed.size(); ++i) cases_[i].listed = std::move(listed[i]);
  }

  // All are loaded before the first one runs.
  void RunOneByOne() {
    for (size_t i = 0; i < cases_.size(); ++i) Load(i);
    for (size_t i = 0; i < cases_.size(); ++i) Run(i);
  }

  // Each of `jobs` threads takes the next case, loads it and runs it, while others load or run
  // theirs.
  void RunTogether(size_t jobs) {
    std::atomic<size_t> next{0};
    const auto work = [&] {
      for (size_t i = next++; i < cases_.size(); i = next++) {
        Load(i);
        Run(i);
      }
    };
    std::vector<std::thread> threads;
    for (size_t i = 0; i < std::min(jobs, cases_.size()); ++i) threads.emplace_back(work);
    for (std::thread& thread : threads) thread.join();
  }

  size_t count() const { return cases_.size(); }
  size_t passed() const {
    return static_cast<size_t>(std::count_if(
        cases_.begin(), cases_.end(), [](const auto& checked) { return checked.outcome.passed; }));
  }

 private:
  void Load(size_t index) {
    CheckedCase& checked = cases_[index];
    Status status = TryLoad(checked);
    if (!status.ok()) checked.outcome.reason = status.message();
  }

  Status TryLoad(CheckedCase& checked) {
    ONEPACK_ASSIGN_OR_RETURN(RecordedCase recorded, checked.listed.read());
    checked.listed.name = recorded.name;
    ONEPACK_ASSIGN_OR_RETURN(CaseRunner runner, CaseRunner::Load(loader_, std::move(recorded)));
    ONEPACK_RETURN_IF_ERROR(ReportUnusedFiles(runner.unused_files(), runner.program(), strict_));
    checked.runner.emplace(std::move(runner));
    return Status::Ok();
  }

  void Run(size_t index) {
    CheckedCase& checked = cases_[index];
    if (checked.runner.has_value()) checked.outcome = checked.runner->Run();
    const std::lock_guard<std::mutex> lock(mutex_);
    checked.is_done = true;
    // In the order of the command line, not of completion.
    while (printed_ < cases_.size() && cases_[printed_].is_done) Print(cases_[printed_++]);
  }

  static void Print(const CheckedCase& checked) {
    const CaseOutcome& outcome = checked.outcome;
    printf("%-4s  %-20s", outcome.passed ? "ok" : "FAIL", checked.listed.name.c_str());
    if (outcome.compared) printf("  worst error %.3g of the tolerance", outcome.worst_error);
    if (!outcome.passed) printf("  %s", outcome.reason.c_str());
    printf("\n");
    fflush(stdout);  // known even if a later case should crash
  }

  ProgramLoader& loader_;
  const bool strict_;
  std::vector<CheckedCase> cases_;  // each touched by one thread until it is done

  std::mutex mutex_;
  size_t printed_ = 0;  // guarded by mutex_
};

Result<bool> Check(const CheckOptions& options) {
  ONEPACK_ASSIGN_OR_RETURN(const std::unique_ptr<ProgramLoader> loader,
                           ProgramLoader::Create(options.loader));
  std::vector<ListedCase> cases;
  for (const std::string& path : options.paths) {
    for (ListedCase& listed : ListCases(path, options.cases)) cases.push_back(std::move(listed));
  }
  if (options.order == "reverse") std::reverse(cases.begin(), cases.end());
  Checker checker(*loader, std::move(cases), options.strict);
  if (options.jobs == 1) {
    checker.RunOneByOne();
  } else {
    checker.RunTogether(options.jobs);
  }
  if (options.stats) PrintStats(*loader);
  const size_t failed = checker.count() - checker.passed();
  printf("%zu passed, %zu failed\n", checker.passed(), failed);
  return failed == 0 && checker.count() > 0;
}

}  // namespace

void AddCheckCommand(CLI::App& app, Action* action) {
  const auto options = std::make_shared<CheckOptions>();
  CLI::App* command =
      app.add_subcommand("check", "Run recorded cases in one process and compare the results");
  command->group("Commands");
  AddPathArguments(*command, "CASE", options->paths,
                   "Recorded cases (.json), each of which names its own files,\n"
                   "and bundled programs (.bpte)")
      ->required();
  AddDataOption(*command, options->cases.data)
      ->description("Data files for bundled programs, separated by commas or repeated");
  const RealRange tolerances = {0, DBL_MAX, " from 0 on"};
  AddRealOption(*command, "--atol", options->cases.atol, tolerances,
                "Absolute tolerance; else the case's own, 0.01 for bundled programs");
  AddRealOption(*command, "--rtol", options->cases.rtol, tolerances,
                "Relative tolerance; else the case's own, 0.01 for bundled programs");
  AddCountOption(*command, "--jobs", options->jobs, 1024, "Cases loaded and run at the same time");
  command->add_option("--order", options->order, "Load and run as \"given\", or in \"reverse\"")
      ->check(CLI::IsMember({"given", "reverse"}).description(""))
      ->type_name("ORDER")
      ->capture_default_str();
  AddStrictOption(*command, options->strict);
  AddLoaderOptions(*command, options->loader);
  command->add_flag("--stats", options->stats,
                    "Print what the weight cache did and what memory the process holds");
  command->footer(
      "Loads all cases into one process over one weight cache, keeps them loaded, makes the\n"
      "recorded calls and compares the outputs. Prints one line for each case, with the worst\n"
      "error relative to the case's tolerance: 0 is equal, more than 1 is a mismatch.\n"
      "Of a bundled program, each method with test cases is a case; its state is reset before "
      "each\n"
      "test case.\n"
      "\n"
      "Examples:\n"
      "  onepack check cases/lora_8da4w/*.json --stats\n"
      "  onepack check cases/*/*.json --jobs 4 --order reverse\n"
      "  onepack check mv2.bpte --rtol 1e-3 --atol 1e-5\n"
      "\n"
      "Exit status: 0 only when every case passed.");
  command->callback([options, action] { *action = [options] { return Check(*options); }; });
}

}  // namespace onepack
