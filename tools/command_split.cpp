// onepack split: what programs have in common moves to one data file.

#include <stdio.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "aot/split_programs.h"
#include "tools/commands.h"
#include "tools/format.h"
#include "tools/option_values.h"
#include "tools/progress.h"

namespace onepack {
namespace {

void PrintReport(const SplitReport& report) {
  TextTable table(0);
  for (const SplitReport::SplitProgram& program : report.programs) {
    table.AddRow({program.after.path, FormatBytes(program.after.size_bytes),
                  "instead of " + FormatBytes(program.before.size_bytes)});
    if (program.adapter.path.empty()) continue;
    table.AddRow({program.adapter.path, FormatBytes(program.adapter.size_bytes), "its own data"});
  }
  table.AddRow({report.foundation.path, FormatBytes(report.foundation.size_bytes), "shared"});
  printf("%s", table.ToString().c_str());
  const uint64_t before = report.before_bytes();
  const uint64_t after = report.after_bytes();
  printf("in all %s instead of %s", FormatBytes(after).c_str(), FormatBytes(before).c_str());
  if (after < before) printf(": %s saved", FormatBytes(before - after).c_str());
  printf("\n");
}

Result<bool> Split(SplitOptions options) {
  Progress progress("split");
  options.watch = progress.Watcher();
  ONEPACK_ASSIGN_OR_RETURN(const SplitReport report, SplitPrograms(options));
  PrintReport(report);
  return true;
}

}  // namespace

void AddSplitCommand(CLI::App& app, Action* action) {
  const auto options = std::make_shared<SplitOptions>();
  CLI::App* command =
      app.add_subcommand("split", "Move what programs have in common to one data file");
  command->group("Commands");
  AddPathArguments(*command, "PROGRAM", options->programs, "Programs (.pte) that carry their data")
      ->required();
  command->add_option("--foundation", options->foundation, "The data file to write")
      ->required()
      ->type_name("F.ptd");
  command->add_flag("--adapters", options->adapters,
                    "Also move what each program does not share, to NAME.ptd");
  command
      ->add_option("--output", options->folder,
                   "Folder for the slim programs; else that of the data file")
      ->type_name("FOLDER");
  command->add_flag_callback(
      "--replace", [options] { options->existing = ExistingFile::kReplace; },
      "Replace files that are there, also the programs themselves");
  command->footer(
      "Finds equal data by its content, inside delegates and outside, and writes programs that\n"
      "ask for it by key. Nothing has to be exported again. With one program, all of its data\n"
      "moves. Files appear when all are written; after a failure nothing has changed.\n"
      "A program with data files of its own is merged first (see onepack merge).\n"
      "\n"
      "Examples:\n"
      "  onepack split base.pte lora0.pte lora1.pte --foundation split/foundation.ptd --adapters\n"
      "  onepack run split/lora0.pte --data split/foundation.ptd,split/lora0.ptd");
  command->callback([options, action] { *action = [options] { return Split(*options); }; });
}

}  // namespace onepack
