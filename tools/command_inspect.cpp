// onepack inspect: what is in programs and data files, and what they share.

#include <stdio.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "tools/commands.h"
#include "tools/format.h"
#include "tools/option_values.h"
#include "tools/print_program.h"
#include "tools/print_test_cases.h"
#include "tools/shared_keys.h"

namespace onepack {
namespace {

// All files are opened before the first one is printed: a bad one is the only thing to read.
Result<bool> Inspect(const std::vector<std::string>& paths) {
  std::vector<InspectedFile> files;
  for (const std::string& path : paths) {
    ONEPACK_ASSIGN_OR_RETURN(InspectedFile file, OpenToInspect(path));
    files.push_back(std::move(file));
  }
  for (const InspectedFile& file : files) {
    if (file.program) {
      ONEPACK_RETURN_IF_ERROR(PrintProgram(file));
      if (file.bundle) PrintTestCases(*file.bundle);
    } else {
      printf("%s: data file, %s\n", file.path.c_str(), FormatBytes(file.size_bytes).c_str());
      PrintNamedData(*file.named_data);
    }
    printf("\n");
  }
  if (files.size() > 1) ONEPACK_RETURN_IF_ERROR(PrintSharedKeys(files));
  return true;
}

}  // namespace

void AddInspectCommand(CLI::App& app, Action* action) {
  const auto paths = std::make_shared<std::vector<std::string>>();
  CLI::App* command =
      app.add_subcommand("inspect", "Show what programs and data files hold, and what they share");
  command->group("Commands");
  AddPathArguments(*command, "FILE", *paths,
                   "Programs (.pte, .bpte) and data files (.ptd), in any order")
      ->required();
  command->footer(
      "Shows methods, operators, delegates and memory of programs, and the keys of data files.\n"
      "The test cases of bundled programs (.bpte) are shown with the shapes of their tensors.\n"
      "Says which keys several files share and how many bytes that saves.\n"
      "\n"
      "Examples:\n"
      "  onepack inspect base.pte\n"
      "  onepack inspect base.pte lora0.pte lora1.pte foundation.ptd lora0.ptd lora1.ptd");
  command->callback([paths, action] { *action = [paths] { return Inspect(*paths); }; });
}

}  // namespace onepack
