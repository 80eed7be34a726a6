// onepack-demo: what it costs to load programs that share a foundation, with one cache and with a
// cache for each.

#include <signal.h>
#include <stdio.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "examples/demo/case_group.h"
#include "examples/demo/child_process.h"
#include "examples/demo/comparison_table.h"
#include "examples/demo/measurement.h"
#include "examples/demo/sample_answers.h"
#include "examples/demo/stack_folder.h"
#include "tools/format.h"
#include "tools/option_values.h"
#include "tools/standard_streams.h"

namespace onepack {
namespace {

constexpr char kName[] = "onepack-demo";

struct DemoOptions {
  std::vector<std::string> cases;
  bool generate = false;
  uint64_t megabytes = 200;
  std::string stack;
  size_t threads = 1;
  size_t repeat = 5;
  SampleOptions sample;
  std::string measure;  // of a child: "shared", "apart" or "in-place"
};

volatile sig_atomic_t interrupted = 0;

// Leaves by the usual way, so that the generated files are removed. Children have the default again
// and die.
void CatchInterrupts() {
  struct sigaction action = {};
  action.sa_handler = [](int) { interrupted = 1; };
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
  // A closed output pipe is an error like any other.
  signal(SIGPIPE, SIG_IGN);
}

// Also by an output that is not taken.
Status CheckInterrupted() {
  ONEPACK_RETURN_IF_ERROR(CheckStandardOutput());
  if (interrupted == 0) return Status::Ok();
  return Status::Error(StatusCode::kFailedPrecondition, "interrupted");
}

Result<Measurements> MeasureInChild(const CaseGroup& group, const char* how,
                                    const DemoOptions& options) {
  std::vector<std::string> arguments = {"--measure", how, "--threads",
                                        std::to_string(options.threads)};
  arguments.insert(arguments.end(), group.cases.begin(), group.cases.end());
  ONEPACK_ASSIGN_OR_RETURN(const std::string json, RunThisProgram(arguments));
  ONEPACK_RETURN_IF_ERROR(CheckInterrupted());
  ONEPACK_ASSIGN_OR_RETURN(Measurements measured, MeasurementsFromJson(json));
  if (measured.size() == group.cases.size()) return measured;
  return Status::Error(StatusCode::kInternal, "%zu programs measured, %zu expected",
                       measured.size(), group.cases.size());
}

// The ways alternate, so that a machine that gets slower or faster does so for all.
Result<MeasuredGroup> MeasureAllWays(const CaseGroup& group, const DemoOptions& options) {
  printf("measuring %s\n", group.title.c_str());
  fflush(stdout);
  std::vector<Measurements> shared;
  std::vector<Measurements> apart;
  std::vector<Measurements> in_place;
  const std::pair<const char*, std::vector<Measurements>*> ways[] = {
      {"shared", &shared}, {"apart", &apart}, {"in-place", &in_place}};
  for (size_t i = 0; i < options.repeat; ++i) {
    for (const auto& [way, measurements] : ways) {
      ONEPACK_ASSIGN_OR_RETURN(Measurements one, MeasureInChild(group, way, options));
      measurements->push_back(std::move(one));
    }
  }
  return MeasuredGroup{group.title, Median(shared), Median(apart), Median(in_place)};
}

void PrintMeasuredGroups(const std::vector<MeasuredGroup>& groups, const DemoOptions& options) {
  printf("\n%s\n%s", FormatTable(groups).c_str(), FormatLegend().c_str());
  printf("Medians of %s each way, each in a process of its own, on %s.\n\n%s",
         FormatCount(options.repeat, "run", "runs").c_str(),
         FormatCount(options.threads, "thread", "threads").c_str(), FormatSaving(groups).c_str());
}

// True when every answer was the recorded one. `sample` is printed with the results.
Result<bool> Compare(const std::vector<std::string>& cases, const std::string& sample,
                     const DemoOptions& options) {
  ONEPACK_ASSIGN_OR_RETURN(const std::vector<CaseGroup> groups, GroupByFolder(cases));
  std::vector<MeasuredGroup> measured;
  for (const CaseGroup& group : groups) {
    ONEPACK_ASSIGN_OR_RETURN(MeasuredGroup one, MeasureAllWays(group, options));
    measured.push_back(std::move(one));
  }
  if (!sample.empty()) printf("\n%s", sample.c_str());
  PrintMeasuredGroups(measured, options);
  const std::string mismatches = FormatMismatches(measured);
  if (!mismatches.empty()) printf("\nAnswers that differ:\n%s", mismatches.c_str());
  return mismatches.empty();
}

Result<StackFolder> GenerateStack(const DemoOptions& options) {
  const LoraStackOptions stack = StackOfSize(options.megabytes * 1000000);
  printf(
      "generating a stack with %s of f32 weights and %u adapters of rank %u (removed afterwards)\n",
      FormatBytes(FoundationSizeBytes(stack)).c_str(), stack.adapters, stack.rank);
  fflush(stdout);
  ONEPACK_ASSIGN_OR_RETURN(StackFolder folder, StackFolder::Generate(stack));
  ONEPACK_RETURN_IF_ERROR(CheckInterrupted());
  const uint64_t before = folder.report().before_bytes();
  const uint64_t after = folder.report().after_bytes();
  printf("on disk: %s, each with all of its data: %s; split: %s, %s saved\n",
         FormatCount(folder.report().programs.size(), "program", "programs").c_str(),
         FormatBytes(before).c_str(), FormatBytes(after).c_str(),
         FormatBytes(before - std::min(before, after)).c_str());
  fflush(stdout);
  return folder;
}

Result<bool> RunDemo(const DemoOptions& options) {
  CatchInterrupts();
  // First, so that no measurement is lost by an error here.
  std::string sample;
  if (!options.sample.folder.empty()) {
    ONEPACK_ASSIGN_OR_RETURN(sample, SampleAnswers(options.sample));
  }
  std::vector<std::string> cases = options.cases;
  std::optional<StackFolder> generated;
  std::string stack = options.stack;
  if (options.generate) {
    ONEPACK_ASSIGN_OR_RETURN(StackFolder folder, GenerateStack(options));
    generated.emplace(std::move(folder));
    stack = generated->path();
  }
  if (!stack.empty()) {
    ONEPACK_ASSIGN_OR_RETURN(const std::vector<std::string> more, StackCases(stack));
    cases.insert(cases.end(), more.begin(), more.end());
  }
  if (cases.empty()) {
    return Status::Error(
        StatusCode::kInvalidArgument,
        "nothing to measure: name cases, or say --generate or --stack (see --help)");
  }
  return Compare(cases, sample, options);
}

Result<bool> RunMeasurement(const DemoOptions& options) {
  MeasurementOptions measurement;
  measurement.cases = options.cases;
  measurement.sharing = options.measure == "apart" ? Sharing::kApart : Sharing::kShared;
  measurement.linears =
      options.measure == "in-place" ? LinearLayout::kInPlace : LinearLayout::kPacked;
  measurement.threads = options.threads;
  ONEPACK_ASSIGN_OR_RETURN(const Measurements measured, Measure(measurement));
  printf("%s\n", ToJson(measured).c_str());
  return true;
}

// All or none. Of each the last one counts: scripts/demo.sh has its own before the user's.
void DescribeSampleOptions(CLI::App& app, SampleOptions& options) {
  const std::vector<CLI::Option*> all = {
      app.add_option("--models", options.folder,
                     "Let the language models in this folder answer the prompt")
          ->type_name("FOLDER"),
      app.add_option("--tokenizer", options.tokenizer, "Tokenizer of the models")
          ->type_name("tokenizer.model"),
      app.add_option("--prompt", options.prompt, "What they answer")->type_name("TEXT")};
  for (CLI::Option* option : all) {
    option->take_last();
    for (CLI::Option* other : all) {
      if (other != option) option->needs(other);
    }
  }
}

void DescribeOptions(CLI::App& app, DemoOptions& options) {
  app.description(
      "Loads programs that share a foundation, with one cache of packed weights, with a cache for\n"
      "each program, and with linear layers in place, and prints what that costs. Cases in one\n"
      "folder are loaded together.");
  AddPathArguments(app, "CASE.json", options.cases, "Recorded cases; each names its own files");
  auto* generate = app.add_flag("--generate", options.generate,
                                "Also a larger stack, generated into a temporary folder");
  AddNumberOption<uint64_t>(app, "--megabytes", options.megabytes, 1, 100000,
                            "Size of the generated foundation");
  app.add_option("--stack", options.stack,
                 "Also the stack that was generated in this folder before")
      ->type_name("FOLDER")
      ->excludes(generate);
  DescribeSampleOptions(app, options.sample);
  AddNumberOption<size_t>(app, "--threads", options.threads, 1, 1024, "That XNNPACK computes with");
  AddNumberOption<size_t>(app, "--repeat", options.repeat, 1, 1000,
                          "Runs each way, of which the median is printed");
  app.add_option("--measure", options.measure)
      ->check(CLI::IsMember({"shared", "apart", "in-place"}))
      ->group("");  // not for people: how the demo starts itself
  app.footer("Exit status: 0 only when every program gave the recorded answers.");
}

int Main(int argc, char** argv) {
  CLI::App app;
  app.name(kName);
  DemoOptions options;
  DescribeOptions(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return Fail(kName, error.what(), 2);
  }
  auto succeeded = options.measure.empty() ? RunDemo(options) : RunMeasurement(options);
  if (!succeeded.ok()) return Fail(kName, succeeded.status().message(), 1);
  return *succeeded ? 0 : 1;
}

}  // namespace
}  // namespace onepack

int main(int argc, char** argv) {
  return onepack::RunMain(onepack::kName, [&] { return onepack::Main(argc, argv); });
}
