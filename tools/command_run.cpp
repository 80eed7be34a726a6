// onepack run: one method of one program, on inputs of the user.

#include <stdio.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <memory>

#include "tools/command_options.h"
#include "tools/commands.h"
#include "tools/format.h"
#include "tools/input_argument.h"
#include "tools/option_values.h"
#include "tools/print_outputs.h"
#include "tools/print_stats.h"

namespace onepack {
namespace {

struct RunOptions {
  std::string program;
  std::vector<std::string> data;
  std::string method = "forward";
  std::vector<InputArgument> inputs;
  std::vector<ShapeArgument> shapes;
  bool full = false;
  std::string output_dir;
  size_t repeat = 1;
  ProgramLoaderOptions loader;
  bool stats = false;
};

using InputValues = std::vector<std::unique_ptr<InputValue>>;
using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// The last one given for this input; null when there is none.
const std::vector<int32_t>* SizesOf(size_t input, const RunOptions& options) {
  const std::vector<int32_t>* sizes = nullptr;
  for (const ShapeArgument& shape : options.shapes) {
    if (shape.input == input) sizes = &shape.sizes;
  }
  return sizes;
}

Status CheckAgainstMethod(const RunOptions& options, const Method& method) {
  if (options.inputs.size() > method.input_count()) {
    return Status::Error(StatusCode::kInvalidArgument, "%zu inputs are given, the method takes %zu",
                         options.inputs.size(), method.input_count());
  }
  for (const ShapeArgument& shape : options.shapes) {
    const bool is_tensor =
        shape.input < method.input_count() && method.input(shape.input).is(ValueKind::kTensor);
    if (is_tensor) continue;
    return Status::Error(StatusCode::kInvalidArgument,
                         "--shape: there is no tensor %zu among the method's %zu inputs",
                         shape.input, method.input_count());
  }
  return Status::Ok();
}

Result<InputValues> MakeInputs(const RunOptions& options, const Method& method) {
  ONEPACK_RETURN_IF_ERROR(CheckAgainstMethod(options, method));
  InputValues inputs;
  for (size_t i = 0; i < method.input_count(); ++i) {
    const InputArgument argument = i < options.inputs.size() ? options.inputs[i] : InputArgument{};
    auto input = InputValue::Create(method.input(i), argument, SizesOf(i, options));
    if (!input.ok()) return input.TakeStatus().WithContext("input %zu", i);
    inputs.push_back(std::move(input).value());
  }
  return inputs;
}

// Seconds of each run, without setting the inputs.
Result<std::vector<double>> RunRepeatedly(Method& method, const InputValues& inputs,
                                          size_t repeat) {
  std::vector<double> seconds;
  for (size_t run = 0; run < repeat; ++run) {
    for (size_t i = 0; i < inputs.size(); ++i) {
      ONEPACK_RETURN_IF_ERROR(method.SetInput(i, inputs[i]->value()));
    }
    const Clock::time_point start = Clock::now();
    ONEPACK_RETURN_IF_ERROR(method.Execute());
    seconds.push_back(SecondsSince(start));
  }
  return seconds;
}

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

Result<bool> Run(const RunOptions& options) {
  ONEPACK_ASSIGN_OR_RETURN(const std::unique_ptr<ProgramLoader> loader,
                           ProgramLoader::Create(options.loader));
  const Clock::time_point start = Clock::now();
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Method> method,
                           loader->Load(options.program, options.data, options.method));
  const double load_seconds = SecondsSince(start);
  ONEPACK_ASSIGN_OR_RETURN(const InputValues inputs, MakeInputs(options, *method));
  ONEPACK_ASSIGN_OR_RETURN(const std::vector<double> seconds,
                           RunRepeatedly(*method, inputs, options.repeat));
  PrintOutputs(*method, options.full);
  if (!options.output_dir.empty()) {
    ONEPACK_RETURN_IF_ERROR(WriteOutputs(*method, options.output_dir));
  }
  PrintTimes(load_seconds, seconds);
  if (options.stats) PrintStats(*loader);
  return true;
}

void AddInputOptions(CLI::App& command, RunOptions& options) {
  command.add_option("PROGRAM.pte", options.program, "Program to run")->required()->type_name("");
  AddDataOption(command, options.data);
  command.add_option("--method", options.method, "Method to run")
      ->type_name("NAME")
      ->capture_default_str();
  AddParsedOption(command, "--input", options.inputs, &ParseInputArgument,
                  "The next input: a file of raw bytes, file:PATH, zeros,\n"
                  "int:5, bool:true or double:1.5; zeros if not given")
      ->type_name("INPUT");
  AddParsedOption(command, "--shape", options.shapes, &ParseShapeArgument,
                  "Sizes of a dynamic input; its upper bound if not given")
      ->type_name("0=4x64");
}

void AddOutputOptions(CLI::App& command, RunOptions& options) {
  command.add_flag("--full", options.full, "Print all values of the outputs, not only the first");
  command
      .add_option("--output-dir", options.output_dir,
                  "Write the bytes of output 0 to DIR/output0.bin, and so on")
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
      "  onepack run llm.pte --data llm.ptd --shape 0=1x7 --output-dir out\n");
  command->callback([options, action] { *action = [options] { return Run(*options); }; });
}

}  // namespace onepack
