// onepack run: a method of a program, or several, on inputs of the user.

#include <stdio.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "tools/command_options.h"
#include "tools/commands.h"
#include "tools/format.h"
#include "tools/method_sequence.h"
#include "tools/option_values.h"
#include "tools/print_outputs.h"
#include "tools/print_stats.h"
#include "tools/seconds_since.h"
#include "tools/unused_data.h"

namespace onepack {
namespace {

struct RunOptions {
  std::string program;
  std::vector<std::string> data;
  std::vector<std::string> methods = {"forward"};
  std::vector<InputArgument> inputs;
  std::vector<ShapeArgument> shapes;
  bool strict = false;
  bool full = false;
  std::string output_dir;
  size_t repeat = 1;
  ProgramLoaderOptions loader;
  bool stats = false;
};

void PrintTimes(double load_seconds, std::vector<double> seconds) {
  printf("load      %s\n", FormatSeconds(load_seconds).c_str());
  const double first = seconds.front();
  if (seconds.size() == 1) {
    printf("run       %s\n", FormatSeconds(first).c_str());
    return;
  }
  std::sort(seconds.begin(), seconds.end());
  const size_t middle = seconds.size() / 2;
  const double median =
      seconds.size() % 2 == 1 ? seconds[middle] : (seconds[middle - 1] + seconds[middle]) / 2;
  printf("run       first %s, median %s, min %s of %zu runs\n", FormatSeconds(first).c_str(),
         FormatSeconds(median).c_str(), FormatSeconds(seconds.front()).c_str(), seconds.size());
}

Status ShowOutputs(const MethodSequence& sequence, const RunOptions& options) {
  const bool are_several = sequence.methods().size() > 1;
  for (size_t i = 0; i < sequence.methods().size(); ++i) {
    const Method& method = *sequence.methods()[i];
    if (are_several) printf("method '%s'\n", options.methods[i].c_str());
    PrintOutputs(method, options.full);
    if (options.output_dir.empty()) continue;
    ONEPACK_RETURN_IF_ERROR(WriteOutputs(
        method, options.output_dir + (are_several ? "/method" + std::to_string(i) : "")));
  }
  return Status::Ok();
}

Result<bool> Run(const RunOptions& options) {
  ONEPACK_ASSIGN_OR_RETURN(const std::unique_ptr<ProgramLoader> loader,
                           ProgramLoader::Create(options.loader));
  const Clock::time_point start = Clock::now();
  ONEPACK_ASSIGN_OR_RETURN(
      MethodSequence sequence,
      MethodSequence::Load(*loader, options.program, options.data, options.methods));
  const double load_seconds = SecondsSince(start);
  ONEPACK_ASSIGN_OR_RETURN(const std::vector<std::string> unused,
                           sequence.UnusedFiles(*loader, options.data));
  ONEPACK_RETURN_IF_ERROR(ReportUnusedFiles(unused, options.program, options.strict));
  ONEPACK_RETURN_IF_ERROR(sequence.MakeInputs(options.inputs, options.shapes));
  std::vector<double> seconds;
  while (seconds.size() < options.repeat) {
    ONEPACK_ASSIGN_OR_RETURN(const double run, sequence.Run());
    seconds.push_back(run);
  }
  ONEPACK_RETURN_IF_ERROR(ShowOutputs(sequence, options));
  PrintTimes(load_seconds, seconds);
  if (options.stats) PrintStats(*loader);
  return true;
}

void AddInputOptions(CLI::App& command, RunOptions& options) {
  command
      .add_option("PROGRAM.pte", options.program, "Program to run (.pte), or a bundled one (.bpte)")
      ->required()
      ->type_name("");
  AddDataOption(command, options.data);
  AddStrictOption(command, options.strict);
  command
      .add_option("--method", options.methods,
                  "Method to run, \"forward\" if not given; several run in\n"
                  "this order, with the state that they share")
      ->allow_extra_args(false)
      ->type_name("NAME");
  AddParsedOption(command, "--input", options.inputs, &ParseInputArgument,
                  "The next input: a file of raw bytes, file:PATH, zeros,\n"
                  "int:5, bool:true or double:1.5; zeros if not given.\n"
                  "Those of a second method come behind the first one's")
      ->type_name("INPUT");
  AddParsedOption(command, "--shape", options.shapes, &ParseShapeArgument,
                  "Sizes of a dynamic input; its upper bound if not given")
      ->type_name("0=4x64");
}

void AddOutputOptions(CLI::App& command, RunOptions& options) {
  command.add_flag("--full", options.full, "Print all values of the outputs, not only the first");
  command
      .add_option("--output-dir", options.output_dir,
                  "Write the bytes of output 0 to DIR/output0.bin, and so on;\n"
                  "of several methods to DIR/method0/output0.bin")
      ->type_name("DIR");
  AddCountOption(command, "--repeat", options.repeat, 1000000,
                 "Run so many times; the last outputs are printed");
  AddLoaderOptions(command, options.loader);
  command.add_flag("--stats", options.stats,
                   "Print what the weight cache did and what memory the process holds");
}

}  // namespace

void AddRunCommand(CLI::App& app, Action* action) {
  const auto options = std::make_shared<RunOptions>();
  CLI::App* command = app.add_subcommand("run", "Run a method on files of inputs, or on zeros");
  command->group("Commands");
  AddInputOptions(*command, *options);
  AddOutputOptions(*command, *options);
  command->footer(
      "Prints the outputs, and how long loading and running took. State such as a KV cache\n"
      "carries over from run to run.\n"
      "\n"
      "Examples:\n"
      "  onepack run base.pte --data foundation.ptd --input x.bin --shape 0=4x64\n"
      "  onepack run lora0.pte --data foundation.ptd,lora0.ptd --repeat 100 --threads 4\n"
      "  onepack run llm.pte --data llm.ptd --shape 0=1x7 --output-dir out\n"
      "  onepack run llm.pte --method prefill --method decode --input p.bin --input d.bin\n");
  command->callback([options, action] { *action = [options] { return Run(*options); }; });
}

}  // namespace onepack
