// onepack merge: a program and its data files become one program.

#include <stdio.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "aot/merge_program.h"
#include "tools/command_options.h"
#include "tools/commands.h"
#include "tools/format.h"
#include "tools/progress.h"

namespace onepack {
namespace {

Result<bool> Merge(MergeOptions options) {
  Progress progress("merge");
  options.watch = progress.Watcher();
  ONEPACK_ASSIGN_OR_RETURN(const uint64_t size_bytes, MergeProgram(options));
  printf("%s: %s\n", options.output.c_str(), FormatBytes(size_bytes).c_str());
  return true;
}

}  // namespace

void AddMergeCommand(CLI::App& app, Action* action) {
  const auto options = std::make_shared<MergeOptions>();
  CLI::App* command = app.add_subcommand("merge", "Put a program's data into the program");
  command->group("Commands");
  command->add_option("PROGRAM", options->program, "The program (.pte)")->required()->type_name("");
  AddDataOption(*command, options->data)->required();
  command->add_option("--output", options->output, "The program to write")
      ->required()
      ->type_name("B.pte");
  command->add_flag_callback(
      "--replace", [options] { options->existing = ExistingFile::kReplace; },
      "Replace a file that is there");
  command->footer(
      "Takes from the data files what the program asks for. The file appears when it is whole;\n"
      "after a failure nothing has changed.\n"
      "\n"
      "Example:\n"
      "  onepack merge lora0.pte --data foundation.ptd,lora0.ptd --output alone.pte");
  command->callback([options, action] { *action = [options] { return Merge(*options); }; });
}

}  // namespace onepack
